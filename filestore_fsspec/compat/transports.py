"""The transports: one location each, with the names, arguments and attributes that they have there.

Both packages have these classes; theirs are named the same, and log under their own names.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Self

from filestore_fsspec.bridge import SYNC, run
from filestore_fsspec.compat.grammar import DEFAULT_BUCKET, as_meant, translate
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.errors import TransportException
from filestore_fsspec.location import Location
from filestore_fsspec.urls import StorageUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

READ_ONLY = "READ ONLY TRANSPORT: Method not allowed"
NOT_IMPLEMENTED = "READ ONLY TRANSPORT: Method not implemented"


def normalize_srl_path(srl: str) -> str:
    """Return where a key lies on a disk: below folders named after its first four characters."""
    return srl if "/" in srl else "/".join((*srl[:4], srl))


class Transport:
    """What all transports have; one of one's own overrides the methods."""

    def __init__(
        self, normalize: Callable[[str], str] = normalize_srl_path, read_only: bool = False
    ) -> None:
        """Keep these.

        Args:
            normalize: returns where a key lies.
            read_only: whether a store writes nothing here.
        """
        self.normalize = normalize
        self.read_only = read_only

    def close(self) -> None:
        """Close the connections; the next call makes new ones."""

    def delete(self, path: str) -> None:
        """Delete `path`; what is absent is no error."""
        raise _not_implemented(path)

    def delete_batch_chunk_size(self) -> int:
        """Return how many objects one request deletes."""
        return 1

    def delete_batch(self, file_list: Iterable[str]) -> None:
        """Delete all of `file_list`."""
        for path in file_list:
            self.delete(path)

    def exists(self, path: str) -> bool:
        """Tell whether the file `path` is present."""
        raise _not_implemented(path)

    def makedirs(self, path: str) -> None:
        """Make a folder and those above it."""
        raise _not_implemented(path)

    def download(self, src_path: str, dst_path: str) -> None:
        """Bring `src_path` to the local file `dst_path`."""
        raise _not_implemented(src_path, dst_path)

    def upload(self, src_path: str, dst_path: str) -> None:
        """Write the local file `src_path` to `dst_path`, over what is there."""
        raise _not_implemented(src_path, dst_path)

    def get(self, path: str) -> bytes:
        """Return the content of `path`; the `cause` of absence is a FileNotFoundError."""
        raise _not_implemented(path)

    def put(self, dst_path: str, content: bytes | str) -> int | None:
        """Write `content` to `dst_path`, over what is there."""
        raise _not_implemented(dst_path, content)

    def list(self, prefix: str | None = None) -> Iterable[str]:
        """Yield the keys that start with `prefix`."""
        raise NotImplementedError(prefix)


def _not_implemented(*_arguments: object) -> TransportException:
    return TransportException("Not Implemented")


class LocationTransport(Transport):
    """The transport of a location; of itself one of a scheme that only this library has."""

    logger: ClassVar[str] = "assemblyline.transport"
    """What the logger's name begins with."""
    kind: ClassVar[str] = ""

    @classmethod
    def of(cls, url: StorageUrl, connection_attempts: int | None) -> Self:
        """Return the transport of a URL of this library. Touches no network."""
        transport = cls.__new__(cls)
        transport.open(url, connection_attempts)
        return transport

    def open(self, url: StorageUrl, connection_attempts: int | None = None) -> None:
        """Be the transport of this URL."""
        name = f"{self.logger}.{self.kind}".rstrip(".")
        self.log = logging.getLogger(name)
        self.url = url
        self.location = Location(url, attempts(connection_attempts), logger=name)
        self.base, self.host, self.port = f"/{url.root}", url.host, url.port
        self.user, self.password = url.username, url.password
        super().__init__(self._normalize, self.location.read_only)

    def _fill(
        self,
        scheme: str,
        base: str | None,
        host: str | None = None,
        port: int | None = None,
        user: str | None = None,
        password: str | None = None,
        **options: str | bool | None,
    ) -> StorageUrl:
        """Return the URL of what a constructor was given."""
        texts = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in options.items()
            if value is not None
        }
        root = (base or "").strip("/")
        url = StorageUrl(scheme, host or "", port, root, user or "", password or "", texts)
        return as_meant(url, logging.getLogger(self.logger))

    def _normalize(self, path: str) -> str:
        return self.location.fs_path(path)

    def __str__(self) -> str:
        return str(self.location)

    def close(self) -> None:
        """Close the connections; the next call makes new ones."""
        self.location.close()

    def delete(self, path: str) -> None:
        """Delete `path`; what is absent is no error."""
        with chained():
            self.location.delete(path)

    def delete_batch_chunk_size(self) -> int:
        """Return how many objects one request deletes."""
        return self.location.delete_batch_chunk_size()

    def delete_batch(self, file_list: Iterable[str]) -> None:
        """Delete all of `file_list`."""
        with chained():
            self.location.delete_batch(list(file_list))

    def exists(self, path: str) -> bool:
        """Tell whether the file `path` is present."""
        with chained():
            return self.location.exists(path)

    def makedirs(self, path: str) -> None:
        """Make a folder and those above it."""
        with chained():
            there, folder = self.location, self.location.fs_path(path)
            run(there.attempt(SYNC, "make", path, Driver.makedirs, folder, exist_ok=True))

    def download(self, src_path: str, dst_path: str) -> None:
        """Bring `src_path` to the local file `dst_path`."""
        with chained():
            self.location.download(src_path, dst_path)

    def upload(self, src_path: str, dst_path: str) -> None:
        """Write the local file `src_path` to `dst_path`, over what is there."""
        with chained():
            self.location.upload(src_path, dst_path)

    def get(self, path: str) -> bytes:
        """Return the content of `path`; the `cause` of absence is a FileNotFoundError."""
        with chained():
            return self.location.get(path)

    def put(self, dst_path: str, content: bytes | str) -> int | None:
        """Write `content` to `dst_path`, over what is there."""
        with chained():
            self.location.put(dst_path, content)
        return None

    def list(self, prefix: str | None = None) -> Iterable[str]:
        """Yield the keys that start with `prefix`."""
        return self.location.list(prefix or "")


class TransportLocal(LocationTransport):
    """A folder of this machine."""

    kind = "local"

    def __init__(
        self, base: str | None = None, normalize: None = None, read_only: bool = False
    ) -> None:
        if normalize:
            raise ValueError("a 'normalize' of one's own is not supported: see 'layout' in the URL")
        self.open(self._fill("file", base, read_only=read_only))

    def open(self, url: StorageUrl, connection_attempts: int | None = None) -> None:
        """Be the transport of this URL, with its parts as attributes."""
        super().open(url, connection_attempts)
        self.host = "localhost"

    def __str__(self) -> str:
        return f"file://{self.base}"

    def put(self, path: str, content: bytes | str) -> int:
        """Write `content` to `path`, over what is there; return how many bytes."""
        super().put(path, content)
        return len(content.encode() if isinstance(content, str) else content)


class TransportFTP(LocationTransport):
    """A folder behind an FTP server."""

    kind = "ftp"

    def __init__(
        self,
        base: str | None = None,
        host: str | None = None,
        password: str | None = None,
        user: str | None = None,
        port: int | None = None,
        use_tls: bool | None = None,
        read_only: bool = False,
    ) -> None:
        self.open(
            self._fill(
                "ftp", base, host, port, user, password, use_tls=use_tls, read_only=read_only
            )
        )

    def open(self, url: StorageUrl, connection_attempts: int | None = None) -> None:
        """Be the transport of this URL, with its parts as attributes."""
        super().open(url, connection_attempts)
        self.port = url.port or 21
        self.use_tls = url.scheme == "ftps" or url.options.get("use_tls") == "true"

    def __str__(self) -> str:
        return f"ftp://{self.user}@{self.host}{self.base}"


class TransportSFTP(LocationTransport):
    """A folder behind an SSH server."""

    kind = "sftp"

    def __init__(
        self,
        base: str | None = None,
        host: str | None = None,
        password: str | None = None,
        user: str | None = None,
        port: int | None = None,
        private_key: str | None = None,
        private_key_pass: str | None = None,
        validate_host: bool = False,
        read_only: bool = False,
    ) -> None:
        options = {"private_key": private_key, "private_key_pass": private_key_pass}
        checks = {"validate_host": validate_host, "read_only": read_only}
        self.open(self._fill("sftp", base, host, port, user, password, **options, **checks))

    def open(self, url: StorageUrl, connection_attempts: int | None = None) -> None:
        """Be the transport of this URL, with its parts as attributes."""
        super().open(url, connection_attempts)
        self.base = self.base if url.root else "./"
        self.port = url.port or 22
        self.private_key = url.options.get("private_key")
        self.private_key_pass = url.options.get("private_key_pass")

    def __str__(self) -> str:
        return f"sftp://{self.user}@{self.host}{self.base}"


class TransportHTTP(LocationTransport):
    """A web server's folder, which is read-only."""

    kind = "http"

    def __init__(
        self,
        scheme: str = "http",
        base: str | None = None,
        host: str | None = None,
        password: str | None = None,
        user: str | None = None,
        pki: str | None = None,
        port: int | None = None,
        verify: bool | None = None,
        read_only: bool = False,
    ) -> None:
        options = {"pki": pki, "verify": verify, "read_only": read_only}
        self.open(self._fill(scheme, base, host, port, user, password, **options))

    def open(self, url: StorageUrl, connection_attempts: int | None = None) -> None:
        """Be the transport of this URL, with its parts as attributes."""
        super().open(url, connection_attempts)
        self.scheme = url.scheme
        self.port = url.port or {"http": 80, "https": 443}[url.scheme]
        self.pki = url.options.get("pki")
        self.verify = _flag(url.options, "verify", default=True)
        self.auth = (self.user, self.password) if self.user and self.password else None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self.host}:{self.port}{self.base}"

    def delete(self, path: str) -> None:  # noqa: ARG002
        """Raise: nothing is deleted here."""
        raise TransportException(NOT_IMPLEMENTED)

    def makedirs(self, path: str) -> None:  # noqa: ARG002
        """Raise: nothing is made here."""
        raise TransportException(NOT_IMPLEMENTED)

    def upload(self, src_path: str, dst_path: str) -> None:  # noqa: ARG002
        """Raise: nothing is written here."""
        raise TransportException(NOT_IMPLEMENTED)

    def upload_batch(self, local_remote_tuples: Iterable[tuple[str, str]]) -> None:  # noqa: ARG002
        """Raise: nothing is written here."""
        raise TransportException(NOT_IMPLEMENTED)

    def put(self, dst_path: str, content: bytes | str) -> int | None:  # noqa: ARG002
        """Raise: nothing is written here."""
        raise TransportException(NOT_IMPLEMENTED)


class _Bucket(LocationTransport):
    def _normalize(self, path: str) -> str:
        return self.location.fs_path(path).partition("/")[2]

    def makedirs(self, path: str) -> None:
        """Do nothing: there are no folders."""


class TransportS3(_Bucket):
    """A bucket."""

    kind = "s3"
    DEFAULT_HOST = "s3.amazonaws.com"

    def __init__(
        self,
        base: str | None = None,
        accesskey: str | None = None,
        secretkey: str | None = None,
        aws_region: str | None = None,
        s3_bucket: str = DEFAULT_BUCKET,
        host: str | None = None,
        port: int | None = None,
        use_ssl: bool | None = None,
        verify: bool = True,
        connection_attempts: int | None = None,
        boto_defaults: bool = False,
        read_only: bool = False,
        use_batch_delete: bool = False,
        debug: bool = False,
    ) -> None:
        if debug:
            logging.getLogger(self.logger).warning("'debug' has no meaning here")
        options = {"aws_region": aws_region, "s3_bucket": s3_bucket, "use_ssl": use_ssl}
        flags = {"verify": verify, "boto_defaults": boto_defaults, "read_only": read_only}
        url = self._fill(
            "s3",
            base,
            host or self.DEFAULT_HOST,
            port,
            accesskey,
            secretkey,
            **options,
            **flags,
            use_batch_delete=use_batch_delete,
        )
        self.open(url, connection_attempts)

    def open(self, url: StorageUrl, connection_attempts: int | None = None) -> None:
        """Be the transport of this URL, with its parts as attributes."""
        super().open(url, connection_attempts)
        self.bucket = url.options["s3_bucket"]
        self.accesskey = url.username or None
        self.retry_limit = connection_attempts
        self.use_ssl = _flag(url.options, "use_ssl", default=True)
        self.use_batch_delete = _flag(url.options, "use_batch_delete", default=True)
        self.scheme = "https" if self.use_ssl else "http"
        self.port = url.port or (443 if self.use_ssl else 80)
        self.endpoint_url = f"{self.scheme}://{self.host}:{self.port}"

    def __str__(self) -> str:
        user = f"{self.accesskey}@" if self.accesskey else ""
        return f"s3://{user}{self.host}:{self.port}/{self.bucket}{self.base}"


class TransportAzure(_Bucket):
    """A container of Azure Blob Storage."""

    kind = "azure"

    def __init__(
        self,
        base: str | None = None,
        access_key: str | None = None,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        host: str | None = None,
        connection_attempts: int | None = None,
        allow_directory_access: bool = False,
        use_default_credentials: bool = False,
        initalize_container: bool = True,
        read_only: bool = False,
        port: int | None = None,
    ) -> None:
        credentials = {
            "access_key": access_key,
            "tenant_id": tenant_id,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        flags = {
            "allow_directory_access": allow_directory_access,
            "use_default_credentials": use_default_credentials,
            "initalize_container": initalize_container,
            "read_only": read_only,
        }
        url = self._fill("azure", base, host, port, None, None, **credentials, **flags)
        self.open(url, connection_attempts)

    def open(self, url: StorageUrl, connection_attempts: int | None = None) -> None:
        """Be the transport of this URL, with its parts as attributes."""
        super().open(url, connection_attempts)
        self.connection_attempts = connection_attempts
        self.allow_directory_access = _flag(url.options, "allow_directory_access", default=False)
        container, _, base_path = url.root.partition("/")
        self.blob_container, self.base_path = container, base_path or None
        scheme = "https" if _flag(url.options, "use_ssl", default=True) else "http"
        self.endpoint_url = f"{scheme}://{url.origin}"

    def __str__(self) -> str:
        return f"azure://{self.host}/{self.blob_container}/"

    def delete(self, path: str) -> None:
        """Delete `path`; what is absent is no error."""
        self._refuse_if_read_only()
        super().delete(path)

    def upload(self, src_path: str, dst_path: str) -> None:
        """Write the local file `src_path` to `dst_path`, over what is there."""
        self._refuse_if_read_only()
        super().upload(src_path, dst_path)

    def put(self, dst_path: str, content: bytes | str) -> int | None:
        """Write `content` to `dst_path`, over what is there."""
        self._refuse_if_read_only()
        return super().put(dst_path, content)

    def _refuse_if_read_only(self) -> None:
        if self.read_only:
            raise TransportException(READ_ONLY)


def attempts(connection_attempts: int | None) -> int | None:
    """Return how often a call is made: theirs may be 0, which is once all the same."""
    return None if connection_attempts is None else max(connection_attempts, 1)


def open_transport(
    classes: Mapping[str, type[LocationTransport]],
    source: object,
    connection_attempts: int | None,
) -> LocationTransport:
    """Return the transport of a URL or host object, of one of these classes by scheme.

    Raises:
        InvalidURL: it cannot be used.
    """
    url = translate(source, logging.getLogger(classes[""].logger))
    return classes.get(url.scheme, classes[""]).of(url, connection_attempts)


@contextmanager
def chained() -> Iterator[None]:
    """Raise whatever is raised as a TransportException, with it as the `cause`."""
    try:
        yield
    except TransportException:
        raise
    except Exception as error:
        raise TransportException(str(error), error) from error


def _flag(options: Mapping[str, str], name: str, *, default: bool) -> bool:
    return options[name].lower() == "true" if name in options else default
