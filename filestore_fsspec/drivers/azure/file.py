"""The file object of an Azure path."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Protocol

from fsspec.asyn import sync
from fsspec.spec import AbstractBufferedFile

from filestore_fsspec.drivers.shared.pieces import BufferedDiscardOnError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Sequence


class Blocks(Protocol):
    """What the file asks of its driver."""

    loop: AbstractEventLoop

    async def read_range(self, path: str, start: int, end: int, etag: str) -> bytes:
        """Return a range of the version that `etag` names."""
        ...

    def pipe_file(self, path: str, value: bytes, /, *, mode: str) -> None:
        """Write all of a file."""
        ...

    async def send_block(self, path: str, piece: bytes) -> str:
        """Send a block, visible to nobody, and return its id."""
        ...

    async def commit_blocks(self, path: str, blocks: Sequence[str], mode: str) -> str:
        """Make a file of the blocks."""
        ...


class AzureDriverFile(BufferedDiscardOnError, AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """adlfs's file commits whatever was written when the `with` body raises, and fails untidily.

    Blocks that were not committed are visible to nobody, and Azure removes them in a week.
    """

    fs: Blocks
    buffer: io.BytesIO

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._blocks: list[str] = []
        super().__init__(*args, **kwargs)

    @property
    def _mode(self) -> str:
        return "create" if "x" in self.mode else "overwrite"

    def _fetch_range(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        content: bytes = sync(
            self.fs.loop, self.fs.read_range, self.path, start, end, self.details["etag"]
        )
        return content

    def _upload_chunk(self, final: bool = False) -> bool:
        content = self.buffer.getvalue()
        if final and self.autocommit and not self._blocks:
            self.fs.pipe_file(self.path, content, mode=self._mode)
            return False
        if content:
            self._blocks.append(sync(self.fs.loop, self.fs.send_block, self.path, content))
        self.buffer = io.BytesIO()
        if final and self.autocommit:
            self.commit()
        return False

    def commit(self) -> None:
        """Make what was written visible."""
        sync(self.fs.loop, self.fs.commit_blocks, self.path, self._blocks, self._mode)

    def discard(self) -> None:
        """Throw away what was written."""
        self.buffer = io.BytesIO()
        super().discard()
