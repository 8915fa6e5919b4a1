"""Every view of a filesystem, held against what is to be shown."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from typing import TYPE_CHECKING, Any

from filestore_fsspec.errors import InvalidKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tests.foreign.trees import Tree

FILE, FOLDER = "file", "directory"


@dataclass(frozen=True)
class Seen:
    """A filesystem, and where in it a location's root is: empty, or a path."""

    fs: Any
    root: str

    def at(self, path: str) -> str:
        return f"{self.root}/{path}".strip("/") if not self.root.startswith("/") else self._at(path)

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def below(self, path: str) -> str:
        """Return a path of the filesystem as one below the root."""
        if path == self.root:
            return ""
        start = f"{self.root}/" if self.root else ""
        assert path.startswith(start), path
        return path[len(start) :]


def differences(view: str, found: Collection[Any], expected: Collection[Any]) -> Iterator[str]:
    """Yield what one has and the other has not."""
    for each in sorted({*expected} - {*found}, key=repr):
        yield f"{view}: misses {each!r}"
    for each in sorted({*found} - {*expected}, key=repr):
        yield f"{view}: has {each!r}"
    if len(found) != len({*found}):
        yield f"{view}: names some twice"


def parent_and_name(path: str) -> tuple[str, str]:
    parent, _, name = path.rpartition("/")
    return parent, name


def problems(seen: Seen, tree: Tree) -> list[str]:
    """Return where the views of `seen` differ from one another, or from what `tree` is to show."""
    files, folders = tree.files, set(tree.folders)
    with_folders = seen.fs.find(seen.at(""), withdirs=True)
    folders |= tree.may_show & {seen.below(path) for path in with_folders}
    found = [
        *_whole(seen, files, folders),
        *(
            each
            for folder in ("", *sorted(folders))
            for each in _listed(seen, folder, files, folders)
        ),
        *(each for path in sorted(files) for each in _of_file(seen, path, files, folders)),
        *(each for path in sorted(folders - files.keys()) for each in _of_folder(seen, path)),
    ]
    # A driver's paths are the server's own, temporary files among them.
    left_out = tree.left_out(by_name=not seen.root) - files.keys()
    # A path that ends in a slash may name a folder that is shown.
    for path in sorted(each for each in left_out if each.rstrip("/") not in folders):
        found += _of_absent(seen, path)
    return found


def _whole(seen: Seen, files: dict[str, bytes], folders: set[str]) -> Iterator[str]:
    """Compare the views of everything at once."""
    fs, root = seen.fs, seen.at("")
    everything = files.keys() | folders

    def below(paths: Collection[str]) -> list[str]:
        return [path for path in map(seen.below, paths) if path]

    yield from differences("find", below(fs.find(root)), files)
    yield from differences("find withdirs", below(fs.find(root, withdirs=True)), everything)
    yield from differences("glob **", below(fs.glob(f"{root}/**" if root else "**")), everything)
    infos = fs.find(root, detail=True)
    sizes = {seen.below(path): info["size"] for path, info in infos.items()}
    expected = {path: len(content) for path, content in files.items()}
    yield from differences("find detail", sizes.items(), expected.items())
    used = {seen.below(path): size for path, size in fs.du(root, total=False).items()}
    yield from differences("du", used.items(), expected.items())
    total = sum(expected.values())
    if fs.du(root) != total:
        yield f"du: {fs.du(root)} bytes for {total}"
    walked = [(seen.below(at), set(dirs), set(names)) for at, dirs, names in fs.walk(root)]
    yield from differences("walk", [at for at, _, _ in walked], {"", *folders})
    for at, dirs, names in walked:
        inside = [parent_and_name(path)[1] for path in folders if parent_and_name(path)[0] == at]
        yield from differences(f"walk: folders of {at!r}", dirs, inside)
        inside = [parent_and_name(path)[1] for path in files if parent_and_name(path)[0] == at]
        yield from differences(f"walk: files of {at!r}", names, inside)


def _listed(seen: Seen, folder: str, files: dict[str, bytes], folders: set[str]) -> Iterator[str]:
    """Compare the listings of one folder."""
    fs, at = seen.fs, seen.at(folder)
    expected = {(path, FILE, len(content)) for path, content in files.items()}
    expected |= {(path, FOLDER, 0) for path in folders}
    inside = {each for each in expected if parent_and_name(each[0])[0] == folder}
    infos = fs.ls(at, detail=True)
    listed = [
        (seen.below(i["name"]), i["type"], i["size"] if i["type"] == FILE else 0) for i in infos
    ]
    yield from differences(f"ls {folder!r}", listed, inside)
    names = [seen.below(name) for name in fs.ls(at, detail=False)]
    yield from differences(f"ls {folder!r} names", {*names}, {path for path, _, _ in inside})
    pattern = f"{escape(at)}/*" if at else "*"
    matches = [seen.below(name) for name in fs.glob(pattern)]
    yield from differences(f"glob {pattern!r}", matches, {path for path, _, _ in inside})
    below = [path for path in files if path.startswith(f"{folder}/" if folder else "")]
    found = [seen.below(path) for path in fs.find(at)]
    # Whether it is itself below itself, where it is a file as well, is left open.
    yield from differences(f"find {folder!r}", {*found} - {folder}, below)


def _of_file(seen: Seen, path: str, files: dict[str, bytes], folders: set[str]) -> Iterator[str]:
    fs, at, content = seen.fs, seen.at(path), files[path]
    info = fs.info(at)
    told = (seen.below(info["name"]), info["type"], info["size"])
    if told != (path, FILE, len(content)):
        yield f"info {path!r}: {told}"
    if not fs.isfile(at):
        yield f"isfile {path!r}: False"
    if fs.isdir(at) != (path in folders):
        yield f"isdir {path!r}: {fs.isdir(at)}"
    if not fs.exists(at):
        yield f"exists {path!r}: False"
    if fs.cat_file(at) != content:
        yield f"cat_file {path!r}: {fs.cat_file(at)!r}"
    with fs.open(at, "rb") as opened:
        read = opened.read()
    if read != content:
        yield f"open {path!r}: {read!r}"


def _of_folder(seen: Seen, path: str) -> Iterator[str]:
    fs, at = seen.fs, seen.at(path)
    info = fs.info(at)
    if (seen.below(info["name"]), info["type"]) != (path, FOLDER):
        yield f"info {path!r}: {info}"
    if fs.isfile(at):
        yield f"isfile {path!r}: True"
    if not fs.isdir(at):
        yield f"isdir {path!r}: False"
    if not fs.exists(at):
        yield f"exists {path!r}: False"
    yield from _refused(f"open {path!r}", lambda: fs.open(at, "rb"), IsADirectoryError)
    refusals = (FileNotFoundError, IsADirectoryError)
    yield from _refused(f"cat_file {path!r}", lambda: fs.cat_file(at), refusals)


def _of_absent(seen: Seen, path: str) -> Iterator[str]:
    fs, at = seen.fs, seen.at(path)
    for name in ("exists", "isfile", "isdir"):
        with suppress(InvalidKey):
            if getattr(fs, name)(at):
                yield f"{name} {path!r}, which is left out: True"
    refusals = (FileNotFoundError, InvalidKey)
    for name in ("info", "cat_file", "open"):
        yield from _refused(
            f"{name} {path!r}, which is left out", lambda n=name: getattr(fs, n)(at), refusals
        )


def _refused(what: str, call: Any, refusals: Any) -> Iterator[str]:
    try:
        answer = call()
    except refusals:
        return
    except OSError as error:
        yield f"{what}: {type(error).__name__}({error})"
    else:
        yield f"{what}: {answer!r}"
