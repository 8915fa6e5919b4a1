"""Moving bytes over SFTP: many requests in flight, bounded memory."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import asyncssh

from filestore_fsspec.drivers.sftp.listing import stat
from filestore_fsspec.drivers.shared.errors import absent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from filestore_fsspec.drivers.sftp.connection import Link

    Chunks = AsyncIterator[bytes | memoryview]

CHUNK_BYTES = 4 * 2**20
"""How much is taken from a source at a time, and how much may be in flight."""
_BLOCK_BYTES = 255 * 2**10  # the most that OpenSSH takes in one request
_IN_FLIGHT = CHUNK_BYTES // _BLOCK_BYTES


def read_block(link: Link) -> int:
    """Return how many bytes one read request may ask for."""
    return min(link.sftp.limits.max_read_len, _BLOCK_BYTES)


async def in_flight(link: Link, requests: AsyncIterator[Coroutine[Any, Any, object]]) -> None:
    """Run `requests`, sent in their order, a bounded number at a time; end at the first failure."""
    pending: set[asyncio.Task[object]] = set()

    async def settle(limit: int) -> None:
        nonlocal pending
        while len(pending) > limit:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            link.tick()
            # All of them: asyncio logs an exception that nobody asks for.
            errors = [error for task in done if (error := task.exception())]
            if errors:
                raise errors[0]

    try:
        async for request in requests:
            pending.add(asyncio.create_task(request))
            await settle(_IN_FLIGHT - 1)
        await settle(0)
    except BaseException:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        raise


@asynccontextmanager
async def reading(link: Link, path: str) -> AsyncIterator[asyncssh.SFTPClientFile]:
    """Open `path` for reading; a folder is absent."""
    async with folder_is_absent(link, path):
        file = await open_to_read(link, path)
        try:
            yield file
        finally:
            link.later(file.close())


@asynccontextmanager
async def folder_is_absent(link: Link, path: str) -> AsyncIterator[None]:
    """Raise `Absent` where the server fails to read `path` because it is a folder."""
    try:
        yield
    except asyncssh.SFTPFailure as error:
        # "Failure" is all that OpenSSH and asyncssh say of it.
        if (await stat(link, path))["type"] == "directory":
            raise absent(path) from error
        raise


async def open_to_read(link: Link, path: str) -> asyncssh.SFTPClientFile:
    """Open `path`, a file."""
    # Block size 0: one request a call, no stat of asyncssh's own.
    return await link.sftp.open(path, "rb", block_size=0)


async def _block(file: asyncssh.SFTPClientFile, length: int, offset: int) -> bytes:
    block: bytes = await file.read(length, offset)
    return block


async def head(
    link: Link, file: asyncssh.SFTPClientFile, start: int = 0, most: int | None = None
) -> tuple[bytes, int]:
    """Return the bytes at `start` that fit into one request, and the file's size.

    One trip tells both; reading until the end of file is met would take another.
    """
    length = read_block(link) if most is None else min(most, read_block(link))
    attributes, data = await asyncio.gather(file.stat(), _block(file, length, start))
    return data, attributes.size or 0


async def read(
    link: Link, file: asyncssh.SFTPClientFile, start: int | None, end: int | None
) -> bytes:
    """Return `content[start:end]`, both as in Python's slices."""
    begin = start or 0
    if begin < 0:
        begin, data, size = 0, b"", (await file.stat()).size or 0
        start = max(size + (start or 0), 0)
    elif end is not None and end >= 0:
        data, size = await head(link, file, begin, max(end - begin, 1))
    else:
        data, size = await head(link, file, begin)
    begin, stop, _ = slice(start, end).indices(size)
    if stop - begin <= len(data):
        return data[: max(stop - begin, 0)]
    content = bytearray(stop - begin)
    content[: len(data)] = data

    async def keep(block: bytes, offset: int) -> None:
        content[offset - begin : offset - begin + len(block)] = block

    await read_blocks(link, file, begin + len(data), stop, keep)
    return bytes(content)


async def read_blocks(
    link: Link,
    file: asyncssh.SFTPClientFile,
    begin: int,
    stop: int,
    keep: Callable[[bytes, int], Awaitable[None]],
) -> None:
    """Give `keep` each block between `begin` and `stop` with its offset, in any order."""
    length = read_block(link)

    async def fetch(offset: int, end: int) -> None:
        while offset < end:
            block = await _block(file, end - offset, offset)
            if not block:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            await keep(block, offset)
            offset += len(block)

    async def requests() -> AsyncIterator[Coroutine[Any, Any, None]]:
        for offset in range(begin, stop, length):
            yield fetch(offset, min(offset + length, stop))

    await in_flight(link, requests())


async def _check_arrived(file: asyncssh.SFTPClientFile, size: int) -> None:
    # On a disk that is nearly full asyncssh 2.24 writes a part of a block, and says nothing.
    arrived = (await file.stat()).size
    if arrived not in {None, size}:
        raise OSError(errno.EIO, f"{arrived} of {size} bytes arrived")


async def write_blocks(link: Link, file: asyncssh.SFTPClientFile, chunks: Chunks) -> None:
    """Write `chunks`, without waiting for one to be there before the next is sent; close the file.

    That it ends where the last chunk does is asked in the same trip: requests for one file are
    served in order (draft-ietf-secsh-filexfer-02, 6.1).

    Raises:
        OSError: less has arrived.
    """
    length = min(link.sftp.limits.max_write_len, _BLOCK_BYTES)

    async def requests() -> AsyncIterator[Coroutine[Any, Any, object]]:
        offset = 0
        async for chunk in chunks:
            for start in range(0, len(chunk), length):
                # A view is as good as bytes: asyncssh joins it with the request's head.
                block = cast("bytes", chunk[start : start + length])
                yield file.write(block, offset)
                offset += len(block)
        yield _check_arrived(file, offset)
        yield file.close()

    await in_flight(link, requests())
