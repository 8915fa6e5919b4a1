"""What is to be stored, as bytes or as a local file, so that it can be sent to many locations.

A file object is read once and to its end: small content is kept in memory, the rest goes to a
temporary file, so that memory does not grow with its size and a failed attempt can be repeated.
"""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO, Any, Protocol

from filestore_fsspec.bridge import advanced
from filestore_fsspec.calls import ensure_running

Part = bytes | bytearray | memoryview
Content = str | Part | IO[bytes]

IN_MEMORY_BYTES = 4 * 2**20
"""Up to this size a file object's content is kept in memory."""
_CHUNK_BYTES = 2**20


class AwaitedFile(Protocol):
    """A file object of a web framework: what it reads is awaited."""

    def read(self, size: int, /) -> Awaitable[Part]:
        """Return up to `size` bytes, none at the end."""
        ...


AsyncContent = AwaitedFile | AsyncIterable[Part]


def spooled(content: Content) -> AbstractContextManager[bytes | str]:
    """Give `content` as bytes, or as the path of a temporary file that is removed afterwards.

    Raises:
        TypeError: it is neither text, bytes nor a binary file object.
    """
    whole = _whole(content)
    if whole is not None:
        return nullcontext(whole)
    read = getattr(content, "read", None)
    if read is None and hasattr(content, "__aiter__"):
        raise TypeError(_AWAITED.format("an async iterator"))
    if read is None:
        raise _no_content(content)
    if inspect.iscoroutinefunction(read):
        raise TypeError(_AWAITED.format("a file object whose read() is awaited"))
    return _spooled(_parts_read(read))


_AWAITED = "content is {}: AsyncFileStore.put takes it; for FileStore.put read it first"


def spooled_anywhere(content: Content | AsyncContent) -> AbstractContextManager[bytes | str]:
    """Do the same for what is awaited, too: on the running loop, while the body's thread waits."""
    read = getattr(content, "read", None)
    if isinstance(content, str | Part):
        return spooled(content)
    if read is None and isinstance(content, AsyncIterable):
        return _spooled(filter(None, map(_checked, advanced(content))))
    if inspect.iscoroutinefunction(read):
        return _spooled(iter(advanced(_parts_awaited(read))))
    return spooled(content)  # type: ignore[arg-type]  # no other kind is left


def _whole(content: object) -> bytes | None:
    if isinstance(content, str):
        return content.encode()
    return bytes(content) if isinstance(content, Part) else None


def _no_content(content: object) -> TypeError:
    return TypeError(
        f"content is text, bytes or a binary file object, not {type(content).__name__}"
    )


def _parts_read(read: Any) -> Iterator[bytes]:  # noqa: ANN401 - whatever the caller's object has
    while part := _checked(read(_CHUNK_BYTES)):
        yield part


async def _parts_awaited(read: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - as above
    while part := _checked(await read(_CHUNK_BYTES)):
        yield part


def _checked(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    if isinstance(part, str):
        raise TypeError("content is a text file: open it in binary mode, with 'rb'")
    if inspect.iscoroutine(part):
        part.close()
    raise TypeError(
        f"content gave {type(part).__name__} where bytes were to be read: not the end, which is b''"
    )


@contextmanager
def _spooled(parts: Iterator[bytes]) -> Iterator[bytes | str]:
    head = bytearray()
    for part in parts:
        head += part
        if len(head) >= IN_MEMORY_BYTES:
            break
    else:
        yield bytes(head)
        return
    handle, path = tempfile.mkstemp(prefix="filestore-")
    try:
        with open(handle, "wb") as spool:  # noqa: PTH123 - a descriptor
            spool.write(head)
            del head
            for part in parts:
                ensure_running()
                spool.write(part)
        ensure_running()
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108 - mkstemp gives text
