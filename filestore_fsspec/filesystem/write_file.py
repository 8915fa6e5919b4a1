"""`WriteFile`: written to a temporary file, and published when it is closed."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from fsspec.compression import compr

from filestore_fsspec.drivers.shared.discard import DiscardOnError
from filestore_fsspec.filesystem.attributes import FileAttributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from _typeshed import ReadableBuffer
    from fsspec import AbstractFileSystem


_BUFFER_BYTES = 2**16
_FRAMES = 8


class WriteFile(FileAttributes, DiscardOnError, io.BufferedRandom):
    """A file that shows nowhere until it is closed, and never if its `with` body raised."""

    def __init__(
        self,
        fs: AbstractFileSystem,
        path: str,
        mode: str,
        publish: Callable[[str], object],
        content: IO[bytes] | None = None,
        *,
        autocommit: bool = True,
    ) -> None:
        """Start with nothing, or with a copy of `content`.

        Args:
            fs: the filesystem that it belongs to.
            path: the key.
            mode: of opening; `ab` and `a+b` write at the end, `r+b` begins at the start.
            publish: called with the temporary file's path when the file is committed.
            content: what is there already, and stays.
            autocommit: whether closing commits; else `commit` or `discard` is to be called.
        """
        handle, temporary = tempfile.mkstemp(prefix="filestore-")
        super().__init__(io.FileIO(handle, "r+"), _BUFFER_BYTES)
        self._temporary: str | None = temporary
        self.fs, self.path, self.mode = fs, path, mode
        self._publish = publish
        self._autocommit = autocommit
        self._opened_during = sys.exc_info()[1]
        if content is not None:
            shutil.copyfileobj(content, self, 2**20)
        if mode.startswith("r"):
            self.seek(0)

    def readable(self) -> bool:
        """Tell whether the mode is one that reads as well."""
        return "+" in self.mode

    def write(self, content: ReadableBuffer) -> int:
        """Write at the position, or at the end if the mode says so."""
        if self.mode.startswith("a"):
            self.seek(0, os.SEEK_END)
        return super().write(content)

    def close(self) -> None:
        """Close, and publish unless the `with` body raised or `commit` is to do that."""
        if self.closed:
            return
        if self._body_raised():
            self.discard()
            return
        super().close()
        if self._autocommit:
            self.commit()

    def commit(self) -> None:
        """Close, and publish what was written unless it was discarded."""
        super().close()
        if self._temporary is not None:
            try:
                self._publish(self._temporary)
            finally:
                self._remove()

    def discard(self) -> None:
        """Drop what was written."""
        super().close()
        self._remove()

    def _remove(self) -> None:
        if self._temporary is not None:
            os.unlink(self._temporary)  # noqa: PTH108 - mkstemp gives text
            self._temporary = None

    def _body_raised(self) -> bool:
        """Tell whether a `with` that ends on an exception closes this file.

        A text, compression or `fsspec.open` wrapper closes what it wraps without saying why: what
        tells is an exception under way that was not when the file was opened, and an `__exit__`
        among the callers.
        """
        raised = sys.exc_info()[1]
        if raised is None or raised is self._opened_during:
            return False
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the way to the callers
        near = 0
        while frame is not None and near < _FRAMES:
            if frame.f_code.co_name == "__exit__":
                return True
            frame, near = frame.f_back, near + 1
        return False


class TextFile(io.TextIOWrapper):
    """Text over a binary file, which learns here whether its `with` body raised."""

    def __exit__(self, *raised: object) -> None:
        # In Python, so that the binary file finds an `__exit__` among its callers.
        self.close()


@contextmanager
def compressed(local_path: str, compression: str | None) -> Iterator[str]:
    """Give the path of a local file's content, compressed if `compression` names how."""
    if compression is None:
        yield local_path
        return
    with tempfile.TemporaryDirectory(prefix="filestore-") as folder:
        target = f"{folder}/compressed"
        with (
            open(local_path, "rb") as content,  # noqa: PTH123 - mkstemp gives text
            open(target, "wb") as file,  # noqa: PTH123
            compr[compression](file, mode="w") as packed,
        ):
            shutil.copyfileobj(content, packed, 2**20)
        yield target
