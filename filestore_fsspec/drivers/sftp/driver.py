"""SFTP on sshfs' `SSHFileSystem`, its calls made on asyncssh's SFTP client directly.

Paths are absolute (`/a/b`), or relative to the folder that the user logs in to (`a/b`).
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import posixpath
import weakref
from typing import TYPE_CHECKING, Any

import asyncssh
from fsspec.asyn import AsyncFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.sftp.connection import GONE, Connection
from filestore_fsspec.drivers.sftp.file import SFTPFile
from filestore_fsspec.drivers.sftp.folders import SFTPFolders
from filestore_fsspec.drivers.sftp.listing import info_of
from filestore_fsspec.drivers.sftp.login import Login
from filestore_fsspec.drivers.sftp.pipelining import CHUNK_BYTES, head, read, read_blocks, reading
from filestore_fsspec.drivers.sftp.write import CHEAP_BYTES, exists, make_folders, take_name, write
from filestore_fsspec.drivers.shared.errors import absent
from filestore_fsspec.drivers.shared.readahead import cache_type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.driver import Info

_READ_BYTES = 2**15  # many requests are under way at once: reading far ahead gains little


class SFTPDriver(SFTPFolders):
    """Files on an SFTP server, over one connection that is made anew after a drop."""

    protocol = "sftp"
    cachable = False
    folders_refuse_late = True
    max_concurrency = 64  # on one connection: they take turns, and none waits for another's trip

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
            asynchronous: Whether the coroutines are awaited by the caller.
            loop: Event loop for the sync methods.
            kwargs: fsspec's own options.
        """
        # Not sshfs' own: it connects here and now, once for ever.
        AsyncFileSystem.__init__(self, asynchronous=asynchronous, loop=loop, **kwargs)
        self.connection = Connection(
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
        weakref.finalize(self, self.connection.abandon).atexit = False

    async def _close(self) -> None:
        await self.connection.close()

    async def _info(self, path: str, **kwargs: Any) -> Info:
        path = self._strip_protocol(path)
        async with self.connection.use(path) as link:
            return info_of(path, await link.sftp.stat(path or "."))

    async def _isfile(self, path: str) -> bool:
        # fsspec answers False for whatever went wrong.
        try:
            return bool((await self._info(path))["type"] == "file")
        except FileNotFoundError:
            return False

    async def _isdir(self, path: str) -> bool:
        try:
            return bool((await self._info(path))["type"] == "directory")
        except FileNotFoundError:
            return False

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        # sshfs 2026.8 returns the whole file for a range.
        path = self._strip_protocol(path)
        async with self.connection.use(path) as link, reading(link, path) as file:
            return await read(link, file, start, end)

    async def _get_file(
        self, rpath: str, lpath: str, callback: Callback = DEFAULT_CALLBACK, **kwargs: Any
    ) -> None:
        path = self._strip_protocol(rpath)
        async with self.connection.use(path) as link, reading(link, path) as file:
            data, size = await head(link, file)
            callback.set_size(size)
            with open(lpath, "wb", buffering=0) as target:

                async def keep(block: bytes, offset: int) -> None:
                    await asyncio.to_thread(os.pwrite, target.fileno(), block, offset)
                    callback.relative_update(len(block))

                await keep(data, 0)
                await read_blocks(link, file, len(data), size, keep)

    async def _pipe_file(
        self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        # sshfs writes to the name itself, and does not know `create`.
        path, content = self._strip_protocol(path), memoryview(value).cast("B")

        async def chunks() -> AsyncIterator[memoryview]:
            yield content

        async with self.connection.use(path) as link:
            await write(link, path, chunks(), mode, ask_first=len(content) > CHEAP_BYTES)

    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **kwargs: Any,
    ) -> None:
        path = self._strip_protocol(rpath)
        with open(lpath, "rb", buffering=0) as source:
            size = os.fstat(source.fileno()).st_size
            callback.set_size(size)

            async def chunks() -> AsyncIterator[bytes]:
                if 0 < size <= CHEAP_BYTES:  # of a pipe it is 0
                    content = source.read()  # a thread would cost more than it saves
                    yield content
                    callback.relative_update(len(content))
                    return
                while chunk := await asyncio.to_thread(source.read, CHUNK_BYTES):
                    yield chunk
                    callback.relative_update(len(chunk))

            async with self.connection.use(path) as link:
                await write(link, path, chunks(), mode, ask_first=size > CHEAP_BYTES)

    async def _cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        # sshfs runs `cp` in a shell, which a server for files alone refuses.
        source, path = self._strip_protocol(path1), self._strip_protocol(path2)
        async with self.connection.use(source) as link, reading(link, source) as file:

            async def chunks() -> AsyncIterator[bytes]:
                offset = 0
                while chunk := await read(link, file, offset, offset + CHUNK_BYTES):
                    yield chunk
                    offset += len(chunk)

            await write(link, path, chunks(), "overwrite", ask_first=False)

    async def _mv(self, path1: str, path2: str, **kwargs: Any) -> None:
        source, path = self._strip_protocol(path1), self._strip_protocol(path2)
        async with self.connection.use(source) as link:
            try:
                await take_name(link, source, path, "overwrite")
            except GONE:
                if not await exists(link, source):
                    raise
                await make_folders(link, posixpath.dirname(path))
                await take_name(link, source, path, "overwrite")

    async def _rm_file(self, path: str, **kwargs: Any) -> None:
        path = self._strip_protocol(path)
        async with self.connection.use(path) as link:
            try:
                await link.sftp.remove(path)
            except (asyncssh.SFTPFailure, asyncssh.SFTPPermissionDenied) as error:
                # A folder is no file; servers call it either name.
                attributes = await link.sftp.lstat(path)
                if attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                    raise absent(path) from error
                raise

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> SFTPFile:
        if mode not in {"rb", "wb", "xb"}:
            raise io.UnsupportedOperation(f"mode {mode!r}: files are read, or written as a whole")
        kwargs.pop("size", None)  # the server's word counts
        kwargs.setdefault("cache_type", cache_type(block_size))
        start_bytes = _READ_BYTES if mode == "rb" else "default"
        return SFTPFile(
            self,
            path,
            mode,
            block_size=block_size or start_bytes,
            autocommit=autocommit,
            cache_options=cache_options,
            **kwargs,
        )

    async def _execute(self, *args: Any, **kwargs: Any) -> Any:
        # sshfs' checksum and get_system ask a shell, which a server for files alone has not.
        raise OSError(errno.ENOTSUP, "this driver speaks SFTP only, and runs no commands")
