"""Many keys at once, on the I/O loop, with bounded concurrency and bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from filestore_fsspec.bridge import awaitable
from filestore_fsspec.errors import TransportException

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Coroutine,
        Iterable,
        Mapping,
        Sequence,
    )

    from filestore_fsspec.location import Location

R = TypeVar("R")
T = TypeVar("T")


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
