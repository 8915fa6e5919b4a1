"""The file object of an S3 path: nothing is visible before it is closed without an error."""

from __future__ import annotations

from typing import Any

from fsspec.asyn import sync
from s3fs.core import S3File

from filestore_fsspec.drivers.shared.pieces import MEMORY_BYTES, BufferedDiscardOnError

_PARTS_BEFORE_GROWTH = 1000


class S3DriverFile(BufferedDiscardOnError, S3File):  # type: ignore[misc]  # s3fs has no types
    """s3fs's file, which commits whatever was written when the `with` body raises."""

    blocksize: int

    def commit(self) -> None:
        """Make what was written visible."""
        if self.tell() == 0:
            # s3fs makes an empty object without the condition of mode "xb".
            self._abort_mpu()
            mode = "create" if "x" in self.mode else "overwrite"
            self.fs.pipe_file(self.path, b"", mode=mode)
            self.buffer = None
        else:
            super().commit()

    def _upload_chunk(self, final: bool = False) -> bool:
        answer: bool = super()._upload_chunk(final)
        if self.parts and len(self.parts) % _PARTS_BEFORE_GROWTH == 0:
            # S3 takes 10,000 parts, whatever their size.
            self.blocksize = min(2 * self.blocksize, MEMORY_BYTES)
        return answer

    def _fetch_range(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        span = f"bytes={start}-{end - 1}"
        data: bytes = sync(
            self.fs.loop, self.fs.read_once, self.bucket, self.key, Range=span, **self._condition()
        )
        return data

    def _condition(self) -> dict[str, Any]:
        """Ask for the object that was opened: another one in its place is an error."""
        etag = self.details.get("ETag")
        return {} if etag is None else {"IfMatch": etag}
