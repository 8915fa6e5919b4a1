"""Acts on a folder, and what they may change of what lies on the servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filestore_fsspec.keys import is_temporary
from tests.foreign.grounds import Disk
from tests.foreign.trees import ACTED_ON
from tests.foreign.views import differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.foreign.grounds import Ground, Items
    from tests.foreign.trees import Entry, Tree
    from tests.foreign.views import Seen

TARGET = "taken"


@dataclass
class Stage:
    """A filesystem, what lies behind it, and what it shows of that."""

    seen: Seen
    grounds: list[Ground]
    trees: list[Tree]
    """What lies on each."""
    folder: str = ACTED_ON
    """What acts are about."""

    @property
    def at(self) -> str:
        return self.seen.at(self.folder)

    def shown(self) -> dict[str, bytes]:
        """Return the content of the files that are shown in the folder, by path.

        The first location's takes precedence.
        """
        return {
            path: content
            for tree in reversed(self.trees)
            for path, content in tree.files.items()
            if inside(path, self.folder)
        }

    def moved(self, path: str) -> str:
        """Return where what lies in the folder comes to lie."""
        return TARGET + path[len(self.folder) :]

    def outside(self, before: Items, after: Items, *, target: bool) -> Iterator[str]:
        """Yield what has changed outside of the folder, and of the target if that may change."""
        for path in sorted(before.keys() | after.keys()):
            allowed = inside(path, self.folder) or (target and inside(path, TARGET))
            if not allowed and before.get(path) != after.get(path):
                yield f"outside: {path!r} was {before.get(path)}, is {after.get(path)}"

    def theirs(self, tree: Tree) -> list[Entry]:
        """Return what was not listed in the folder, and no act may lose."""
        return [
            entry
            for entry in tree.entries
            if entry.is_unlisted() and inside(entry.path, self.folder)
        ]


def attempt(act: Callable[[], Any]) -> OSError | None:
    try:
        act()
    except OSError as error:
        return error
    return None


def inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def removed(stage: Stage) -> Iterator[str]:
    """Remove the folder, and yield what is wrong."""
    befores = [ground.items() for ground in stage.grounds]
    error = attempt(lambda: stage.seen.fs.rm(stage.at, recursive=True))
    kept = False
    for ground, tree, before in zip(stage.grounds, stage.trees, befores, strict=True):
        after = ground.items()
        yield from stage.outside(before, after, target=False)
        stays = set()
        for entry in stage.theirs(tree):
            path = entry.path
            # A link that leads nowhere is nobody's content: it may go with its folder.
            if entry.kind != "link" and after.get(path) != before[path]:
                yield f"rm: {path!r}, not listed, was {before[path]}, is {after.get(path)}"
            if path in after:
                stays.add(path)
        holds = ground.has_folders and bool(stays)
        kept |= holds
        for path, item in sorted(after.items()):
            held = path in stays or any(inside(each, path) for each in stays)
            in_folder = inside(path, stage.folder)
            # Of a folder that goes, so does what killed writers left in it.
            left = is_temporary(path) and (holds or not ground.has_folders)
            if in_folder and not (held or left):
                yield f"rm: {path!r} is still there, {item}"
    if (error is not None) != kept:
        yield f"rm: raised {error!r}, where {'some' if kept else 'nothing'} had to stay"
    if error is not None and stage.folder not in str(error):
        yield f"rm: its error names no folder: {error!r}"


def taken(stage: Stage) -> Iterator[str]:
    """Move the folder, and yield what is wrong."""
    befores = [ground.items() for ground in stage.grounds]
    seen = stage.seen
    error = attempt(lambda: seen.fs.mv(stage.at, seen.at(TARGET), recursive=True))
    if error is not None and not any(map(stage.theirs, stage.trees)):
        yield f"mv: raised {error!r}, where nothing had to stay"
    shown = stage.shown()
    for ground, tree, before in zip(stage.grounds, stage.trees, befores, strict=True):
        after = ground.items()
        yield from stage.outside(before, after, target=True)
        for entry in stage.theirs(tree):
            path = entry.path
            if before[path] not in (after.get(path), after.get(stage.moved(path))):
                yield f"mv: {path!r}, not listed, is lost"
        # A link may be moved as it is, and then lead elsewhere.
        links = [
            entry.path
            for entry in tree.entries
            if entry.kind == "link" and after.get(stage.moved(entry.path)) == before[entry.path]
        ]
        for path, content in sorted(shown.items()):
            if any(inside(path, link) for link in links):
                continue
            if ground.read(stage.moved(path)) != content:
                yield f"mv: {stage.moved(path)!r} is {ground.read(stage.moved(path))!r}"
            if path in after and error is None:
                yield f"mv: {path!r} is still there"
        laid = {stage.moved(each.path) for each in tree.entries if inside(each.path, stage.folder)}
        yield from nothing_else(stage, after, laid, "mv")


def copied(stage: Stage) -> Iterator[str]:
    """Copy the folder, and yield what is wrong."""
    befores = [ground.items() for ground in stage.grounds]
    seen = stage.seen
    error = attempt(lambda: seen.fs.cp(stage.at, seen.at(TARGET), recursive=True))
    if error is not None:
        yield f"cp: raised {error!r}"
    for ground, before in zip(stage.grounds, befores, strict=True):
        after = ground.items()
        changed = [path for path, item in before.items() if after.get(path) != item]
        yield from (f"cp: {path!r} is {after.get(path)}" for path in changed)
        yield from stage.outside(before, after, target=True)
        for path, content in sorted(stage.shown().items()):
            if ground.read(stage.moved(path)) != content:
                yield f"cp: {stage.moved(path)!r} is {ground.read(stage.moved(path))!r}"
        yield from nothing_else(stage, after, set(), "cp")


def nothing_else(stage: Stage, after: Items, allowed: set[str], act: str) -> Iterator[str]:
    """Yield what came to lie at the target and is none of what is shown, or `allowed`."""
    allowed = allowed | {stage.moved(path) for path in stage.shown()}
    for path, item in sorted(after.items()):
        is_folder = item[0] == "folder" or path.endswith("/")
        marker = str(item[1]).lower() == str((b"", {"hdi_isfolder": "true"}))
        if inside(path, TARGET) and not is_folder and not marker and path not in allowed:
            yield f"{act}: {path!r} came to be: {item}"


def brought(stage: Stage, dest: Path) -> Iterator[str]:
    """Get the folder as `dest`, and yield what is wrong."""
    stage.seen.fs.get(stage.at, str(dest), recursive=True)
    items = Disk(dest, dest.stat().st_uid).items()
    start = len(stage.folder) + 1
    expected = {path[start:]: content for path, content in stage.shown().items()}
    files = {path: item[1] for path, item in items.items() if item[0] == "file"}
    yield from differences("get", files.items(), expected.items())
    folders = {path for path, item in items.items() if item[0] == "folder"}
    shown = [each for tree in stage.trees for each in tree.folders]
    wanted = {each[start:] for each in shown if each.startswith(f"{stage.folder}/")}
    yield from (f"get: misses the folder {each!r}" for each in sorted(wanted - folders))
    yield from (f"get: made {p!r}: {i}" for p, i in items.items() if i[0] not in {"file", "folder"})
