"""`AwaitedFile`: a file object for coroutines."""

from __future__ import annotations

import asyncio
import os
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class AwaitedFile:
    """A file whose functions are awaited; they run in threads."""

    def __init__(self, file: IO[bytes]) -> None:
        """Wrap `file`."""
        self.file = file

    async def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or all that is left."""
        return await asyncio.to_thread(self.file.read, size)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position and return it."""
        return await asyncio.to_thread(self.file.seek, offset, whence)

    async def write(self, content: bytes) -> int:
        """Write `content` and return its length in bytes."""
        return await asyncio.to_thread(self.file.write, content)

    async def close(self) -> None:
        """Close; show what was written."""
        await asyncio.to_thread(self.file.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.file.__exit__, kind, error, trace)
