"""`AsyncFileStore`: the functions of `FileStore`, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Self, TypeVar

from fsspec.callbacks import DEFAULT_CALLBACK, Callback

from filestore_fsspec.bridge import ASYNCIO, Worker, advanced, on_io_loop, start
from filestore_fsspec.cleanup import AGE_SECONDS
from filestore_fsspec.deadline import until
from filestore_fsspec.operations import list_merged, run_there, select
from filestore_fsspec.spool import spooled_anywhere
from filestore_fsspec.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
    from types import TracebackType

    from filestore_fsspec.bulk import LocalPath
    from filestore_fsspec.journal.pending import PendingWrite
    from filestore_fsspec.journal.replay import Replayed
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Located
    from filestore_fsspec.spool import AsyncContent, Content

T = TypeVar("T")
Items = Iterable[T] | AsyncIterable[T]


class AsyncFileStore(Store):
    """The same store for coroutines: what each function returns and raises stands in `FileStore`.

    The connections live on fsspec's I/O loop, in a thread of its own, so that one store serves any
    number of event loops.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to every location. The next call makes new ones."""
        async with Worker() as worker:
            await worker.call(self._close)

    async def get(
        self, path: str, location: str = "any", *, deadline_seconds: float | None = None
    ) -> bytes | None:
        """Return the content of `path`, or None if it is absent."""
        with self.ending(deadline_seconds):
            return await on_io_loop(self._get(ASYNCIO, path, location))

    async def exists(
        self, path: str, location: str = "any", *, deadline_seconds: float | None = None
    ) -> list[Location]:
        """Return the locations that have `path`; with `any`, the first alone."""
        with self.ending(deadline_seconds):
            return await on_io_loop(self._exists(ASYNCIO, path, location))

    async def download(
        self,
        path: str,
        dest: LocalPath,
        location: str = "any",
        *,
        deadline_seconds: float | None = None,
    ) -> list[Location]:
        """Bring `path` to the local file `dest`, and return the location that had it."""
        with self.ending(deadline_seconds):
            return await on_io_loop(self._download(ASYNCIO, path, dest, location))

    async def put(
        self,
        path: str,
        content: Content | AsyncContent,
        location: str = "all",
        force: bool = False,
        *,
        deadline_seconds: float | None = None,
    ) -> list[Location]:
        """Store `content` under `path`; return the locations written.

        An object whose `read` is awaited, and an async iterator of bytes, are taken as well.
        """
        with self.ending(deadline_seconds):
            targets = self._writable(location, f"put {path!r}")
            with ExitStack() as stack:
                async with Worker() as worker:
                    source = await worker.call(stack.enter_context, spooled_anywhere(content))
                return await on_io_loop(self._put(ASYNCIO, targets, path, source, force=force))

    async def upload(
        self,
        src: LocalPath,
        dest: str,
        location: str = "all",
        force: bool = False,
        verify: bool = False,
        *,
        deadline_seconds: float | None = None,
    ) -> list[Location]:
        """Store the local file `src` under `dest`; return the locations written."""
        with self.ending(deadline_seconds):
            targets = self._writable(location, f"upload {dest!r}")
            return await on_io_loop(
                self._upload(ASYNCIO, targets, src, dest, force=force, verify=verify)
            )

    async def upload_batch(
        self,
        tuples: Items[tuple[LocalPath, str]],
        location: str = "all",
        force: bool = False,
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> list[tuple[str, str, str]]:
        """Store many local files, `(src, dest)` each; return `(src, dest, error)` of failures."""
        with self.ending(deadline_seconds):
            targets = self._writable(location, "upload a batch")
            bulk = self._bulk(targets, max_concurrency, callback)
            async with Worker() as worker:
                return await worker.call(
                    partial(bulk.move, reads=False),
                    lambda runner, src, dest: self._upload(runner, targets, src, dest, force=force),
                    advanced(tuples),
                )

    async def download_batch(
        self,
        tuples: Items[tuple[str, LocalPath]],
        location: str = "any",
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> list[tuple[str, str, str]]:
        """Bring many keys, `(path, dest)` each; return `(path, dest, error)` of failures."""
        with self.ending(deadline_seconds):
            bulk = self._bulk(select(self.locations, location), max_concurrency, callback)
            async with Worker() as worker:
                return await worker.call(
                    partial(bulk.move, reads=True),
                    lambda runner, path, dest: self._download(runner, path, dest, location),
                    advanced(tuples),
                )

    def get_many(
        self,
        paths: Items[str],
        location: str = "any",
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> AsyncIterator[bytes | None]:
        """Yield what `get` returns for each of `paths`, in their order, many read at once."""
        bulk = self._bulk(select(self.locations, location), max_concurrency, callback)
        return _answers(
            partial(bulk.ask, lambda runner, path: self._get(runner, path, location)),
            paths,
            self._end(deadline_seconds),
        )

    def exists_many(
        self,
        paths: Items[str],
        location: str = "any",
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> AsyncIterator[list[Location]]:
        """Yield what `exists` returns for each of `paths`, in their order; like `get_many`."""
        bulk = self._bulk(select(self.locations, location), max_concurrency, callback)
        return _answers(
            partial(bulk.ask, lambda runner, path: self._exists(runner, path, location)),
            paths,
            self._end(deadline_seconds),
        )

    async def delete(
        self, path: str, location: str = "all", *, deadline_seconds: float | None = None
    ) -> None:
        """Delete `path` from the selected locations; what is absent is no error."""
        with self.ending(deadline_seconds):
            targets = self._writable(location, f"delete {path!r}")
            await on_io_loop(self._delete(ASYNCIO, targets, path))

    async def delete_batch(
        self,
        paths: Items[str],
        location: str = "all",
        *,
        max_concurrency: int | None = None,
        deadline_seconds: float | None = None,
    ) -> None:
        """Delete many keys, as many in a request as a location takes."""
        with self.ending(deadline_seconds):
            targets = self._writable(location, "delete a batch")
            bulk = self._bulk(targets, max_concurrency, DEFAULT_CALLBACK)
            async with Worker() as worker:
                keys: Sequence[str] = await worker.call(list, advanced(paths))
                await worker.call(
                    run_there,
                    bulk.place,
                    lambda runner: self._delete_batch(runner, targets, keys, bulk.max_concurrency),
                )

    async def cleanup(
        self, older_than_seconds: float = AGE_SECONDS, location: str = "all"
    ) -> list[str]:
        """Remove what killed writers left; return the paths removed."""
        targets = self._writable(location, "clean up")
        return await on_io_loop(self._cleanup(ASYNCIO, targets, older_than_seconds))

    async def locate(self, path: str, *, deadline_seconds: float | None = None) -> list[Located]:
        """Return what each location says of `path`: present, absent or unknown, and why."""
        with self.ending(deadline_seconds):
            return await on_io_loop(self._locate(ASYNCIO, path))

    async def pending(self) -> AsyncIterator[PendingWrite]:
        """Yield what the journal remembers: each action at a location that is not known done."""
        legs, after = self._journaled().pending, 0
        async with Worker() as worker:
            while page := await worker.call(legs.page, after):
                for leg in page:
                    yield leg
                after = page[-1].seq

    async def replay(self) -> AsyncIterator[Replayed]:
        """Carry out what is pending at this store's locations; yield what became of each."""
        generator = self._replay(ASYNCIO)

        async def step() -> Replayed | None:
            return await anext(generator, None)

        try:
            while (each := await on_io_loop(step())) is not None:
                yield each
        finally:
            start(generator.aclose())

    async def forget(self, location: str) -> int:
        """Forget what is pending at a location, and return how much that was."""
        return await on_io_loop(self._forget(ASYNCIO, location))

    async def list(
        self, prefix: str = "", location: str = "all", *, deadline_seconds: float | None = None
    ) -> AsyncIterator[str]:
        """Yield the keys that start with `prefix`, each once, the first location's first."""
        selected = select(self.locations, location)
        pages = list_merged(selected, ASYNCIO, prefix, strict=self.strict, visible=self.visible)
        async for info in _iterate(pages, self._end(deadline_seconds)):
            yield info["name"]


async def _iterate(pages: AsyncGenerator[list[T], None], end: float | None) -> AsyncIterator[T]:
    """Yield the items of pages that are made on the I/O loop; end their making if not exhausted."""

    async def step() -> list[T] | None:
        with until(end):  # for each step: what the caller does between them is not ours to end
            return await on_io_loop(next_page())

    async def next_page() -> list[T] | None:
        return await anext(pages, None)

    try:
        while (page := await step()) is not None:
            for item in page:
                yield item
    finally:
        start(pages.aclose())


async def _answers(
    ask: Callable[[Iterable[str]], Iterator[T]], paths: Items[str], end: float | None
) -> AsyncIterator[T]:
    """Yield what a blocking iterator over `paths` does, each step in a worker's thread."""
    worker, answers = Worker(), [ask(advanced(paths))]
    try:
        while True:
            with until(end):  # for each step, as above
                found = await worker.call(lambda: [*islice(answers[0], 1)])
            if not found:
                return
            yield found[0]
    finally:
        worker.leave(answers.clear)
