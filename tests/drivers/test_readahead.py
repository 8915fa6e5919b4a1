"""What an open file asks its server for, and what it holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from filestore_fsspec.drivers.shared.readahead import ReadAhead

MIB = 2**20


class Server:
    """Counts what is asked of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, end: int) -> bytes:
        self.asked.append((start, end))
        return self.content[start:end]


@given(
    reads=st.lists(st.tuples(st.integers(0, 120), st.none() | st.integers(0, 120)), max_size=20),
    block=st.integers(0, 30),
)
def test_any_reads_give_what_a_slice_gives(reads: list[tuple[int, int | None]], block: int) -> None:
    server = Server(bytes(range(100)))
    ahead = ReadAhead(block, server.fetch, 100)
    for start, end in reads:
        assert ahead._fetch(start, end) == server.content[start:end]


def read_all(size: int, length: int) -> list[tuple[float, float]]:
    """Read a file in pieces of `length` bytes; return what was asked for, in MiB."""
    server = Server(bytes(size))
    ahead = ReadAhead(4 * MIB, server.fetch, size)
    for start in range(0, size, length):
        assert len(ahead._fetch(start, start + length)) == length
    return [(start / MIB, end / MIB) for start, end in server.asked]


def test_a_file_read_from_end_to_end_takes_few_requests() -> None:
    assert read_all(64 * MIB, MIB // 2) == [(0, 4.5), (4.5, 37), (37, 64)]


def test_who_reads_a_megabyte_at_a_time_takes_the_fewest() -> None:
    assert read_all(32 * MIB, MIB) == [(0, 32)]


def test_a_read_here_and_there_takes_little_more_than_was_asked_for() -> None:
    server = Server(bytes(64 * MIB))
    ahead = ReadAhead(4 * MIB, server.fetch, 64 * MIB)
    for start in (60 * MIB, 10 * MIB, 30 * MIB):
        ahead._fetch(start, start + 1000)
    assert [end - start for start, end in server.asked] == [1000 + 2**18] * 3


def test_after_a_failure_reading_goes_on() -> None:
    server = Server(bytes(range(100)))
    fail = [False]

    def fetch(start: int, end: int) -> bytes:
        if fail[0]:
            raise ConnectionError
        return server.fetch(start, end)

    ahead = ReadAhead(0, fetch, 100)
    ahead._fetch(0, 10)
    fail[0] = True
    for start in (5, 10, 50):
        try:
            ahead._fetch(start, start + 10)
        except ConnectionError:
            continue
        raise AssertionError("the failure was lost")
    fail[0] = False
    assert ahead._fetch(5, 15) == bytes(range(5, 15))
