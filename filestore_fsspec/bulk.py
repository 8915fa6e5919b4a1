"""Many keys at once, with bounded concurrency and bounded memory.

On the I/O loop; or in threads, for drivers that do without it: there the loop is in the way.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from filestore_fsspec.bridge import Caller, awaitable, blocking, run, start, wait
from filestore_fsspec.errors import FileStoreException, TransportException

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from fsspec.callbacks import Callback

    from filestore_fsspec.location import Location

R = TypeVar("R")
T = TypeVar("T")
LocalPath = str | os.PathLike[str]
Pair = tuple[LocalPath, LocalPath]
"""From where, and to where."""
Failed = tuple[str, str, str]
"""A pair, and why it could not be moved."""
Move = Callable[[Caller, str, str], Coroutine[Any, Any, object]]
Ask = Callable[[Caller, str], Coroutine[Any, Any, T]]


class Bulk(NamedTuple):
    """How many keys are taken."""

    at_once: int
    """How many are under way at a time."""
    callback: Callback
    """Told of each that is done."""
    in_threads: bool
    """Whether nobody needs the I/O loop."""

    async def moved(self, move: Move, pairs: Iterable[Pair]) -> list[Failed]:
        """Await `move` on every pair, on the I/O loop; return those that failed."""
        failed: list[Failed] = []

        async def try_one(pair: Pair) -> None:
            failed.extend(await _try(move, awaitable, pair))
            self.callback.relative_update()

        await for_each(pairs, try_one, self.at_once)
        return failed

    def move(self, move: Move, pairs: Iterable[Pair]) -> list[Failed]:
        """Do the same, and block until it is done."""
        if not self.in_threads:
            return wait(self.moved(move, pairs))
        failed: list[Failed] = []
        for each in as_they_end(pairs, lambda pair: run(_try(move, blocking, pair)), self.at_once):
            failed.extend(each)
            self.callback.relative_update()
        return failed

    async def answers(self, ask: Ask[T], paths: Iterable[str]) -> AsyncGenerator[list[T], None]:
        """Yield what `ask` says of `paths`, in their order, as many at a time as are ready."""
        async for ready in in_order(paths, lambda path: ask(awaitable, path), self.at_once):
            self.callback.relative_update(len(ready))
            yield ready

    def ask(self, ask: Ask[T], paths: Iterable[str]) -> Iterator[T]:
        """Do the same, and block until there is a next one."""
        if not self.in_threads:
            yield from _iterate(self.answers(ask, paths))
            return
        for answer in in_threads(paths, lambda path: run(ask(blocking, path)), self.at_once):
            self.callback.relative_update()
            yield answer


async def _try(move: Move, caller: Caller, pair: Pair) -> list[Failed]:
    source, dest = os.fspath(pair[0]), os.fspath(pair[1])
    try:
        await move(caller, source, dest)
    except (FileStoreException, OSError) as error:
        return [(source, dest, str(error))]
    return []


def _iterate(pages: AsyncGenerator[list[T], None]) -> Iterator[T]:
    """Yield the items of pages that are made on the I/O loop; end their making if not exhausted."""

    async def next_page() -> list[T] | None:
        return await anext(pages, None)

    try:
        while (page := wait(next_page())) is not None:
            yield from page
    finally:
        # Not waited for: a forgotten generator is collected in any thread, the I/O loop's too.
        start(pages.aclose())


async def for_each(
    items: Iterable[T], work: Callable[[T], Awaitable[object]], at_once: int
) -> None:
    """Await `work` on every item, `at_once` at a time; items are taken as they are needed.

    Raises:
        Exception: what `work` or `items` raised first; what was under way is cancelled.
    """
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        await _cancel(workers)


async def in_order(
    items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, R]], at_once: int
) -> AsyncGenerator[list[R], None]:
    """Await `work` on every item, `at_once` at a time; yield the results in the items' order.

    Each list holds what is ready: there may be one result in it, or many.

    Raises:
        Exception: what `work` or `items` raised first; what was under way is cancelled.
    """
    waiting = iter(items)
    under_way = deque(asyncio.ensure_future(work(item)) for item in islice(waiting, at_once))
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


def as_they_end(items: Iterable[T], work: Callable[[T], R], at_once: int) -> Iterator[R]:
    """Call `work` on every item, in `at_once` threads; yield the results as they come.

    Raises:
        Exception: what `work` or `items` raised first, when what was under way has ended.
    """
    waiting = iter(items)
    ended: SimpleQueue[Future[R]] = SimpleQueue()
    threads = ThreadPoolExecutor(at_once, thread_name_prefix="filestore-bulk")

    def begin(most: int) -> int:
        begun = [threads.submit(copy_context().run, work, item) for item in islice(waiting, most)]
        for future in begun:
            future.add_done_callback(ended.put)
        return len(begun)

    try:
        under_way = begin(at_once)
        while under_way:
            future = ended.get()
            under_way += begin(1) - 1
            yield future.result()
    finally:
        threads.shutdown(cancel_futures=True)


def in_threads(items: Iterable[T], work: Callable[[T], R], at_once: int) -> Iterator[R]:
    """Call `work` on every item, in `at_once` threads; yield the results in the items' order.

    Raises:
        Exception: what `work` or `items` raised first.
    """
    waiting = iter(items)
    threads = ThreadPoolExecutor(at_once, thread_name_prefix="filestore-bulk")

    def begin(most: int) -> list[Future[R]]:
        return [threads.submit(copy_context().run, work, item) for item in islice(waiting, most)]

    try:
        under_way = deque(begin(at_once))
        while under_way:
            result = under_way.popleft().result()
            under_way.extend(begin(1))
            yield result
    finally:
        # Not waited for, as above.
        threads.shutdown(wait=False, cancel_futures=True)


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class NotDeleted(TransportException):
    """Some of many keys could not be deleted; `failed` has each one's error."""

    def __init__(self, message: str, failed: Mapping[str, Exception]) -> None:
        super().__init__(message, next(iter(failed.values())))
        self.failed = dict(failed)


async def delete_many(location: Location, keys: Sequence[str], at_once: int) -> None:
    """Delete `keys` at one location, as many in a request as it takes.

    Raises:
        NotDeleted: some could not be deleted; all were tried.
    """
    failed: dict[str, Exception] = {}

    async def delete(chunk: Sequence[str]) -> None:
        try:
            failed.update(await location.remove_many(awaitable, chunk))
        except TransportException as error:
            failed.update(dict.fromkeys(chunk, error))

    size = location.delete_batch_chunk_size()
    chunks = (keys[start : start + size] for start in range(0, len(keys), size))
    await for_each(chunks, delete, at_once)
    if failed:
        first = next(iter(failed.values()))
        message = f"{len(failed)} of {len(keys)} keys not deleted, the first: {first}"
        raise NotDeleted(message, failed) from first
