"""A location's keys seen as folders, for filesystem users.

In the sharded layout the folders `a`, `a/b`, `a/b/c` and `a/b/c/d` may hold keys of the root; they
are folders only as far as they hold other keys too.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.errors import NotFound
from filestore_fsspec.keys import is_temporary, parse_key

if TYPE_CHECKING:
    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.location import Location


async def look(location: Location, runner: Runner, key: str) -> Info:
    """Return the info of the file or folder `key`, under that name.

    Raises:
        NotFound: it is absent.
        TransportException: the location could not say.
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
        await _children_among_shards(location, runner, key)
    return {**info, "name": key}


async def children(location: Location, runner: Runner, folder: str) -> list[Info]:
    """Return what lies in a folder, each under its key; the root (``""``) is always there.

    Raises:
        NotFound: there is no such folder.
        TransportException: the location could not say.
    """
    if folder and location.target.layout.may_hold_shards(folder):
        return await _children_among_shards(location, runner, folder)
    try:
        infos = await location.attempt(
            runner, "list", folder, Driver.ls, _folder_path(location, folder), detail=True
        )
    except NotFound:
        if folder:
            raise
        return []
    found: list[Info] = []
    for info in infos:
        if is_temporary(info["name"]):
            continue
        key = location.key(info["name"])
        if key == folder and info["type"] != "directory":
            # Most filesystems list a file as if it were a folder with itself in it.
            error = NotADirectoryError(errno.ENOTDIR, "not a folder", folder)
            raise NotFound(f"{location}: no folder {folder!r}", error)
        if info["type"] == "directory" and location.target.layout.may_hold_shards(key):
            found += await _below(location, runner, key, folder)
        elif key != folder and location.listed(info):
            found.append({**info, "name": key})
    return found


async def make_folder(location: Location, runner: Runner, folder: str) -> None:
    """Make a folder and those above it, where the backend has folders; it may be there.

    Raises:
        TransportException: the location failed.
    """
    path = _folder_path(location, folder)
    await location.attempt(runner, "make the folder", folder, Driver.makedirs, path, exist_ok=True)


async def remove_folder(location: Location, runner: Runner, folder: str) -> None:
    """Remove an empty folder; one that is absent is no error.

    What was a folder of shards, or still is, stays: it is none of the keys'.

    Raises:
        TransportException: the location failed, or the folder is not empty.
    """
    if location.target.layout.may_hold_shards(folder):
        return
    with suppress(NotFound):
        path = _folder_path(location, folder)
        await location.attempt(runner, "remove the folder", folder, Driver.rmdir, path)


async def remove_tree(location: Location, runner: Runner, folder: str) -> None:
    """Delete every key below a folder, and the folder.

    Raises:
        TransportException: the location failed.
    """
    if not location.target.layout.may_hold_shards(folder):
        with suppress(NotFound):
            path = _folder_path(location, folder)
            await location.attempt(runner, "delete", folder, Driver.rm, path, recursive=True)
        return
    async for page in location.pages(runner, f"{folder}/" if folder else ""):
        for info in page:
            await location.remove(runner, info["name"])


def _folder_path(location: Location, folder: str) -> str:
    root = location.target.root
    return root + parse_key(folder) if folder else root.rstrip("/") or root


async def _children_among_shards(location: Location, runner: Runner, folder: str) -> list[Info]:
    found = await _below(location, runner, folder, folder)
    if not found:
        error = FileNotFoundError(errno.ENOENT, "no such folder", folder)
        raise NotFound(f"{location}: no folder {folder!r}", error)
    return found


async def _below(location: Location, runner: Runner, start: str, folder: str) -> list[Info]:
    """Return the children of `folder` that keys stored below the folder `start` make."""
    found: dict[str, Info] = {}
    above = f"{folder}/" if folder else ""
    token: Any = None
    prefix = f"{location.target.root}{start}/"
    while True:
        infos, token = await location.attempt(
            runner, "list", folder, Driver.list_page, prefix, token
        )
        for info in infos:
            key = location.listed(info)
            if not key or not key.startswith(above):
                continue
            head, slash, _ = key[len(above) :].partition("/")
            name = above + head
            if slash:
                found[name] = {"name": name, "type": "directory", "size": 0, "modified": None}
            else:
                found[name] = {**info, "name": name}
        if token is None:
            return list(found.values())
