"""The file object of a bucket driver: reads one version, shows nothing before it is closed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Protocol

from fsspec.spec import AbstractBufferedFile

from filestore_fsspec.bridge import sync
from filestore_fsspec.drivers.shared.pieces import MEMORY_BYTES, PIECE_BYTES

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from types import TracebackType

    from filestore_fsspec.drivers.shared.bucket_requests import BucketRequests, Part
    from filestore_fsspec.drivers.shared.driver import Info

_MIN_PART_BYTES = 5 * 2**20
"""No part but the last may be smaller, says S3."""
_PARTS_BEFORE_GROWTH = 1000


class Bucket(Protocol):
    """What the file asks of its driver."""

    requests: BucketRequests
    loop: AbstractEventLoop

    def split_path(self, path: str, /) -> tuple[str, str, None]:
        """Return bucket, key and None."""
        ...

    def pipe_file(self, path: str, value: bytes, /, *, mode: str) -> None:
        """Write an object."""
        ...


class BucketFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """Reads ranges of the object that was opened; writes parts, which `commit` makes an object."""

    fs: Bucket
    buffer: io.BytesIO
    blocksize: int

    def __init__(
        self,
        fs: Bucket,
        path: str,
        mode: str,
        block_size: int,
        details: Info | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin to read or write; `details` is the info of an object that is there."""
        self._bucket, self._key, _ = fs.split_path(path)
        self._etag = details["etag"] if details else ""
        self._upload: str | None = None
        self._parts: list[Part] = []
        if "r" not in mode:
            block_size = max(block_size, _MIN_PART_BYTES)
        size = details["size"] if details else None
        super().__init__(fs, path, mode, block_size, size=size, **kwargs)
        if details is not None and mode == "rb":
            self.details = details
        elif details is not None:
            self._take_over(details["size"])

    def _take_over(self, size: int) -> None:
        """Begin with what is there: a store has no way to append to it."""
        for start in range(0, size, PIECE_BYTES):
            self.write(self._fetch_range(start, min(start + PIECE_BYTES, size)))

    def _fetch_range(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        content: bytes = self._wait(
            self.fs.requests.get, self._bucket, self._key, start, end, self._etag
        )
        return content

    def _wait(self, request: Any, *args: Any) -> Any:
        return sync(self.fs.loop, request, *args)

    @property
    def _how(self) -> str:
        return "create" if "x" in self.mode else "overwrite"

    def _upload_chunk(self, final: bool = False) -> bool:
        content = self.buffer.getvalue()
        if final and self.autocommit and not self._parts:
            self.fs.pipe_file(self.path, content, mode=self._how)
            return False
        if content:
            self._send(content)
        self.buffer = io.BytesIO()
        if final and self.autocommit:
            self.commit()
        return False

    def _send(self, content: bytes) -> None:
        requests, number = self.fs.requests, len(self._parts) + 1
        if self._upload is None:
            self._upload = self._wait(requests.begin, self._bucket, self._key)
        place = (self._bucket, self._key, self._upload)
        self._parts.append(self._wait(requests.send_part, *place, number, content))
        if number % _PARTS_BEFORE_GROWTH == 0:
            # There is a most of parts, whatever their size.
            self.blocksize = min(2 * self.blocksize, MEMORY_BYTES)

    def commit(self) -> None:
        """Make what was written visible."""
        if self._upload is None:
            self.fs.pipe_file(self.path, b"", mode=self._how)
            return
        place = (self._bucket, self._key, self._upload)
        self._wait(self.fs.requests.complete, *place, self._parts, self._how)
        self._upload = None

    def discard(self) -> None:
        """Throw away what was written."""
        self.closed = True
        self.buffer = io.BytesIO()
        upload, self._upload = self._upload, None
        if upload is not None:
            self._wait(self.fs.requests.abort, self._bucket, self._key, upload)

    def close(self) -> None:
        """Commit what was written; what cannot be committed leaves nothing behind."""
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self.writable():
            self.discard()
        self.close()

    def __del__(self) -> None:
        # A file that nobody closed was not finished; fsspec would commit it here.
        if not self.closed and self.writable():
            self.discard()
