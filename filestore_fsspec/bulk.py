"""Many keys at once, on the I/O loop, with bounded concurrency and bounded memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from filestore_fsspec.bridge import awaitable
from filestore_fsspec.errors import TransportException

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from filestore_fsspec.location import Location

T = TypeVar("T")

AT_ONCE = 16
"""How many keys are under way at a time."""


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Await `work` on every item, `AT_ONCE` at a time; items are taken as they are needed.

    Raises:
        Exception: what `work` or `items` raised first; what was under way is cancelled.
    """
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()


async def delete_many(location: Location, keys: Sequence[str]) -> None:
    """Delete `keys` at one location, as many in a request as it takes.

    Raises:
        TransportException: some could not be deleted; all were tried.
    """
    failed: dict[str, Exception] = {}

    async def delete(chunk: Sequence[str]) -> None:
        try:
            failed.update(await location.remove_many(awaitable, chunk))
        except TransportException as error:
            failed.update(dict.fromkeys(chunk, error))

    size = location.delete_batch_chunk_size()
    await for_each((keys[start : start + size] for start in range(0, len(keys), size)), delete)
    if failed:
        first = next(iter(failed.values()))
        message = f"{len(failed)} of {len(keys)} keys not deleted, the first: {first}"
        raise TransportException(message, first) from first
