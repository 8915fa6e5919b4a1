"""What is to be stored, as bytes or as a local file, so that it can be sent to many locations.

A file object is read once and to its end: small content is kept in memory, the rest goes to a
temporary file, so that memory does not grow with its size and a failed attempt can be repeated.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Content = str | bytes | bytearray | memoryview | IO[bytes]

IN_MEMORY_BYTES = 4 * 2**20
"""Up to this size a file object's content is kept in memory."""
_CHUNK_BYTES = 2**20


def spooled(content: Content) -> AbstractContextManager[bytes | str]:
    """Give `content` as bytes, or as the path of a temporary file that is removed afterwards.

    Raises:
        TypeError: it is neither text, bytes nor a binary file object.
    """
    if isinstance(content, str):
        return nullcontext(content.encode())
    if isinstance(content, bytes | bytearray | memoryview):
        return nullcontext(bytes(content))
    if hasattr(content, "read"):
        return _spooled(content)
    raise TypeError(f"content is text, bytes or a binary file object, not {type(content).__name__}")


@contextmanager
def _spooled(content: IO[bytes]) -> Iterator[bytes | str]:
    head = _read(content, IN_MEMORY_BYTES)
    if len(head) < IN_MEMORY_BYTES:
        yield head
        return
    handle, path = tempfile.mkstemp(prefix="filestore-")
    try:
        with open(handle, "wb") as spool:  # noqa: PTH123 - a descriptor
            while head:
                spool.write(head)
                head = _read(content, _CHUNK_BYTES)
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108 - mkstemp gives text


def _read(source: IO[bytes], size: int) -> bytes:
    """Read `size` bytes, fewer only at the end: one read of a pipe may give less."""
    parts: list[bytes] = []
    while size:
        part: object = source.read(size)
        if isinstance(part, str):
            raise TypeError("content is a text file: open it in binary mode, with 'rb'")
        if not isinstance(part, bytes) or not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
