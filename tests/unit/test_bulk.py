"""Many at once: in order, bounded, ended with what fails."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec import FileStore
from filestore_fsspec.bridge import wait
from filestore_fsspec.concurrency import as_completed, for_each, in_order, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator


class Work:
    """Counts what is under way; the even ones take longer."""

    def __init__(self, fails_at: int = -1) -> None:
        self.fails_at = fails_at
        self.now = self.most = self.ended = 0

    async def __call__(self, item: int) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for _ in range(3 if item % 2 else 10):
                await asyncio.sleep(0)
            if item == self.fails_at:
                raise ValueError("stop")
        finally:
            self.now -= 1
        self.ended += 1
        return item


def taken(items: int, seen: list[int]) -> Iterator[int]:
    for item in range(items):
        seen.append(item)
        yield item


async def collect(work: Any, items: Any, max_concurrency: int) -> list[int]:
    return [result async for ready in in_order(items, work, max_concurrency) for result in ready]


def test_results_come_in_the_items_order() -> None:
    work = Work()
    assert wait(collect(work, range(100), 7)) == list(range(100))
    assert work.most == 7


def test_every_item_is_worked_on() -> None:
    work = Work()
    wait(for_each(range(100), work, 7))
    assert (work.ended, work.most, work.now) == (100, 7, 0)


def test_items_are_taken_as_they_are_needed() -> None:
    seen: list[int] = []

    async def first() -> list[int]:
        results = in_order(taken(1000, seen), Work(), 5)
        try:
            return await anext(results)
        finally:
            await results.aclose()

    assert wait(first())[0] == 0
    assert len(seen) <= 10


@pytest.mark.parametrize("run_all", [collect, lambda work, items, n: for_each(items, work, n)])
def test_a_failure_ends_the_rest(run_all: Any) -> None:
    work = Work(fails_at=30)
    with pytest.raises(ValueError, match="stop"):
        wait(run_all(work, range(1000), 5))
    assert work.now == 0
    assert work.ended < 50


class ThreadWork:
    """The same in threads."""

    def __init__(self, fails_at: int = -1) -> None:
        self.fails_at = fails_at
        self.now: set[int] = set()
        self.most = self.ended = 0

    def __call__(self, item: int) -> int:
        self.now.add(item)
        self.most = max(self.most, len(self.now))
        threading.Event().wait(0.001 if item % 2 else 0.003)
        self.now.remove(item)
        if item == self.fails_at:
            raise ValueError("stop")
        self.ended += 1
        return item


def test_results_of_threads_come_in_the_items_order() -> None:
    work = ThreadWork()
    assert list(in_threads(range(100), work, 7)) == list(range(100))
    assert 1 < work.most <= 7


def test_results_of_threads_come_as_they_end() -> None:
    work = ThreadWork()
    assert sorted(as_completed(range(100), work, 7)) == list(range(100))
    assert 1 < work.most <= 7


@pytest.mark.parametrize("run_all", [in_threads, as_completed])
def test_one_at_a_time_is_done_in_this_thread(run_all: Any) -> None:
    here = threading.current_thread()
    assert list(run_all(range(3), lambda _item: threading.current_thread(), 1)) == [here] * 3


@pytest.mark.parametrize("run_all", [in_threads, as_completed])
def test_items_are_taken_as_threads_need_them(run_all: Any) -> None:
    seen: list[int] = []
    results = run_all(taken(1000, seen), ThreadWork(), 5)
    next(results)
    results.close()
    assert len(seen) <= 10


@pytest.mark.parametrize("run_all", [in_threads, as_completed])
def test_a_failure_in_a_thread_ends_the_rest(run_all: Any) -> None:
    work = ThreadWork(fails_at=30)
    with pytest.raises(ValueError, match="stop"):
        list(run_all(range(1000), work, 5))
    assert work.ended < 50


@pytest.mark.parametrize(
    ("urls", "in_threads"),
    [
        (["file:///srv", "ftp://h/x", "memory://h/x"], True),
        (["file:///srv", "s3://h/x?s3_bucket=files&engine=obstore"], True),
        (["http://h/x?engine=obstore"], True),
        (["file:///srv", "http://h/x"], False),
    ],
)
def test_who_needs_the_io_loop(urls: list[str], in_threads: bool) -> None:  # noqa: FBT001
    with FileStore(*urls) as store:
        assert store._bulk(store.locations, None, DEFAULT_CALLBACK).in_threads == in_threads


@pytest.mark.parametrize(
    ("urls", "max_concurrency"),
    [
        (["file:///srv", "memory://h/x"], 1),
        (["file:///srv", "ftp://h/x"], 16),
        (["file:///srv", "s3://h/x?s3_bucket=files"], 32),
        (["https://h/x", "azure://h/c/x?account=a"], 32),
        (["s3://h/x?s3_bucket=files", "sftp://h/x"], 64),
    ],
)
def test_how_many_are_under_way(urls: list[str], max_concurrency: int) -> None:
    with FileStore(*urls) as store:
        assert (
            store._bulk(store.locations, None, DEFAULT_CALLBACK).max_concurrency == max_concurrency
        )
        assert store._bulk(store.locations, 3, DEFAULT_CALLBACK).max_concurrency == 3
