"""An FTP file that is open: read at any place, written beside its name until it is closed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Protocol

from fsspec.spec import AbstractBufferedFile

from filestore_fsspec.drivers.shared.errors import absent, already_there
from filestore_fsspec.keys import temporary_path

if TYPE_CHECKING:
    from types import TracebackType


class Parts(Protocol):
    """What the file asks of its driver."""

    def isfile(self, path: str, /) -> bool:
        """Tell whether a file is there."""
        ...

    def write_part(self, temporary: str, content: bytes, *, first: bool) -> None:
        """Append to a temporary file."""
        ...

    def show_part(self, temporary: str, path: str, mode: str, size: int) -> None:
        """Rename a temporary file into place."""
        ...

    def drop_part(self, temporary: str, reason: BaseException) -> None:
        """Remove a temporary file, after a failure."""
        ...


class FTPFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec carries no types
    """Reads fetch the blocks they need; a write shows nothing before it is closed.

    FTPFile of fsspec 2026.9 sends ABOR after a block, which hangs proftpd and leaves the
    connection out of step, and writes straight to the name.
    """

    def __init__(self, fs: Parts, path: str, mode: str = "rb", **kwargs: Any) -> None:
        if mode not in {"rb", "wb", "xb"}:
            raise io.UnsupportedOperation(f"mode {mode!r}: FTP files open as rb, wb or xb")
        super().__init__(fs, path, mode, **kwargs)
        if mode == "rb" and self.size is None:
            raise absent(path)  # a folder
        if mode == "xb" and fs.isfile(path):
            self.closed = True
            raise already_there(path)
        self._temporary = temporary_path(path)

    def _upload_chunk(self, final: bool = False) -> bool:
        try:
            self.fs.write_part(self._temporary, self.buffer.getvalue(), first=self.offset == 0)
        except BaseException as error:
            self.closed = True
            self.fs.drop_part(self._temporary, error)
            raise
        if final and self.autocommit:
            self.commit()
        return True

    def commit(self) -> None:
        """Show the closed file under its name."""
        mode = "create" if self.mode == "xb" else "overwrite"
        try:
            self.fs.show_part(self._temporary, self.path, mode, self.loc)
        except BaseException as error:
            self.fs.drop_part(self._temporary, error)
            raise

    def discard(self) -> None:
        """Drop what was written."""
        self.fs.rm_file(self._temporary)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or self.mode == "rb":
            self.close()
        elif not self.closed:
            # fsspec 2026.9 commits what a failed `with` body has written so far.
            self.closed = True
            if self.offset is not None:
                self.fs.drop_part(self._temporary, error)

    def __del__(self) -> None:
        # Forgotten, not closed: nobody said that the content is complete.
        self.closed = True
