"""`Tree`: what a store's locations hold, as one tree of files and folders.

Every view of it (`ls`, `walk`, `info`, `isdir`, ...) and every act on it (`rm`, `mv`, `cp`, `get`)
stands on one listing of each location, see `folders`. Where some hold a file and others a folder of
the same name, both are listed, and reading takes the file.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from filestore_fsspec.bridge import ASYNCIO
from filestore_fsspec.bulk import NotDeleted
from filestore_fsspec.errors import LocationUnavailable, NotFound
from filestore_fsspec.filesystem import folders
from filestore_fsspec.filesystem.folders import Below
from filestore_fsspec.journal.recording import record_delete
from filestore_fsspec.operations import (
    delete_each,
    list_merged,
    merge_children,
    raise_partial,
    read_first,
    select,
    select_writable,
)
from filestore_fsspec.operations.outcomes import failures_of, unavailable, value_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations
    from filestore_fsspec.store import Store

T = TypeVar("T")


class Tree:
    """The tree of a store. `location` names which locations a call is about, as in a store."""

    def __init__(self, store: Store) -> None:
        """Look at what `store` holds."""
        self._store = store

    # Looking

    async def read(
        self, key: str, location: str, ask: Callable[[Location], Awaitable[T]]
    ) -> tuple[Location, T]:
        """Ask in order who has the file `key`; return the first and its answer.

        Raises:
            NotFound: every location said absent.
            LocationUnavailable: none has it, and at some it is unknown.
        """
        primary, fallback = self._store.read_plan(location, key)
        try:
            return await read_first(primary, ask, f"read {key!r}", fallback)
        except LocationUnavailable as error:
            self._store.unless_strict(error)
            raise NotFound(f"no location that answered has {key!r}", error) from error

    async def look(self, runner: Runner, key: str, location: str, *, certain: bool = False) -> Info:
        """Return the info of the file `key`, else of the folder of that name.

        With `certain`, of a folder only if no location may have a file of that name.

        Raises:
            NotFound: every location said absent.
            LocationUnavailable: none has it, and at some it is unknown.
        """
        if not key:
            return folders.described({"type": "directory", "size": 0}, "")
        folder: Info | None = None

        async def look_for_file(each: Location) -> Info:
            nonlocal folder
            info = await folders.look(each, runner, key)
            if info["type"] == "directory":
                folder = folder or info
                raise NotFound(f"{each}: {key!r} is a folder")
            return info

        try:
            _, found = await self.read(key, location, look_for_file)
        except (NotFound, LocationUnavailable) as error:
            if folder is None or (certain and isinstance(error, LocationUnavailable)):
                raise
            return folder
        return found

    async def is_file(self, runner: Runner, key: str, location: str) -> bool:
        """Tell whether any location has the file `key`. Raises as `look` does."""
        with suppress(NotFound):
            return bool((await self.look(runner, key, location, certain=True))["type"] == "file")
        return False

    async def is_folder(self, runner: Runner, key: str, location: str) -> bool:
        """Tell whether any location has a folder `key`.

        Raises:
            LocationUnavailable: none has, at some it is unknown, and none has a file of that name.
        """
        selected = select(self._store.locations, location)
        if not key:
            return True
        outcomes = await runner.each(folders.is_folder(each, runner, key) for each in selected)
        unknown = failures_of(selected, outcomes)
        if True in outcomes:
            return True
        if unknown and not await self.is_file(runner, key, location):
            self._store.unless_strict(unavailable(f"look for {key!r}", unknown))
        return False

    async def children(self, runner: Runner, key: str, location: str) -> list[Info]:
        """Return what lies in a folder, sorted by name; of a file, itself.

        Raises:
            NotFound: there is nothing of that name.
            LocationUnavailable: a location is unknown.
        """

        async def ask(each: Location) -> list[Info]:
            infos = await folders.children(each, runner, key)
            return self._store.visible(each, infos)

        found = await merge_children(
            select(self._store.locations, location),
            runner,
            ask,
            f"list {key!r}",
            strict=self._store.strict,
        )
        if found is not None:
            return found
        info = await self.look(runner, key, location)
        return [info] if info["type"] == "file" else []

    async def files_below(self, key: str, location: str) -> dict[str, Info]:
        """Return the files below a folder; of a file, itself. Raises as `children` does."""
        selected, prefix = select(self._store.locations, location), f"{key}/" if key else ""
        strict, visible = self._store.strict, self._store.visible
        pages = list_merged(selected, ASYNCIO, prefix, strict=strict, visible=visible)
        found = {
            info["name"]: folders.described(info, info["name"])
            async for page in pages
            for info in page
        }
        if not found and key:
            with suppress(NotFound):
                info = await self.look(ASYNCIO, key, location, certain=True)
                if info["type"] == "file":
                    found[key] = info
        return dict(sorted(found.items()))

    async def below(
        self, keys: Sequence[str], location: str, maxdepth: int | None = None
    ) -> dict[Location, Below]:
        """Return what each location has of `keys` and below them.

        Raises:
            LocationUnavailable: a location is unknown.
        """
        selected = select(self._store.locations, location)
        outcomes = await self._list(selected, keys, maxdepth)
        if unknown := failures_of(selected, [*outcomes.values()]):
            self._store.unless_strict(unavailable(f"list {keys[0]!r}", unknown))
        return {each: found for each, found in outcomes.items() if isinstance(found, Below)}

    async def _list(
        self, selected: Locations, keys: Sequence[str], maxdepth: int | None
    ) -> dict[Location, Below | Exception]:
        outcomes = await ASYNCIO.each(
            folders.below(each, ASYNCIO, keys, maxdepth) for each in selected
        )
        return dict(zip(selected, outcomes, strict=True))

    def merged(self, found: Mapping[Location, Below]) -> tuple[dict[str, Info], list[str]]:
        """Return all files of `below`'s answer, and all folders, each before what is in it."""
        files: dict[str, Info] = {}
        for location, each in found.items():
            for info in self._store.visible(location, list(each.files.values())):
                files.setdefault(info["name"], info)
        return files, sorted({folder for each in found.values() for folder in each.folders})

    # Changing

    async def make_folder(self, key: str, location: str) -> None:
        """Make a folder at every location that has folders. Raises as `delete_each` does."""
        what = f"make the folder {key!r}"
        targets = select_writable(self._store.locations, location, what)
        await delete_each(
            targets, ASYNCIO, lambda each: folders.make_folder(each, ASYNCIO, key), what
        )

    async def remove_folder(self, key: str, location: str) -> None:
        """Remove an empty folder, where it is.

        Raises:
            NotFound, NotADirectoryError: there is none.
            LocationUnavailable: a location is unknown.
            OSError: it is not empty, or read-only.
            TransportException, PartialWrite: as in `delete_each`.
        """
        what = f"remove the folder {key!r}"
        writable = select_writable(self._store.locations, location, what)
        selected = select(self._store.locations, location)
        outcomes = await ASYNCIO.each(folders.children(each, ASYNCIO, key) for each in selected)
        listed = {
            each: self._store.visible(each, outcome)
            for each, outcome in zip(selected, outcomes, strict=True)
            if isinstance(outcome, list)
        }
        unknown = failures_of(selected, outcomes)
        if unknown := {each: e for each, e in unknown.items() if not isinstance(e, NotFound)}:
            self._store.unless_strict(unavailable(what, unknown))
        if any(listed.values()):
            raise OSError(errno.ENOTEMPTY, f"cannot {what}: it is not empty")
        if not listed:
            if await self.is_file(ASYNCIO, key, location):
                raise NotADirectoryError(errno.ENOTDIR, f"cannot {what}: it is a file")
            raise NotFound(f"cannot {what}: there is no such folder")
        targets = tuple(each for each in writable if each in listed)
        await delete_each(
            targets, ASYNCIO, lambda each: folders.remove_folder(each, ASYNCIO, key), what
        )

    async def remove(self, keys: Sequence[str], location: str) -> None:
        """Delete files and folders with all that a listing shows in them.

        Every location is tried. What its own listing shows is deleted there, key by key, and then
        the folders that are empty; a folder that holds anything else stays.

        Raises:
            NotFound: there is nothing of these names.
            LocationUnavailable: nothing was found, and a location is unknown.
            TransportException: the only location failed, or a folder there is not empty.
            PartialWrite: so did one of several.
        """
        what = f"delete {', '.join(map(repr, keys))}"
        targets = select_writable(self._store.locations, location, what)
        selected = select(self._store.locations, location)
        listings = await self._list(selected, keys, None)
        unknown = failures_of(selected, [*listings.values()])
        found = [listing for listing in listings.values() if isinstance(listing, Below)]
        if not any(listing.files or listing.folders for listing in found):
            if unknown:
                self._store.unless_strict(unavailable(what, unknown))
            raise NotFound(f"cannot {what}: there is no such file or folder")
        files = {key for listing in found for key in listing.files}
        failed = await self.remove_found(targets, listings, files, links=True)
        if failed:
            raise_partial(what, targets, [each for each in targets if each not in failed], failed)

    async def remove_found(
        self,
        targets: Locations,
        listings: Mapping[Location, Below | Exception],
        files: Collection[str],
        *,
        links: bool,
    ) -> dict[Location, Exception]:
        """Delete those of `files` that a location's listing shows, and the folders it leaves empty.

        With `links`, links that no listing shows do not keep a folder: they are deleted.

        Returns what failed; a folder that is not empty, and holds none of the files found, is a
        failure too.
        """
        places = tuple(each for each in targets if each in listings)
        found = {each: listing for each, listing in listings.items() if isinstance(listing, Below)}
        listed = {key for listing in found.values() for key in listing.files}

        async def remove_keys(each: Location) -> None:
            await folders.remove_keys(each, value_of(listings[each]), files)

        async def remove_folders(each: Location) -> None:
            error = failed.get(each)
            left = set(error.failed) if isinstance(error, NotDeleted) else set()
            left |= {key for key in found[each].files if key not in files}
            await folders.remove_folders(each, found[each], left, links=links)

        keys = sorted(listed.intersection(files))
        async with record_delete(self._store.journal, ASYNCIO, places, keys) as legs:
            outcomes = await ASYNCIO.each(map(legs.track(remove_keys), places))
        failed = failures_of(places, outcomes)
        going_on = tuple(each for each in places if isinstance(failed.get(each), NotDeleted | None))
        outcomes = await ASYNCIO.each(map(remove_folders, going_on))
        return {**failures_of(going_on, outcomes), **failed}
