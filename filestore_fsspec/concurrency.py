"""Many items worked on at once, with bounded concurrency and bounded memory.

On the I/O loop; or in threads, for work that does without it: there the loop is in the way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Coroutine,
        Iterable,
        Iterator,
    )

R = TypeVar("R")
T = TypeVar("T")


async def for_each(
    items: Iterable[T], work: Callable[[T], Awaitable[object]], max_concurrency: int
) -> None:
    """Await `work` on every item, `max_concurrency` at a time; items are taken as they are needed.

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
        await _cancel(workers)


async def in_order(
    items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, R]], max_concurrency: int
) -> AsyncGenerator[list[R], None]:
    """Await `work` on every item, that many at a time; yield the results in the items' order.

    Each list holds what is ready: there may be one result in it, or many.

    Raises:
        Exception: what `work` or `items` raised first; what was under way is cancelled.
    """
    waiting = iter(items)
    under_way = deque(
        asyncio.ensure_future(work(item)) for item in islice(waiting, max_concurrency)
    )
    try:
        while under_way:
            await under_way[0]
            ready: list[R] = []
            while under_way and under_way[0].done():
                ready.append(under_way.popleft().result())
                for item in islice(waiting, 1):
                    under_way.append(asyncio.ensure_future(work(item)))
            yield ready
    finally:
        await _cancel(under_way)


def as_completed(items: Iterable[T], work: Callable[[T], R], max_concurrency: int) -> Iterator[R]:
    """Call `work` on every item, in `max_concurrency` threads; yield the results as they come.

    With 1, this thread does it.

    Raises:
        Exception: what `work` or `items` raised first, when what was under way has ended.
    """
    if max_concurrency == 1:
        yield from map(work, items)
        return
    waiting = iter(items)
    ended: SimpleQueue[Future[R]] = SimpleQueue()
    threads = ThreadPoolExecutor(max_concurrency, thread_name_prefix="filestore-bulk")

    def begin(most: int) -> int:
        begun = [threads.submit(copy_context().run, work, item) for item in islice(waiting, most)]
        for future in begun:
            future.add_done_callback(ended.put)
        return len(begun)

    try:
        under_way = begin(max_concurrency)
        while under_way:
            future = ended.get()
            under_way += begin(1) - 1
            yield future.result()
    finally:
        threads.shutdown(cancel_futures=True)


def in_threads(items: Iterable[T], work: Callable[[T], R], max_concurrency: int) -> Iterator[R]:
    """Call `work` on every item, in that many threads; yield the results in the items' order.

    With 1, this thread does it.

    Raises:
        Exception: what `work` or `items` raised first.
    """
    if max_concurrency == 1:
        yield from map(work, items)
        return
    waiting = iter(items)
    threads = ThreadPoolExecutor(max_concurrency, thread_name_prefix="filestore-bulk")

    def begin(most: int) -> list[Future[R]]:
        return [threads.submit(copy_context().run, work, item) for item in islice(waiting, most)]

    try:
        under_way = deque(begin(max_concurrency))
        while under_way:
            result = under_way.popleft().result()
            under_way.extend(begin(1))
            yield result
    finally:
        # Not waited for: a forgotten generator is collected in any thread, the I/O loop's too.
        threads.shutdown(wait=False, cancel_futures=True)


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
