"""What lies on a server, put there and looked at by other means than the library."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from tests.services.azure import ContainerRaw
from tests.services.common import FolderRaw
from tests.services.memory import MemoryRaw
from tests.services.s3 import BucketRaw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azure.storage.blob import ContainerClient

    from tests.foreign.trees import Entry
    from tests.services.common import Service

Item = tuple[str, object]
"""What something is, and its content or, of a link, its target."""
Items = dict[str, Item]
_FOLDER: Item = ("folder", b"")


class Ground(Protocol):
    """All below a location's root, by path."""

    has_folders: bool
    """Whether a folder is more than what names have in common."""

    def lay(self, entries: Iterable[Entry]) -> None: ...
    def items(self) -> Items:
        """Return all that is there; no link is followed."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return a file's content, through links; None where no file is."""
        ...


@dataclass(frozen=True)
class Disk:
    """A folder of this machine, whose owner is the server's user."""

    folder: Path
    owner: int
    has_folders = True

    def lay(self, entries: Iterable[Entry]) -> None:
        self.folder.mkdir(exist_ok=True)
        for entry in entries:
            path = f"{self.folder}/{entry.path}"
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - blanks, dots
            match entry.kind:
                case "file":
                    Path(path).write_bytes(entry.content)
                case "folder":
                    Path(path).mkdir(exist_ok=True)
                case "link":
                    Path(path).symlink_to(entry.target)
                case "pipe":
                    os.mkfifo(path)
                case "socket":
                    os.mknod(path, stat.S_IFSOCK | 0o666)
        for each in (self.folder, *self.folder.rglob("*")):
            os.chown(each, self.owner, -1, follow_symlinks=False)

    def items(self) -> Items:
        found: Items = {}
        for at, folders, files in os.walk(self.folder):
            for name in (*folders, *files):
                path = Path(at) / name
                found[str(path.relative_to(self.folder))] = _item(path)
        return found

    def read(self, path: str) -> bytes | None:
        target = self.folder / path
        return target.read_bytes() if target.is_file() else None


def _item(path: Path) -> Item:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "link", str(path.readlink())
    if stat.S_ISDIR(mode):
        return _FOLDER
    return ("file", path.read_bytes()) if stat.S_ISREG(mode) else ("special", stat.S_IFMT(mode))


@dataclass(frozen=True)
class Memory:
    """A folder of fsspec's `memory` filesystem."""

    folder: str
    has_folders = True

    def lay(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            path = f"{self.folder}/{entry.path}"
            if entry.kind == "folder":
                MemoryFileSystem.pseudo_dirs.append(path)
            else:
                MemoryFileSystem.store[path] = MemoryFile(MemoryFileSystem(), path, entry.content)

    def items(self) -> Items:
        start = f"{self.folder}/"
        found = {path: _FOLDER for path in MemoryFileSystem.pseudo_dirs if path.startswith(start)}
        for path, file in MemoryFileSystem.store.items():
            if path.startswith(start):
                found[path] = "file", file.getvalue()
        return {path.removeprefix(start): item for path, item in found.items()}

    def read(self, path: str) -> bytes | None:
        file = MemoryFileSystem.store.get(f"{self.folder}/{path}")
        return None if file is None else file.getvalue()

    def clear(self) -> None:
        """Remove all of it."""
        start = f"{self.folder}/"
        for path in [path for path in MemoryFileSystem.store if path.startswith(start)]:
            del MemoryFileSystem.store[path]
        made = MemoryFileSystem.pseudo_dirs
        made[:] = [path for path in made if not f"{path}/".startswith(start)]


@dataclass(frozen=True)
class Bucket:
    """The objects of an S3 bucket below a prefix."""

    raw: BucketRaw
    root: str
    has_folders = False

    def lay(self, entries: Iterable[Entry]) -> None:
        self.raw.write("there", b"makes the bucket")
        for entry in entries:
            key = f"{self.root}/{entry.path}" + ("/" if entry.kind == "folder" else "")
            self.raw.client.put_object(Bucket=self.raw.bucket, Key=key, Body=entry.content)

    def items(self) -> Items:
        start = f"{self.root}/"
        pages = self.raw.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.raw.bucket, Prefix=start
        )
        paths = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {path.removeprefix(start): ("file", self.raw.read(path)) for path in paths}

    def read(self, path: str) -> bytes | None:
        return self.raw.read(f"{self.root}/{path}")


@dataclass(frozen=True)
class Container:
    """The blobs of an Azure container below a prefix."""

    raw: ContainerRaw
    root: str
    has_folders = False

    @property
    def _client(self) -> ContainerClient:
        return self.raw.client

    def lay(self, entries: Iterable[Entry]) -> None:
        if not self._client.exists():
            self._client.create_container()
        for entry in entries:
            path = f"{self.root}/{entry.path}"
            path += "/" if entry.kind == "folder" else ""
            self._client.upload_blob(
                path, entry.content, overwrite=True, metadata=dict(entry.metadata)
            )

    def items(self) -> Items:
        start = f"{self.root}/"
        found: Items = {}
        for blob in self._client.list_blobs(name_starts_with=start, include=["metadata"]):
            content = self.raw.read(blob.name)
            found[blob.name.removeprefix(start)] = "file", (content, dict(blob.metadata or {}))
        return found

    def read(self, path: str) -> bytes | None:
        return self.raw.read(f"{self.root}/{path}")


def ground_of(service: Service, root: str) -> Ground:
    """Return what lies below the folder `root` of a service."""
    raw: Any = service.raw
    match raw:
        case FolderRaw():
            return Disk(raw.folder / root, raw.folder.stat().st_uid)
        case MemoryRaw():
            return Memory(f"{raw.folder}/{root}")
        case BucketRaw():
            return Bucket(raw, root)
        case ContainerRaw():
            return Container(raw, root)
    raise TypeError(f"nobody knows how to look into {service.scheme}")
