"""`FileStore`: several locations under one API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self, TypeVar

from fsspec.callbacks import DEFAULT_CALLBACK, Callback

from filestore_fsspec.bridge import SYNC, iterate, run
from filestore_fsspec.cleanup import AGE_SECONDS
from filestore_fsspec.deadline import until
from filestore_fsspec.operations import list_merged, run_on_targets, run_there, select
from filestore_fsspec.spool import IN_MEMORY_BYTES, spooled
from filestore_fsspec.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator
    from types import TracebackType

    from filestore_fsspec.bulk import LocalPath
    from filestore_fsspec.filesystem import FileStoreFileSystem
    from filestore_fsspec.journal.pending import PendingWrite
    from filestore_fsspec.journal.replay import Replayed
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Located
    from filestore_fsspec.spool import Content

T = TypeVar("T")


class FileStore(Store):
    """One API over several locations: near is the first, far the last.

    `location` is `near`, `far`, `all`, `any` or a location's name. Reading goes in order and takes
    the first answer; writing goes to every selected location side by side. Threads may share a
    store; after a fork the child makes its own connections. A call ends within `deadline_seconds`,
    its own or the store's: what has not answered by then is a LocationUnavailable.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     urls = f"file://{folder}/near", f"file://{folder}/far?name=archive"
        ...     with FileStore(*urls) as store:
        ...         written = store.put("report.txt", "ready")
        ...         store.delete("report.txt", location="near")
        ...         len(written), store.get("report.txt"), store.exists("report.txt")[0].name
        (2, b'ready', 'archive')
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def fs(self) -> FileStoreFileSystem:
        """The same locations as an fsspec filesystem."""
        # Imported here: most stores are never used as one.
        from filestore_fsspec.filesystem import FileStoreFileSystem  # noqa: PLC0415

        return FileStoreFileSystem.of(self)

    def close(self) -> None:
        """Close the connections to every location. The next call makes new ones."""
        self._close()

    def get(
        self, path: str, location: str = "any", *, deadline_seconds: float | None = None
    ) -> bytes | None:
        """Return the content of `path`, or None if every selected location says it is absent.

        Raises:
            LocationUnavailable: none has it, and at some it is unknown.
            InvalidKey, ValueError: `path` or `location` cannot be used.
        """
        with self.ending(deadline_seconds):
            return run(self._get(SYNC, path, location))

    def exists(
        self, path: str, location: str = "any", *, deadline_seconds: float | None = None
    ) -> list[Location]:
        """Return the locations that have `path`; with `any`, the first alone.

        Raises:
            LocationUnavailable: none has it, and at some it is unknown.
            InvalidKey, ValueError: `path` or `location` cannot be used.
        """
        with self.ending(deadline_seconds):
            return run(self._exists(SYNC, path, location))

    def download(
        self,
        path: str,
        dest: LocalPath,
        location: str = "any",
        *,
        deadline_seconds: float | None = None,
    ) -> list[Location]:
        """Bring `path` to the local file `dest`, and return the location that had it.

        `dest` is replaced when all of it is there; its folders are made.

        Raises:
            NotFound: every selected location says it is absent.
            LocationUnavailable: none has it, and at some it is unknown.
            InvalidKey, ValueError: `path` or `location` cannot be used.
        """
        with self.ending(deadline_seconds):
            return run(self._download(SYNC, path, dest, location))

    def put(
        self,
        path: str,
        content: Content,
        location: str = "all",
        force: bool = False,
        *,
        deadline_seconds: float | None = None,
    ) -> list[Location]:
        """Store `content` under `path`; return the locations written.

        Text is stored as UTF-8; a binary file object is read to its end. A location that has
        `path` already keeps what it has, and is not in the list, unless `force` is true.

        Raises:
            ReadOnly: no selected location may be written.
            TransportException: the only selected location failed.
            PartialWrite: one of several failed; `written` and `failed` say which.
            InvalidKey, ValueError, TypeError: an argument cannot be used.
        """
        with self.ending(deadline_seconds):
            targets = self._writable(location, f"put {path!r}")
            with spooled(content) as source:
                return run_on_targets(
                    targets,
                    lambda runner: self._put(runner, targets, path, source, force=force),
                    small=isinstance(source, bytes) and len(source) <= IN_MEMORY_BYTES,
                )

    def upload(
        self,
        src: LocalPath,
        dest: str,
        location: str = "all",
        force: bool = False,
        verify: bool = False,
        *,
        deadline_seconds: float | None = None,
    ) -> list[Location]:
        """Store the local file `src` under `dest`; return the locations written.

        With `verify`, what is stored is compared with what was sent: by a checksum that the server
        checks, or by reading it again.

        Raises:
            NotFound: there is no local file `src`.
            CorruptedFileStoreException: what arrived at the only location is not what was sent;
                nothing of it is left there.
            ReadOnly, TransportException, PartialWrite, InvalidKey, ValueError: as in `put`.
        """
        with self.ending(deadline_seconds):
            targets = self._writable(location, f"upload {dest!r}")
            return run_on_targets(
                targets,
                lambda runner: self._upload(runner, targets, src, dest, force=force, verify=verify),
                small=False,
            )

    def upload_batch(
        self,
        tuples: Iterable[tuple[LocalPath, str]],
        location: str = "all",
        force: bool = False,
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> list[tuple[str, str, str]]:
        """Store many local files, given as `(src, dest)`; return `(src, dest, error)` of failures.

        Every pair is tried. `tuples` may be a generator: pairs are taken as they are needed.

        Args:
            tuples: the pairs.
            location: where to.
            force: whether what is there is overwritten.
            max_concurrency: how many are under way at a time; the locations' own number by default.
            callback: fsspec's, told of each pair that is done.
            deadline_seconds: how long all of it may take; what is not done by then has failed.

        Raises:
            ReadOnly, ValueError: no selected location may be written, or there is none.
        """
        with self.ending(deadline_seconds):
            targets = self._writable(location, "upload a batch")
            bulk = self._bulk(targets, max_concurrency, callback)
            return bulk.move(
                lambda runner, src, dest: self._upload(runner, targets, src, dest, force=force),
                tuples,
                reads=False,
            )

    def download_batch(
        self,
        tuples: Iterable[tuple[str, LocalPath]],
        location: str = "any",
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> list[tuple[str, str, str]]:
        """Bring many keys, given as `(path, dest)`; return `(path, dest, error)` of failures.

        Arguments as in `upload_batch`.

        Raises:
            ValueError: `location` or `max_concurrency` cannot be used.
        """
        with self.ending(deadline_seconds):
            bulk = self._bulk(select(self.locations, location), max_concurrency, callback)
            return bulk.move(
                lambda runner, path, dest: self._download(runner, path, dest, location),
                tuples,
                reads=True,
            )

    def get_many(
        self,
        paths: Iterable[str],
        location: str = "any",
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> Iterator[bytes | None]:
        """Yield what `get` returns for each of `paths`, in their order, many read at once.

        `paths` may be a generator; memory holds the contents of `max_concurrency` keys.
        Arguments as in `upload_batch`.

        Raises:
            LocationUnavailable, InvalidKey: as in `get`, for the first path that fails.
            ValueError: `location` or `max_concurrency` cannot be used.
        """
        bulk = self._bulk(select(self.locations, location), max_concurrency, callback)
        found = bulk.ask(lambda runner, path: self._get(runner, path, location), paths)
        return _in_time(found, self._end(deadline_seconds))

    def exists_many(
        self,
        paths: Iterable[str],
        location: str = "any",
        *,
        max_concurrency: int | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        deadline_seconds: float | None = None,
    ) -> Iterator[list[Location]]:
        """Yield what `exists` returns for each of `paths`, in their order; else like `get_many`."""
        bulk = self._bulk(select(self.locations, location), max_concurrency, callback)
        found = bulk.ask(lambda runner, path: self._exists(runner, path, location), paths)
        return _in_time(found, self._end(deadline_seconds))

    def delete(
        self, path: str, location: str = "all", *, deadline_seconds: float | None = None
    ) -> None:
        """Delete `path` from the selected locations; what is absent is no error.

        Raises:
            ReadOnly: no selected location may be written.
            TransportException: the only selected location could not delete it.
            PartialWrite: one of several could not; all were tried.
            InvalidKey, ValueError: `path` or `location` cannot be used.
        """
        with self.ending(deadline_seconds):
            targets = self._writable(location, f"delete {path!r}")
            run_on_targets(targets, lambda runner: self._delete(runner, targets, path))

    def delete_batch(
        self,
        paths: Iterable[str],
        location: str = "all",
        *,
        max_concurrency: int | None = None,
        deadline_seconds: float | None = None,
    ) -> None:
        """Delete many keys, as many in a request as a location takes. Raises as `delete` does."""
        with self.ending(deadline_seconds):
            targets, keys = self._writable(location, "delete a batch"), list(paths)
            bulk = self._bulk(targets, max_concurrency, DEFAULT_CALLBACK)
            run_there(
                bulk.place,
                lambda runner: self._delete_batch(runner, targets, keys, bulk.max_concurrency),
            )

    def cleanup(self, older_than_seconds: float = AGE_SECONDS, location: str = "all") -> list[str]:
        """Remove what killed writers left: temporary files, on S3 unfinished uploads.

        Returns the paths removed, as the locations' filesystems name them. What was written to
        within `older_than_seconds`, by the location's own clock, is kept; with 0, whoever
        is writing loses what is unfinished.

        Raises:
            ReadOnly: no selected location may be written.
            TransportException: the only selected location failed.
            PartialWrite: one of several failed; all were tried.
            ValueError: `location` cannot be used.
        """
        targets = self._writable(location, "clean up")
        return run_on_targets(
            targets, lambda runner: self._cleanup(runner, targets, older_than_seconds)
        )

    def locate(self, path: str, *, deadline_seconds: float | None = None) -> list[Located]:
        """Return what each location says of `path`: present, absent or unknown, and why.

        Raises:
            InvalidKey: `path` is no key.
        """
        with self.ending(deadline_seconds):
            return run_on_targets(self.locations, lambda runner: self._locate(runner, path))

    def pending(self) -> Iterator[PendingWrite]:
        """Yield what the journal remembers: each action at a location that is not known done.

        Raises:
            ValueError: this store has no journal.
            JournalError: it cannot be read.
        """
        return self._journaled().pending.legs()

    def replay(self) -> Iterator[Replayed]:
        """Carry out what is pending at this store's locations; yield what became of each.

        It goes on as it is iterated over. What was to be put is copied from a location that has
        it. To do so again changes nothing.

        Raises:
            ValueError: this store has no journal.
            JournalError: it cannot be read or written.
        """
        return _closing(self._replay(SYNC))

    def forget(self, location: str) -> int:
        """Forget what is pending at a location, and return how much that was.

        For a location that is no more. What is under way there is not forgotten.

        Args:
            location: as `pending` names it, or as the other functions take it.

        Raises:
            ValueError: this store has no journal, or no such location.
            JournalError: it cannot be written.
        """
        return run(self._forget(SYNC, location))

    def list(
        self, prefix: str = "", location: str = "all", *, deadline_seconds: float | None = None
    ) -> Iterator[str]:
        """Yield the keys that start with `prefix`, each once, the first location's first.

        Raises:
            LocationUnavailable: a location could not be listed to its end.
            ValueError: `location` cannot be used.
        """
        selected = select(self.locations, location)
        pages = list_merged(selected, SYNC, prefix, strict=self.strict, visible=self.visible)
        in_time = _in_time(iterate(pages), self._end(deadline_seconds))
        return (info["name"] for page in in_time for info in page)


def _closing(generator: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what a generator yields, and end it if it is not exhausted."""
    try:
        yield from iterate(generator)
    finally:
        run(generator.aclose())


def _in_time(items: Iterator[T], end: float | None) -> Iterator[T]:
    """Yield the items, each made by `end`; what the caller does between them is not ours to end."""
    done = object()
    while True:
        with until(end):
            item = next(items, done)
        if item is done:
            return
        yield item  # type: ignore[misc]  # no item is `done`
