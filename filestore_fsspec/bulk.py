"""Many keys: moved, asked for, deleted."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from filestore_fsspec.bridge import ASYNCIO, SYNC, Leaving, Runner, begin, hand_over, run
from filestore_fsspec.concurrency import results
from filestore_fsspec.errors import FileStoreException, TransportException
from filestore_fsspec.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fsspec.callbacks import Callback

    from filestore_fsspec.bridge import Job
    from filestore_fsspec.green import Mailbox
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations.running import Place

T = TypeVar("T")
Item = TypeVar("Item")
LocalPath = str | os.PathLike[str]
Pair = tuple[LocalPath, LocalPath]
"""From where, and to where."""
Failed = tuple[str, str, str]
"""A pair, and why it could not be moved."""
Move = Callable[[Runner, str, str], Coroutine[Any, Any, object]]
Ask = Callable[[Runner, str], Coroutine[Any, Any, T]]
_HANDED_ON = 64


class Bulk(NamedTuple):
    """How many keys are taken, and where."""

    max_concurrency: int
    """How many are under way at a time."""
    callback: Callback
    """Told of each that is done, in the caller's thread."""
    place: Place
    """Where a call of many goes on when a location has to be waited for."""

    def move(self, move: Move, pairs: Iterable[Pair], *, reads: bool) -> list[Failed]:
        """Run `move` on every pair; return those that failed. `reads` says that it writes nowhere.

        What reads begins here, where a location of this machine may have it already.
        """
        failed: list[Failed] = []
        for each in self._results(
            lambda runner, pair: _try(move, runner, pair), pairs, in_order=False, reads=reads
        ):
            failed.extend(each)
            self.callback.relative_update()
        return failed

    def ask(self, ask: Ask[T], paths: Iterable[str]) -> Iterator[T]:
        """Yield what `ask` says of `paths`, in their order."""
        for answer in self._results(ask, paths, in_order=True, reads=True):
            self.callback.relative_update()
            yield answer

    def _results(
        self,
        work: Callable[[Runner, Item], Coroutine[Any, Any, T]],
        items: Iterable[Item],
        *,
        in_order: bool,
        reads: bool,
    ) -> Iterator[T]:
        if self.place == "here":
            for item in items:
                yield run(work(SYNC, item))
            return
        threads = None

        def start(item: Item, ended: Mailbox[Job[T]]) -> Job[T]:
            nonlocal threads
            if self.place == "threads":
                threads = threads or Threads(self.max_concurrency, "filestore-bulk")
            then = ASYNCIO if self.place == "loop" else SYNC
            if reads:
                return begin(work(Leaving(then), item), ended, threads)
            return hand_over(work(then, item), ended, threads)

        try:
            yield from results(items, start, self.max_concurrency, in_order=in_order)
        finally:
            if threads is not None:
                threads.shutdown()


async def _try(move: Move, runner: Runner, pair: Pair) -> list[Failed]:
    source, dest = os.fspath(pair[0]), os.fspath(pair[1])
    try:
        await move(runner, source, dest)
    except (FileStoreException, OSError) as error:
        return [(source, dest, str(error))]
    return []


class NotDeleted(TransportException):
    """Some of many keys could not be deleted; `failed` has each one's error."""

    def __init__(self, message: str, failed: Mapping[str, Exception]) -> None:
        super().__init__(message, next(iter(failed.values())))
        self.failed = dict(failed)


async def delete_many(
    location: Location, runner: Runner, keys: Sequence[str], max_concurrency: int
) -> None:
    """Delete `keys` at one location, as many in a request as it takes.

    Raises:
        NotDeleted: some could not be deleted; all were tried.
    """
    failed: dict[str, Exception] = {}

    async def delete(chunks: Iterable[Sequence[str]]) -> None:
        for chunk in chunks:
            try:
                failed.update(await location.remove_many(runner, chunk))
            except TransportException as error:
                failed.update(dict.fromkeys(chunk, error))

    size = max(location.delete_batch_chunk_size(), 1)
    if not location.driver.async_impl:
        # One change of threads for some dozens of them, where each is a request of its own.
        size = max(size, min(_HANDED_ON, -(-len(keys) // max_concurrency)))
    chunks = [keys[start : start + size] for start in range(0, len(keys), size)]
    shares = [chunks[number::max_concurrency] for number in range(max_concurrency)]
    for outcome in await runner.each(delete(share) for share in shares if share):
        if isinstance(outcome, Exception):
            raise outcome
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
