"""Files in this process's memory, on fsspec's `MemoryFileSystem` and in its store.

A file's content is never changed in place: a new `MemoryFile` is put under its key in one step of
the dict, so that neither readers nor writers need a lock. As in a bucket, `a` may be there as well
as `a/b`.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from filestore_fsspec.calls import ensure_running
from filestore_fsspec.drivers.shared.errors import Absent, absent, already_there
from filestore_fsspec.drivers.shared.folders import BlockingFolderDriver, parent_of
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.driver import Info, Page
    from filestore_fsspec.drivers.shared.files import Content, Handle


class MemoryRequests:
    """The store that all `MemoryFileSystem`s of this process share."""

    def __init__(self, fs: MemoryFileSystem) -> None:
        """Use the store of `fs`."""
        self._fs, self.files, self._folders = fs, fs.store, fs.pseudo_dirs

    def file(self, path: str) -> MemoryFile:
        """Return a file; `Absent` if there is none."""
        file = self.files.get(path)
        if file is None:
            raise absent(path)
        return file

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder was made, or something lies in one."""
        start = f"{path}/"
        return path in self._folders or any(
            each.startswith(start) for each in (*self.files, *self._folders)
        )

    async def stat(self, path: str) -> Info:
        """Return what is at `path`: a file, if there is a folder as well."""
        file = self.files.get(path)
        if file is not None:
            return info_of(path, file)
        if self.is_folder(path):
            return _folder(path)
        raise absent(path)

    async def entries(self, folder: str) -> list[Info]:
        """Return what lies in a folder."""
        start, files = f"{folder}/", dict(self.files)
        below = [each for each in files if each.startswith(start)]
        found = [info_of(each, files[each]) for each in below if "/" not in each[len(start) :]]
        made = [each for each in (*self._folders,) if each.startswith(start) and each != start]
        deeper = [each for each in below if "/" in each[len(start) :]]
        heads = {each[len(start) :].partition("/")[0] for each in (*made, *deeper)}
        folders = [start + head for head in heads if head]  # `a//b` is no path of ours
        if not self.is_folder(folder):
            self.file(folder)
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder)
        return [*found, *map(_folder, sorted(folders))]

    async def identity(self, folder: str) -> str:
        """Return the path: there are no links."""
        return folder

    def content(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return `content[start:end]`; fsspec's own copies it twice."""
        content: bytes = self.file(path).getvalue()
        return content if start is None and end is None else content[start:end]

    async def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return `content[start:end]`."""
        return self.content(path, start, end)

    async def fetch(self, path: str, file: IO[bytes], callback: Callback) -> None:
        """Write a file's content to `file`."""
        content = self.content(path)
        callback.set_size(len(content))
        file.write(content)
        callback.relative_update(len(content))

    async def open(self, path: str) -> Handle:
        """Not asked for: the driver opens the content itself."""
        raise NotImplementedError

    async def send(self, path: str, content: Content) -> None:
        """Take a new file."""
        self.files[path] = MemoryFile(self._fs, path, b"".join(content.blocks(2**20)))

    async def rename(self, source: str, path: str, *, replace: bool) -> None:
        """Rename a file, or all files of a folder one after the other."""
        if source in self.files:
            self.put(path, self.content(source), replace=replace)
            self.files.pop(source, None)
            return
        if not self.is_folder(source):
            raise absent(source)
        for each in [each for each in (*self.files,) if each.startswith(f"{source}/")]:
            self.put(path + each[len(source) :], self.content(each), replace=replace)
            self.files.pop(each, None)
        for made in [made for made in (*self._folders,) if f"{made}/".startswith(f"{source}/")]:
            self._folders.remove(made)
            self._folders.append(path + made[len(source) :])

    def put(self, path: str, content: bytes, *, replace: bool) -> None:
        """Write in one step; fsspec's own looks first whether the name is free."""
        ensure_running()
        file = MemoryFile(self._fs, path, content)
        if replace:
            self.files[path] = file
        elif self.files.setdefault(path, file) is not file:
            raise already_there(path)

    async def remove(self, path: str) -> None:
        """Delete a file."""
        ensure_running()
        if self.files.pop(path, None) is None:
            raise absent(path)

    def make_folders(self, path: str) -> None:
        """Make a folder and those above it, unless one of them is a file."""
        if path in self._folders:
            return
        missing: list[str] = []
        while path:
            if path in self.files:
                raise (
                    NotADirectoryError(errno.ENOTDIR, "not a directory", path)
                    if missing
                    else already_there(path)
                )
            if path not in self._folders:
                missing.append(path)
            path = parent_of(path).rstrip("/")
        self._folders.extend(missing)

    async def make_folder(self, path: str) -> None:
        """Make one folder."""
        if path in self.files or self.is_folder(path):
            raise already_there(path)
        if (above := parent_of(path).rstrip("/")) and not self.is_folder(above):
            raise absent(above)
        self._folders.append(path)

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder; one that only its files made is gone with them."""
        if not self.is_folder(path):
            self.file(path)
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", path)
        if any(each.startswith(f"{path}/") for each in (*self.files, *self._folders)):
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", path)
        with suppress(ValueError):  # removed meanwhile
            self._folders.remove(path)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class MemoryDriver(BlockingFolderDriver, MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Paths of the store that all `MemoryFileSystem`s of this process share."""

    cachable = False
    may_wait = False
    max_concurrency = 1  # threads of one interpreter wait for one another
    requests: MemoryRequests

    def __init__(self, **kwargs: Any) -> None:
        """Nothing is to be told of it."""
        super().__init__(**kwargs)
        self.requests = MemoryRequests(self)

    def cat_file(
        self, path: Any, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        """Return `content[start:end]`."""
        return self.requests.content(self._strip_protocol(path), start, end)

    def pipe_file(self, path: Any, value: Any, mode: str = "overwrite", **_kwargs: Any) -> None:
        """Write in one step."""
        self.requests.put(self._strip_protocol(path), bytes(value), replace=mode != "create")

    async def _isdir(self, path: Any) -> bool:
        return self.requests.is_folder(self._strip_protocol(path))

    async def _list_page(self, prefix: str, token: None = None) -> Page:
        """List all at once: it is in memory anyhow."""
        return [
            info_of(path, file)
            for path, file in sorted(self.requests.files.items())
            if path.startswith(prefix) and "//" not in path and not is_temporary(path)
        ], None

    async def _rm_tree(self, path: str) -> None:
        removed = await self._remove(path)
        if not removed or self.requests.is_folder(path):
            await super()._rm_tree(path)

    async def _cp_file(self, path1: Any, path2: Any, **_kwargs: Any) -> None:
        source = self._strip_protocol(path1)
        if source not in self.requests.files and await self._ls(source):
            return  # a folder is made by what is in it, also where a file has its name
        await super()._cp_file(path1, path2)

    async def _makedirs(self, path: Any, exist_ok: bool = False) -> None:
        path = self._strip_protocol(path)
        if not exist_ok and self.requests.is_folder(path):
            raise already_there(path)
        self.requests.make_folders(path)

    def _open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> Any:
        path = self._strip_protocol(path)
        if mode != "rb":
            return super()._open(path, mode, block_size, autocommit, cache_options, **kwargs)
        try:
            # A view of its own: fsspec's own file object is the stored one, its position shared.
            return BytesIO(self.requests.content(path))
        except Absent:
            if self.requests.is_folder(path):
                raise IsADirectoryError(errno.EISDIR, "is a directory", path) from None
            raise

    async def _refuse_to_write(self, path: str, mode: str) -> None:
        if mode == "create" and path in self.requests.files:
            raise already_there(path)


def info_of(path: str, file: MemoryFile) -> Info:
    """Return fsspec's info of a file, with `modified` and `mtime`."""
    return {
        "name": path,
        "size": len(file.getvalue()),
        "type": "file",
        "created": file.created,
        "modified": file.modified,
        "mtime": file.modified,
    }


def _folder(path: str) -> Info:
    return {"name": path, "size": 0, "type": "directory", "modified": None}
