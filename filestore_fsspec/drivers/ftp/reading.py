"""The half of the FTP driver that reads: connections, content, infos, listings."""

from __future__ import annotations

import ftplib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.implementations.ftp import FTPFileSystem
from fsspec.spec import AbstractFileSystem
from fsspec.utils import isfilelike, stringify_path

from filestore_fsspec.drivers.ftp.connection import Settings, encode, tls_context
from filestore_fsspec.drivers.ftp.errors import as_oserror
from filestore_fsspec.drivers.ftp.pool import Pool
from filestore_fsspec.drivers.shared.driver import DriverBase, first_folder, split_entries
from filestore_fsspec.drivers.shared.errors import absent
from filestore_fsspec.keys import is_temporary, temporary_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filestore_fsspec.drivers.ftp.client import Client
    from filestore_fsspec.drivers.shared.driver import Info, Page


class FTPReader(DriverBase, FTPFileSystem):  # type: ignore[misc]  # fsspec carries no types
    """An FTP server, read only.

    Args:
        host: name or address; over TLS, what the certificate must be for.
        port: 21, or 990 with implicit TLS, by custom.
        username: empty for anonymous.
        password: the user's.
        tls: `explicit` sends AUTH TLS first, `implicit` speaks TLS from the first byte.
        verify: check the server's certificate and its name.
        ca_bundle: a PEM file of the authorities to trust; the system's own if None.
        connect_timeout: seconds for each step of making a connection.
        read_timeout: seconds without a byte or a reply after which a call gives up.
        connections: at most so many at a time.
        **kwargs: fsspec's own.
    """

    def __init__(
        self,
        host: str,
        port: int = 21,
        username: str = "",
        password: str = "",
        tls: Literal["none", "explicit", "implicit"] = "none",
        verify: bool = True,
        ca_bundle: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        connections: int = 8,
        **kwargs: Any,
    ) -> None:
        AbstractFileSystem.__init__(self, **kwargs)  # FTPFileSystem's would connect
        self.host, self.port = host, port
        context = None if tls == "none" else tls_context(ca_bundle, verify=verify)
        settings = Settings(
            host, port, username, password, tls, context, connect_timeout, read_timeout
        )
        self._pool = Pool(settings, connections)

    def __del__(self) -> None:
        """Leave the connections to the pool: FTPFileSystem's would close one that is not there."""

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = stringify_path(path)
        if text.startswith(("ftp://", "ftps://")):
            text = text.partition("://")[2].partition("/")[2]
        return "/" + text.strip("/")

    @contextmanager
    def _client(self, path: str) -> Iterator[Client]:
        """Lend a connection for work on `path`; raise what goes wrong as the fitting builtin."""
        encode(path)
        try:
            with self._pool.lease() as client:
                yield client
        except (ftplib.Error, EOFError, OSError) as error:
            fitting = as_oserror(error, path)
            if fitting is error:
                raise
            raise fitting from error

    @contextmanager
    def _file(self, path: str) -> Iterator[Client]:
        """Lend a connection for work on a file that should be there."""
        with self._client(path) as client:
            try:
                yield client
            except ftplib.error_perm as refusal:
                raise client.explain(path, refusal) from refusal

    def close(self) -> None:
        """Close the connections that are not in use. The next call makes new ones."""
        self._pool.close()

    # Reading.

    def cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        **kwargs: Any,
    ) -> bytes:
        """Return the bytes of a file from `start` to `end`; negative ones count from its end."""
        path = self._strip_protocol(path)
        blocks: list[bytes] = []
        with self._file(path) as client:
            client.retrieve_range(path, blocks.append, start or 0, end)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def get_file(
        self,
        rpath: str,
        lpath: Any,
        callback: Callback = DEFAULT_CALLBACK,
        outfile: Any = None,
        **kwargs: Any,
    ) -> None:
        """Copy a file to this machine: to a path, which changes only when all has come, or a file.

        Raises:
            FileNotFoundError: nothing is at `rpath`, or a folder.
        """
        path = self._strip_protocol(rpath)
        target = lpath if outfile is None else outfile
        if isfilelike(target):
            self._stream(path, target.write, callback)
            return
        local_path = Path(target)
        local_path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(temporary_path(str(local_path)))
        try:
            with partial.open("xb") as file:
                self._stream(path, file.write, callback)
            partial.replace(local_path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def _stream(self, path: str, write: Callable[[bytes], object], callback: Callback) -> None:
        def take(block: bytes) -> None:
            write(block)
            callback.relative_update(len(block))

        with self._file(path) as client:
            client.retrieve_range(path, take)

    def isfile(self, path: str) -> bool:
        """Tell whether a file is there; raise if the server does not let us know."""
        path = self._strip_protocol(path)
        with self._client(path) as client:
            return client.is_file(path)

    def isdir(self, path: str) -> bool:
        """Tell whether a folder is there; raise if the server does not let us know."""
        path = self._strip_protocol(path)
        with self._client(path) as client:
            if client.enters(path):
                return True
            info = client.look(path)
        return info is not None and info["type"] == "directory"

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Tell whether a file or folder is there; raise if the server does not let us know."""
        path = self._strip_protocol(path)
        with self._client(path) as client:
            return client.look(path) is not None

    def info(self, path: str, **kwargs: Any) -> Info:
        """Return name, size, type and time of a file or folder."""
        path = self._strip_protocol(path)
        with self._client(path) as client:
            info = client.look(path)
        if info is None:
            raise absent(path)
        return info

    def modified(self, path: str) -> Any:
        """Return when a file was last changed, in UTC."""
        return self.info(path)["modified"]

    # Listing.

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """Return what is in a folder (for a file, itself), without our temporary files."""
        found = [
            info
            for info in self._entries(self._strip_protocol(path))
            if not is_temporary(info["name"])
        ]
        return found if detail else sorted(info["name"] for info in found)

    def _entries(self, path: str) -> list[Info]:
        with self._client(path) as client:
            try:
                return client.entries(path)
            except ftplib.error_perm as refusal:
                info = client.look(path)
                if info is None:
                    raise absent(path) from refusal
                if info["type"] == "directory":
                    raise
                return [info]

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Walk as fsspec does, but raise where its walk leaves out what it could not list."""
        return super().walk(path, maxdepth, topdown, on_error or _raise_unless_absent, **kwargs)

    def list_page(self, prefix: str, token: tuple[str, ...] | None = None) -> Page:
        """Return the files of one folder, and the folders that are left."""
        return self._page(prefix, token)

    def stale_files(self, prefix: str, token: tuple[str, ...] | None = None) -> Page:
        """Return the temporary files of one folder, and the folders that are left."""
        return self._page(prefix, token, stale_files=True)

    def _page(
        self, prefix: str, token: tuple[str, ...] | None, *, stale_files: bool = False
    ) -> Page:
        prefix = "/" + prefix.lstrip("/")
        *left, folder = token or (first_folder(prefix) or "/",)
        try:
            entries = self._entries(folder)
        except FileNotFoundError:
            entries = []
        files, folders = split_entries(prefix, entries, stale_files=stale_files)
        return files, (*left, *folders) or None


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
