"""Open files of the SFTP driver: one handle on the server from opening to closing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from fsspec.asyn import sync
from fsspec.spec import AbstractBufferedFile

from filestore_fsspec.drivers.sftp.listing import info_of
from filestore_fsspec.drivers.sftp.pipelining import (
    folder_is_absent,
    open_to_read,
    read,
    write_blocks,
)
from filestore_fsspec.drivers.sftp.write import drop, open_if_free, open_new, take_name
from filestore_fsspec.drivers.shared.discard import DiscardOnError
from filestore_fsspec.drivers.shared.errors import absent
from filestore_fsspec.keys import temporary_path

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncIterator

    import asyncssh

    from filestore_fsspec.drivers.sftp.connection import Connection, Link
    from filestore_fsspec.drivers.shared.driver import Info


class Connected(Protocol):
    """What the file asks of its driver."""

    connection: Connection
    loop: AbstractEventLoop


class SFTPFile(DiscardOnError, AbstractBufferedFile):  # type: ignore[misc]  # fsspec carries no types
    """A file to read (`rb`) or to write (`wb`, `xb`), buffered by fsspec.

    Reading stays on the file that was opened, even when another takes its name. What is written
    shows under its name when it is closed, and goes when the `with` body raised.
    """

    def __init__(self, fs: Connected, path: str, mode: str = "rb", **kwargs: Any) -> None:
        self.closed = True  # until there is something to close
        self._create = "create" if mode == "xb" else "overwrite"
        self._temporary = temporary_path(path)
        self._link: Link
        self._file: asyncssh.SFTPClientFile
        if mode == "rb":
            details = sync(fs.loop, self._open_read, fs, path)
            kwargs["size"] = details["size"]
        else:
            details = None
            sync(fs.loop, self._open_write, fs, path)
        super().__init__(fs, path, mode, **kwargs)
        if details is not None:
            self.details = details

    async def _open_read(self, fs: Connected, path: str) -> Info:
        async with fs.connection.use(path) as link, folder_is_absent(link, path):
            self._link = link
            self._file = await open_to_read(link, path)
            info = info_of(path, await self._file.stat())
        if info["type"] == "directory":
            link.later(self._file.close())
            raise absent(path)
        return info

    async def _open_write(self, fs: Connected, path: str) -> None:
        async with fs.connection.use(path) as link:
            self._link = link
            opening = open_if_free if self._create == "create" else open_new
            self._file = await opening(link, self._temporary, path)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return sync(self.fs.loop, self._read, start, end)  # type: ignore[no-any-return]

    async def _read(self, start: int, end: int) -> bytes:
        async with self.fs.connection.use(self.path, self._link) as link:
            return await read(link, self._file, start, end)

    def _upload_chunk(self, final: bool = False) -> bool:
        sync(self.fs.loop, self._write, self.buffer.getvalue(), self.offset, final)
        if final and self.autocommit:
            self.commit()
        return True

    async def _write(self, chunk: bytes, offset: int, close: bool) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield chunk

        async with self.fs.connection.use(self.path, self._link) as link:
            await write_blocks(link, self._file, chunks(), offset, close=close)

    def commit(self) -> None:
        """Show the closed file under its name."""
        sync(self.fs.loop, self._commit)

    async def _commit(self) -> None:
        async with self.fs.connection.use(self.path, self._link) as link:
            try:
                await take_name(link, self._temporary, self.path, self._create)
            except BaseException:
                await drop(link, self._file, self._temporary)
                raise

    def discard(self) -> None:
        """Drop what was written; a file that was read is only closed."""
        if self.mode == "rb":
            self.close()
            return
        self.closed = True
        sync(self.fs.loop, self._discard)

    async def _discard(self) -> None:
        async with self.fs.connection.use(self.path, self._link) as link:
            await drop(link, self._file, self._temporary)

    def close(self) -> None:
        """Close; show what was written under its name unless `commit` is to do that."""
        if self.closed:
            return
        if self.mode == "rb":
            super().close()
            self._later()
            return
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def _later(self) -> None:
        """Let the server go of this file, without waiting and from any thread."""
        if self.fs._pid == os.getpid() and self._link.loop.is_running():  # noqa: SLF001 - fsspec's
            self._link.loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        writing = self.mode != "rb"
        request = drop(self._link, self._file, self._temporary) if writing else self._file.close()
        self._link.later(request)

    def __del__(self) -> None:
        # Forgotten, not closed: nobody said that the content is complete.
        if not self.closed:
            self.closed = True
            self._later()
