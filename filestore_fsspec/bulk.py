"""Many keys: moved, asked for, deleted."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from filestore_fsspec.bridge import ASYNCIO, SYNC, Runner, run, start, wait
from filestore_fsspec.concurrency import as_completed, for_each, in_order, in_threads
from filestore_fsspec.errors import FileStoreException, TransportException

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence

    from fsspec.callbacks import Callback

    from filestore_fsspec.location import Location

T = TypeVar("T")
LocalPath = str | os.PathLike[str]
Pair = tuple[LocalPath, LocalPath]
"""From where, and to where."""
Failed = tuple[str, str, str]
"""A pair, and why it could not be moved."""
Move = Callable[[Runner, str, str], Coroutine[Any, Any, object]]
Ask = Callable[[Runner, str], Coroutine[Any, Any, T]]


class Bulk(NamedTuple):
    """How many keys are taken."""

    max_concurrency: int
    """How many are under way at a time."""
    callback: Callback
    """Told of each that is done."""
    in_threads: bool
    """Whether nobody needs the I/O loop."""

    async def moved(self, move: Move, pairs: Iterable[Pair]) -> list[Failed]:
        """Await `move` on every pair, on the I/O loop; return those that failed."""
        failed: list[Failed] = []

        async def try_one(pair: Pair) -> None:
            failed.extend(await _try(move, ASYNCIO, pair))
            self.callback.relative_update()

        await for_each(pairs, try_one, self.max_concurrency)
        return failed

    def move(self, move: Move, pairs: Iterable[Pair]) -> list[Failed]:
        """Do the same, and block until it is done."""
        if not self.in_threads:
            return wait(self.moved(move, pairs))
        failed: list[Failed] = []
        for each in as_completed(
            pairs, lambda pair: run(_try(move, SYNC, pair)), self.max_concurrency
        ):
            failed.extend(each)
            self.callback.relative_update()
        return failed

    async def answers(self, ask: Ask[T], paths: Iterable[str]) -> AsyncGenerator[list[T], None]:
        """Yield what `ask` says of `paths`, in their order, as many at a time as are ready."""
        async for ready in in_order(paths, lambda path: ask(ASYNCIO, path), self.max_concurrency):
            self.callback.relative_update(len(ready))
            yield ready

    def ask(self, ask: Ask[T], paths: Iterable[str]) -> Iterator[T]:
        """Do the same, and block until there is a next one."""
        if not self.in_threads:
            yield from _iterate(self.answers(ask, paths))
            return
        for answer in in_threads(paths, lambda path: run(ask(SYNC, path)), self.max_concurrency):
            self.callback.relative_update()
            yield answer


async def _try(move: Move, runner: Runner, pair: Pair) -> list[Failed]:
    source, dest = os.fspath(pair[0]), os.fspath(pair[1])
    try:
        await move(runner, source, dest)
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


class NotDeleted(TransportException):
    """Some of many keys could not be deleted; `failed` has each one's error."""

    def __init__(self, message: str, failed: Mapping[str, Exception]) -> None:
        super().__init__(message, next(iter(failed.values())))
        self.failed = dict(failed)


async def delete_many(location: Location, keys: Sequence[str], max_concurrency: int) -> None:
    """Delete `keys` at one location, as many in a request as it takes.

    Raises:
        NotDeleted: some could not be deleted; all were tried.
    """
    failed: dict[str, Exception] = {}

    async def delete(chunk: Sequence[str]) -> None:
        try:
            failed.update(await location.remove_many(ASYNCIO, chunk))
        except TransportException as error:
            failed.update(dict.fromkeys(chunk, error))

    size = location.delete_batch_chunk_size()
    chunks = (keys[start : start + size] for start in range(0, len(keys), size))
    await for_each(chunks, delete, max_concurrency)
    if failed:
        raise not_deleted(failed, len(keys))


def not_deleted(failed: Mapping[str, Exception], tried: int) -> NotDeleted:
    """Return the error of some of many keys or folders that could not be deleted."""
    first = next(iter(failed.values()))
    if tried == 1:
        error = NotDeleted(str(first), failed)
    else:
        error = NotDeleted(f"{len(failed)} of {tried} not deleted, the first: {first}", failed)
    error.__cause__ = first
    return error
