"""What is asked of an SFTP server."""

from __future__ import annotations

import errno
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from filestore_fsspec.drivers.sftp.connection import GONE, REFUSED
from filestore_fsspec.drivers.sftp.listing import info_of, kind, scan, stat
from filestore_fsspec.drivers.sftp.pipelining import (
    attributes_of,
    head,
    in_thread,
    only_files,
    open_to_read,
    read,
    read_blocks,
    reading,
    size_from,
)
from filestore_fsspec.drivers.sftp.write import make_folder, rename, send
from filestore_fsspec.drivers.shared.errors import absent, only_os_errors
from filestore_fsspec.portability import write_at

if TYPE_CHECKING:
    import asyncssh
    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.sftp.connection import Connection, Link
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.drivers.shared.files import Content


@only_os_errors
class SFTPRequests:
    """One server, over one connection: many requests of many calls are in flight on it."""

    def __init__(self, connection: Connection) -> None:
        """Use `connection`."""
        self.connection = connection

    async def stat(self, path: str) -> Info:
        """Return what is at `path`."""
        async with self.connection.use(path) as link:
            return await stat(link, path)

    async def entries(self, folder: str) -> list[Info]:
        """Return all that is in a folder."""
        async with self.connection.use(folder) as link:
            try:
                return await scan(link, folder)
            except REFUSED as error:
                try:
                    found = (await stat(link, folder))["type"]
                except REFUSED:
                    raise error from None
                if found != "directory":
                    raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder) from error
                if isinstance(error, GONE):  # said of the open folder, or of one made since
                    message = "the listing ended as if the folder were missing"
                    raise OSError(errno.EIO, message, folder) from error
                raise

    async def identity(self, folder: str) -> str:
        """Return the path without links."""
        async with self.connection.use(folder) as link:
            return str(await link.sftp.realpath(folder or "."))

    async def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return `content[start:end]`; up to a block of it takes two trips."""
        async with self.connection.use(path) as link, reading(link, path) as file:
            return await read(link, file, start, end)

    async def fetch(self, path: str, file: IO[bytes], callback: Callback) -> None:
        """Write a file's content to `file`."""
        async with self.connection.use(path) as link, reading(link, path) as source:
            data, size = await head(link, source)
            callback.set_size(size)

            async def keep(block: bytes, offset: int) -> None:
                await in_thread(write_at, file.fileno(), block, offset)
                callback.relative_update(len(block))

            await keep(data, 0)
            await read_blocks(link, source, len(data), size, keep)

    async def open(self, path: str) -> SFTPHandle:
        """Return what reads the file that is at `path` now."""
        async with self.connection.use(path) as link, only_files(link, path):
            file = await open_to_read(link, path)
            with ExitStack() as undo:
                undo.callback(lambda: link.later(file.close()))
                info = info_of(path, await attributes_of(link, file))
                info["type"] = "file"
                info["size"] = info["size"] or await size_from(link, file, 0)
                undo.pop_all()
        return SFTPHandle(self.connection, link, file, info)

    async def send(self, path: str, content: Content) -> None:
        """Write a new file: open it, then write, check its size and close in one trip."""
        async with self.connection.use(path) as link:
            await send(link, path, content)

    async def rename(self, source: str, path: str, *, replace: bool) -> None:
        """Rename a file or folder."""
        async with self.connection.use(source) as link:
            await rename(link, source, path, replace=replace)

    async def remove(self, path: str) -> None:
        """Delete a file or a link."""
        async with self.connection.use(path) as link:
            try:
                await link.sftp.remove(path)
            except GONE:
                raise
            except REFUSED as error:
                # Servers say "failure" or "permission denied" of a folder.
                if await kind(link, path) in {"directory", None}:
                    raise absent(path) from error
                raise

    async def make_folder(self, path: str) -> None:
        """Make one folder."""
        async with self.connection.use(path) as link:
            await make_folder(link, path)

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        async with self.connection.use(path) as link:
            try:
                await link.sftp.rmdir(path)
            except REFUSED as error:
                # OpenSSH says "no such file" of a file, "failure" of a folder that is not empty.
                found = await kind(link, path)
                if found not in {"directory", None}:
                    raise NotADirectoryError(errno.ENOTDIR, "not a directory", path) from error
                if found is not None and await scan(link, path):
                    message = "the folder is not empty"
                    raise OSError(errno.ENOTEMPTY, message, path) from error
                raise

    async def close(self) -> None:
        """Close the connection."""
        await self.connection.close()


@only_os_errors
class SFTPHandle:
    """A file that the server keeps open: it stays what it was when another replaces it."""

    def __init__(
        self,
        connection: Connection,
        link: Link,
        file: asyncssh.SFTPClientFile,
        info: Info,
    ) -> None:
        """Read `file`, which was opened on `link`."""
        self._connection, self._link, self._file = connection, link, file
        self.info = info

    async def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`."""
        async with self._connection.use(self.info["name"], self._link) as link:
            return await read(link, self._file, start, end)

    def close(self) -> None:
        """Let the server close it."""
        self._link.soon(lambda: self._link.later(self._file.close()))
