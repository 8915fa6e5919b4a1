"""`VerifiedFile`: a file whose key is the SHA-256 of its content, checked as it is read."""

# ruff: noqa: D102 - the methods are io.RawIOBase's
from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from filestore_fsspec.checksum import mismatch, sha256_named_by
from filestore_fsspec.errors import CorruptedFileStoreException, LocationUnavailable, NotFound
from filestore_fsspec.filesystem.read_file import ReadFile, Source, size_of
from filestore_fsspec.operations import no_right_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

T = TypeVar("T")


class VerifiedFile(ReadFile):
    """A file of the first location that has the right content.

    What was read from the start to the end, in any pieces, is checked at the end: instead of the
    last piece, wrong content is a `CorruptedFileStoreException`. When all of it was asked for at
    once, the next location is read first. What is read elsewhere only is not checked.
    """

    @staticmethod
    def _open(
        locations: Locations, fallback: Locations, path: str, options: dict[str, Any]
    ) -> Source:
        return VerifiedSource(locations, fallback, path, options)


class VerifiedSource(Source):
    """Hashes what is read in the order of the file, and compares at its end."""

    def __init__(
        self, locations: Locations, fallback: Locations, path: str, options: dict[str, Any]
    ) -> None:
        """Open `path`, a key that is a SHA-256; otherwise like `Source`."""
        super().__init__(locations, fallback, path, options)
        self._digest = sha256_named_by(path)
        self._start_hash()
        self._wrong: dict[Location, CorruptedFileStoreException] = {}

    def _start_hash(self) -> None:
        self._hash, self._hashed = hashlib.sha256(), 0

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has a buffer
        return self._all_or_next(lambda: self._readinto(buffer))

    def readall(self) -> bytes:
        return self._all_or_next(super().readall)

    def _all_or_next(self, read: Callable[[], T]) -> T:
        """Return what `read` gives; when all of a file was wrong, that of the next location."""
        start = self._position
        while True:
            try:
                return read()
            except CorruptedFileStoreException as error:
                if start or error not in self._wrong.values():
                    raise
                self._pass_over()

    def _pass_over(self) -> None:
        left = self._locations[self._locations.index(self.location) + 1 :]
        unknown: list[Exception] = []
        try:
            self.location, file = self._open(left)
        except LocationUnavailable as none:
            unknown = [*none.errors.values()]
        except NotFound:
            pass
        else:
            with suppress(OSError):
                self._file.close()
            self._file, self.size, self._position = file, size_of(file), 0
            self._start_hash()
            return
        raise no_right_content(f"read {self._path!r}", [*self._wrong.values()], unknown)

    def _readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has a buffer
        start, view = self._position, memoryview(buffer).cast("B")
        length = super().readinto(view)
        self._take(start, view[:length], len(view))
        return length

    def _read(self, size: int) -> bytes:
        start = self._position
        content = super()._read(size)
        self._take(start, memoryview(content), size)
        return content

    def _take(self, start: int, content: memoryview, size: int) -> None:
        """Hash what is new of `content`, read at `start` when `size` bytes were asked for."""
        if start <= self._hashed < self._position:
            self._hash.update(content[self._hashed - start :])
            self._hashed = self._position
        at_end = self._position >= self.size or (size and not content)
        if at_end and self._position == self._hashed:
            self._compare()

    def _compare(self) -> None:
        found = self._hash.hexdigest()
        if found == self._digest:
            return
        if self.cache is not None:
            # The block cache reads the first location: it must not keep what that has wrong.
            self.cache.blocks.clear()
            self.cache = None
        if self.location not in self._wrong:
            error = mismatch(f"{self.location}: cannot read", self._path, found)
            self._wrong[self.location] = error
            self.location.log.warning("%s", error)
        raise self._wrong[self.location]
