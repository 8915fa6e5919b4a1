"""Files on this machine, on fsspec's `LocalFileSystem`.

Its reads cost what `open().read()` costs; what is written goes to a temporary file in the same
folder, which is renamed when it is complete.
"""

from __future__ import annotations

import errno
import os
import shutil
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import isfilelike

from filestore_fsspec.drivers.local.atomic import open_atomic, replacing
from filestore_fsspec.drivers.local.requests import LocalRequests
from filestore_fsspec.drivers.shared.errors import Absent, absent
from filestore_fsspec.drivers.shared.folders import BlockingFolderDriver

if TYPE_CHECKING:
    from filestore_fsspec.drivers.shared.driver import Info

_WRITE_MODES = {"wb": "overwrite", "xb": "create"}


class LocalDriver(BlockingFolderDriver, LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Absolute paths of this machine. Folders are made as they are needed.

    What is done for each key is written here once more, without a coroutine: it takes 4 us.
    """

    cachable = False
    may_wait = False
    folders_refuse_late = True
    max_concurrency = 1  # with 4, small files take twice as long: threads wait for one another
    requests: LocalRequests

    def __init__(self, follow_symlinks: bool = True, root: str = "", **kwargs: Any) -> None:
        """Keep to `root`: with `follow_symlinks=False`, a link below it is a PermissionError.

        That check is made before each call; it does not hold against somebody who puts a link
        there between the two.
        """
        super().__init__(auto_mkdir=True, **kwargs)
        self.requests = LocalRequests(root, follow_symlinks=follow_symlinks)

    def _path(self, path: Any) -> str:
        if isinstance(path, str) and path[:1] == "/":
            return path
        stripped: str = self._strip_protocol(path)
        return stripped

    # Reading

    def cat_file(
        self, path: Any, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        """Return `content[start:end]`."""
        return self.requests.content(self._path(path), start, end)

    def get_file(self, rpath: Any, lpath: Any, callback: Any = None, **_kwargs: Any) -> None:
        """Copy to the local path or file object `lpath`; of a folder, make one."""
        path = self._path(rpath)
        try:
            fd, _found = self.requests.open_descriptor(path)
        except Absent:
            if isfilelike(lpath) or os.path.isfile(lpath) or not self.isdir(path):
                raise
            os.makedirs(lpath, exist_ok=True)
            return
        os.close(fd)
        if isfilelike(lpath):
            with open(path, "rb") as source:
                shutil.copyfileobj(source, lpath, 2**20)
            return
        os.makedirs(os.path.dirname(lpath) or ".", exist_ok=True)
        shutil.copyfile(path, lpath)

    def isfile(self, path: Any) -> bool:
        """Tell whether a file is there; os.path.isfile says False whatever goes wrong."""
        return self._mode_is(S_ISREG, path)

    def isdir(self, path: Any) -> bool:
        """Tell whether a folder is there; os.path.isdir says False whatever goes wrong."""
        return self._mode_is(S_ISDIR, path)

    def _mode_is(self, kind: Any, path: Any) -> bool:
        try:
            return bool(kind(self.requests.mode(self._path(path))))
        except Absent:
            return False

    def info(self, path: Any, **_kwargs: Any) -> Info:
        """Return name, size, type, modified, and what fsspec adds to them."""
        info = self.requests.look(self._path(path))
        if info["type"] == "other":
            raise absent(info["name"])
        return info

    async def _follow(self, link: str) -> Info | None:
        if not self.requests.follow_symlinks:
            return None
        return await super()._follow(link)

    # Writing

    def pipe_file(self, path: Any, value: Any, mode: str = "overwrite", **_kwargs: Any) -> None:
        """Write atomically; fsspec's own write truncates the file first."""
        with replacing(self.requests.checked(self._path(path)), mode) as (fd, _temporary):
            left = memoryview(value).cast("B")
            while left:
                left = left[os.write(fd, left) :]

    def put_file(
        self,
        lpath: Any,
        rpath: Any,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **_kwargs: Any,
    ) -> None:
        """Copy the local file `lpath`, or a file object, atomically; a folder is only made."""
        if isfilelike(lpath):
            super().put_file(lpath, rpath, callback=callback, mode=mode)
            return
        path = self.requests.checked(self._path(rpath))
        if os.path.isdir(lpath):
            self.makedirs(path, exist_ok=True)
            return
        with replacing(path, mode) as (_fd, temporary):
            shutil.copyfile(lpath, temporary)

    def cp_file(self, path1: Any, path2: Any, **kwargs: Any) -> None:
        """Copy atomically."""
        self.put_file(self.requests.checked(self._path(path1)), path2, **kwargs)

    def rm_file(self, path: Any) -> None:
        """Delete a file."""
        self.requests.unlink(self.requests.checked(self._path(path)))

    async def _rm_file(self, path: Any, **_kwargs: Any) -> None:
        self.rm_file(path)

    def mv(self, path1: Any, path2: Any, **kwargs: Any) -> None:
        """Rename a file or folder; between two disks it is copied, then removed."""
        try:
            super().mv(path1, path2, **kwargs)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(self._path(path1), self._path(path2))

    def _open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> Any:
        path = self.requests.checked(self._path(path))
        if mode in _WRITE_MODES:
            return open_atomic(path, _WRITE_MODES[mode], autocommit=autocommit)
        if mode == "rb" and not S_ISREG(found := self.requests.mode(path)):
            if S_ISDIR(found):
                raise IsADirectoryError(errno.EISDIR, "is a directory", path)
            raise absent(path)
        return LocalFileSystem._open(self, path, mode=mode, block_size=block_size, **kwargs)  # noqa: SLF001 - the parent's
