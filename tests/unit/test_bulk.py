"""Many at once: in order, bounded, ended with what fails."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec import FileStore
from filestore_fsspec.bridge import ASYNCIO, SYNC, Leaving, begin, start_in_thread, wait
from filestore_fsspec.concurrency import for_each, results
from filestore_fsspec.threads import Threads

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


def test_every_item_is_worked_on() -> None:
    work = Work()
    wait(for_each(range(100), work, 7))
    assert (work.ended, work.most, work.now) == (100, 7, 0)


def test_a_failure_ends_the_rest() -> None:
    work = Work(fails_at=30)
    with pytest.raises(ValueError, match="stop"):
        wait(for_each(range(1000), work, 5))
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


class OnLoop:
    """Starts the work as a bulk call does, on the I/O loop."""

    def __init__(self, fails_at: int = -1) -> None:
        self.work = Work(fails_at)

    def __call__(self, item: int, ended: Any) -> Any:
        async def work() -> int:
            await Leaving(ASYNCIO).pause(0)
            return await self.work(item)

        return begin(work(), ended, None)


class InThreads:
    """Starts it in threads."""

    def __init__(self, fails_at: int = -1) -> None:
        self.work = ThreadWork(fails_at)
        self.threads = Threads(7, "test")

    def __call__(self, item: int, ended: Any) -> Any:
        return start_in_thread(self.threads, partial(self.work, item), ended)


STARTS = [OnLoop, InThreads]


@pytest.mark.parametrize("start", STARTS)
def test_results_come_in_the_items_order(start: Any) -> None:
    begun = start()
    assert list(results(range(100), begun, 7, in_order=True)) == list(range(100))
    assert 1 < begun.work.most <= 7


@pytest.mark.parametrize("start", STARTS)
def test_results_come_as_they_end(start: Any) -> None:
    begun = start()
    assert sorted(results(range(100), begun, 7, in_order=False)) == list(range(100))
    assert 1 < begun.work.most <= 7


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("start", STARTS)
def test_items_are_taken_as_they_are_needed(start: Any, in_order: bool) -> None:  # noqa: FBT001
    seen: list[int] = []
    found = results(taken(1000, seen), start(), 5, in_order=in_order)
    next(found)
    found.close()  # type: ignore[attr-defined]  # a generator
    assert len(seen) <= 6


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("start", STARTS)
def test_a_job_that_fails_ends_the_rest(start: Any, in_order: bool) -> None:  # noqa: FBT001
    begun = start(fails_at=30)
    with pytest.raises(ValueError, match="stop"):
        list(results(range(1000), begun, 5, in_order=in_order))
    assert not begun.work.now
    assert begun.work.ended < 50


def test_what_leaves_nothing_starts_no_thread() -> None:
    here = threading.current_thread()

    async def work() -> threading.Thread:
        return await Leaving(SYNC).call(Near(), Near.which)

    before = threading.active_count()
    found = list(
        results(range(3), lambda _item, ended: begin(work(), ended, None), 3, in_order=True)
    )
    assert found == [here] * 3
    assert threading.active_count() == before


class Near:
    """A filesystem of this machine."""

    async_impl = may_wait = False
    direct: frozenset[str] = frozenset()
    threads = Threads(1, "test")

    def which(self) -> threading.Thread:
        return threading.current_thread()


@pytest.mark.parametrize(
    ("urls", "place"),
    [
        (["file:///srv", "memory://h/x"], "here"),
        (["file:///srv", "ftp://h/x", "memory://h/x"], "threads"),
        (["file:///srv", "s3://h/x?s3_bucket=files&engine=obstore"], "threads"),
        (["http://h/x?engine=obstore"], "threads"),
        (["file:///srv", "http://h/x"], "loop"),
    ],
)
def test_where_many_are_worked_on(urls: list[str], place: str) -> None:
    with FileStore(*urls) as store:
        assert store._bulk(store.locations, None, DEFAULT_CALLBACK).place == place


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
