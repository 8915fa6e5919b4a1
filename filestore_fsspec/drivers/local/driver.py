"""Files on this machine, on fsspec's `LocalFileSystem`.

Its reads cost what `open().read()` costs; its writes are made beside the file and take its name
when they are complete.
"""

# ruff: noqa: ANN401, ARG002 - fsspec's signatures
# ruff: noqa: PTH103, PTH108, PTH112, PTH116, PTH120 - a Path costs more than the call
from __future__ import annotations

import errno
import os
import shutil
from datetime import UTC, datetime
from io import FileIO
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

from fsspec.utils import isfilelike

from filestore_fsspec.drivers.local.atomic import open_atomic, replacing
from filestore_fsspec.drivers.local.folders import LocalFolders
from filestore_fsspec.drivers.shared.driver import first_folder, split_entries
from filestore_fsspec.drivers.shared.errors import absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filestore_fsspec.drivers.shared.driver import Info, Page

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe must not hold a reader up
_WRITE_MODES = {"wb": "overwrite", "xb": "create"}
_MAX_READ = 1 << 30  # one read() of Linux stops short of 2 GiB
# A path that runs through a file, or whose name no disk can hold, cannot be there.
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}


class LocalDriver(LocalFolders):
    """Absolute paths of this machine. Links are followed; folders are made as they are needed."""

    cachable = False
    may_wait = False
    max_concurrency = 1  # with 4, small files take twice as long: threads wait for one another

    # Reading

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        """Return the content; `open()` would ask the kernel four times more for it."""
        path = self._path(path)
        try:
            fd = os.open(path, _READ)
        except OSError as error:
            raise _truth(error, path) from error
        try:
            found = os.fstat(fd)
            if not S_ISREG(found.st_mode):
                raise absent(path)
            if start is not None or end is not None:
                return _read_range(fd, *slice(start, end).indices(found.st_size)[:2])
            if found.st_size < _MAX_READ:
                content = os.read(fd, found.st_size + 1)
                if len(content) == found.st_size:
                    return content
            # Larger than one read, or its size has changed since.
            return _read_range(fd, 0, None)
        finally:
            os.close(fd)

    def get_file(self, path1: str, path2: Any, callback: Any = None, **_kwargs: Any) -> None:
        """Copy to the local path or file object `path2`."""
        path = self._path(path1)
        try:
            if not S_ISREG(os.stat(path).st_mode):
                raise absent(path)
        except OSError as error:
            raise _truth(error, path) from error
        if isfilelike(path2):
            with FileIO(path) as source:
                shutil.copyfileobj(source, path2, 1 << 20)
            return
        os.makedirs(os.path.dirname(path2) or ".", exist_ok=True)
        shutil.copyfile(path, path2)

    def isfile(self, path: str) -> bool:
        """Tell whether a file is there; os.path.isfile says False whatever goes wrong."""
        return self._mode_is(S_ISREG, path)

    def isdir(self, path: str) -> bool:
        """Tell whether a folder is there; os.path.isdir says False whatever goes wrong."""
        return self._mode_is(S_ISDIR, path)

    def _mode_is(self, kind: Any, path: str) -> bool:
        path = self._path(path)
        try:
            return bool(kind(os.stat(path).st_mode))
        except OSError as error:
            if error.errno in _ABSENT:
                return False
            raise

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Tell whether anything is there; fsspec says False whatever goes wrong."""
        try:
            self.info(path, **kwargs)
        except FileNotFoundError:
            return False
        return True

    def info(self, path: str | os.DirEntry[str], **kwargs: Any) -> Info:
        """Return name, size, type, modified, and what fsspec adds to them."""
        if not isinstance(path, str):
            # fsspec calls a link in a listing neither file nor folder, and elsewhere what it is.
            path = self.entry_path(path)
        path = self._path(path)
        try:
            found: Info = super().info(path, **kwargs)
        except OSError as error:
            raise _truth(error, path) from error
        found["modified"] = datetime.fromtimestamp(found["mtime"], UTC)
        return found

    def list_page(self, prefix: str, token: list[str] | None = None) -> Page:
        """List one folder; the token is the stack of those left."""
        return self._page(prefix, token)

    def stale_files(self, prefix: str, token: list[str] | None = None) -> Page:
        """List the temporary files of one folder."""
        return self._page(prefix, token, stale_files=True)

    def _page(self, prefix: str, token: list[str] | None, *, stale_files: bool = False) -> Page:
        left = [first_folder(prefix) or "/"] if token is None else list(token)
        if token is None and self.link_on(left[0]):
            return [], None  # as below: a link that is not followed is in no listing
        files, folders = split_entries(prefix, self._entries(left.pop()), stale_files=stale_files)
        left += sorted(folders, reverse=True)
        return sorted(files, key=lambda info: str(info["name"])), left or None

    def _entries(self, folder: str) -> Iterator[Info]:
        try:
            scan = os.scandir(folder)
        except OSError as error:
            if error.errno in _ABSENT:
                return
            raise
        with scan:
            for entry in scan:
                link = entry.is_symlink()
                if link and not self.follow_symlinks:
                    continue
                try:
                    found = entry.stat()
                except OSError as error:
                    if error.errno in {errno.ENOENT, errno.ELOOP}:
                        continue  # gone meanwhile, or a link that leads nowhere
                    raise
                path = f"{folder.rstrip('/')}/{entry.name}"
                if S_ISDIR(found.st_mode):
                    if not (link and _leads_back(path)):
                        yield {"name": path, "size": 0, "type": "directory", "modified": None}
                elif S_ISREG(found.st_mode):
                    modified = datetime.fromtimestamp(found.st_mtime, UTC)
                    size = found.st_size
                    yield {"name": path, "size": size, "type": "file", "modified": modified}

    # Writing

    def pipe_file(
        self,
        path: str,
        value: bytes | bytearray | memoryview,
        mode: str = "overwrite",
        **_kwargs: Any,
    ) -> None:
        """Write atomically; fsspec's own write truncates the file first."""
        with replacing(self._path(path), mode) as (fd, _temporary):
            left = memoryview(value).cast("B")
            while left:
                left = left[os.write(fd, left) :]

    def put_file(
        self, path1: str, path2: str, callback: Any = None, mode: str = "overwrite", **_kwargs: Any
    ) -> None:
        """Copy the local file `path1` atomically; a folder is only made."""
        path2 = self._path(path2)
        if os.path.isdir(path1):
            self.makedirs(path2, exist_ok=True)
            return
        with replacing(path2, mode) as (_fd, temporary):
            shutil.copyfile(path1, temporary)

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Copy atomically."""
        self.put_file(self._path(path1), path2, **kwargs)

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        path = self._path(path)
        try:
            os.unlink(path)
        except OSError as error:
            raise _truth(error, path) from error

    def _open(self, path: str, mode: str = "rb", block_size: Any = None, **kwargs: Any) -> Any:
        path = self._path(path)
        if mode in _WRITE_MODES:
            autocommit = kwargs.get("autocommit", True)
            return open_atomic(path, _WRITE_MODES[mode], autocommit=autocommit)
        try:
            return super()._open(path, mode=mode, block_size=block_size, **kwargs)
        except OSError as error:
            raise _truth(error, path) from error


def _truth(error: OSError, path: str) -> OSError:
    """Return FileNotFoundError where the disk said that no file is there, else `error` itself."""
    return absent(path) if error.errno in _ABSENT else error


def _read_range(fd: int, start: int, end: int | None) -> bytes:
    with FileIO(fd, closefd=False) as file:
        file.seek(start)
        if end is None:
            return file.readall()
        parts = bytearray()
        while len(parts) < end - start and (part := file.read(end - start - len(parts))):
            parts += part
        return bytes(parts)


def _leads_back(folder: str) -> bool:
    """Tell whether a linked folder is, in truth, one of those on the way to it."""
    real = os.path.realpath(folder)
    while folder != "/":
        folder = os.path.dirname(folder)
        if os.path.realpath(folder) == real:
            return True
    return False
