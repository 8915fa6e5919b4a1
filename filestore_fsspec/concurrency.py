"""Many items worked on at once, with bounded concurrency and bounded memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from filestore_fsspec.bridge import end_all
from filestore_fsspec.calls import CallEnded, ensure_running, stopped_by
from filestore_fsspec.green import mailbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from filestore_fsspec.bridge import Job
    from filestore_fsspec.green import Mailbox

R = TypeVar("R")
T = TypeVar("T")
_END: Any = object()


async def for_each(
    items: Iterable[T], work: Callable[[T], Awaitable[object]], max_concurrency: int
) -> None:
    """Await `work` on every item, `max_concurrency` at a time, on the running loop.

    Raises:
        Exception: what `work` or `items` raised first; what was under way is cancelled.
    """
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(max_concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for each in workers:
            each.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def results(
    items: Iterable[T],
    start: Callable[[T, Mailbox[Job[R]]], Job[R]],
    max_concurrency: int,
    *,
    in_order: bool,
) -> Iterator[R]:
    """Start a job for each item, that many at a time; yield what comes of them.

    The items are taken in this thread, as they are needed: no more than `max_concurrency` of them
    have their result not yielded yet.

    Args:
        items: the caller's.
        start: starts a job, which is put into the mailbox when it has ended.
        max_concurrency: how many are under way at a time.
        in_order: whether the results come in the items' order, or as the jobs end.

    Raises:
        Exception: what a job or `items` raised first; what was under way is stopped.
    """
    jobs: _Jobs[T, R] = _Jobs(items, start)
    try:
        while jobs.begin(max_concurrency):
            yield (jobs.first() if in_order else jobs.any()).result()
    except GeneratorExit:
        # Not waited for: a forgotten generator is collected in any thread, the I/O loop's too.
        jobs.cancel()
        raise
    except BaseException:
        end_all(jobs.under_way, jobs.ended)
        raise


class _Jobs(Generic[T, R]):
    """Those under way, and the items that are left."""

    def __init__(self, items: Iterable[T], start: Callable[[T, Mailbox[Job[R]]], Job[R]]) -> None:
        self._items: Iterator[T] | None = iter(items)
        self._start = start
        self.ended: Mailbox[Any] = mailbox()
        self.under_way: dict[Job[R], None] = {}  # in the order of their start
        self._done: set[Job[R] | None] = set()

    def begin(self, most: int) -> bool:
        """Begin what there is to begin; tell whether any is under way."""
        while self._items is not None and len(self.under_way) < most:
            with stopped_by(self._stop):
                item = next(self._items, _END)
            if item is _END:
                self._items = None
                break
            ensure_running()
            self.under_way[self._start(item, self.ended)] = None
        return bool(self.under_way)

    def any(self) -> Job[R]:
        """Wait for one to end."""
        with stopped_by(self._stop):
            job: Job[R] | None = self.ended.get()
        if job is None:
            raise CallEnded
        del self.under_way[job]
        return job

    def first(self) -> Job[R]:
        """Wait for that to end that was begun first."""
        job = next(iter(self.under_way))
        while job not in self._done:
            with stopped_by(self._stop):
                self._done.add(self.ended.get())
            if None in self._done:
                raise CallEnded
        self._done.remove(job)
        del self.under_way[job]
        return job

    def _stop(self) -> None:
        self.cancel()
        self.ended.put(None)

    def cancel(self) -> None:
        """Stop what is under way."""
        for job in tuple(self.under_way):
            job.cancel()
