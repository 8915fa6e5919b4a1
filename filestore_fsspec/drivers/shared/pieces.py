"""Large objects in pieces, with bounded memory: what S3 and Azure have in common."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import filecmp
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fsspec.asyn import sync
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.shared.driver import AsyncDriver
from filestore_fsspec.drivers.shared.errors import (
    ChecksumMismatch,
    checksum_mismatch,
    local_failures,
    temporary_folder,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType

    from fsspec.callbacks import Callback

MEMORY_BYTES = 64 * 2**20
"""What one transfer may hold."""
PIECE_BYTES = 8 * 2**20
ONE_REQUEST_BYTES = 16 * 2**20
"""Up to this size an object is written in one request."""
_CHUNK_BYTES = 2**20


def piece_bytes(size: int, max_pieces: int) -> int:
    """Return the size of one piece for an object of `size` bytes."""
    return max(PIECE_BYTES, -(-size // max_pieces))


def slices(data: memoryview, length: int) -> Iterator[bytes]:
    """Yield `data` in pieces of `length` bytes."""
    return (bytes(data[start : start + length]) for start in range(0, len(data), length))


async def send_pieces(
    pieces: Iterator[bytes], length: int, send: Callable[[int, bytes], Awaitable[None]]
) -> None:
    """Await `send(number, piece)` for pieces of `length` bytes, as many at once as memory allows.

    Numbers begin at 1. The first failure ends it all.
    """
    slots = asyncio.Semaphore(max(1, MEMORY_BYTES // length))

    async def send_one(number: int, piece: bytes) -> None:
        try:
            await send(number, piece)
        finally:
            slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            number = 0
            while True:
                await slots.acquire()
                piece = await asyncio.to_thread(next, pieces, b"")
                if not piece:
                    return
                number += 1
                group.create_task(send_one(number, piece))
                del piece
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__


class PieceWriter(AsyncDriver):
    """Writes small objects in one request and large ones in pieces."""

    max_pieces: ClassVar[int]

    async def write_whole(
        self, path: str, content: bytes, mode: str, *, verify: bool = False
    ) -> str | None:
        """Write a small object.

        With `verify`, return its ETag unless the server's answer proves that it is what was sent.
        """
        raise NotImplementedError

    async def write_pieces(
        self,
        path: str,
        pieces: Iterator[bytes],
        length: int,
        mode: str,
        callback: Callback,
        *,
        verify: bool = False,
    ) -> str | None:
        """Write a large object in pieces of `length` bytes; otherwise like `write_whole`."""
        raise NotImplementedError

    async def save_written(self, path: str, etag: str, local_path: str) -> None:
        """Save what has this ETag to a local file."""
        raise NotImplementedError

    async def remove_written(self, path: str, etag: str) -> None:
        """Delete what has this ETag, and nothing else.

        Raises:
            OSError: it could not be deleted; ENOENT or EBUSY says that it is not there any more.
        """
        raise NotImplementedError

    async def _pipe_file(
        self, path: str, value: bytes, mode: str = "overwrite", **_kwargs: object
    ) -> None:
        view = memoryview(value).cast("B")
        if len(view) <= ONE_REQUEST_BYTES:
            await self.write_whole(path, bytes(value), mode)
            return
        length = piece_bytes(len(view), self.max_pieces)
        await self.write_pieces(path, slices(view, length), length, mode, DEFAULT_CALLBACK)

    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Callback | None = None,
        mode: str = "overwrite",
        **_kwargs: object,
    ) -> None:
        await self._send_file(lpath, rpath, mode, callback or DEFAULT_CALLBACK)

    async def _put_verified(self, lpath: str, path: str, mode: str) -> None:
        etag = await self._send_file(lpath, path, mode, DEFAULT_CALLBACK, verify=True)
        if etag is None:
            return
        with temporary_folder() as folder:
            stored = f"{folder}/stored"
            with local_failures(stored):
                await self.save_written(path, etag, stored)
            if await asyncio.to_thread(filecmp.cmp, lpath, stored, shallow=False):
                return
        try:
            await self.remove_written(path, etag)
        except OSError as error:
            # It is gone, or what is there now is another's.
            if error.errno not in {errno.ENOENT, errno.EBUSY}:
                text = f"what arrived is not what was sent, and is still there: {error}"
                raise ChecksumMismatch(errno.EIO, text, path) from error
        raise checksum_mismatch(path)

    def put_verified(self, lpath: str, path: str, mode: str) -> None:
        """Write a local file; the server's checksums, or reading it again, prove it."""
        sync(self.loop, self._put_verified, lpath, path, mode)  # type: ignore[attr-defined]  # the filesystem's

    async def _send_file(
        self, lpath: str, path: str, mode: str, callback: Callback, *, verify: bool = False
    ) -> str | None:
        with open(lpath, "rb") as source:
            size = os.fstat(source.fileno()).st_size
            callback.set_size(size)
            if size <= ONE_REQUEST_BYTES:
                etag = await self.write_whole(path, source.read(), mode, verify=verify)
                callback.relative_update(size)
                return etag
            length = piece_bytes(size, self.max_pieces)
            pieces = iter(lambda: source.read(length), b"")
            return await self.write_pieces(path, pieces, length, mode, callback, verify=verify)


def md5_of(content: bytes) -> bytes:
    """Return the MD5, which S3 and Azure check what arrives against; no secret hangs on it."""
    return hashlib.md5(content, usedforsecurity=False).digest()


async def save(
    read: Callable[[int], Awaitable[bytes]], local_path: str, callback: Callback
) -> None:
    """Write what `read(size)` gives to a file of this machine, or leave no file."""
    try:
        with open(local_path, "wb") as target:
            while chunk := await read(_CHUNK_BYTES):
                target.write(chunk)
                callback.relative_update(len(chunk))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(local_path).unlink()
        raise


class BufferedDiscardOnError:
    """What fsspec's buffered files lack: nothing is visible unless they were closed in peace.

    Put it before the file's class.
    """

    closed: bool
    writable: Callable[[], bool]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self.writable():
            self.discard()
        self.close()

    def __del__(self) -> None:
        # A file that nobody closed was not finished; fsspec would commit it here.
        if not self.closed and self.writable():
            self.discard()

    def close(self) -> None:
        """Commit what was written; what cannot be committed leaves nothing behind."""
        parent: Any = super()
        try:
            parent.close()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Throw away what was written."""
        parent: Any = super()
        parent.discard()
        self.closed = True
