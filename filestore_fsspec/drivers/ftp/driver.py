"""FTP and FTPS, with a pool of connections.

FTPFileSystem of fsspec 2026.9 is one connection made in its constructor: not safe between threads
or after a fork, never made again, its certificate never checked; what it calls `not found` is any
refusal. It is no parent of this driver.
"""

from __future__ import annotations

from typing import Any, Literal

from fsspec.spec import AbstractFileSystem
from fsspec.utils import stringify_path

from filestore_fsspec.drivers.ftp.connection import Settings, tls_context
from filestore_fsspec.drivers.ftp.pool import Pool
from filestore_fsspec.drivers.ftp.requests import FTPRequests
from filestore_fsspec.drivers.shared.folders import BlockingFolderDriver


class FTPDriver(BlockingFolderDriver, AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """An FTP server. Paths are absolute."""

    protocol = "ftp"
    root_marker = "/"
    cachable = False
    folders_refuse_late = True
    hides_links = True  # pyftpdlib lists a link as what it leads to
    ask_first_bytes = 2**20
    requests: FTPRequests

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
        replace: Literal["atomic", "aside"] = "atomic",
        temporary_prefix: str = ".",
        connections: int = 8,
        **kwargs: Any,
    ) -> None:
        """Take the options of one server; nothing is sent before the first call.

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
            replace: `aside` renames the old file to a temporary name first, for servers whose
                rename does not replace: for a moment there is neither.
            temporary_prefix: what the names of temporary files begin with.
            connections: at most so many at a time.
            **kwargs: fsspec's own.
        """
        super().__init__(**kwargs)
        self.host, self.port = host, port
        context = None if tls == "none" else tls_context(ca_bundle, verify=verify)
        settings = Settings(
            host, port, username, password, tls, context, connect_timeout, read_timeout
        )
        self.requests = FTPRequests(Pool(settings, connections))
        self.replace, self.temporary_prefix = replace, temporary_prefix

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = stringify_path(path)
        if text.startswith(("ftp://", "ftps://")):
            text = text.partition("://")[2].partition("/")[2]
        return "/" + text.strip("/")

    async def _isfile(self, path: Any) -> bool:
        return self.requests.holds_file(self._strip_protocol(path))

    async def _drop(self, temporary: str, reason: BaseException) -> None:
        if temporary in self.requests.arrived:  # else there is nothing to remove
            await super()._drop(temporary, reason)
