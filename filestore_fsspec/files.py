"""The file objects of the composite filesystem.

`ReadFile` reads from the first location that has the file, and goes on at the same byte on the
next when that one dies. `WriteFile` keeps what is written in a temporary file and publishes it when
it is closed: everywhere, or nowhere.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Self

from fsspec import AbstractFileSystem
from fsspec.compression import compr

from filestore_fsspec.bridge import blocking, run, threaded
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    LocationUnavailable,
    NotFound,
    PartialWrite,
    TransportException,
)
from filestore_fsspec.operations import read_first, write_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

_BUFFER_BYTES = 2**16
_FRAMES = 8


class ReadFile(io.BufferedReader):
    """A file of the first location that has it."""

    def __init__(self, locations: Locations, path: str, **options: Any) -> None:  # noqa: ANN401
        """Open `path`; `options` go to the location's own file.

        Raises:
            NotFound: every location said absent.
            LocationUnavailable: none has it, and not all could say.
        """
        self._source = _Source(locations, path, options)
        super().__init__(self._source, _BUFFER_BYTES)
        self.path = self.full_name = path
        self.size = self._source.size
        # The same whichever location answers: the block cache compares it with the last time's.
        self.blocksize = options.get("block_size", AbstractFileSystem.blocksize)

    @property
    def location(self) -> Location:
        """The location that answers now."""
        return self._source.location

    @property
    def cache(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """What fsspec's block cache puts between this file and its location; None is nothing."""
        return self._source.cache

    @cache.setter
    def cache(self, cache: Any) -> None:  # noqa: ANN401
        self._source.cache = cache

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._source.closed

    @closed.setter
    def closed(self, _closed: bool) -> None:
        """Do nothing: the block cache says so of a file that it has closed."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`, as the block cache asks for them."""
        return self._source.fetch(start, end)


class _Source(io.RawIOBase):
    def __init__(self, locations: Locations, path: str, options: dict[str, Any]) -> None:
        self._locations, self._path, self._options = locations, path, options
        self.location, self._file = self._open(locations)
        self.size = _size(self._file)
        self.cache: Any = None
        self._position = 0
        self._last = (0, b"")

    def _open(self, locations: Locations) -> tuple[Location, IO[bytes]]:
        async def open_at(location: Location) -> IO[bytes]:
            path = location.fs_path(self._path)
            file: IO[bytes] = await location.attempt(
                blocking, "open", self._path, "open", path, "rb", **self._options
            )
            return file

        return run(read_first(locations, open_at, f"open {self._path!r}"))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {start + offset}: before the start")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has a buffer
        content = self._read(len(memoryview(buffer)))
        memoryview(buffer).cast("B")[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        parts = []
        while part := self._read(max(self.size - self._position, 0)):
            parts.append(part)
        return b"".join(parts)

    def fetch(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`, past the cache; stay where we are."""
        cache, position = self.cache, self._position
        self.cache, self._position = None, start
        try:
            parts = []
            while part := self._read(end - self._position):
                parts.append(part)
            return b"".join(parts)
        finally:
            self.cache, self._position = cache, position

    def _read(self, size: int) -> bytes:
        if self.cache is not None:
            end = min(self._position + size, self.size)
            content: bytes = self.cache._fetch(self._position, end)  # noqa: SLF001 - fsspec's way
            self._position += len(content)
            return content
        while True:
            try:
                if self._file.tell() != self._position:
                    self._file.seek(self._position)
                content = self._file.read(size)
            except OSError as error:
                self._go_on(error)
                continue
            self._position += len(content)
            if content:
                seen = content[-_BUFFER_BYTES:]
                self._last = (self._position - len(seen), seen)
            return content

    def _go_on(self, error: OSError) -> None:
        """Open the file at the next location, if it is the same there; else raise `error`."""
        died = self.location
        left = self._locations[self._locations.index(died) + 1 :]
        try:
            if not left:
                raise NotFound("no location is left")
            self.location, file = self._open(left)
        except TransportException as none:
            message = f"{died}: reading {self._path!r} broke off at byte {self._position}: {error}"
            raise LocationUnavailable(f"{message}; then: {none}", error) from error
        with suppress(OSError):
            self._file.close()
        self._file = file
        start, seen = self._last
        if _size(file) != self.size or (file.seek(start) == start and file.read(len(seen)) != seen):
            raise CorruptedFileStoreException(
                f"{self.location}: {self._path!r} is not the file whose reading at {died} broke "
                f"off at byte {self._position}"
            ) from error

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()


def _size(file: IO[bytes]) -> int:
    size = getattr(file, "size", None)
    if size is None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    return int(size)


class WriteFile(io.BufferedRandom):
    """A file that shows nowhere until it is closed, and never if its `with` body raised."""

    def __init__(
        self,
        path: str,
        publish: Callable[[str], object],
        content: IO[bytes] | None = None,
        *,
        autocommit: bool = True,
    ) -> None:
        """Start with nothing, or with a copy of `content`, positioned at its end.

        Args:
            path: the key.
            publish: called with the temporary file's path when the file is committed.
            content: what is there already, for modes `ab` and `r+b`.
            autocommit: whether closing commits; else `commit` or `discard` is to be called.
        """
        handle, temporary = tempfile.mkstemp(prefix="filestore-")
        super().__init__(io.FileIO(handle, "r+"), _BUFFER_BYTES)
        self._temporary: str | None = temporary
        self.path = self.full_name = path
        self._publish = publish
        self._autocommit = autocommit
        self._opened_during = sys.exc_info()[1]
        if content is not None:
            shutil.copyfileobj(content, self, 2**20)

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        # Forgotten, not closed: nobody said that the content is complete.
        if not self.closed:
            self.discard()


class TextFile(io.TextIOWrapper):
    """Text over a binary file, which learns here whether its `with` body raised."""

    def __exit__(self, *raised: object) -> None:
        # In Python, so that the binary file finds an `__exit__` among its callers.
        self.close()


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


def publish(
    locations: Locations, path: str, local_path: str, mode: str, min_copies: int | None = None
) -> list[Location]:
    """Show a local file's content under `path` at every location, or at none; return them.

    Each location first takes all of it in, under no name; when all have, it is shown.

    Args:
        locations: where to.
        path: the key.
        local_path: what is to be shown there.
        mode: `overwrite` or `create`.
        min_copies: how many locations are enough, all by default.

    Raises:
        FileExistsError: `mode` is `create`, and a location has it.
        TransportException: the only location failed.
        PartialWrite: one of several failed; `written` names those that show it all the same.
    """
    staged: dict[Location, Any] = {}
    what = f"write {path!r}"

    async def stage(location: Location) -> bool:
        staged[location] = await location.attempt(
            blocking, "write", path, "stage", local_path, location.fs_path(path), mode
        )
        return True

    async def show(location: Location) -> bool:
        await location.attempt(blocking, "write", path, "show", staged[location])
        del staged[location]
        return True

    try:
        try:
            taken = run(write_each(locations, threaded, stage, what, min_copies))
        except PartialWrite as error:
            # What took it in shows nothing of it.
            reasons = "; ".join(map(str, error.failed.values()))
            message = f"{what}: done at none; failed: {reasons}"
            raise PartialWrite(message, (), error.failed) from error.__cause__
        return run(write_each(tuple(taken), threaded, show, what, min_copies))
    finally:
        for file in staged.values():
            with suppress(OSError):  # the failure that led here is the one to tell
                file.discard()
