"""What a composite filesystem ought to say, from plain dicts: one for each location.

Nothing here is taken from the library but its exceptions: the layouts, the rules of reading and of
merging are written anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import TYPE_CHECKING

from filestore_fsspec import InvalidKey, LocationUnavailable, PartialWrite

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = str
FILE, FOLDER = "file", "directory"


def above(path: str) -> list[str]:
    """Return the folders that `path` lies in, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def may_hold_shards(folder: str) -> bool:
    parts = folder.split("/")
    return len(parts) <= 4 and all(len(part) == 1 for part in parts)


@dataclass
class Place:
    """One location: a disk with shards and folders, or objects."""

    disk: bool
    files: dict[str, bytes] = field(default_factory=dict)
    """Content by path."""
    folders: set[str] = field(default_factory=set)
    """The folders that are there of their own, by path."""
    up: bool = True

    def path(self, key: str) -> str:
        if self.disk and len(key) == 64 and "/" not in key:
            return "/".join((*key[:4], key))
        return key

    def key(self, path: str) -> str:
        name = path.rpartition("/")[2]
        return name if path == self.path(name) else path

    def stored(self) -> set[str]:
        return {self.key(path) for path in self.files}

    def kinds(self, key: str) -> set[Kind]:
        """Return what has this name: a bucket may have a file and a folder."""
        found = {FILE} if self.path(key) in self.files else set()
        return found | {FOLDER} if self.is_folder(key) else found

    def is_folder(self, folder: str) -> bool:
        if not folder:
            return True
        if not self.disk:
            below = any(each.startswith(f"{folder}/") for each in self.files)
            return below or folder in self.folders
        if folder not in self.folders:
            return False
        if not may_hold_shards(folder):
            return True
        files = [path for path in self.files if parent(path) == folder]
        folders = [path for path in self.folders if parent(path) == folder]
        if not files and not folders:
            return folder.count("/") < 3  # a deleted key leaves four letters behind
        return any(self.key(path) == path for path in files) or any(map(self.is_folder, folders))

    def children(self, folder: str) -> set[tuple[str, Kind]] | None:
        if not self.is_folder(folder):
            return None
        found = {(key, FILE) for key in self.stored() if parent(key) == folder}
        names = {*self.folders, *(each for key in self.stored() for each in above(key))}
        return found | {
            (name, FOLDER) for name in names if parent(name) == folder and self.is_folder(name)
        }

    # Changes; False is what the location refuses.

    def is_key(self, key: str) -> bool:
        return self.key(self.path(key)) == key

    def takes(self, key: str) -> bool:
        path = self.path(key)
        in_the_way = self.disk and (
            path in self.folders or any(each in self.files for each in above(path))
        )
        return self.up and not in_the_way

    def write(self, key: str, content: bytes) -> None:
        path = self.path(key)
        self.files[path] = content
        if self.disk:
            self.folders.update(above(path))

    def remove(self, key: str) -> None:
        self.files.pop(self.path(key), None)

    def takes_folder(self, folder: str) -> bool:
        in_the_way = any(each in self.files for each in (*above(folder), folder))
        return self.up and (folder in self.folders or not in_the_way)

    def make_folder(self, folder: str) -> None:
        self.folders.update((*above(folder), folder))

    def remove_folder(self, folder: str) -> None:
        if self.is_folder(folder):
            self.folders.discard(folder)

    def remove_tree(self, folder: str) -> None:
        inside = f"{folder}/"
        going = [each for each in self.folders if f"{each}/".startswith(inside)]
        going = [each for each in going if self.is_folder(each)]
        for key in self.stored():
            if f"{key}/".startswith(inside):
                self.remove(key)
        for each in sorted(going, key=lambda each: -each.count("/")):
            if not any(path.startswith(f"{each}/") for path in (*self.files, *self.folders)):
                self.folders.discard(each)


@dataclass
class Model:
    """The places, near first, and what a composite of them says.

    FileNotFoundError is absent, LocationUnavailable unknown.
    """

    places: list[Place]

    @property
    def up(self) -> list[Place]:
        return [place for place in self.places if place.up]

    def _none(self) -> Exception:
        return FileNotFoundError() if self.up == self.places else LocationUnavailable("")

    def _all_must_say(self) -> None:
        if self.up != self.places:
            raise LocationUnavailable("")

    def read(self, key: str) -> bytes:
        for place in self.up:
            if FILE in place.kinds(key):
                return place.files[place.path(key)]
        raise self._none()

    def kinds(self, key: str) -> set[Kind]:
        if not key:
            return {FOLDER}  # whoever is down
        return {kind for place in self.up for kind in place.kinds(key)}

    def kind(self, key: str) -> Kind:
        kinds = self.kinds(key)
        if not kinds:
            raise self._none()
        return FILE if FILE in kinds else FOLDER

    def is_kind(self, key: str, kind: Kind | None = None) -> bool:
        kinds = self.kinds(key)
        if kind in kinds or (kind is None and kinds):
            return True
        if key and (kind == FILE or not kinds):
            self._all_must_say()  # who cannot may have a file of that name
        return False

    def info(self, key: str) -> tuple[str, Kind, int]:
        kind = self.kind(key)
        return key, kind, len(self.read(key)) if kind == FILE else 0

    def ls(self, folder: str) -> list[tuple[str, Kind, int]]:
        self._all_must_say()
        listings = [place.children(folder) for place in self.places]
        if all(listing is None for listing in listings):
            info = self.info(folder)
            return [info] if info[1] == FILE else []
        entries = {entry for listing in listings for entry in listing or ()}
        return [
            (name, kind, len(self.read(name)) if kind == FILE else 0)
            for name, kind in sorted(entries, key=lambda entry: (entry[0], entry[1] == FOLDER))
        ]

    def find(self, folder: str) -> dict[str, int]:
        self._all_must_say()
        start = f"{folder}/" if folder else ""
        keys = {key for place in self.places for key in place.stored() if key.startswith(start)}
        if not keys and folder and self.is_kind(folder, FILE):
            keys = {folder}
        return {key: len(self.read(key)) for key in sorted(keys)}

    def walk(self, folder: str) -> dict[str, tuple[set[str], set[str]]]:
        try:
            infos = self.ls(folder)
        except FileNotFoundError:
            return {folder: (set(), set())}
        below = [(name, kind) for name, kind, _ in infos if name != folder]
        folders = [name for name, kind in below if kind == FOLDER]
        files = {last(name) for name, kind in below if kind == FILE}
        found = {folder: ({last(name) for name in folders}, files)}
        for name in folders:
            found |= self.walk(name)
        return found

    def glob(self, pattern: str) -> list[str]:
        """Match a pattern without `**`, a part at a time."""
        parts = pattern.split("/")
        root = "/".join(takewhile(lambda part: not set("*?") & set(part), parts))
        names = [
            f"{folder}/{name}".lstrip("/")
            for folder, (folders, files) in self.walk(root).items()
            for name in folders | files
        ]
        return sorted(name for name in names if matches(name.split("/"), parts))

    # Changes: each at every place that takes it; the others make a PartialWrite.

    def each(self, takes: Callable[[Place], bool], act: Callable[[Place], None]) -> None:
        done = [place for place in self.places if takes(place)]
        for place in done:
            act(place)
        if len(done) < len(self.places):
            raise PartialWrite("", done)  # type: ignore[arg-type]  # places for locations

    def put(self, key: str, content: bytes, *, create: bool = False) -> None:
        if create and self.is_kind(key):
            raise FileExistsError
        if not all(place.is_key(key) for place in self.places):
            raise InvalidKey
        self.each(lambda place: place.takes(key), lambda place: place.write(key, content))

    def open_to_read(self, key: str) -> bytes:
        try:
            return self.read(key)
        except FileNotFoundError:
            if self.is_kind(key, FOLDER):
                raise IsADirectoryError from None
            raise

    def write_file(self, key: str, content: bytes, mode: str) -> None:
        if mode[0] == "x" and self.is_kind(key):
            raise FileExistsError
        if mode[0] == "w" and self.kinds(key) == {FOLDER} and self.up == self.places:
            raise IsADirectoryError
        if mode[0] == "a" and self.is_kind(key):
            content = self.open_to_read(key) + content
        if mode == "r+b":
            content += self.open_to_read(key)[len(content) :]
        if not all(place.takes(key) for place in self.places):
            for place in self.places:
                if place.takes(key) and place.disk:
                    place.folders.update(above(place.path(key)))  # made to write beside
            raise PartialWrite("")  # nowhere
        self.put(key, content)

    def copy(self, source: str, dest: str) -> None:
        if self.kind(source) == FILE:
            self.put(self.target(source, dest), self.read(source))

    def target(self, source: str, dest: str) -> str:
        return f"{dest}/{last(source)}" if self.is_kind(dest, FOLDER) else dest

    def move(self, source: str, dest: str) -> None:
        if self.kind(source) == FOLDER:
            if dest != source:
                raise FileNotFoundError
            return
        target = source if dest == source else self.target(source, dest)
        if target != source:
            self.put(target, self.read(source))
            self.each(lambda place: place.up, lambda place: place.remove(source))

    def remove(self, key: str) -> None:
        if not self.is_kind(key, FILE):
            raise FileNotFoundError
        self.each(lambda place: place.up, lambda place: place.remove(key))

    def remove_tree(self, folder: str) -> None:
        if not self.kinds(folder):
            raise self._none()
        self.each(lambda place: place.up, lambda place: place.remove_tree(folder))

    def make_folder(self, folder: str, *, exist_ok: bool) -> None:
        is_folder = self.is_kind(folder, FOLDER)
        if not exist_ok if is_folder else self.is_kind(folder, FILE):
            raise FileExistsError
        self.each(lambda place: place.takes_folder(folder), lambda place: place.make_folder(folder))

    def remove_folder(self, folder: str) -> None:
        self._all_must_say()
        listings = [place.children(folder) for place in self.places]
        if any(listings):
            raise OSError
        if all(listing is None for listing in listings):
            raise OSError if self.is_kind(folder, FILE) else FileNotFoundError
        for place in self.places:
            place.remove_folder(folder)


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def last(path: str) -> str:
    return path.rpartition("/")[2]


def matches(names: list[str], patterns: list[str]) -> bool:
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))
