"""What is asked of a disk of this machine."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from io import FileIO
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import IO, TYPE_CHECKING

from filestore_fsspec.calls import ensure_running
from filestore_fsspec.drivers.local.atomic import open_new, rename
from filestore_fsspec.drivers.shared.errors import absent, already_there
from filestore_fsspec.drivers.shared.folders import above, holds_any, parent_of
from filestore_fsspec.portability import BINARY, NOT_BLOCKING

if TYPE_CHECKING:
    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.drivers.shared.files import Content, Handle

OPEN_TO_READ = os.O_RDONLY | BINARY | NOT_BLOCKING
_BLOCK_BYTES = 2**20
_MAX_READ = 2**30  # one read() of Linux stops short of 2 GiB
# A path that runs through a file, or whose name no disk can hold, cannot be there.
# A socket is no file (ENXIO).
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENXIO}


def fitting(error: OSError, path: str) -> OSError:
    """Return `Absent` where the disk said that nothing is at `path`, else `error` itself."""
    # A link to itself leads nowhere; below one, nobody can tell what was there.
    loops = error.errno == errno.ELOOP and os.path.islink(path)
    return absent(path) if loops or error.errno in _ABSENT else error


def _unless_too_long(error: OSError, path: str) -> OSError:
    """Return the same for what makes a name: one that is too long is refused, not absent."""
    return error if error.errno == errno.ENAMETOOLONG else fitting(error, path)


def info_of(path: str, found: os.stat_result, *, islink: bool = False) -> Info:
    """Return fsspec's info of a local file, with `modified`."""
    mode, mtime = found.st_mode, found.st_mtime
    return {
        "name": path,
        "size": found.st_size,
        "type": "file" if S_ISREG(mode) else "directory" if S_ISDIR(mode) else "other",
        "created": found.st_ctime,
        "modified": datetime.fromtimestamp(mtime, UTC),
        "mtime": mtime,
        "islink": islink,
        "mode": mode,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "ino": found.st_ino,
        "nlink": found.st_nlink,
    }


def _refuse_upward(link: str) -> None:
    if holds_any(os.path.realpath(link), map(os.path.realpath, above(parent_of(link)))):
        raise absent(link)


class LocalRequests:
    """The disk, below `root`: with `follow_symlinks=False`, a link below it is refused."""

    def __init__(self, root: str, *, follow_symlinks: bool) -> None:
        """See `LocalDriver`."""
        self.root, self.follow_symlinks = root.rstrip("/"), follow_symlinks

    def checked(self, path: str) -> str:
        """Return `path`.

        Raises:
            PermissionError: a link that is not to be followed is on the way, or there.
        """
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

    def look(self, path: str) -> Info:
        """Return what is at `path`, a link followed."""
        self.checked(path)
        try:
            found = os.lstat(path)
            if islink := S_ISLNK(found.st_mode):
                found = os.stat(path)
        except OSError as error:
            raise fitting(error, path) from error
        if islink and S_ISDIR(found.st_mode):
            _refuse_upward(path)
        return info_of(path, found, islink=islink)

    def mode(self, path: str) -> int:
        """Return what kind of thing is at `path`, a link followed, as `stat` has it."""
        self.checked(path)
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            raise fitting(error, path) from error
        if S_ISDIR(mode) and os.path.islink(path):
            _refuse_upward(path)
        return mode

    async def stat(self, path: str) -> Info:
        """Return what is at `path`, a link followed."""
        return self.look(path)

    async def entries(self, folder: str) -> list[Info]:
        """Return all that is in a folder."""
        if self.link_on(folder):
            raise absent(folder)  # a link that is not followed is in no listing
        infos = []
        try:
            with os.scandir(folder or "/") as scan:
                for entry in scan:
                    path = f"{folder.rstrip('/')}/{entry.name}"
                    if entry.is_symlink():
                        infos.append({"name": path, "type": "link"})
                        continue
                    try:
                        infos.append(info_of(path, entry.stat(follow_symlinks=False)))
                    except FileNotFoundError:
                        continue  # removed meanwhile
        except NotADirectoryError:
            raise
        except OSError as error:
            raise fitting(error, folder) from error
        return infos

    async def identity(self, folder: str) -> str:
        """Return the path without links."""
        return os.path.realpath(folder)

    def open_descriptor(self, path: str) -> tuple[int, os.stat_result]:
        """Return the descriptor of a file that is open for reading, and what is known of it."""
        self.checked(path)
        try:
            fd = os.open(path, OPEN_TO_READ)
        except OSError as error:
            raise fitting(error, path) from error
        found = os.fstat(fd)
        if not S_ISREG(found.st_mode):
            os.close(fd)
            raise absent(path)
        return fd, found

    def content(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return `content[start:end]`; `open()` would ask the kernel four times more for it."""
        fd, found = self.open_descriptor(path)
        try:
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

    async def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return `content[start:end]`."""
        return self.content(path, start, end)

    async def fetch(self, path: str, file: IO[bytes], callback: Callback) -> None:
        """Write a file's content to `file`."""
        fd, found = self.open_descriptor(path)
        callback.set_size(found.st_size)
        with FileIO(fd) as source:
            while block := source.read(_BLOCK_BYTES):
                file.write(block)
                callback.relative_update(len(block))

    async def open(self, path: str) -> Handle:
        """Not asked for: the driver opens Python's own files."""
        raise NotImplementedError

    async def send(self, path: str, content: Content) -> None:
        """Write a new file."""
        with FileIO(open_new(self.checked(path)), "wb") as file:
            for block in content.blocks(_BLOCK_BYTES):
                left = memoryview(block)
                while left:
                    left = left[file.write(left) :]

    async def rename(self, source: str, path: str, *, replace: bool) -> None:
        """Rename a file or folder."""
        try:
            rename(self.checked(source), self.checked(path), "overwrite" if replace else "create")
        except OSError as error:
            raise _unless_too_long(error, source) from error

    async def remove(self, path: str) -> None:
        """Delete a file or a link, one that is not followed as well."""
        self.checked(parent_of(path))
        self.unlink(path)

    def unlink(self, path: str) -> None:
        """Delete a file or a link."""
        ensure_running()
        try:
            os.unlink(path)
        except (IsADirectoryError, PermissionError) as error:  # macOS and Windows say the latter
            if os.path.islink(path) or not os.path.isdir(path):
                raise
            raise absent(path) from error
        except OSError as error:
            raise fitting(error, path) from error

    async def make_folder(self, path: str) -> None:
        """Make one folder."""
        ensure_running()
        try:
            os.mkdir(self.checked(path))
        except FileExistsError as error:
            raise already_there(path) from error
        except NotADirectoryError:
            raise
        except OSError as error:
            raise _unless_too_long(error, path) from error

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        ensure_running()
        try:
            os.rmdir(self.checked(path))
        except NotADirectoryError:
            raise
        except OSError as error:
            raise fitting(error, path) from error

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def _read_range(fd: int, start: int, end: int | None) -> bytes:
    with FileIO(fd, closefd=False) as file:
        file.seek(start)
        if end is None:
            return file.readall()
        parts = bytearray()
        while len(parts) < end - start and (part := file.read(end - start - len(parts))):
            parts += part
        return bytes(parts)
