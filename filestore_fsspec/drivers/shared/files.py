"""What is read and written as a file: what is sent, and the file objects of folder drivers."""

from __future__ import annotations

import io
import os
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.spec import AbstractBufferedFile

from filestore_fsspec.drivers.shared.discard import DiscardOnError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.driver import Info

T = TypeVar("T")

_SPOOL_BYTES = 8 * 2**20
"""Up to here what is written to an open file stays in memory until it is closed."""


class Content:
    """What is to be written: bytes in memory, or a file of this machine from where it stands."""

    def __init__(
        self, source: memoryview | IO[bytes], callback: Callback = DEFAULT_CALLBACK
    ) -> None:
        """Take `source`; `callback` is told of each block that was taken."""
        self._source, self._callback = source, callback
        self.size = len(source) if isinstance(source, memoryview) else _bytes_left(source)
        """Bytes; of a pipe 0, whatever comes."""
        self._taken = 0
        self.in_memory = isinstance(source, memoryview)
        self.failure: Exception | None = None
        """What went wrong as the source was read, which is not the server's."""
        callback.set_size(self.size)

    def blocks(self, length: int) -> Iterator[bytes | memoryview]:
        """Yield the content in blocks of up to `length` bytes, none of them empty."""
        source = self._source
        if isinstance(source, memoryview):
            for start in range(0, len(source), length):
                yield source[start : start + length]
            return
        while block := self._block(source, length):
            self._taken += len(block)
            yield block
            self._callback.relative_update(len(block))

    def _block(self, source: IO[bytes], length: int) -> bytes | memoryview:
        try:
            block: Any = source.read(length)
            if not isinstance(block, bytes | bytearray | memoryview):
                message = f"read() of a binary file gives bytes, not {type(block).__name__}"
                raise TypeError(message)  # noqa: TRY301 - kept like all that goes wrong here
        except Exception as error:
            self.failure = error
            raise
        return memoryview(block)

    def rewind(self) -> bool:
        """Go back to the beginning, for `blocks` to be called again; False of a pipe."""
        if not isinstance(self._source, memoryview):
            if not self._source.seekable():
                return False
            self._source.seek(-self._taken, os.SEEK_CUR)
            self._callback.absolute_update(0)
        self._taken = 0
        return True


def _bytes_left(file: IO[bytes]) -> int:
    if isinstance(file, io.FileIO):
        return os.fstat(file.fileno()).st_size  # of a pipe it is 0, and it has no positions
    here = file.tell()
    size = file.seek(0, os.SEEK_END) - here
    file.seek(here)
    return size


class Handle(Protocol):
    """One version of a file, open to be read."""

    info: Info
    """Its size is None where the server tells none."""

    async def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`.

        Raises:
            OSError: they could not be read, or another version has replaced it.
        """
        ...

    def close(self) -> None:
        """Let go of it, from any thread and without waiting."""
        ...


class FileDriver(Protocol):
    """What the file objects ask of their driver."""

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        ...

    async def _write(self, path: str, content: Content, mode: str) -> None:
        """Write a file."""
        ...

    async def _send(self, path: str, content: Content, mode: str) -> Any:
        """Write to a temporary file for `path`."""
        ...

    async def _commit(self, file: Any) -> None:
        """Rename what `_send` returned into place."""
        ...


class ReadFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A file that is read at any place, by ranges of one version of it."""

    def __init__(
        self,
        fs: FileDriver,
        path: str,
        handle: Handle,
        block_size: int,
        **kwargs: Any,
    ) -> None:
        """Read through `handle`, `block_size` bytes or more at a time."""
        self._handle = handle
        size = handle.info["size"]
        try:
            super().__init__(fs, path, "rb", block_size, size=size, **kwargs)
        except BaseException:
            self.closed = True
            handle.close()
            raise
        self.details = handle.info

    def _fetch_range(self, start: int, end: int) -> bytes:
        content: bytes = self.fs._wait(self._handle.read(start, end))  # noqa: SLF001 - our driver
        return content

    def close(self) -> None:
        """Close; nothing is asked of the server any more."""
        if not self.closed:
            super().close()
            self._handle.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Open it again in another process, at the same place."""
        return _reopen, (self.fs, self.path, self.blocksize, self.loc)

    def __del__(self) -> None:
        # fsspec's own would look at a file whose constructor failed.
        if not getattr(self, "closed", True):
            self._handle.close()


def _reopen(fs: FileDriver, path: str, block_size: int, position: int) -> ReadFile:
    file: ReadFile = fs.open(path, "rb", block_size=block_size)  # type: ignore[attr-defined]  # fsspec's
    file.seek(position)
    return file


class WrittenFile(DiscardOnError, SpooledTemporaryFile[bytes]):
    """A file that is kept on this machine until it is closed, and then written as a whole."""

    def __init__(self, fs: FileDriver, path: str, mode: str, *, autocommit: bool) -> None:
        """Start with nothing; `autocommit=False` leaves it to `commit` to make it visible."""
        super().__init__(_SPOOL_BYTES, "w+b", prefix="filestore-")
        self.fs, self.path, self.full_name = fs, path, path
        self._how = "create" if "x" in mode else "overwrite"
        self._mode = mode
        self._autocommit = autocommit
        self._unnamed: Any = None

    @property
    def mode(self) -> str:
        """`wb` or `xb`."""
        return self._mode

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    def close(self) -> None:
        """Write what was written so far under its path, or where nobody sees it until `commit`."""
        if self.closed:
            return
        try:
            self.seek(0)
            content = Content(self)
            if self._autocommit:
                self.fs._wait(self.fs._write(self.path, content, self._how))  # noqa: SLF001 - ours
            else:
                self._unnamed = self.fs._wait(self.fs._send(self.path, content, self._how))  # noqa: SLF001
        finally:
            super().close()

    def commit(self) -> None:
        """Make the closed file visible."""
        try:
            self.fs._wait(self.fs._commit(self._unnamed))  # noqa: SLF001 - our driver
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Drop what was written."""
        super().close()
        unnamed, self._unnamed = self._unnamed, None
        if unnamed is not None:
            unnamed.discard()
