"""What fsspec's own files have, and Python's have not."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem
from fsspec.spec import AbstractBufferedFile

if TYPE_CHECKING:
    from filestore_fsspec.drivers.shared.driver import Info


class FileAttributes:
    """For a file of Python's: the attributes and functions that those of fsspec have as well."""

    fs: Any
    path: str
    """The key."""
    mode: str = "rb"
    """The mode of opening."""
    blocksize: int = AbstractFileSystem.blocksize

    @property
    def name(self) -> str:
        """The key."""
        return self.path

    @property
    def full_name(self) -> str:
        """The key."""
        return self.path

    @property
    def loc(self) -> int:
        """The position, in bytes."""
        return self.tell()  # type: ignore[attr-defined, no-any-return]  # the file's

    @cached_property
    def details(self) -> Info:
        """What the filesystem's `info` knows of the key."""
        return self.fs.info(self.path)  # type: ignore[no-any-return]

    def info(self) -> Info:
        """Return `details`."""
        return self.details

    readuntil = AbstractBufferedFile.readuntil
