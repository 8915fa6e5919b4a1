"""What a copy is of, and where each part of it goes: by fsspec's rules, at every location alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from fsspec.core import has_magic
from fsspec.implementations.local import LocalFileSystem, trailing_sep
from fsspec.utils import other_paths

from filestore_fsspec.errors import PartialMove
from filestore_fsspec.filesystem.folders import Below, above

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from filestore_fsspec.location import Location

_NAMED = 20
"""How many keys a message names."""
Paths = str | list[str]


class Sources(NamedTuple):
    """What is to be copied."""

    files: Sequence[str]
    folders: Sequence[str]
    found: Mapping[Location, Below]
    """What a listing of each location showed of them; empty if none was made."""


class Pairs(NamedTuple):
    """From where to where."""

    files: list[tuple[str, str]]
    folders: list[tuple[str, str]]


def paths_of(path: Any) -> Paths:  # noqa: ANN401 - whatever fsspec takes
    """Return a path, or the list of several, as text."""
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    return [os.fspath(each) for each in path]


def is_folder_name(path: Paths) -> bool:
    """Tell whether a path is meant as a folder's: by the slash at its end."""
    return isinstance(path, str) and bool(trailing_sep(path))


def pair(source: Paths, sources: Sources, dest: Paths, *, into: bool) -> Pairs:
    """Return where each of `sources`, which `source` stands for, goes below `dest`.

    `into`: whether `dest` is a folder that what is copied goes into, under its own name.
    """
    folders = set(sources.folders) - set(sources.files)
    paths = sorted({*sources.files, *folders})
    if not paths:
        return Pairs([], [])
    one = isinstance(source, str)
    if isinstance(source, str) and isinstance(dest, str):
        into = len(paths) == 1 if has_magic(source) else into and not is_folder_name(source)
    # With a slash before it: fsspec 2026.9 takes a name without one for the folder that it is in.
    rooted = [path if path.startswith("/") else f"/{path}" for path in paths]
    dests = other_paths(rooted, dest, exists=into, flatten=not one)
    pairs = list(zip(paths, dests, strict=True))
    return Pairs(
        [each for each in pairs if each[0] not in folders],
        [each for each in pairs if each[0] in folders],
    )


def local_sources(path: Paths, maxdepth: int | None, *, recursive: bool) -> Sources:
    """Return the local files and folders that `path` stands for."""
    local = LocalFileSystem()
    found = local.expand_path(path, recursive=recursive, maxdepth=maxdepth)
    folders = [each for each in found if trailing_sep(each) or local.isdir(each)]
    files = [each for each in found if each not in set(folders)]
    if isinstance(path, str) and (not recursive or maxdepth is not None):
        folders = []  # a pattern copies no folders
    return Sources(files, folders, {})


def refuse_loss(what: str, pairs: Pairs, sources: Sources) -> None:
    """Raise ValueError if a file would be moved into itself, or over another."""
    folders = {*sources.folders}
    moved = [(source, dest) for source, dest in pairs.files if source != dest]
    files, taken = {source for source, _ in moved}, set[str]()
    for source, dest in (*moved, *pairs.folders):
        if folders.intersection(above(dest)):
            raise ValueError(f"cannot {what} into itself: {source!r} to {dest!r}")
    for source, dest in moved:
        if dest in files or dest in taken:
            raise ValueError(f"cannot {what}: {source!r} would replace another file, {dest!r}")
        taken.add(dest)


def moved_from(
    targets: Sequence[Location], sources: Sources, copied: Mapping[str, str]
) -> dict[Location, Below]:
    """Return what may be deleted of the files that were copied: not what their copies replaced.

    In the layout `flat`, a file may have the same place as its copy.
    """
    found: dict[Location, Below] = {}
    for location in targets:
        listed = sources.found.get(location)
        if listed is None and not sources.found:
            listed = Below(files={key: {} for key in sources.files})
        if listed is None:
            continue
        written = {location.fs_path(dest) for dest in copied.values()}
        files = {
            key: info for key, info in listed.files.items() if location.fs_path(key) not in written
        }
        found[location] = Below(files, listed.folders, listed.linked)
    return found


def partial_move(what: str, moved: Collection[str], stayed: Mapping[str, Exception]) -> PartialMove:
    """Return the error of a move that some files or folders stayed out of."""
    reasons = [f"{key!r} ({error})" for key, error in stayed.items()]
    more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return PartialMove(
        f"cannot {what}: stayed: {'; '.join(reasons[:_NAMED])}{more}", sorted(moved), stayed
    )
