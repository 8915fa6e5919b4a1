"""`BucketDriver`: fsspec's methods, once, over a protocol's requests about buckets and objects.

A protocol says what is stored under a key and under a prefix, moves bytes, copies and deletes
(`BucketRequests`). What follows from that is decided here, for all of them:

- A listing shows files and folders. An object whose key ends in `/` and that is empty, or one that
  its metadata marks, stands for a folder, which may have nothing in it. Any other object whose key
  is none of ours (`a//b`, `/x`, `data/` with content) is left out.
- There may be a file `a` and a folder `a`: both are shown, and `a` alone is the file.
- What is deleted, copied or moved is what a listing shows, and the markers of its folders.
"""

from __future__ import annotations

import asyncio
import errno
import filecmp
import inspect
import os
import re
from dataclasses import dataclass, field
from glob import has_magic
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from fsspec.asyn import AsyncFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.local import LocalFileSystem, make_path_posix, trailing_sep
from fsspec.utils import isfilelike, other_paths, stringify_path

from filestore_fsspec.bridge import sync
from filestore_fsspec.concurrency import for_each
from filestore_fsspec.drivers.shared.bucket_file import BucketFile
from filestore_fsspec.drivers.shared.driver import DriverBase
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    ChecksumMismatch,
    absent,
    already_there,
    checksum_mismatch,
    local_failures,
    temporary_folder,
)
from filestore_fsspec.drivers.shared.files import Content
from filestore_fsspec.drivers.shared.pieces import (
    ONE_REQUEST_BYTES,
    PIECE_BYTES,
    piece_bytes,
    save,
    send_pieces,
)
from filestore_fsspec.drivers.shared.readahead import READ_BYTES, cache_type
from filestore_fsspec.keys import is_key, is_temporary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.bucket_requests import BucketRequests, Part, Written
    from filestore_fsspec.drivers.shared.driver import Info, Page

_CHUNK_BYTES = 2**20
_NAMED = 3
"""How many of the objects that stay where they are a message names."""
_fsspec = {name: inspect.getattr_static(AsyncFileSystem, name) for name in dir(AsyncFileSystem)}


def _folder(name: str) -> Info:
    return {"name": name, "size": 0, "type": "directory", "modified": None, "mtime": None}


_NOTHING = re.compile("(?!)")


@dataclass
class _Tree:
    """What lies below a folder, as a listing shows it."""

    base: str
    """The folder's path, and `/`."""
    unkeepable: re.Pattern[str] = _NOTHING
    """What no name has that is shown."""
    files: dict[str, Info] = field(default_factory=dict)
    folders: dict[str, Info] = field(default_factory=dict)
    markers: dict[str, str] = field(default_factory=dict)
    """The objects that stand for folders, by the folder's path."""
    temporary: list[str] = field(default_factory=list)
    """The objects that are our own temporary files."""
    others: list[str] = field(default_factory=list)
    """The other objects that are not shown."""

    def add(self, entry: Info) -> None:
        """Add what a page has."""
        name: str = entry["name"]
        inside = name[len(self.base) :]
        if entry["type"] == "file" and self.shows(inside):
            self.files[name] = entry
            self._add_folders(name.rpartition("/")[0])
            return
        path = name.removesuffix("/")
        self._add_folders(path)
        if entry["type"] == "directory" and path != name:
            return  # no object, but what several have in their names
        if is_temporary(name):
            self.temporary.append(name)
        elif (inside and not self.shows(inside.removesuffix("/"))) or entry["size"]:
            self.others.append(name)
        else:
            self.markers[path] = name

    def shows(self, name: str) -> bool:
        """Tell whether what has this name in the folder is listed: other names no key has."""
        return "//" not in name and is_key(name) and not self.unkeepable.search(name)

    def _add_folders(self, path: str) -> None:
        while len(path) + 1 >= len(self.base) and path not in self.folders:
            if path == self.base[:-1] or self.shows(path[len(self.base) :]):
                self.folders[path] = _folder(path)
            path = path.rpartition("/")[0]

    def join(self, other: _Tree) -> None:
        """Take what another one has."""
        self.files |= other.files
        self.folders |= other.folders
        self.markers |= other.markers
        self.temporary += other.temporary
        self.others += other.others

    def shown(self) -> dict[str, Info]:
        """Return files and folders; of both of one name, the file."""
        return dict(sorted((self.folders | self.files).items()))

    def objects(self) -> list[str]:
        """Return what goes with the folder: files, folders' markers, temporary files."""
        return [*self.files, *self.markers.values(), *self.temporary]


class _Pair(NamedTuple):
    """What is to be copied, and where to."""

    source: str
    target: str
    info: Info


class BucketDriver(DriverBase, AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """All of fsspec's methods over `requests`; paths are `bucket/key`.

    Put it before the protocol's fsspec class: no method of fsspec's is then that class's.
    """

    requests: BucketRequests
    cachable = False
    max_concurrency: ClassVar[int] = 32
    direct: ClassVar[frozenset[str]] = frozenset()
    """Which methods have a blocking form that needs no event loop."""
    marks_by_metadata: ClassVar[bool] = False
    """Whether an object without a closing slash may stand for a folder."""
    unkeepable: ClassVar[re.Pattern[str]] = _NOTHING
    """What the names of objects cannot have, which `split_path` finds absent."""
    blocksize = PIECE_BYTES
    """The least of what is written at once."""

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """Return `bucket/key`, without slashes at its ends."""
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return cls._without_protocol(path).strip("/")

    @classmethod
    def _without_protocol(cls, path: Any) -> str:
        text: str = stringify_path(path)
        for protocol in (cls.protocol,) if isinstance(cls.protocol, str) else cls.protocol:
            text = text.removeprefix(f"{protocol}://")
        return text

    def split_path(self, path: Any, *_args: object, **_kwargs: object) -> tuple[str, str, None]:
        """Return bucket, key and None; a version behind a key's `?` is a part of it."""
        bucket, _, key = self._without_protocol(path).lstrip("/").partition("/")
        return bucket, key, None

    def _object(self, path: Any) -> tuple[str, str]:
        """Return bucket and key of what is to be read."""
        bucket, key, _ = self.split_path(path)
        if not key or key[-1] == "/":
            raise absent(stringify_path(path))
        return bucket, key

    def _new_object(self, path: Any) -> tuple[str, str]:
        """Return bucket and key of what is to be written or deleted."""
        try:
            bucket, key, _ = self.split_path(path)
        except Absent as error:
            raise OSError(errno.EINVAL, error.strerror, stringify_path(path)) from error
        if not key or key[-1] == "/":
            raise IsADirectoryError(errno.EISDIR, "is a directory", stringify_path(path))
        return bucket, key

    # Looking

    async def _info(self, path: Any, **_kwargs: Any) -> Info:
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if not key:
            if bucket:
                await self.requests.head_bucket(bucket)
            return _folder(bucket)
        try:
            return self._described(await self.requests.head(bucket, key))
        except Absent:
            if not await self._has_any(bucket, f"{key}/"):
                raise
            return _folder(f"{bucket}/{key}")

    @staticmethod
    def _described(entry: Info) -> Info:
        return _folder(entry["name"]) if entry["type"] == "directory" else entry

    async def _isfile(self, path: Any) -> bool:
        try:
            return str((await self.requests.head(*self._object(path)))["type"]) == "file"
        except Absent:
            return False

    async def _isdir(self, path: Any) -> bool:
        """Tell whether a folder exists, whether or not a file has that name too."""
        try:
            bucket, key, _ = self.split_path(self._strip_protocol(path))
            if not bucket:
                return True
            if not key:
                await self.requests.head_bucket(bucket)
                return True
        except Absent:
            return False
        return await self._has_any(bucket, f"{key}/") or await self._is_marker(bucket, key)

    async def _is_marker(self, bucket: str, key: str) -> bool:
        """Tell whether an object stands for a folder by its metadata."""
        if not self.marks_by_metadata or not key:
            return False
        try:
            return str((await self.requests.head(bucket, key))["type"]) == "directory"
        except Absent:
            return False

    async def _exists(self, path: Any, **_kwargs: Any) -> bool:
        try:
            await self._info(path)
        except Absent:
            return False
        return True

    async def _has_any(self, bucket: str, prefix: str) -> bool:
        """Tell whether there is anything under a prefix."""
        try:
            async for entries in self._pages(bucket, prefix, size=1):
                if entries:
                    return True
        except Absent:
            return False
        return False

    async def _pages(self, bucket: str, prefix: str, **options: Any) -> AsyncIterator[list[Info]]:
        token: Any = None
        more = True
        while more:
            entries, token = await self.requests.page(bucket, prefix, token, **options)
            yield entries
            more = token is not None

    async def _modified(self, path: Any, **_kwargs: Any) -> Any:
        info = await self._info(path)
        if info["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, "a folder has no time", info["name"])
        return info["modified"]

    async def _created(self, path: Any) -> Any:
        # An object is replaced as a whole.
        return await self._modified(path)

    async def _ls(self, path: Any, detail: bool = True, **_kwargs: Any) -> list[Any]:
        """Return what lies in a folder; of a file, itself."""
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if not bucket:
            infos = [_folder(name) for name in await self.requests.buckets()]
        else:
            infos = await self._children(bucket, key)
        return infos if detail else sorted({info["name"] for info in infos})

    async def _children(self, bucket: str, key: str) -> list[Info]:
        base = f"{bucket}/{key}/" if key else f"{bucket}/"
        tree, there = _Tree(base, self.unkeepable), not key
        async for entries in self._pages(bucket, base[len(bucket) + 1 :], delimiter=True):
            for entry in entries:
                tree.add(entry)
                there = True
        if not there:
            found = await self.requests.head(bucket, key)
            return [] if found["type"] == "directory" else [found]
        tree.folders.pop(base[:-1], None)
        return sorted((*tree.folders.values(), *tree.files.values()), key=_by_name_and_type)

    async def _walk(
        self,
        path: Any,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = "omit",
        detail: bool = False,
        **_kwargs: Any,
    ) -> AsyncIterator[tuple[str, Any, Any]]:
        """Yield `(folder, folders, files)`; a folder that cannot be listed raises.

        fsspec's own passes over it, so that the walk comes out short.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        infos = await self._listed(path, on_error)
        if infos is None:
            return
        folders: Any = {_base(each): each for each in infos if each["type"] == "directory"}
        files: Any = {_base(each): each for each in infos if each["type"] == "file"}
        if path in {each["name"] for each in infos}:
            files = {"": infos[0]}  # a file, as fsspec has it
        below = dict(folders)
        if not detail:
            folders, files = list(folders), list(files)
        if topdown:
            yield path, folders, files
        if maxdepth is None or maxdepth > 1:
            deeper = maxdepth and maxdepth - 1
            # A caller may take names out of `folders`: those are not walked.
            for name in [name for name in folders if name in below]:
                inside = self._walk(below[name]["name"], deeper, topdown, on_error, detail)
                async for step in inside:
                    yield step
        if not topdown:
            yield path, folders, files

    async def _listed(self, path: str, on_error: Any) -> list[Info] | None:
        try:
            return await self._ls(path)
        except OSError as error:
            if callable(on_error):
                on_error(error)
            elif on_error == "raise" or not isinstance(error, Absent):
                raise
        return None

    async def _tree(
        self, path: Any, maxdepth: int | None = None, prefix: str = "", *, alone: bool = True
    ) -> _Tree:
        """Return what lies below `path`, and the file or marker `path` itself if `alone`."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        tree = _Tree(f"{path}/", self.unkeepable)
        try:
            bucket, key, _ = self.split_path(path)
            if not bucket:
                raise OSError(errno.EINVAL, "all buckets at once are not listed", path)
            if key and alone:
                await self._add_alone(tree, bucket, key)
            if maxdepth is None:
                start = f"{key}/{prefix}" if key else prefix
                async for entries in self._pages(bucket, start):
                    for entry in entries:
                        tree.add(entry)
            else:
                await self._add_levels(tree, maxdepth, prefix)
        except Absent:
            return tree
        if not key:
            tree.folders[bucket] = _folder(bucket)
        return tree

    async def _add_alone(self, tree: _Tree, bucket: str, key: str) -> None:
        try:
            found = await self.requests.head(bucket, key)
        except Absent:
            return
        if found["type"] == "directory":
            tree.folders[found["name"]] = self._described(found)
            if not found["size"]:
                tree.markers[found["name"]] = found["name"]
        else:
            tree.files[found["name"]] = found

    async def _add_levels(self, tree: _Tree, maxdepth: int, prefix: str) -> None:
        level = [tree.base]
        for _depth in range(maxdepth):
            known = set(tree.folders)
            for base in level:
                bucket, _, inside = base.partition("/")
                start = inside + (prefix if base == tree.base else "")
                async for entries in self._pages(bucket, start, delimiter=True):
                    for entry in entries:
                        tree.add(entry)
            level = sorted(f"{each}/" for each in tree.folders.keys() - known)
            level = [each for each in level if each != tree.base]

    async def _find(
        self,
        path: Any,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        **_kwargs: Any,
    ) -> Any:
        """Return all files below `path`, and itself; with `withdirs`, the folders as well."""
        alone = not prefix and not trailing_sep(stringify_path(path))
        tree = await self._tree(path, maxdepth, prefix, alone=alone)
        if prefix:
            tree.folders.pop(tree.base[:-1], None)
        found = tree.shown() if withdirs else dict(sorted(tree.files.items()))
        return found if detail else list(found)

    async def _glob(self, path: Any, **kwargs: Any) -> Any:
        return await _fsspec["_glob"](self, stringify_path(path), **kwargs)

    async def _du(
        self, path: Any, total: bool = True, maxdepth: int | None = None, **_kwargs: Any
    ) -> Any:
        # fsspec asks for each file again.
        found = await self._find(path, maxdepth, detail=True)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    async def _list_page(self, prefix: str, token: Any = None) -> Page:
        """Return the infos of some files whose path starts with `prefix`, and a token for more."""
        try:
            bucket, key, _ = self.split_path(prefix)
            entries, token = await self.requests.page(bucket, key, token)
        except Absent:
            return [], None
        tree = _Tree(f"{bucket}/{key}".rpartition("/")[0] + "/", self.unkeepable)
        start = len(tree.base)
        shown = [each for each in entries if tree.shows(each["name"][start:])]
        return [each for each in shown if each["type"] == "file"], token

    async def _stale_files(self, prefix: str, token: Any = None) -> Page:
        """Return the infos of some of what killed writers left, and a token for more."""
        try:
            bucket, key, _ = self.split_path(prefix)
            return await self.requests.unfinished(bucket, key, token)
        except Absent:
            return [], None

    async def _remove_stale(self, info: Info) -> None:
        bucket, key, _ = self.split_path(info["name"])
        if "upload" in info:
            await self.requests.abort(bucket, key, info["upload"])
        else:
            await self.requests.remove(bucket, key)

    async def _remove_hidden(self, folder: Any, *, links: bool) -> bool:
        """Return False: what is not listed keeps no folder that `rmdir` removes."""
        return False

    # Reading

    async def _cat_file(
        self, path: Any, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        """Return the content, or `content[start:end]`."""
        bucket, key = self._object(path)
        if end is None:
            return await self.requests.get(bucket, key, start or 0)
        if end >= 0 and (start or 0) >= 0 and (start or 0) < end:
            return await self.requests.get(bucket, key, start or 0, end)
        info = await self._file_info(bucket, key)
        first, last, _ = slice(start, end).indices(info["size"])
        if last <= first:
            return b""
        return await self.requests.get(bucket, key, first, last, info["etag"])

    async def _file_info(self, bucket: str, key: str) -> Info:
        info = await self.requests.head(bucket, key)
        if info["type"] == "directory":
            raise absent(info["name"])
        return info

    async def _get_file(
        self,
        rpath: Any,
        lpath: Any,
        callback: Callback | None = None,
        outfile: Any = None,
        **_kwargs: Any,
    ) -> None:
        """Copy an object to a path of this machine or to a file object."""
        bucket, key = self._object(rpath)
        callback = callback or DEFAULT_CALLBACK
        target = lpath if outfile is None else outfile
        if not isfilelike(target) and os.path.isdir(target):
            raise IsADirectoryError(errno.EISDIR, "is a directory", os.fspath(target))
        async with self.requests.open(bucket, key) as body:
            if body.size is not None:
                callback.set_size(body.size)
            if isfilelike(target):
                while chunk := await body.read(_CHUNK_BYTES):
                    await asyncio.to_thread(target.write, chunk)
                    callback.relative_update(len(chunk))
            else:
                await save(body.read, os.fspath(target), callback)

    async def _get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **_kwargs: Any,
    ) -> None:
        """Copy files to this machine; the folders that a listing shows are made there."""
        if not isinstance(lpath, list):
            lpath = make_path_posix(stringify_path(lpath))
        inside = isinstance(lpath, str) and (trailing_sep(lpath) or LocalFileSystem().isdir(lpath))
        pairs, _tree = await self._pairs(rpath, lpath, recursive, maxdepth, inside)
        files = [pair for pair in pairs if pair.info["type"] == "file"]
        for pair in pairs:
            is_file = pair.info["type"] == "file"
            os.makedirs(os.path.dirname(pair.target) if is_file else pair.target, exist_ok=True)
        callback.set_size(len(files))
        get_file = callback.branch_coro(self._get_file)

        async def get(pair: _Pair) -> None:
            await get_file(pair.source, pair.target)
            callback.relative_update(1)

        await self._each(files, get)

    def _open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> BucketFile:
        details = None
        if mode == "rb":
            path = self._strip_protocol(path)
            details = sync(self.loop, self._info, path)
            if details["type"] == "directory":
                raise IsADirectoryError(errno.EISDIR, "is a directory", path)
        else:
            path = "/".join(self._new_object(path))
            # Without `autocommit`, `commit` refuses.
            if (mode == "ab" or (mode == "xb" and autocommit)) and self.isfile(path):
                if mode == "xb":
                    raise already_there(path)
                details = sync(self.loop, self._info, path)
        return BucketFile(
            self,
            path,
            mode,
            block_size or (READ_BYTES if mode == "rb" else self.blocksize),
            details,
            autocommit=autocommit,
            cache_type=kwargs.get("cache_type") or cache_type(block_size),
            cache_options=cache_options,
        )

    # Writing: small objects in one request, large ones in parts.

    async def _pipe_file(
        self, path: Any, value: Any, mode: str = "overwrite", **_kwargs: Any
    ) -> None:
        bucket, key = self._new_object(path)
        if not isinstance(value, bytes):
            value = memoryview(value).cast("B")
        if len(value) <= ONE_REQUEST_BYTES:
            await self.requests.put(bucket, key, bytes(value), mode)
        else:
            await self._write_parts(bucket, key, Content(memoryview(value)), mode)

    async def _put_file(
        self,
        lpath: Any,
        rpath: Any,
        callback: Callback | None = None,
        mode: str = "overwrite",
        **_kwargs: Any,
    ) -> None:
        """Write a file of this machine, a path or a file object; of a folder, nothing."""
        callback = callback or DEFAULT_CALLBACK
        if isfilelike(lpath):
            content = await asyncio.to_thread(Content, lpath, callback)
            await self._write_parts(*self._new_object(rpath), content, mode)
        elif os.path.isdir(lpath):
            await self._makedirs(rpath, exist_ok=True)
        else:
            await self._send_file(os.fspath(lpath), *self._new_object(rpath), mode, callback)

    async def _send_file(
        self,
        lpath: str,
        bucket: str,
        key: str,
        mode: str,
        callback: Callback,
        *,
        verify: bool = False,
    ) -> Written:
        with open(lpath, "rb") as source:  # large ones are read in threads
            size = os.fstat(source.fileno()).st_size
            if size > ONE_REQUEST_BYTES:
                content = Content(source, callback)
                return await self._write_parts(bucket, key, content, mode, verify=verify)
            callback.set_size(size)
            written = await self.requests.put(bucket, key, source.read(), mode, verify=verify)
        callback.relative_update(size)
        return written

    async def _write_parts(
        self, bucket: str, key: str, content: Content, mode: str, *, verify: bool = False
    ) -> Written:
        requests = self.requests
        length = piece_bytes(content.size, requests.max_parts)
        upload = await requests.begin(bucket, key)
        parts: dict[int, Part] = {}

        async def send(number: int, piece: bytes) -> None:
            place = (bucket, key, upload, number)
            parts[number] = await requests.send_part(*place, piece, verify=verify)

        try:
            await send_pieces(content.blocks(length), length, send)
            sent = [parts[number] for number in sorted(parts)]
            if sent:
                return await requests.complete(bucket, key, upload, sent, mode)
        except BaseException:
            # A server keeps, and bills, the parts of an upload that nobody ends.
            await asyncio.shield(requests.abort(bucket, key, upload))
            raise
        await requests.abort(bucket, key, upload)
        return await requests.put(bucket, key, b"", mode, verify=verify)

    async def _put_verified(self, lpath: str, path: str, mode: str) -> None:
        """Write a local file; it is compared by the server's checksums, or by reading it again."""
        bucket, key = self._new_object(path)
        written = await self._send_file(lpath, bucket, key, mode, DEFAULT_CALLBACK, verify=True)
        if written.verified:
            return
        with temporary_folder() as folder:
            stored = f"{folder}/stored"
            async with self.requests.open(bucket, key, written.etag) as body:
                with local_failures(stored):
                    await save(body.read, stored, DEFAULT_CALLBACK)
            if await asyncio.to_thread(filecmp.cmp, lpath, stored, shallow=False):
                return
        try:
            await self.requests.remove(bucket, key, written.etag)
        except OSError as error:
            # It is gone, or what is there now is another's.
            if error.errno not in {errno.ENOENT, errno.EBUSY}:
                text = f"what arrived is not what was sent, and is still there: {error}"
                raise ChecksumMismatch(errno.EIO, text, path) from error
        raise checksum_mismatch(path)

    async def _touch(self, path: Any, truncate: bool = True, **_kwargs: Any) -> None:
        if not truncate and await self._exists(path):
            raise NotImplementedError("the time of a stored file cannot be changed alone")
        await self._pipe_file(path, b"")

    # Copying and moving, on the server

    async def _cp_file(self, path1: Any, path2: Any, **_kwargs: Any) -> None:
        """Copy a file; of a folder, nothing."""
        try:
            await self.requests.copy(self._new_object(path1), self._new_object(path2))
        except Absent:
            if not await self._isdir(path1):
                raise

    async def _copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        on_error: str | None = None,
        maxdepth: int | None = None,
        **_kwargs: Any,
    ) -> None:
        """Copy files and their folders' markers; with `on_error="ignore"`, those that are there."""
        jobs, _tree = await self._jobs(path1, path2, recursive, maxdepth)

        async def copy(pair: _Pair) -> None:
            try:
                await self._copy_object(pair)
            except Absent:
                if on_error != "ignore":
                    raise

        await self._each(jobs, copy)

    async def _copy_object(self, pair: _Pair) -> None:
        source, target = self.split_path(pair.source), self.split_path(pair.target)
        is_marker = pair.info["type"] == "directory"
        await self.requests.copy(source[:2], target[:2], pair.info["size"], marker=is_marker)

    async def _mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        **_kwargs: Any,
    ) -> None:
        """Copy, then delete exactly what was copied.

        Raises:
            OSError: some could not be copied, or are not listed: they stay, and are named.
        """
        jobs, tree = await self._jobs(path1, path2, recursive, maxdepth)
        if not jobs and not recursive and await self._isdir(path1):
            raise IsADirectoryError(errno.EISDIR, "a folder is moved with recursive=True", path1)
        copied: list[str] = []
        failed: dict[str, OSError] = {}

        async def copy(pair: _Pair) -> None:
            try:
                await self._copy_object(pair)
            except OSError as error:
                failed[pair.source] = error
            else:
                copied.append(pair.source)

        await self._each(jobs, copy)
        failed |= await self._remove_all(copied)
        _raise_first(failed)
        if tree.others:
            names = ", ".join(map(repr, tree.others[:_NAMED]))
            text = f"{len(tree.others)} objects that are not listed stay where they are: {names}"
            raise OSError(errno.ENOTEMPTY, text, tree.base[:-1])

    async def _mv_file(self, path1: Any, path2: Any) -> None:
        await self._mv(path1, path2)

    async def _jobs(
        self, path1: Any, path2: Any, recursive: bool, maxdepth: int | None
    ) -> tuple[list[_Pair], _Tree]:
        """Return the objects to copy: files, and the markers of folders."""
        inside = False
        if not isinstance(path2, list):
            inside = trailing_sep(stringify_path(path2)) or await self._isdir(path2)
        target = self._strip_protocol(path2)
        pairs, tree = await self._pairs(path1, target, recursive, maxdepth, inside)
        jobs = [pair for pair in pairs if pair.info["type"] == "file"]
        for pair in pairs:
            marker = tree.markers.get(pair.source)
            if marker is not None:
                slash = marker[len(pair.source) :]
                jobs.append(_Pair(marker, pair.target + slash, _folder(marker)))
        jobs = [pair for pair in jobs if pair.source != pair.target]
        if {pair.source for pair in jobs} & {pair.target for pair in jobs}:
            raise OSError(errno.EINVAL, "a folder cannot be copied into itself", path1)
        return jobs, tree

    async def _pairs(
        self, source: Any, target: Any, recursive: bool, maxdepth: int | None, inside: bool
    ) -> tuple[list[_Pair], _Tree]:
        """Return what is to be copied with its target, folders too, and the tree that it is.

        As fsspec has it, but for a file beside a folder of its name, which it takes for a folder.
        `inside` tells whether `target` is a folder that is there.
        """
        if isinstance(source, list) and isinstance(target, list):
            unknown: Info = {"type": "file", "size": None}
            names = map(self._strip_protocol, source)
            return [_Pair(*each, unknown) for each in zip(names, target, strict=True)], _Tree("/")
        is_text = not isinstance(source, list)
        tree = await self._expanded(source, recursive, maxdepth)
        shown = tree.shown()
        if is_text and has_magic(stringify_path(source)):
            inside = len(shown) == 1
        else:
            inside = inside and is_text and not trailing_sep(stringify_path(source))
        targets = other_paths(list(shown), target, exists=inside, flatten=not is_text)
        pairs = [_Pair(*each, shown[each[0]]) for each in zip(shown, targets, strict=True)]
        if not recursive or maxdepth is not None:
            pairs = [pair for pair in pairs if pair.info["type"] == "file"]
        return pairs, tree

    async def _expanded(self, path: Any, recursive: bool, maxdepth: int | None) -> _Tree:
        """Return what one or more paths or patterns name, and with `recursive` what is below."""
        paths = path if isinstance(path, list) else [path]
        tree = _Tree("/".join(map(self._strip_protocol, paths)) + "/")
        for each in paths:
            name = self._strip_protocol(each)
            found: dict[str, Info] = {}
            if has_magic(name):
                found = await self._glob(each, maxdepth=maxdepth, detail=True)
                below = maxdepth and maxdepth - 1
                for root in found if recursive and below != 0 else ():
                    tree.join(await self._tree(root, below, alone=False))
            elif recursive:
                tree.join(await self._tree(name, maxdepth, alone=not trailing_sep(str(each))))
            else:
                found = {name: await self._info(name)}
            for name, info in found.items():
                (tree.files if info["type"] == "file" else tree.folders)[name] = info
        if not tree.shown():
            raise absent(tree.base[:-1])
        return tree

    # Deleting, folders and buckets

    async def _rm_file(self, path: Any, **_kwargs: Any) -> None:
        await self.requests.remove(*self._new_object(path))

    async def _rm_files(self, paths: Sequence[str]) -> dict[str, OSError]:
        """Delete up to `delete_batch_chunk_size` files in one request; return what failed."""
        buckets: dict[str, dict[str, str]] = {}
        for path in paths:
            bucket, key = self._new_object(path)
            buckets.setdefault(bucket, {})[key] = path
        return await self._remove_keys(buckets)

    async def _remove_keys(self, buckets: dict[str, dict[str, str]]) -> dict[str, OSError]:
        failed: dict[str, OSError] = {}
        for bucket, keys in buckets.items():
            try:
                errors = await self.requests.remove_many(bucket, list(keys))
            except Absent:
                continue  # no bucket, no objects
            failed |= {keys[key]: error for key, error in errors.items()}
        return failed

    async def _remove_all(self, paths: Sequence[str]) -> dict[str, OSError]:
        """Delete any number of objects, markers too; return what failed."""
        failed: dict[str, OSError] = {}
        size = self.delete_batch_chunk_size

        async def remove(some: Sequence[str]) -> None:
            buckets: dict[str, dict[str, str]] = {}
            for path in some:
                bucket, key, _ = self.split_path(path)
                buckets.setdefault(bucket, {})[key] = path
            failed.update(await self._remove_keys(buckets))

        await self._each([paths[n : n + size] for n in range(0, len(paths), size)], remove)
        return failed

    async def _rm(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, **_kwargs: Any
    ) -> None:
        """Delete files and empty folders; with `recursive`, what a listing shows in them first."""
        tree = await self._expanded(path, recursive, maxdepth)
        whole = recursive and maxdepth is None
        _raise_first(await self._remove_all(tree.objects() if whole else list(tree.files)))
        folders = [each for each in tree.folders if not recursive or (whole and "/" not in each)]
        for folder in folders:
            await self._rmdir(folder)

    async def _mkdir(self, path: Any, create_parents: bool = True, **_kwargs: Any) -> None:
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if key:
            return  # a folder is there as soon as something is in it
        if await self._isdir(bucket):
            raise already_there(bucket)
        await self.requests.make_bucket(bucket)

    async def _makedirs(self, path: Any, exist_ok: bool = False) -> None:
        if not exist_ok and await self._isdir(path):
            raise already_there(stringify_path(path))

    async def _rmdir(self, path: Any, **_kwargs: Any) -> None:
        """Remove an empty bucket, or what marks a folder in which nothing is listed.

        What is there and not listed stays, and the folder with it; our temporary files do not.
        """
        path = self._strip_protocol(path)
        bucket, key, _ = self.split_path(path)
        tree = _Tree(f"{path}/", self.unkeepable)
        async for entries in self._pages(bucket, f"{key}/" if key else ""):
            for entry in entries:
                tree.add(entry)
            if tree.files or tree.markers.keys() - {path}:
                raise OSError(errno.ENOTEMPTY, "the folder is not empty", path)
        objects = tree.objects()
        if await self._is_marker(bucket, key):
            objects.append(path)
        if not key and tree.others:
            raise OSError(errno.ENOTEMPTY, "the bucket is not empty", path)
        if key and not objects and not tree.folders:
            raise absent(path)
        await self._each(objects, self._rm_object)
        if not key:
            await self.requests.remove_bucket(bucket)

    async def _rm_object(self, path: str) -> None:
        await self.requests.remove(*self.split_path(path)[:2])

    async def _close(self) -> None:
        await self.requests.close()

    async def _each(self, items: Iterable[Any], work: Callable[[Any], Any]) -> None:
        """Await `work` on every item, a bounded number at a time; raise the first failure."""
        await for_each(items, work, self.max_concurrency)


def _base(info: Info) -> str:
    return str(info["name"].rpartition("/")[2])


def _by_name_and_type(info: Info) -> tuple[str, str]:
    return info["name"], info["type"]


def _raise_first(failed: dict[str, OSError]) -> None:
    """Raise the first failure, with a note of the others."""
    for path, error in failed.items():
        if len(failed) > 1:
            error.add_note(f"{path}, and {len(failed) - 1} more could not be done")
        raise error


def _synced(name: str) -> Callable[..., Any]:
    """Return the blocking form of a coroutine, whichever class has it."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return sync(self.loop, getattr(self, name), *args, **kwargs)

    call.__name__ = name[1:]
    return call


# fsspec makes the blocking forms of its own coroutines, for each instance.
for _name in (
    *("list_page", "stale_files", "remove_stale", "remove_hidden", "rm_files", "put_verified"),
    *("modified", "created", "mv", "touch", "rmdir", "close"),
):
    setattr(BucketDriver, _name, _synced(f"_{_name}"))
for _name, _method in _fsspec.items():
    # Where nothing is said here, fsspec's own: s3fs and adlfs have others, which do otherwise.
    if inspect.isfunction(_method) or isinstance(_method, classmethod | staticmethod):
        is_ours = any(_name in vars(each) for each in (BucketDriver, DriverBase))
        if not is_ours and not _name.startswith("__") and _name != "sign":
            setattr(BucketDriver, _name, _method)
