"""Large objects in pieces, with bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

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


async def send_pieces(
    pieces: Iterator[bytes | memoryview],
    length: int,
    send: Callable[[int, bytes], Awaitable[None]],
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
                piece = bytes(await asyncio.to_thread(next, pieces, b""))
                if not piece:
                    return
                number += 1
                group.create_task(send_one(number, piece))
                del piece
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__


def md5_of(content: bytes) -> bytes:
    """Return the MD5, which S3 and Azure check what arrives against; no secret hangs on it."""
    return hashlib.md5(content, usedforsecurity=False).digest()


async def save(
    read: Callable[[int], Awaitable[bytes]], local_path: str, callback: Callback
) -> None:
    """Write what `read(size)` gives to a file of this machine, or leave no file."""
    try:
        with open(local_path, "wb") as target:  # the page cache takes it
            while chunk := await read(_CHUNK_BYTES):
                target.write(chunk)
                callback.relative_update(len(chunk))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(local_path)
        raise
