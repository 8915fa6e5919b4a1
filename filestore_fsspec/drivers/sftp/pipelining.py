"""Moving bytes over SFTP: many requests in flight, bounded memory."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import asyncssh

from filestore_fsspec.drivers.sftp.connection import GONE, REFUSED, SPECIAL
from filestore_fsspec.drivers.sftp.listing import stat
from filestore_fsspec.drivers.shared.errors import absent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from filestore_fsspec.drivers.sftp.connection import Link

    Chunks = AsyncIterator[bytes | memoryview]

T = TypeVar("T")

CHUNK_BYTES = 4 * 2**20
"""How much is taken from a source at a time, and how much may be in flight."""
_BLOCK_BYTES = 255 * 2**10  # the most that OpenSSH takes in one request
_MAX_BYTES = 2**62
_IN_FLIGHT = CHUNK_BYTES // _BLOCK_BYTES


def read_block(link: Link) -> int:
    """Return how many bytes one read request may ask for."""
    return min(link.sftp.limits.max_read_len, _BLOCK_BYTES)


async def in_thread(function: Callable[..., T], *args: object) -> T:
    """Call a function in a thread; a cancellation waits until it is done with its file."""
    job = asyncio.get_running_loop().run_in_executor(None, function, *args)
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        while not job.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([job])
        if not job.cancelled():
            job.exception()  # taken note of: the cancellation is what is raised
        raise


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
    """Open `path` for reading; what is no file is absent."""
    async with only_files(link, path):
        file = await open_to_read(link, path)
        try:
            yield file
        finally:
            link.later(file.close())


@asynccontextmanager
async def only_files(link: Link, path: str) -> AsyncIterator[None]:
    """Raise `Absent` where the server refuses to read `path` because it is no file."""
    try:
        yield
    except GONE:
        raise
    except REFUSED as error:
        # Servers say anything of it: "failure", "permission denied", "bad message".
        try:
            found = (await stat(link, path))["type"]
        except REFUSED as reason:
            # Of a link to itself that is a failure, too; a permission may be what is missing.
            both = isinstance(reason, GONE) and isinstance(error, asyncssh.SFTPFailure)
            raise (reason if both else error) from None
        if found != "file":
            raise absent(path) from error
        raise


async def open_to_read(link: Link, path: str) -> asyncssh.SFTPClientFile:
    """Open `path`, a file. A named pipe would make the server wait for its other end."""
    # Block size 0: one request a call, no stat of asyncssh's own.
    if link.serves_at_once:
        with link.opening(path):
            return await link.sftp.open(path, "rb", block_size=0)
    refuse_special(await link.sftp.stat(path or "."))
    return await link.sftp.open(path, "rb", block_size=0)


def refuse_special(attributes: asyncssh.SFTPAttrs) -> None:
    """Raise what means absent for a directory, and for what is neither that nor a file."""
    if attributes.type in {*SPECIAL, asyncssh.FILEXFER_TYPE_DIRECTORY}:
        raise asyncssh.SFTPNoSuchFile("not a file")


async def _of_open_file(link: Link, request: Awaitable[T]) -> T:
    """Await the answer to a request about an open file: "no such file" is none."""
    try:
        answer = await request
    except GONE as error:
        raise OSError(errno.EIO, f"the server says of an open file: {error}") from error
    link.tick()
    return answer


async def _block(link: Link, file: asyncssh.SFTPClientFile, length: int, offset: int) -> bytes:
    block: bytes = await _of_open_file(link, file.read(length, offset))
    if len(block) > length:
        raise OSError(errno.EIO, f"{len(block)} bytes came where {length} were asked for")
    return block


async def attributes_of(link: Link, file: asyncssh.SFTPClientFile) -> asyncssh.SFTPAttrs:
    """Return what the server says of an open file, which is a file; nothing, if it cannot."""
    try:
        attributes = await _of_open_file(link, file.stat())
    except asyncssh.SFTPOpUnsupported:
        return asyncssh.SFTPAttrs()
    refuse_special(attributes)
    return attributes


async def head(
    link: Link, file: asyncssh.SFTPClientFile, start: int = 0, most: int | None = None
) -> tuple[bytes, int]:
    """Return the bytes at `start` that fit into one request, and the file's size.

    One trip tells both; reading until the end of file is met would take another.
    """
    length = read_block(link) if most is None else min(most, read_block(link))
    attributes, data = await asyncio.gather(
        attributes_of(link, file), _block(link, file, length, start)
    )
    size, known = attributes.size or 0, start + len(data)
    if data and known > size:  # the server tells none, or a wrong one
        size = await size_from(link, file, known)
    return data, size


async def size_from(link: Link, file: asyncssh.SFTPClientFile, known: int) -> int:
    """Return the size of a file of `known` bytes or more, by asking for a byte here and there."""
    size, beyond = known, known + 1
    while await _block(link, file, 1, beyond - 1):
        size, beyond = beyond, beyond * 2
        if beyond > _MAX_BYTES:
            raise OSError(errno.EIO, "a file without end")
    while beyond - size > 1:
        middle = (size + beyond) // 2
        if await _block(link, file, 1, middle - 1):
            size = middle
        else:
            beyond = middle
    return size


async def read(
    link: Link, file: asyncssh.SFTPClientFile, start: int | None, end: int | None
) -> bytes:
    """Return `content[start:end]`, both as in Python's slices."""
    begin, data = start or 0, b""
    if begin < 0:
        size = (await attributes_of(link, file)).size or await size_from(link, file, 0)
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
            block = await _block(link, file, end - offset, offset)
            if not block:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            await keep(block, offset)
            offset += len(block)

    async def requests() -> AsyncIterator[Coroutine[Any, Any, None]]:
        for offset in range(begin, stop, length):
            yield fetch(offset, min(offset + length, stop))

    await in_flight(link, requests())


async def write_blocks(
    link: Link, file: asyncssh.SFTPClientFile, chunks: Chunks
) -> tuple[int, int | None]:
    """Write `chunks`, without waiting for one to be there before the next is sent; close the file.

    That it ends where the last chunk does is asked in the same trip: requests for one file are
    served in order (draft-ietf-secsh-filexfer-02, 6.1). On a disk that is nearly full asyncssh
    2.24 writes a part of a block, and says nothing.

    Returns:
        The bytes that were sent, and those that had arrived by the server's word, if it has one.
    """
    length = min(link.sftp.limits.max_write_len, _BLOCK_BYTES)
    sent, arrived = 0, None

    async def ask() -> None:
        nonlocal arrived
        with suppress(*REFUSED):
            arrived = (await file.stat()).size

    async def requests() -> AsyncIterator[Coroutine[Any, Any, object]]:
        nonlocal sent
        async for chunk in chunks:
            for start in range(0, len(chunk), length):
                # A view is as good as bytes: asyncssh joins it with the request's head.
                block = cast("bytes", chunk[start : start + length])
                yield _of_open_file(link, file.write(block, sent))
                sent += len(block)
        yield ask()
        yield _of_open_file(link, file.close())

    await in_flight(link, requests())
    return sent, arrived


async def check_arrived(link: Link, path: str, size: int) -> None:
    """Look into a file that was closed: some servers know a size no sooner, or tell none.

    Raises:
        OSError: it has not `size` bytes.
    """
    async with reading(link, path) as file:
        _, arrived = await head(link, file)
    if arrived != size:
        raise OSError(errno.EIO, f"{arrived} of {size} bytes arrived")
