"""SFTP on sshfs' `SSHFileSystem`, its calls made on asyncssh's SFTP client directly.

Paths are absolute (`/a/b`), or relative to the folder that the user logs in to (`a/b`).
"""

from __future__ import annotations

import errno
import os
import weakref
from typing import TYPE_CHECKING, Any, Literal

from fsspec.asyn import AsyncFileSystem
from sshfs import SSHFileSystem

from filestore_fsspec.drivers.sftp.connection import Connection
from filestore_fsspec.drivers.sftp.login import Login
from filestore_fsspec.drivers.sftp.requests import SFTPRequests
from filestore_fsspec.drivers.shared.folders import AsyncFolderDriver

if TYPE_CHECKING:
    import asyncio

    from asyncssh import SSHClientConnection


class SFTPDriver(AsyncFolderDriver, SSHFileSystem):  # type: ignore[misc]  # sshfs has no types
    """Files on an SFTP server, over one connection that is made anew after a drop."""

    protocol = "sftp"
    cachable = False
    folders_refuse_late = True
    max_concurrency = 64  # on one connection: they take turns, and none waits for another's trip
    read_bytes = 2**15  # many requests are under way at once: reading far ahead gains little
    requests: SFTPRequests

    def __init__(
        self,
        host: str,
        port: int = 22,
        username: str | None = None,
        password: str | None = None,
        private_key: str | None = None,
        private_key_pass: str | None = None,
        validate_host: bool = True,
        known_hosts: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        replace: Literal["atomic", "aside"] = "atomic",
        temporary_prefix: str = ".",
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the options of one server; nothing is sent before the first call.

        Args:
            host: Name or address.
            port: TCP port.
            username: User to log in; by default the one that runs this process.
            password: The user's password.
            private_key: Path of a private key file. With neither this nor a password, the agent
                and the user's own keys are tried.
            private_key_pass: Passphrase of the private key.
            validate_host: Check the server's host key.
            known_hosts: Path of the file with trusted host keys; by default ~/.ssh/known_hosts.
            connect_timeout: Seconds that connecting may take, log-in included.
            read_timeout: Seconds without an answer after which the connection is given up.
            replace: `aside` renames the old file to a temporary name first, for servers whose
                rename does not replace: for a moment there is neither.
            temporary_prefix: What the names of temporary files begin with.
            asynchronous: Whether the coroutines are awaited by the caller.
            loop: Event loop for the sync methods.
            kwargs: fsspec's own options.
        """
        # Not sshfs' own: it connects here and now, once for ever.
        AsyncFileSystem.__init__(self, asynchronous=asynchronous, loop=loop, **kwargs)
        connection = Connection(
            Login(
                host,
                port,
                username,
                password,
                private_key,
                private_key_pass,
                validate_host,
                known_hosts,
                connect_timeout,
                read_timeout,
            )
        )
        self.requests = SFTPRequests(connection)
        self.replace, self.temporary_prefix = replace, temporary_prefix
        weakref.finalize(self, connection.abandon).atexit = False

    @property
    def client(self) -> SSHClientConnection:
        """The connection of asyncssh, made if there is none; sshfs has one for ever."""
        return self._wait(self.requests.connection.link()).ssh

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        # sshfs parses a path as a URL: the name `x://y?z` lost its parts.
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        path = os.fspath(path)
        return path.rstrip("/") or path[:1]

    async def _drop(self, temporary: str, reason: BaseException) -> None:
        if self.requests.connection.is_live:
            await super()._drop(temporary, reason)
        else:  # another attempt to connect would make the failure last twice as long
            reason.add_note(f"{temporary} may be left behind: the connection was lost")

    async def _execute(self, *args: Any, **kwargs: Any) -> Any:
        # sshfs' checksum and get_system ask a shell, which a server for files alone has not.
        raise OSError(errno.ENOTSUP, "this driver speaks SFTP only, and runs no commands")
