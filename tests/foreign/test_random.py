"""Random trees of odd entries, and what random acts on them do."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fsspec.core import has_magic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filestore_fsspec import Location
from filestore_fsspec.filesystem import FileStoreFileSystem
from tests.foreign.acts import Stage, brought, copied, inside, removed, taken
from tests.foreign.grounds import Disk, Memory
from tests.foreign.suite import none
from tests.foreign.trees import Entry, Shown, Tree, above
from tests.foreign.views import Seen, problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.foreign.grounds import Ground

"""How many times as many trees are to grow as otherwise, and other ones each time."""

NAMES = ["a", "b", "dd", " x ", "%41", "#", "?", "+", "\u00e9", "e\u0301", "\U0001f5c4"]
NAMES += ["*", "[a]", "-r", ".h", "new\nline", "k" * 64]
TEMPORARY = f".filestore-{'0a' * 16}.part"
DISK_NAMES = [*NAMES, TEMPORARY, "odd\udcff"]
BUCKET_NAMES = [*(name for name in NAMES if name != "new\nline"), TEMPORARY, "", ""]
TOPS = ["tree", "tree", "tree", "keep"]
TARGETS = ["..", "../..", ".", "a", "b", "nowhere", "../keep", "../tree", "../../keep", "a/b", "/"]


def paths(names: list[str]) -> st.SearchStrategy[str]:
    inner = st.lists(st.sampled_from(names), min_size=1, max_size=3)
    return st.tuples(st.sampled_from(TOPS), inner).map(lambda pair: "/".join((pair[0], *pair[1])))


def entries(names: list[str], kinds: list[str]) -> st.SearchStrategy[list[Entry]]:
    """Draw what is to be laid: the first of what cannot both be there is."""
    drawn = st.tuples(
        paths(names), st.sampled_from(kinds), st.binary(max_size=3), st.sampled_from(TARGETS)
    )
    laid = drawn.map(lambda each: Entry(*each)).filter(is_temporary_only_as_file)  # type: ignore[arg-type]
    return st.lists(laid, min_size=1, max_size=8)


def is_temporary_only_as_file(entry: Entry) -> bool:
    is_file = entry.kind == "file" and entry.path.endswith(TEMPORARY)
    return entry.path.count(TEMPORARY) == int(is_file)


def fitting(drawn: list[Entry]) -> list[Entry]:
    """Return what a disk can hold all of."""
    kept: dict[str, Entry] = {}
    for entry in drawn:
        upper = above(entry.path)
        through = any(each in kept and kept[each].kind != "folder" for each in upper)
        folder = any(path.startswith(f"{entry.path}/") for path in kept)
        if not through and not folder and entry.path not in kept:
            kept[entry.path] = entry
    return list(kept.values())


def visible(folder: Path) -> Shown:
    """Return what a listing of a disk is to show: links are followed, but not upward."""
    found: Shown = {}

    def look(at: Path, path: str, real_above: list[str]) -> None:
        for entry in os.scandir(at):
            below = f"{path}/{entry.name}".lstrip("/")
            with suppress(OSError, UnicodeEncodeError):
                below.encode()
                mode = entry.stat().st_mode
                if stat.S_ISREG(mode) and entry.name != TEMPORARY:
                    found[below] = Path(entry).read_bytes()
                elif stat.S_ISDIR(mode):
                    real = os.path.realpath(entry)
                    upward = any(
                        f"{each}/".startswith(f"{real.rstrip('/')}/") for each in real_above
                    )
                    if not (entry.is_symlink() and upward):
                        found[below] = None
                        look(Path(entry), below, [*real_above, real])

    look(folder, "", [os.path.realpath(folder)])
    return found


def tree_on_disk(ground: Disk, laid: list[Entry]) -> Tree:
    ground.lay(laid)
    found = visible(ground.folder)

    def shown(entry: Entry) -> Shown:
        """Return what it shows, and all below it if it is a link."""
        linked = entry.kind == "link"
        return {
            path: content
            for path, content in found.items()
            if path == entry.path or (linked and inside(path, entry.path))
        }

    upper = set[str]().union(*(above(entry.path) for entry in laid))
    folders = [Entry(path, "folder", shows={path: None}) for path in upper & found.keys()]

    def tag(entry: Entry) -> str:
        leads = entry.kind == "link" and (ground.folder / entry.path).is_dir()
        return "upward" if leads and not shown(entry) else ""

    known = (replace(entry, shows=shown(entry), tag=tag(entry)) for entry in laid)
    return Tree((*known, *folders))


def tree_of_objects(laid: list[Entry]) -> Tree:
    """Return what is to be shown of objects: what has a name that a key can have."""
    shown, may_show = [], set[str]()
    for entry in laid:
        path = entry.path.removesuffix("/")
        is_name = "//" not in path and path[-1] != "/" and path.rpartition("/")[2] != TEMPORARY
        is_marker = path != entry.path and not entry.content
        if is_name and (is_marker or path == entry.path):
            content = None if is_marker or entry.kind == "folder" else entry.content
            shown.append(replace(entry, shows={path: content}))
        else:
            shown.append(replace(entry, shows={}))
            may_show |= {each for each in above(f"{path}/") if "//" not in f"{each}/"}
    return Tree(tuple(shown), frozenset(may_show))


def unique(drawn: list[Entry]) -> list[Entry]:
    return list({entry.path: entry for entry in drawn}.values())


@dataclass(frozen=True)
class Act:
    """What is done, by whom, to which of the folders."""

    name: str
    by_composite: bool
    which: int


acts = st.builds(
    Act,
    st.sampled_from(["rm", "mv", "cp", "get"]),
    st.booleans(),
    st.integers(0, 99),
)


def check(seen: Seen, ground: Ground, tree: Tree, act: Act, *, views: bool) -> None:
    """Do it, and hold what comes of it against what lay there before."""
    if views:
        none(problems(seen, tree))
    links = [entry.path for entry in tree.entries if entry.kind == "link"]
    folders = sorted(
        folder
        for folder in tree.folders
        # As an argument, a name with magic is a pattern.
        if not has_magic(folder) and not any(inside(folder, link) for link in links)
    )
    if not folders:
        return
    stage = Stage(seen, [ground], [tree], folders[act.which % len(folders)])
    if stage.folder in tree.files:
        return  # a file as well: which of them is meant is another question
    match act.name:
        case "rm":
            none(removed(stage))
        case "mv":
            none(taken(stage))
        case "cp":
            none(copied(stage))
        case "get" if not tree.files.keys() & tree.folders:  # no disk holds both
            with TemporaryDirectory() as folder:
                none(brought(stage, Path(folder) / "dest"))


@contextmanager
def behind(url: str, act: Act) -> Iterator[Seen]:
    """Yield the location's filesystem, or a composite of it alone."""
    location = Location(url)
    fs: Any = FileStoreFileSystem([url], skip_instance_cache=True)
    try:
        root = location.target.root.rstrip("/")
        yield Seen(fs, "") if act.by_composite else Seen(location.fs, root)
    finally:
        for each in (location, *fs.store.locations):
            each.close()


def examples(count: int) -> settings:
    return settings(
        max_examples=count * settings().max_examples // 100,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@examples(230)
@given(
    drawn=entries(DISK_NAMES, ["file", "file", "file", "folder", "link", "link", "pipe"]), act=acts
)
def test_on_a_disk(drawn: list[Entry], act: Act) -> None:
    with TemporaryDirectory() as folder:
        ground = Disk(Path(folder) / "root", os.geteuid())
        tree = tree_on_disk(ground, fitting(drawn))
        with behind(f"file://{ground.folder}", act) as seen:
            check(seen, ground, tree, act, views=True)


@examples(200)
@given(drawn=entries([*NAMES, TEMPORARY], ["file", "file", "folder"]), act=acts)
def test_in_memory(drawn: list[Entry], act: Act) -> None:
    name = f"random-{secrets.token_hex(6)}"
    ground, tree = Memory(f"/{name}"), tree_of_objects(unique(drawn))
    ground.lay(tree.entries)
    with behind(f"memory://{name}", act) as seen:
        check(seen, ground, tree, act, views=True)
    ground.clear()
