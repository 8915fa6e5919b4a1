"""`Store`: what both stores do, each function as a coroutine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filestore_fsspec.errors import (
    FileStoreException,
    LocationUnavailable,
    NotFound,
    PartialWrite,
    TransportException,
)
from filestore_fsspec.operations import (
    Located,
    Locations,
    delete_each,
    failures_in,
    find_each,
    find_first,
    locate_each,
    read_first,
    select,
)
from filestore_fsspec.store.setup import Setup
from filestore_fsspec.store.writing import delete, delete_batch, write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.bulk import LocalPath
    from filestore_fsspec.journal.records import Journal
    from filestore_fsspec.journal.replay import Replayed
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Page

T = TypeVar("T")


class Store(Setup):
    """The functions of a store."""

    def read_plan(self, location: str, path: str) -> tuple[Locations, Locations]:
        """Return which locations are asked for `path`, and which only if all of these say absent.

        Raises:
            InvalidKey, ValueError: `path` or `location` cannot be used.
        """
        primary = select(self.locations, location)
        return (
            (primary, ()) if self.journal is None else self.journal.pending.read_plan(primary, path)
        )

    def visible(self, location: Location, page: Page) -> Page:
        """Return a page of a location's listing without what is to be deleted there."""
        return page if self.journal is None else self.journal.pending.visible(location, page)

    async def _locate(self, runner: Runner, path: str) -> list[Located]:
        found = await locate_each(self.locations, runner, path)
        primary, fallback = self.read_plan("all", path)
        return [
            each
            if each.location in primary or each.location in fallback
            else Located(each.location, "absent", seconds=each.seconds)
            for each in found
        ]

    def _replay(self, runner: Runner) -> AsyncGenerator[Replayed, None]:
        # Imported here: most stores have no journal, and need no SQLite.
        from filestore_fsspec.journal.replay import replay  # noqa: PLC0415

        return replay(self._journaled(), self.locations, runner)

    async def _forget(self, runner: Runner, location: str) -> int:
        # Imported here: most stores have no journal, and need no SQLite.
        from filestore_fsspec.journal.pending import identity  # noqa: PLC0415

        places = [location]
        if "://" not in location:
            places = [identity(each) for each in select(self.locations, location)]
        journal = self._journaled()
        return sum([await journal.forget(runner, place) for place in places])

    def _journaled(self) -> Journal:
        if self.journal is None:
            raise ValueError("this store has no journal: give it one, FileStore(..., journal=path)")
        return self.journal

    async def _get(self, runner: Runner, path: str, location: str) -> bytes | None:
        primary, fallback = self.read_plan(location, path)
        try:
            _, content = await read_first(
                primary,
                lambda each: each.read(runner, path, verify=self.verify_content),
                f"get {path!r}",
                fallback,
            )
        except NotFound:
            return None
        except LocationUnavailable as error:
            self.unless_strict(error)
            return None
        return content

    async def _download(
        self, runner: Runner, path: str, dest: LocalPath, location: str
    ) -> list[Location]:
        (primary, fallback), local_path = self.read_plan(location, path), Path(dest)
        answered, _ = await read_first(
            primary,
            lambda each: each.fetch(runner, path, local_path, verify=self.verify_content),
            f"download {path!r}",
            fallback,
        )
        return [answered]

    async def _exists(self, runner: Runner, path: str, location: str) -> list[Location]:
        find = find_first if location == "any" else find_each
        try:
            primary, fallback = self.read_plan(location, path)
            return await find(primary + fallback, runner, path)
        except LocationUnavailable as error:
            self.unless_strict(error)
            return []

    async def _put(
        self, runner: Runner, targets: Locations, path: str, source: bytes | str, *, force: bool
    ) -> list[Location]:
        return await write(self, runner, targets, path, source, force=force)

    async def _upload(
        self,
        runner: Runner,
        targets: Locations,
        src: LocalPath,
        dest: str,
        *,
        force: bool,
        verify: bool = False,
    ) -> list[Location]:
        if not targets:
            return []
        source = _readable(src)
        return await write(
            self, runner, targets, dest, source, force=force, verify=verify, action="upload"
        )

    async def _delete(self, runner: Runner, targets: Locations, path: str) -> None:
        try:
            await delete(self, runner, targets, path)
        except (TransportException, PartialWrite) as error:
            self.unless_strict(error)

    async def _delete_batch(
        self, runner: Runner, targets: Locations, paths: Sequence[str], max_concurrency: int
    ) -> None:
        try:
            await delete_batch(self, runner, targets, paths, max_concurrency)
        except (TransportException, PartialWrite) as error:
            self.unless_strict(error)

    async def _cleanup(
        self, runner: Runner, targets: Locations, older_than_seconds: float
    ) -> list[str]:
        removed: list[str] = []

        async def clean_up(location: Location) -> None:
            removed.extend(await location.clean_up(runner, older_than_seconds))

        await delete_each(targets, runner, clean_up, "clean up")
        return removed

    def unless_strict(self, error: FileStoreException) -> None:
        """Raise `error`, or log what each location failed with where `strict` is false."""
        if self.strict:
            raise error
        for failure in failures_in(error):
            self.log.warning("%s", failure)

    def _close(self) -> None:
        for location in self.locations:
            location.close()
        if self.journal is not None:
            self.journal.close()


def _readable(src: LocalPath) -> str:
    """Return `src` as text, after a look that it can be read: its absence is not a location's."""
    path = os.fspath(src)
    try:
        with open(path, "rb"):  # noqa: PTH123 - a path as text from here on
            return path
    except FileNotFoundError as error:
        raise NotFound(f"cannot upload: there is no local file {path!r}", error) from error
