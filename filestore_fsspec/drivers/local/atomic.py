"""A file of this machine that is renamed into place when it is complete.

Its temporary file is in the same folder, so that renaming is one step of the disk.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO
from typing import TYPE_CHECKING

from filestore_fsspec.calls import ensure_running
from filestore_fsspec.drivers.shared.discard import DiscardOnError
from filestore_fsspec.drivers.shared.errors import already_there
from filestore_fsspec.keys import temporary_path
from filestore_fsspec.portability import BINARY, link

if TYPE_CHECKING:
    from collections.abc import Iterator

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


@contextmanager
def replacing(path: str, mode: str) -> Iterator[tuple[int, str]]:
    """Yield descriptor and path of a temporary file, which is renamed to `path` at the end."""
    _refuse_existing(path, mode)
    temporary = temporary_path(path)
    fd = open_new(temporary)
    try:
        try:
            yield fd, temporary
        finally:
            os.close(fd)
        rename(temporary, path, mode)
    except BaseException:
        _remove(temporary)
        raise


class AtomicFile(DiscardOnError, BufferedWriter):
    """A temporary file that is renamed when it is closed; removed when its `with` body raises."""

    def __init__(self, fd: int, temporary: str, path: str, mode: str, *, autocommit: bool) -> None:
        super().__init__(FileIO(fd, "wb"))
        self.path = path
        self._temporary = temporary
        self._mode = mode
        self._autocommit = autocommit
        self._pid = os.getpid()

    def close(self) -> None:
        """Flush, and rename the file unless `commit` is to do that."""
        if self.closed:
            return
        try:
            super().close()
        except BaseException:
            self.discard()
            raise
        if self._autocommit:
            self.commit()

    def commit(self) -> None:
        """Rename the closed file."""
        try:
            rename(self._temporary, self.path, self._mode)
        except BaseException:
            _remove(self._temporary)
            raise

    def discard(self) -> None:
        """Drop what was written."""
        self.raw.close()
        _remove(self._temporary)

    def __del__(self) -> None:
        # Forgotten, not closed: nobody said that the content is complete. A fork's copy of it is
        # the parent's to end.
        if not self.closed and self._pid == os.getpid():
            self.discard()


def open_atomic(path: str, mode: str, *, autocommit: bool = True) -> AtomicFile:
    """Return a file to write, for `path`; `mode` is `overwrite` or `create`.

    Raises:
        FileExistsError: here or when it is closed, in mode `create`.
        IsADirectoryError: a directory exists at that path.
    """
    _refuse_existing(path, mode)
    if os.path.isdir(path):
        # Told before anything is written, here or elsewhere, not when the file is renamed.
        raise _taken(path)
    temporary = temporary_path(path)
    return AtomicFile(open_new(temporary), temporary, path, mode, autocommit=autocommit)


def _refuse_existing(path: str, mode: str) -> None:
    # 2 us, where writing to find out takes 30 and more.
    if mode == "create" and os.path.lexists(path):
        raise _taken(path)


def _taken(path: str) -> OSError:
    # Nothing was created, but a folder is not the file that somebody else created.
    if os.path.isdir(path):
        return IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
    return already_there(path)


def open_new(path: str) -> int:
    """Return the descriptor of a new file, and make the folders above it that are missing."""
    try:
        return os.open(path, _CREATE, 0o666)
    except FileNotFoundError:
        folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:
        # A link that leads nowhere stands where the folder should be: not "the file is there".
        raise NotADirectoryError(errno.ENOTDIR, "not a folder", folder) from error
    return os.open(path, _CREATE, 0o666)


def rename(temporary: str, path: str, mode: str) -> None:
    """Rename a file; `create` is exclusive wherever the disk has hard links."""
    ensure_running()
    if mode != "create":
        os.replace(temporary, path)
        return
    try:
        link(temporary, path)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # A disk without hard links (exFAT, some network disks): two writers who come in the same
        # moment may both believe that they created the file; the content is whole all the same.
        if os.path.lexists(path):
            raise _taken(path) from error
        os.rename(temporary, path)
    else:
        os.unlink(temporary)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
