"""`Opener`: how the composite filesystem opens a file, in which mode."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from filestore_fsspec.bridge import run
from filestore_fsspec.checksum import sha256_named_by
from filestore_fsspec.errors import LocationUnavailable, NotFound
from filestore_fsspec.filesystem.read_file import ReadFile
from filestore_fsspec.filesystem.verified_file import VerifiedFile
from filestore_fsspec.filesystem.write_file import WriteFile, compressed
from filestore_fsspec.operations import select_writable
from filestore_fsspec.store import publish

if TYPE_CHECKING:
    from filestore_fsspec.store import Store

_MODES = ("rb", "wb", "xb", "ab", "r+b", "w+b", "x+b", "a+b")


def binary_mode(mode: str) -> tuple[str, bool]:
    """Return the binary mode that `mode` names, its letters in any order, and whether it is text.

    Raises:
        ValueError: it names none.
    """
    kind = "".join(each for each in mode if each not in "bt+")
    found = f"{kind}{'+' if '+' in mode else ''}b"
    if found not in _MODES or len(set(mode)) != len(mode) or {"b", "t"} <= set(mode):
        raise ValueError(f"mode {mode!r}: files open as {', '.join(_MODES)}, without b as text")
    return found, "b" not in mode


class Opener:
    """Opens the files of one filesystem."""

    def __init__(self, fs: Any, store: Store) -> None:  # noqa: ANN401 - fsspec has no types
        """Open files of `store`, whose `fs` attribute is `fs`."""
        self._fs, self._store = fs, store

    def to_read(self, key: str, location: str, options: dict[str, Any]) -> ReadFile:
        """Open a file to be read; `options` go to the location's own.

        Raises:
            NotFound: every location said absent.
            IsADirectoryError: it is a folder.
            LocationUnavailable: none has it, and at some it is unknown.
        """
        checked = self._store.verify_content and sha256_named_by(key) is not None
        kind = VerifiedFile if checked else ReadFile
        try:
            return kind(self._fs, *self._store.read_plan(location, key), key, location, options)
        except NotFound as error:
            if self._fs.isdir(key, location):
                raise _is_folder(key) from error
            raise
        except LocationUnavailable as error:
            self._store.unless_strict(error)
            raise NotFound(f"no location that answered has {key!r}", error) from error

    def to_write(
        self, key: str, mode: str, location: str, compression: str | None, *, autocommit: bool
    ) -> WriteFile:
        """Open a file to be written: what is there already in modes `ab`, `a+b` and `r+b`.

        Raises:
            FileExistsError: the mode is `xb` or `x+b`, and it is there.
            FileNotFoundError: the mode is `r+b`, and it is not.
            IsADirectoryError: it is a folder.
            ReadOnly, LocationUnavailable: as in any write.
        """
        targets = select_writable(self._store.locations, location, f"write {key!r}")
        how = "create" if mode.startswith("x") else "overwrite"

        def commit(local_path: str) -> None:
            with compressed(local_path, compression) as content_path:
                run(publish(self._store, targets, key, content_path, how))

        content = self._content(key, mode, location)
        try:
            return WriteFile(self._fs, key, mode, commit, content, autocommit=autocommit)
        finally:
            if content is not None:
                content.close()

    def _content(self, key: str, mode: str, location: str) -> ReadFile | None:
        """Return what is there and stays, for those modes; refuse what the others do not write."""
        kind = mode[0]
        if kind == "r":
            return self.to_read(key, location, {})
        if kind == "w":
            if self._is_only_folder(key, location):
                raise _is_folder(key)
            return None
        if not self._fs.exists(key, location):
            return None
        if kind == "x":
            raise FileExistsError(f"cannot write {key!r}: it is there already")
        return self.to_read(key, location, {})

    def _is_only_folder(self, key: str, location: str) -> bool:
        try:
            return self._fs.isdir(key, location) and not self._fs.isfile(key, location)
        except LocationUnavailable:
            return False  # whether that is an error, the write will say


def _is_folder(key: str) -> IsADirectoryError:
    return IsADirectoryError(errno.EISDIR, f"cannot open {key!r}: it is a folder")
