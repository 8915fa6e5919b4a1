"""Files in this process's memory, on fsspec's `MemoryFileSystem` and in its store.

A file's content is never changed in place: a new `MemoryFile` takes its key in one step of the
dict, so that neither readers nor writers need a lock. As in a bucket, `a` may be beside `a/b`.
"""

# ruff: noqa: ANN401, ARG002, FBT001, FBT002 - fsspec's signatures
from __future__ import annotations

import errno
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.implementations.memory import MemoryFile, MemoryFileSystem
from fsspec.utils import isfilelike

from filestore_fsspec.drivers.shared.discard import DiscardOnError
from filestore_fsspec.drivers.shared.driver import DriverBase
from filestore_fsspec.drivers.shared.errors import absent, already_there
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from filestore_fsspec.drivers.shared.driver import Info, Page

_WRITE_MODES = {"wb": "overwrite", "xb": "create"}


class MemoryDriver(DriverBase, MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Paths of the store that all `MemoryFileSystem`s of this process share."""

    cachable = False
    may_wait = False
    max_concurrency = 1  # threads of one interpreter wait for one another

    # Reading

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        """Return the content; fsspec's own copies it twice."""
        content: bytes = self._file(path).getvalue()
        return content if start is None and end is None else content[start:end]

    def get_file(self, rpath: str, lpath: Any, callback: Any = None, **_kwargs: Any) -> None:
        """Copy to a local path or file object; fsspec's own makes a folder of a folder."""
        content = self.cat_file(rpath)
        if isfilelike(lpath):
            lpath.write(content)
            return
        local_path = Path(lpath)
        local_path.parent.mkdir(parents=True, exist_ok=True)
        local_path.write_bytes(content)

    def _file(self, path: str) -> MemoryFile:
        path = self._strip_protocol(path)
        file = self.store.get(path)
        if file is None:
            raise absent(path)
        return file

    def info(self, path: str, **_kwargs: Any) -> Info:
        """Return name, size, type, created and modified; fsspec's own keeps the last back."""
        path = self._strip_protocol(path)
        file = self.store.get(path)
        if file is not None:
            return _info(path, file)
        start = f"{path}/"
        if path in self.pseudo_dirs or any(
            each.startswith(start) for each in (*self.store, *self.pseudo_dirs)
        ):
            return _folder(path)
        raise absent(path)

    def ls(self, path: str, detail: bool = True, **_kwargs: Any) -> list[Any]:
        """List what lies in a folder, or the file `path`."""
        path = self._strip_protocol(path)
        start, files = f"{path}/", dict(self.store)
        found: dict[str, Info] = {}
        for each in (*self.pseudo_dirs, *files):
            if each.startswith(start) and each != start:
                name = start + each[len(start) :].partition("/")[0]
                found[name] = _info(name, files[name]) if name in files else _folder(name)
        if not found and path not in self.pseudo_dirs:
            found[path] = _info(path, self._file(path))
        return list(found.values()) if detail else list(found)

    def list_page(self, prefix: str, token: None = None) -> Page:
        """List all at once: it is in memory anyhow."""
        return [
            _info(path, file)
            for path, file in sorted(self.store.items())
            if path.startswith(prefix) and not is_temporary(path)
        ], None

    # Writing

    def pipe_file(
        self,
        path: str,
        value: bytes | bytearray | memoryview,
        mode: str = "overwrite",
        **_kwargs: Any,
    ) -> None:
        """Write in one step; fsspec's own looks first whether the name is free."""
        path = self._strip_protocol(path)
        file = MemoryFile(self, path, bytes(value))
        if mode != "create":
            self.store[path] = file
        elif self.store.setdefault(path, file) is not file:
            raise already_there(path)

    def put_file(
        self, lpath: str, rpath: str, callback: Any = None, mode: str = "overwrite", **_kwargs: Any
    ) -> None:
        """Take a local file in; a folder is only made."""
        local_path = Path(lpath)
        if local_path.is_dir():
            self.makedirs(rpath, exist_ok=True)
            return
        self.pipe_file(rpath, local_path.read_bytes(), mode)

    def put_verified(self, lpath: str, path: str, mode: str) -> None:
        """Take a local file in; nothing comes between it and this memory."""
        self.put_file(lpath, path, mode=mode)

    def cp_file(self, path1: str, path2: str, **_kwargs: Any) -> None:
        """Copy a file; a folder is only made."""
        if self.isdir(path1):
            self.makedirs(path2, exist_ok=True)
            return
        self.pipe_file(path2, self.cat_file(path1))

    def _rm(self, path: str) -> None:
        path = self._strip_protocol(path)
        if self.store.pop(path, None) is None:
            raise absent(path)

    def rm(
        self, path: str | list[str], recursive: bool = False, maxdepth: int | None = None
    ) -> None:
        """Delete; fsspec's own fails where a file and a folder have one name."""
        if not recursive or maxdepth is not None:
            super().rm(path, recursive, maxdepth)
            return
        for each in [path] if isinstance(path, str) else path:
            folder = self._strip_protocol(each)
            start = f"{folder}/"
            files = [file for file in (*self.store,) if f"{file}/".startswith(start)]
            folders = [made for made in (*self.pseudo_dirs,) if f"{made}/".startswith(start)]
            if not files and not folders:
                raise absent(folder)
            for file in files:
                self.store.pop(file, None)
            for made in filter(None, folders):
                with suppress(ValueError):  # removed meanwhile
                    self.pseudo_dirs.remove(made)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it; fsspec's own passes over a file of that name."""
        path = self._strip_protocol(path)
        if path in self.store or (not exist_ok and self.isdir(path)):
            raise FileExistsError(errno.EEXIST, "it is there already", path)
        super().makedirs(path, exist_ok=True)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder; fsspec's own calls one absent that only its files make."""
        path = self._strip_protocol(path)
        if self.isfile(path) and path not in self.pseudo_dirs:
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", path)
        if self.ls(path):
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", path)
        super().rmdir(path)

    def _open(self, path: str, mode: str = "rb", autocommit: bool = True, **_kwargs: Any) -> Any:
        path = self._strip_protocol(path)
        if mode == "rb":
            # A view of its own: fsspec's own file object is the stored one, its position shared.
            return BytesIO(self.cat_file(path))
        if mode not in _WRITE_MODES:
            raise ValueError(f"mode {mode!r}: files in memory open as rb, wb and xb")
        if mode == "xb" and path in self.store:
            raise already_there(path)
        return WrittenFile(self, path, _WRITE_MODES[mode], autocommit=autocommit)


class WrittenFile(DiscardOnError, BytesIO):
    """What takes its name when it is closed, and goes when its `with` body raises."""

    def __init__(self, fs: MemoryDriver, path: str, mode: str, *, autocommit: bool) -> None:
        super().__init__()
        self.path = path
        self._fs, self._mode, self._autocommit = fs, mode, autocommit
        self._content = b""

    def close(self) -> None:
        """Show what was written under its name, unless `commit` is to do that."""
        if self.closed:
            return
        self._content = self.getvalue()
        super().close()
        if self._autocommit:
            self.commit()

    def commit(self) -> None:
        """Show the closed file under its name."""
        self._fs.pipe_file(self.path, self._content, self._mode)

    def discard(self) -> None:
        """Drop what was written."""
        super().close()
        self._content = b""


def _info(path: str, file: MemoryFile) -> Info:
    return {
        "name": path,
        "size": len(file.getvalue()),
        "type": "file",
        "created": file.created,
        "modified": file.modified,
    }


def _folder(path: str) -> Info:
    return {"name": path, "size": 0, "type": "directory", "modified": None}
