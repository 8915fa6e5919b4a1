"""`ReadFile`: a file of the first location that has it.

When that one dies, reading goes on at the same byte on the next.
"""

# ruff: noqa: D102 - the methods of `Source` are io.RawIOBase's
from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, TypeVar

from filestore_fsspec.bridge import THREADS, run
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    LocationUnavailable,
    NotFound,
    TransportException,
)
from filestore_fsspec.filesystem.attributes import FileAttributes
from filestore_fsspec.operations import read_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsspec import AbstractFileSystem

    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

T = TypeVar("T")

_BUFFER_BYTES = 2**14  # the locations' own files read ahead
_SEEN_BYTES = 2**16


class ReadFile(FileAttributes, io.BufferedReader):
    """A file of the first location that has it."""

    def __init__(
        self,
        fs: AbstractFileSystem,
        locations: Locations,
        fallback: Locations,
        path: str,
        location: str,
        options: dict[str, Any],
    ) -> None:
        """Open `path`; `options` go to the location's own file.

        The locations in `fallback` are asked only if all others say absent. `location` is the name
        of all of them.

        Raises:
            NotFound: every location said absent.
            LocationUnavailable: none has it, and at some it is unknown.
        """
        self._source = self._open(locations, fallback, path, options)
        super().__init__(self._source, _BUFFER_BYTES)
        self.fs, self.path = fs, path
        self._opened_with = {"location": location, **options}
        # The same whichever location answers: the block cache compares it with the last time's.
        self.blocksize = options.get("block_size", self.blocksize)

    def __reduce__(self) -> tuple[Any, ...]:
        """Open it again in another process, at the same position."""
        return _reopen, (self.fs, self.path, self._opened_with, self.tell())

    @staticmethod
    def _open(
        locations: Locations, fallback: Locations, path: str, options: dict[str, Any]
    ) -> Source:
        return Source(locations, fallback, path, options)

    @property
    def location(self) -> Location:
        """The location that answers now."""
        return self._source.location

    @property
    def size(self) -> int:
        """Bytes."""
        return self._source.size

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


class Source(io.RawIOBase):
    """The bytes of a `ReadFile`, without a buffer."""

    def __init__(
        self, locations: Locations, fallback: Locations, path: str, options: dict[str, Any]
    ) -> None:
        self._locations, self._path, self._options = locations + fallback, path, options
        self.location, self._file = self._open(locations, fallback)
        self.size = size_of(self._file)
        self.cache: Any = None
        self._position = 0
        self._last = (0, b"")

    def _open(self, locations: Locations, fallback: Locations = ()) -> tuple[Location, IO[bytes]]:
        async def open_at(location: Location) -> IO[bytes]:
            path = location.fs_path(self._path)
            try:
                file: IO[bytes] = await location.attempt(
                    THREADS, "open", self._path, Driver.open, path, "rb", **self._options
                )
            except TransportException as error:
                if isinstance(error.cause, IsADirectoryError):
                    # Another location may have a file of that name.
                    raise NotFound(str(error), error.cause) from error
                raise
            if (getattr(file, "details", None) or {}).get("type") == "directory":
                file.close()
                raise NotFound(f"{location}: {self._path!r} is a folder")
            return file

        return run(read_first(locations, open_at, f"open {self._path!r}", fallback))

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
        view = memoryview(buffer).cast("B")
        if self.cache is not None:
            content = self._cached(len(view))
            view[: len(content)] = content
            return len(content)
        length: int = self._here(lambda file: file.readinto(view))
        self._seen(view[:length])
        return length

    def readall(self) -> bytes:
        parts = []
        while part := self._read(max(self.size - self._position, 0)):
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

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
            return self._cached(size)
        content: bytes = self._here(lambda file: file.read(size))
        self._seen(content)
        return content

    def _cached(self, size: int) -> bytes:
        end = min(self._position + size, self.size)
        content: bytes = self.cache._fetch(self._position, end)  # noqa: SLF001 - fsspec's way
        self._position += len(content)
        return content

    def _here(self, act: Callable[[Any], T]) -> T:
        """Act on the file where we are, at whichever location still gives it."""
        while True:
            try:
                if self._file.tell() != self._position:
                    self._file.seek(self._position)
                return act(self._file)
            except OSError as error:
                self._go_on(error)

    def _seen(self, content: bytes | memoryview) -> None:
        self._position += len(content)
        if content:
            seen = bytes(content[-_SEEN_BYTES:])
            self._last = (self._position - len(seen), seen)

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
        if size_of(file) != self.size or (
            file.seek(start) == start and file.read(len(seen)) != seen
        ):
            raise CorruptedFileStoreException(
                f"{self.location}: {self._path!r} is not the file whose reading at {died} broke "
                f"off at byte {self._position}"
            ) from error

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()


def _reopen(fs: Any, path: str, options: dict[str, Any], position: int) -> ReadFile:  # noqa: ANN401 - fsspec has no types
    file: ReadFile = fs.open(path, "rb", **options)
    file.seek(position)
    return file


def size_of(file: IO[bytes]) -> int:
    """Return the size of an open file, in bytes."""
    size = getattr(file, "size", None)
    if size is None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    return int(size)
