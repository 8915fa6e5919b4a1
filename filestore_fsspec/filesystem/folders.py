"""A location's keys as files and folders: one listing, under every view of them.

In the sharded layout the folders `a`, `a/b`, `a/b/c` and `a/b/c/d` may hold keys of the root. One
that holds nothing else is no folder of its own, and neither is an empty `a/b/c/d`, which a deleted
key leaves behind; every other folder is, an empty `a` too.

Where a bucket has a file and a folder of the same name, both are listed.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from filestore_fsspec.bridge import ASYNCIO
from filestore_fsspec.bulk import NotDeleted, delete_many, not_deleted
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.errors import NotFound, TransportException
from filestore_fsspec.keys import is_key, is_temporary, parse_key
from filestore_fsspec.operations.outcomes import value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.location import Location

_SHARD_DEPTH = 4


def described(info: Info, key: str) -> Info:
    """Return what a filesystem knows of a file or folder as it is told of the key."""
    modified = info.get("modified")
    return {**info, "name": key, "modified": modified, "mtime": modified}


async def look(location: Location, runner: Runner, key: str) -> Info:
    """Return the info of the file `key`, else of the folder of that name.

    Raises:
        NotFound: it is absent.
        TransportException: the location is unknown.
    """
    try:
        info = await location.stat(runner, key)
    except NotFound:
        path = _folder_path(location, key)
        if path == location.fs_path(key):
            raise
        # A sharded key is looked for in its shard; a folder of that name is not there.
        info = await location.attempt(runner, "look for", key, Driver.info, path)
        if info["type"] != "directory":
            raise
    if info["type"] == "directory" and location.target.layout.may_hold_shards(key):
        await children(location, runner, key)
    return described(info, key)


async def is_folder(location: Location, runner: Runner, key: str) -> bool:
    """Tell whether there is a folder `key`, whether there is a file of that name or not.

    Raises:
        TransportException: the location is unknown.
    """
    with suppress(NotFound):
        if not key:
            return True
        if location.target.layout.may_hold_shards(key):
            await children(location, runner, key)
            return True
        path = _folder_path(location, key)
        return await location.attempt(runner, "look for", key, Driver.isdir, path)
    return False


async def children(location: Location, runner: Runner, folder: str) -> list[Info]:
    """Return what lies in a folder, each under its key; the root (``""``) is always there.

    Raises:
        NotFound: there is no such folder.
        TransportException: the location is unknown.
    """
    try:
        found = await _read(location, runner, folder)
    except NotFound:
        if folder:
            raise
        return []
    if not folder:
        return found.children + found.sharded
    if not found.is_folder:
        error = FileNotFoundError(errno.ENOENT, "no such folder", folder)
        raise NotFound(f"{location}: no folder {folder!r}", error)
    return found.children


class _Folder(NamedTuple):
    children: list[Info]
    sharded: list[Info]
    """The keys of the root that are stored in it or below."""
    is_folder: bool
    """Whether it is more than a place for them."""


async def _read(location: Location, runner: Runner, folder: str) -> _Folder:
    layout = location.target.layout
    entries = await _entries(location, runner, folder)
    found: list[Info] = []
    shards: list[Info] = []
    sharded: list[Info] = []
    for path, info in entries:
        if info["type"] == "directory":
            if layout.may_hold_shards(path):
                shards.append(described(info, path))
            elif is_key(path):
                found.append(described(info, path))
        elif (key := location.listed(info)) is not None:
            (found if key == path else sharded).append(described(info, key))
    unexplained = len(entries) - len(shards) - len(sharded)
    below = [await _read(location, runner, each["name"]) for each in shards]
    found += [info for info, each in zip(shards, below, strict=True) if each.is_folder]
    sharded += [info for each in below for info in each.sharded]
    may_be_shard = bool(folder) and layout.may_hold_shards(folder)
    left_by_key = folder.count("/") == _SHARD_DEPTH - 1
    return _Folder(
        found,
        sharded,
        is_folder=bool(found or unexplained) or not may_be_shard or not (entries or left_by_key),
    )


async def _entries(location: Location, runner: Runner, folder: str) -> list[tuple[str, Info]]:
    """Return what the filesystem has in a folder, with the path of each below the root."""
    path = _folder_path(location, folder)
    entries: list[tuple[str, Info]] = []
    for info in await location.attempt(runner, "list", folder, Driver.ls, path, detail=True):
        below = info["name"][len(location.target.root) :].rstrip("/")
        if below != folder:
            if not is_temporary(below):
                entries.append((below, info))
        elif info["type"] != "directory":
            # Most filesystems list a file as if it were a folder with itself in it.
            error = NotADirectoryError(errno.ENOTDIR, "not a folder", folder)
            raise NotFound(f"{location}: no folder {folder!r}", error)
    return entries


async def make_folder(location: Location, runner: Runner, folder: str) -> None:
    """Make a folder and those above it, where the backend has folders; it may be there.

    Raises:
        TransportException: the location failed.
    """
    path, what = _folder_path(location, folder), "make the folder"
    try:
        await location.attempt(runner, what, folder, Driver.makedirs, path, exist_ok=True)
    except FileExistsError as error:
        message = f"{location}: cannot {what} {folder!r}: a file exists at that path"
        raise TransportException(message, error) from error


async def remove_folder(location: Location, runner: Runner, folder: str) -> None:
    """Remove an empty folder; one that is absent is no error.

    Raises:
        TransportException: the location failed, or the folder is not empty.
    """
    with suppress(NotFound):
        path = _folder_path(location, folder)
        await location.attempt(runner, "remove the folder", folder, Driver.rmdir, path)


@dataclass
class Below:
    """What one location has of some names and below them."""

    files: dict[str, Info] = field(default_factory=dict)
    folders: dict[str, Info] = field(default_factory=dict)
    """Each before what is in it."""
    linked: dict[str, str] = field(default_factory=dict)
    """The files and folders that are reached through a link to a folder, each with that link."""

    def add(self, infos: list[Info], link: str | None) -> list[tuple[str, str | None]]:
        """Take in what a folder holds; return the folders in it, with the link on the way there."""
        folders: list[tuple[str, str | None]] = []
        for info in infos:
            key = info["name"]
            if info["type"] != "directory":
                self.files[key], through = info, link
            else:
                self.folders[key] = info
                through = link or (key if info.get("islink") else None)
                folders.append((key, through))
            if through is not None:
                self.linked[key] = through
        return folders


async def below(
    location: Location, runner: Runner, keys: Sequence[str], maxdepth: int | None = None
) -> Below:
    """Return what is there of the names `keys`, files and folders, and what lies in the folders.

    `maxdepth` is how many levels below them, all by default.

    Raises:
        TransportException: the location is unknown.
    """
    found = Below()
    left: list[tuple[str, str | None]] = []
    for key in keys:
        left += found.add(await _named(location, runner, key), None)
    depth = 0
    while left and depth != maxdepth:
        listings = await _list_each(location, runner, [folder for folder, _ in left])
        left = [
            each
            for (_, link), infos in zip(left, listings, strict=True)
            for each in found.add(infos, link)
        ]
        depth += 1
    return found


async def _named(location: Location, runner: Runner, key: str) -> list[Info]:
    """Return the file and the folder `key`, as far as they are there."""
    folder = described({"type": "directory", "size": 0}, key)
    if not key:
        return [folder]
    try:
        info = await look(location, runner, key)
    except NotFound:
        return []
    if info["type"] == "file" and await is_folder(location, runner, key):
        return [info, folder]
    return [info]


async def _list_each(location: Location, runner: Runner, folders: list[str]) -> list[list[Info]]:
    """Return what lies in each of the folders, a bounded number listed at a time."""
    listings: list[list[Info]] = []
    step = max(location.driver.max_concurrency, 1)
    for start in range(0, len(folders), step):
        some = folders[start : start + step]
        for outcome in await runner.each(children(location, runner, each) for each in some):
            gone = isinstance(outcome, NotFound)  # removed meanwhile
            listings.append([] if gone else value_of(outcome))
    return listings


async def remove_keys(location: Location, found: Below, moved: Collection[str]) -> None:
    """Delete those files of `found` that are in `moved`, key by key, on the I/O loop.

    A link to a folder goes when all that was reached through it is in `moved`; what it leads to
    stays.

    Raises:
        NotDeleted: some could not be deleted; all were tried.
    """
    if location.driver.hides_links:
        found = await _without_links(location, found, moved)
    keys = [key for key in found.files if key in moved]
    kept = {found.linked.get(key) for key in found.files if key not in moved}
    failed: dict[str, Exception] = {}
    for link in sorted({*found.linked.values()} - kept):
        try:
            path = _folder_path(location, link)
            await location.attempt(ASYNCIO, "delete", link, Driver.rm_file, path)
        except NotFound:
            continue
        except TransportException as error:
            failed.update({key: error for key in keys if found.linked.get(key) == link})
    try:
        own = [key for key in keys if key not in found.linked]
        await delete_many(location, ASYNCIO, own, location.driver.max_concurrency)
    except NotDeleted as error:
        failed |= error.failed
    if failed:
        raise not_deleted(failed, len(keys))


async def _without_links(location: Location, found: Below, moved: Collection[str]) -> Below:
    """Delete the links that were listed as folders, and return what is then left of `found`.

    Where a server does not tell the two apart, it deletes a link as a file, and refuses a folder.
    """
    gone: set[str] = set()
    staying = {folder for key in found.files if key not in moved for folder in above(key)}
    for folder in found.folders:
        if folder and folder not in staying and gone.isdisjoint(above(folder)):
            with suppress(NotFound):  # it is a folder, and no file
                path = _folder_path(location, folder)
                await location.attempt(ASYNCIO, "delete", folder, Driver.rm_file, path)
                gone.add(folder)
    files = {key: info for key, info in found.files.items() if gone.isdisjoint(above(key))}
    return Below(files, found.folders, found.linked)


async def remove_folders(
    location: Location, found: Below, kept: Collection[str], *, links: bool
) -> None:
    """Remove the folders of `found` but those that hold one of the keys `kept`, innermost first.

    With `links`, those that no listing shows do not keep a folder.

    Raises:
        NotDeleted: some are not empty, or could not be removed; all were tried.
    """
    failed: dict[str, Exception] = {}
    staying = {folder for key in kept for folder in above(key)}
    folders = [each for each in found.folders if each and each not in found.linked]
    for _depth, level in groupby(sorted(folders, key=_depth_first), key=_depth_first):
        some = [each for each in level if each not in staying]
        outcomes = await ASYNCIO.each(_remove_emptied(location, each, links=links) for each in some)
        for folder, outcome in zip(some, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failed[folder] = outcome
                staying.update(above(folder))
    if failed:
        raise not_deleted(failed, len(folders))


async def _remove_emptied(location: Location, folder: str, *, links: bool) -> None:
    """Remove a folder from which all has gone that a listing shows."""
    try:
        await remove_folder(location, ASYNCIO, folder)
    except TransportException:
        if not await is_folder(location, ASYNCIO, folder):
            return  # it is still a place for keys of the root
        path = _folder_path(location, folder)
        hidden = Driver.remove_hidden
        if not await location.attempt(ASYNCIO, "clean up", folder, hidden, path, links=links):
            raise
        await remove_folder(location, ASYNCIO, folder)


def _folder_path(location: Location, folder: str) -> str:
    root = location.target.root
    return root + parse_key(folder) if folder else root.rstrip("/") or root


def above(path: str) -> list[str]:
    """Return the folders that a key lies in, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _depth_first(folder: str) -> int:
    return -folder.count("/")
