"""Trees of odd entries, each with what a listing of them is to show."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["file", "folder", "link", "pipe", "socket"]
Shown = dict[str, bytes | None]
"""Content by path, None for a folder. The folders above are shown as well."""

ACTED_ON = "tree"
"""The folder that acts are about; what is outside of it is never to change."""


@dataclass(frozen=True)
class Entry:
    """Something on a server: `path` is below the location's root."""

    path: str
    kind: Kind
    content: bytes = b""
    target: str = ""
    """Of a link."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    shows: Shown = field(default_factory=dict)
    """What it adds to the views; nothing if it is left out."""
    tag: str = ""
    """Servers that cannot hold such an entry, or tell wrongly of it, name this."""

    def inside(self, folder: str) -> Entry:
        """Return the same below `folder`."""
        shows = {f"{folder}/{path}": content for path, content in self.shows.items()}
        return Entry(
            f"{folder}/{self.path}",
            self.kind,
            self.content,
            self.target,
            self.metadata,
            shows,
            self.tag,
        )

    def is_unlisted(self) -> bool:
        """Tell whether it is somebody else's, which no act may lose."""
        return not self.shows and not is_temporary(self.path)


def file(path: str, content: bytes | None = None, tag: str = "") -> Entry:
    """Return a file that is shown; its path is its content."""
    content = path.encode() if content is None else content
    return Entry(path, "file", content, shows={path: content}, tag=tag)


def folder(path: str, tag: str = "") -> Entry:
    """Return a folder that is shown; in a bucket, what stands for it."""
    return Entry(path, "folder", shows={path: None}, tag=tag)


def hidden(path: str, content: bytes = b"another's", tag: str = "") -> Entry:
    """Return a file that is left out."""
    return Entry(path, "file", content, tag=tag)


def link(path: str, target: str, shows: Shown | None = None, tag: str = "") -> Entry:
    """Return a symbolic link."""
    return Entry(path, "link", target=target, shows=shows or {}, tag=tag)


def marker(path: str, metadata: Mapping[str, str]) -> Entry:
    """Return an object that stands for a folder by its metadata."""
    return Entry(path, "file", metadata=metadata, shows={path: None})


@dataclass(frozen=True)
class Tree:
    """Entries, and what all of them show."""

    entries: tuple[Entry, ...]
    may_show: frozenset[str] = frozenset()
    """Folders that only what is left out makes: in all views or in none."""

    def __add__(self, other: Tree) -> Tree:
        return Tree(self.entries + other.entries, self.may_show | other.may_show)

    def without(self, tags: Iterable[str]) -> Tree:
        """Return what a server can hold."""
        left_out = {*tags}
        kept = tuple(entry for entry in self.entries if entry.tag not in left_out)
        return Tree(kept, self.may_show)

    def hiding(self, tags: Iterable[str]) -> Tree:
        """Return the same, where entries with one of `tags` are left out of views."""
        left_out = {*tags}
        entries = (replace(e, shows={}) if e.tag in left_out else e for e in self.entries)
        return Tree(tuple(entries), self.may_show)

    @property
    def files(self) -> dict[str, bytes]:
        """The content of each file that is shown."""
        shown = [item for entry in self.entries for item in entry.shows.items()]
        return {path: content for path, content in shown if content is not None}

    @property
    def folders(self) -> set[str]:
        """The folders that are shown."""
        shown = [item for entry in self.entries for item in entry.shows.items()]
        own = {path for path, content in shown if content is None}
        return own.union(*(above(path) for path, _ in shown))

    def left_out(self, *, by_name: bool) -> set[str]:
        """Return the paths that no view knows; with `by_name`, those that are no keys too."""
        return {
            entry.path
            for entry in self.entries
            # A leading slash is dropped from a key.
            if not entry.shows
            and entry.path[0] != "/"
            and (by_name or (entry.kind not in {"file", "folder"} and is_text(entry.path)))
        }


def is_text(path: str) -> bool:
    """Tell whether UTF-8 can encode it."""
    with suppress(UnicodeEncodeError):
        path.encode()
        return True
    return False


def above(path: str) -> set[str]:
    """Return the folders that `path` lies in."""
    parts = path.split("/")[:-1]
    return {"/".join(parts[: n + 1]) for n in range(len(parts))}


ODD_NAMES = {
    " blank before": "",
    "blank after ": "",
    "  two at both ends  ": "",
    "in  the  middle": "",
    "per%41cent%2Fslash": "",
    "%": "",
    "ha#sh": "",
    "quest?ion=1&versionId=2": "",
    "plus+and&amp;": "",
    "caf\u00e9 composed": "",
    "cafe\u0301 decomposed": "",
    "\U0001f5c4 beyond the basic plane": "",
    "n" * 200: "",
    "\u6f22" * 66: "",
    ".leading dot": "dot",
    "...": "dot",
    "..two": "dot",
    "-rf": "",
    "*": "",
    "[ab]": "",
    "{a,b}": "",
    "~": "",
    "'quotes\"": "",
    "colon:semi;comma,": "",
    "back\\slash": "backslash",
    "new\nline": "newline",
    "tab\there": "control",
    "a": "",
}
"""Names, each with the tag of the servers that cannot have it."""

NAMES = Tree(
    (
        *(file(f"tree/{name}", tag=tag) for name, tag in ODD_NAMES.items()),
        *(file(f"tree/in/{name}/{name}", tag=tag) for name, tag in ODD_NAMES.items()),
        file("tree/zero", b""),
        file("tree/zero bytes/in/a/row", bytes(1000)),
        file("keep/[ab]/kept"),
        file("keep/a"),
    )
)
FOLDERS = Tree(
    (
        folder("tree/empty"),
        folder("tree/ empty with blanks "),
        folder("tree/one/two/three/four"),
        file("tree/one/two/file"),
        file("tree/" + "deep/" * 12 + "down"),
        folder("keep/empty"),
        file("treetop"),
        file("tree.file"),
    )
)
TEMPORARY = Tree(
    (
        hidden(f"tree/.filestore-{'0123456789abcdef' * 2}.part", tag="dot"),
        hidden(f"tree/in/.filestore-{'f' * 32}.part", tag="dot"),
        file(f"tree/in/.filestore-{'f' * 31}.part", tag="dot"),
        file(f"tree/in/.filestore-{'f' * 32}.part2", tag="dot"),
        file("tree/file"),
    )
)
_KEPT: dict[str, bytes] = {"kept": b"kept", "sub/deep": b"deep"}


def _kept(path: str) -> Shown:
    return {f"{path}/{name}": content for name, content in _KEPT.items()}


LINKS = Tree(
    (
        *(file(f"keep/{name}", content) for name, content in _KEPT.items()),
        file("tree/real"),
        file("tree/in/real"),
        link("tree/to file", "real", {"tree/to file": b"tree/real"}),
        link("tree/to a file elsewhere", "../keep/kept", {"tree/to a file elsewhere": b"kept"}),
        link("tree/to folder", "../keep", _kept("tree/to folder")),
        link("tree/to folder inside", "other", {"tree/to folder inside/real": b"tree/other/real"}),
        file("tree/other/real"),
        link("tree/in/chain", "../to folder", _kept("tree/in/chain"), tag="chain"),
    )
)
CIRCLES = Tree(
    (
        file("tree/real"),
        file("tree/in/real"),
        file("keep/kept"),
        link("tree/in/up", "..", tag="upward"),
        link("tree/in/here", ".", tag="upward"),
        link("tree/in/far up", "../..", tag="upward"),
        link("tree/in/down and up", "../../keep/../tree", tag="upward"),
        link("tree/root", "/", tag="outside"),
        file("tree/one/first", b"1"),
        file("tree/two/second", b"2"),
        link("tree/one/other", "../two", {"tree/one/other/second": b"2"}),
        link("tree/two/other", "../one", {"tree/two/other/first": b"1"}),
    )
)
NOWHERE = Tree(
    (
        file("tree/real"),
        file("tree/in/real"),
        link("tree/dangling", "nowhere", tag="dangling"),
        link("tree/in/dangling", "/no/such/folder", tag="dangling"),
        link("tree/in/itself", "itself", tag="dangling"),
        link("tree/in/one", "two", tag="dangling"),
        link("tree/in/two", "one", tag="dangling"),
        link("tree/through a file", "real/below", tag="dangling"),
        file("keep/kept"),
    )
)
SPECIAL = Tree(
    (
        file("tree/file"),
        file("tree/in/file"),
        Entry("tree/in/pipe", "pipe", tag="pipe"),
        Entry("tree/in/socket", "socket", tag="pipe"),
        Entry("tree/pipe", "pipe", tag="pipe"),
        link("tree/to pipe", "pipe", tag="pipe"),
        file("keep/kept"),
    )
)
BYTES = Tree(
    (
        file("tree/file"),
        file("tree/in/file"),
        hidden("tree/in/odd-\udcff\udcfe", tag="bytes"),
        hidden("tree/\udcc3(/below", tag="bytes"),
        hidden("tree/\udcc3(/odd-\udcff", tag="bytes"),
        file("tree/removed/file"),
        file("keep/kept"),
    )
)
_KEY = "abcd" + "0" * 60
_OTHER = "efgh" + "1" * 60
SHARDED = Tree(
    (
        Entry(f"a/b/c/d/{_KEY}", "file", b"sharded", shows={_KEY: b"sharded"}),
        Entry(f"i/j/k/l/ijkl{'2' * 60}", "file", b"too", shows={f"ijkl{'2' * 60}": b"too"}),
        hidden(_OTHER),
        file("a/b/c/d/of another name"),
        file("a/b/file"),
        file(f"w/x/y/z/{'3' * 64}"),
        file(f"w/x/y/{'3' * 64}"),
        file("q/file"),
        folder("z"),
        folder("m/n"),
        file(f"tree/{_KEY}"),
        file(f"tree/a/b/c/d/{_KEY}"),
        folder("tree/z"),
    )
)

# Buckets

MARKERS = Tree(
    (
        folder("tree/ds"),
        file("tree/ds/a"),
        file("tree/ds/b"),
        folder("tree/only"),
        folder("tree/one/two"),
        folder("tree"),
        hidden("tree/full/"),
        file("tree/full/file"),
        hidden("tree/none/"),
        file("keep/kept"),
    ),
    may_show=frozenset({"tree/none"}),
)
BOTH = Tree(
    (
        file("tree/both", b"the file"),
        file("tree/both/below"),
        file("tree/both/b/both", b"the other file"),
        file("tree/both/b/both/below"),
        file("tree-", b"sorts before tree/"),
        file("keep/kept"),
    )
)
SEGMENTS = Tree(
    (
        file("tree/a/b"),
        hidden("tree/a//b"),
        hidden("tree/dbl//b"),
        hidden("tree//lead"),
        hidden("/lead"),
        hidden("//lead"),
        file("lead"),
        file("tree/x/y"),
        file("keep/kept"),
    ),
    may_show=frozenset({"tree/dbl"}),
)
DOTS = Tree(
    (
        hidden("tree/x/../y", tag="dots"),
        hidden("tree/x/./y", tag="dots"),
        hidden("../tree/x", tag="dots"),
        hidden("tree/end/..", tag="dots"),
        file("tree/y"),
        file("tree/x/y"),
        file("keep/kept"),
    ),
    may_show=frozenset({"tree/end"}),
)
METADATA = Tree(
    (
        marker("tree/empty", {"hdi_isfolder": "true"}),
        marker("tree/full", {"hdi_isfolder": "true"}),
        file("tree/full/file"),
        marker("tree/capital", {"hdi_isfolder": "True"}),
        marker("tree/capitals", {"Hdi_isfolder": "TRUE"}),
        file("tree/capitals/file"),
        Entry(
            "tree/not one",
            "file",
            b"x",
            metadata={"hdi_isfolder": "false"},
            shows={"tree/not one": b"x"},
        ),
        file("keep/kept"),
    )
)

SECOND = Tree(
    (
        file("tree/second"),
        file("tree/in/second"),
        folder("tree/empty in the second"),
        file("keep/second"),
    )
)
"""What lies on a second location, a plain disk."""
