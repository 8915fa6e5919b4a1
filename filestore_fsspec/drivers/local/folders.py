"""What is done to folders of this machine, and which links are followed on the way to them."""

# ruff: noqa: ANN401, FBT001, FBT002 - fsspec's signatures
# ruff: noqa: PTH114 - a Path costs more than the call
from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from fsspec.implementations.local import LocalFileSystem

from filestore_fsspec.drivers.shared.driver import DriverBase
from filestore_fsspec.drivers.shared.errors import absent

if TYPE_CHECKING:
    from filestore_fsspec.drivers.shared.driver import Info


class LocalFolders(DriverBase, LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's own methods, behind a look at the links; the driver adds what is done to files."""

    def __init__(self, follow_symlinks: bool = True, root: str = "", **kwargs: Any) -> None:
        """Keep to `root`: with `follow_symlinks=False`, a link below it is a PermissionError.

        That check is made before each call; it does not hold against somebody who puts a link
        there between the two.
        """
        super().__init__(auto_mkdir=True, **kwargs)
        self.follow_symlinks = follow_symlinks
        self.root = root.rstrip("/")

    def _path(self, path: str) -> str:
        if path[:1] != "/":
            path = self._strip_protocol(path)
        if not self.follow_symlinks and (link := self.link_on(path)):
            message = "a symbolic link; follow_symlinks=true follows it"
            raise PermissionError(errno.EACCES, message, link)
        return path

    def link_on(self, path: str) -> str | None:
        """Return the first link below the root on the way to `path` that is not to be followed."""
        if self.follow_symlinks or path.rstrip("/") == self.root:
            return None
        below = path.removeprefix(self.root + "/")
        walked = path[: len(path) - len(below)].rstrip("/")
        for name in below.split("/"):
            walked = f"{walked}/{name}"
            if os.path.islink(walked):
                return walked
        return None

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> list[Any]:
        """Return what is in a folder (for a file, itself), without links that are not followed."""
        found: list[Info] = super().ls(self._path(path), detail=True, **kwargs)
        return found if detail else [info["name"] for info in found]

    def entry_path(self, entry: os.DirEntry[str]) -> str:
        """Return the path of what a folder holds; a link that is not followed is not there."""
        if not self.follow_symlinks and entry.is_symlink():
            raise absent(entry.path)
        return entry.path

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Make a folder."""
        super().mkdir(self._path(path), create_parents, **kwargs)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it."""
        super().makedirs(self._path(path), exist_ok)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        super().rmdir(self._path(path))

    def mv(self, path1: str, path2: str, recursive: bool = True, **kwargs: Any) -> None:
        """Move a file or a folder."""
        super().mv(self._path(path1), self._path(path2), recursive, **kwargs)

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        """Make an empty file, or note that it is of now."""
        super().touch(self._path(path), truncate, **kwargs)
