"""How far an open file reads ahead: little at a jump, ever more where reading goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsspec.caching import BaseCache, register_cache

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES = 4 * 2**20
"""What a file reads ahead at its start, where a request costs a round trip."""
_JUMP_BYTES = 2**18
_MAX_BYTES = 2**25
_SEQUENTIAL_BYTES = 2**20
_GROWTH = 8


class ReadAhead(BaseCache):  # type: ignore[misc]  # fsspec has no types
    """Keeps the piece that was read last, with what was read ahead of it.

    fsspec's own reads the same length ahead wherever a file is read: for a kilobyte here and there
    that is megabytes each, and for a large file from end to end many requests. Here a file read
    from its start begins with `blocksize` bytes ahead (32 MiB where a megabyte is read at once) and
    has 8 times more with each request, up to 32 MiB; after a jump it begins with 256 KiB.
    """

    name = "filestore"

    def __init__(self, blocksize: int, fetcher: Callable[[int, int], bytes], size: int) -> None:
        """Keep nothing yet.

        Args:
            blocksize: bytes to read ahead at the start of the file.
            fetcher: returns the bytes from a start to before an end.
            size: the file's length in bytes.
        """
        super().__init__(blocksize, fetcher, size)
        self._start = 0
        self._piece = b""
        self._ahead = blocksize

    def _fetch(self, start: int | None, end: int | None) -> bytes:
        start, end = start or 0, self.size if end is None else min(end, self.size)
        if start >= end:
            return b""
        known_end = self._start + len(self._piece)
        if not self._start <= start <= known_end:
            self._ahead = min(self.blocksize, _JUMP_BYTES)
            known_end = start
            self._piece = b""
        elif end <= known_end:
            return self._piece[start - self._start : end - self._start]
        known = self._piece[start - self._start :] if start < known_end else b""
        if start == 0 and end >= _SEQUENTIAL_BYTES:
            self._ahead = _MAX_BYTES  # who takes so much at once from the start goes on
        self._piece = b""  # two pieces at a time would double the memory
        self._piece = self.fetcher(known_end, min(end + self._ahead, self.size))
        self._start = known_end
        self._ahead = min(self._ahead * _GROWTH, _MAX_BYTES)
        return known + self._piece[: end - known_end] if known else self._piece[: end - known_end]


register_cache(ReadAhead, clobber=True)


def cache_type(block_size: int | None) -> str:
    """Return the cache for a file: ours, unless a fixed block size was asked for."""
    return "readahead" if block_size else ReadAhead.name
