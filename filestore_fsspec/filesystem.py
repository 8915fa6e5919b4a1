"""`FileStoreFileSystem`: several locations as one fsspec filesystem, protocol `filestore`."""

# ruff: noqa: ANN401, ARG002, ASYNC240, D102, FBT001, FBT002, PLR0913, PLR0917, PTH103, PTH112, PTH202
# Signatures and paths as text are fsspec's, and so are the docstrings of its methods: ours say what
# is special here.
from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from fsspec.asyn import AsyncFileSystem, sync
from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.core import get_compression, has_magic

from filestore_fsspec.arguments import OneForEqualLocations, shown
from filestore_fsspec.bridge import awaitable, blocking, on_io_loop, run
from filestore_fsspec.errors import InvalidURL, LocationUnavailable, NotFound
from filestore_fsspec.files import AwaitedFile, ReadFile, TextFile, WriteFile, compressed, publish
from filestore_fsspec.folders import children, look, make_folder, remove_folder, remove_tree
from filestore_fsspec.operations import (
    delete_each,
    find_each,
    list_merged,
    merge_children,
    read_first,
    select,
    select_writable,
    write_each,
)
from filestore_fsspec.settings import find_sources, find_store
from filestore_fsspec.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from filestore_fsspec.bridge import Caller
    from filestore_fsspec.drivers.base import Info
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations


_TEXT_OPTIONS = ("encoding", "errors", "newline")
_WRITE_MODES = ("wb", "xb", "ab", "r+b")


class FileStoreFileSystem(AsyncFileSystem, metaclass=OneForEqualLocations):  # type: ignore[misc]  # fsspec has no types
    """Several locations as one filesystem: near is the first, far the last.

    Reading takes the first location that has a file; writing goes to all that may be written, and
    overwrites unless the mode is `create` or `xb`; listings are merged, the first location's first.
    A location that cannot say makes a call fail rather than come out short.
    """

    protocol = "filestore"
    root_marker = ""
    mirror_sync_methods = True

    def __init__(
        self,
        locations: Sequence[object] | None = None,
        *,
        store: str | None = None,
        stores: Mapping[str, Sequence[object]] | None = None,
        location: str = "all",
        connection_attempts: int | None = None,
        strict: bool = True,
        min_copies: int | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Parse the locations. Touches no network.

        Args:
            locations: URLs or the predecessor's host mappings, near first.
            store: the name of a list of locations instead, in `stores` or the settings file.
            stores: such lists by name; fsspec's own configuration is the place for them.
            location: where to read and write: `all`, `near`, `far` or a location's name.
            connection_attempts: see `FileStore`.
            strict: False logs a location that cannot say, and takes it for absent.
            min_copies: see `FileStore`.
            asynchronous: whether coroutines are awaited in the caller's event loop.
            loop: fsspec's; the connections live on its I/O loop in any case.
            batch_size: how many files are under way at once, fsspec's own by default.
            **kwargs: fsspec's own.

        Raises:
            InvalidURL: the locations cannot be used; the message says what is allowed.
        """
        super().__init__(asynchronous=asynchronous, loop=loop, batch_size=batch_size, **kwargs)
        self.store = Store(
            *_sources(locations, store, stores),
            connection_attempts=connection_attempts,
            strict=strict,
            min_copies=min_copies,
        )
        self.location = location

    @classmethod
    def of(cls, store: Store) -> Self:
        """Return the filesystem of `store`, over the same locations and connections."""
        fs: Self = cls(
            locations=[location.url.reveal() for location in store.locations],
            strict=store.strict,
            min_copies=store.min_copies,
            connection_attempts=store.locations[0].attempts,
            skip_instance_cache=True,
        )
        fs.store = store
        return fs

    # What fsspec keeps of the arguments, to travel with.

    @property
    def storage_options(self) -> dict[str, Any]:
        """The arguments, without those that a worker finds in its own configuration."""
        return self._storage_options

    @storage_options.setter
    def storage_options(self, options: dict[str, Any]) -> None:
        kept = {name: value for name, value in options.items() if name != "stores"}
        if kept.get("locations"):
            kept["locations"] = [shown(source) for source in kept["locations"]]
        self._storage_options = kept

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = super().to_dict(include_password=include_password)
        if not include_password and "locations" in found:
            found["locations"] = [
                location.url.reveal(secrets=False) for location in self.store.locations
            ]
        return found

    def __repr__(self) -> str:
        return f"<FileStoreFileSystem {self.store}>"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return os.fspath(path).removeprefix("filestore://").strip("/")

    def invalidate_cache(self, path: str | None = None) -> None:
        """Do nothing: nothing is cached."""

    # Who is asked

    def _readable(self, location: str | None) -> Locations:
        return select(self.store.locations, location or self.location)

    def _writable(self, location: str | None, what: str) -> Locations:
        return select_writable(self.store.locations, location or self.location, what)

    # Reading

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        # Stepped in this thread: a near local file costs no event loop.
        return run(self._read(blocking, path, start, end, **kwargs))

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        return await on_io_loop(self._read(awaitable, path, start, end, **kwargs))

    async def _read(
        self,
        caller: Caller,
        path: str,
        start: int | None,
        end: int | None,
        location: str | None = None,
        **kwargs: Any,
    ) -> bytes:
        key, selected = self._strip_protocol(path), self._readable(location)
        _, content = await self._first(
            selected, lambda each: each.read(caller, key, start, end), key
        )
        return content  # type: ignore[no-any-return]

    def cat(
        self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any
    ) -> Any:
        if isinstance(path, str) and not (recursive or has_magic(path) or on_error != "raise"):
            return self.cat_file(path, **kwargs)
        return sync(self.loop, self._cat, path, recursive, on_error, **kwargs)

    async def _cat(
        self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any
    ) -> Any:
        if recursive:
            # fsspec takes the folders for files.
            below: set[str] = set()
            for each in await self._expand_path(path):
                below.update(await self._find(each, location=kwargs.get("location")))
            if below and below != {self._strip_protocol(path)}:
                path = sorted(below)
        return await super()._cat(path, on_error=on_error, **kwargs)

    async def _first(self, locations: Locations, ask: Any, key: str) -> tuple[Location, Any]:
        try:
            return await read_first(locations, ask, f"read {key!r}")
        except LocationUnavailable as error:
            raise self._unless_strict(error, key) from error

    def _unless_strict(self, error: LocationUnavailable, key: str) -> NotFound:
        self.store.unless_strict(error)
        return NotFound(f"no location that could say has {key!r}", error)

    async def _get_file(
        self,
        rpath: str,
        lpath: Any,
        callback: Callback = DEFAULT_CALLBACK,
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        key = self._strip_protocol(rpath)
        if await self._isdir(key, location):
            os.makedirs(lpath, exist_ok=True)
            return
        await on_io_loop(
            self._first(
                self._readable(location), lambda each: each.fetch(awaitable, key, Path(lpath)), key
            )
        )
        size = os.path.getsize(lpath)
        callback.set_size(size)
        callback.absolute_update(size)

    async def _get(self, rpath: Any, lpath: Any, recursive: bool = False, **kwargs: Any) -> Any:
        if _is_top_level(rpath) and os.path.isdir(lpath):
            lpath = f"{lpath}/{self._strip_protocol(rpath)}"
        return await super()._get(rpath, lpath, recursive, **kwargs)

    async def _copy(self, path1: Any, path2: Any, recursive: bool = False, **kwargs: Any) -> Any:
        if _is_top_level(path1) and isinstance(path2, str) and await self._isdir(path2):
            path2 = f"{path2}/{self._strip_protocol(path1)}"
        return await super()._copy(path1, path2, recursive, **kwargs)

    def info(self, path: str, **kwargs: Any) -> Info:
        return run(self._look(blocking, path, **kwargs))

    async def _info(self, path: str, **kwargs: Any) -> Info:
        return await on_io_loop(self._look(awaitable, path, **kwargs))

    async def _look(
        self,
        caller: Caller,
        path: str,
        location: str | None = None,
        certain: bool = False,
        **kwargs: Any,
    ) -> Info:
        """Return an info; `certain`: a folder only if no location may have a file of that name."""
        key = self._strip_protocol(path)
        if not key:
            return {"name": "", "type": "directory", "size": 0, "modified": None}
        folder: Info | None = None

        async def look_for_file(each: Location) -> Info:
            nonlocal folder
            info = await look(each, caller, key)
            if info["type"] == "directory":
                # Another location may have a file of that name, and it goes first.
                folder = folder or info
                raise NotFound(f"{each}: {key!r} is a folder")
            return info

        try:
            _, info = await self._first(self._readable(location), look_for_file, key)
        except (NotFound, LocationUnavailable) as error:
            if folder is None or (certain and isinstance(error, LocationUnavailable)):
                raise
            return folder
        return info  # type: ignore[no-any-return]

    def exists(self, path: str, **kwargs: Any) -> bool:
        with suppress(FileNotFoundError):
            self.info(path, **kwargs)
            return True
        return False

    async def _isfile(self, path: str, location: str | None = None) -> bool:
        return await self._kind(path, location, certain=True) == "file"

    async def _isdir(self, path: str, location: str | None = None) -> bool:
        return await self._kind(path, location) == "directory"

    async def _kind(self, path: str, location: str | None, *, certain: bool = False) -> str | None:
        # fsspec's own isfile and isdir say False whatever goes wrong.
        try:
            kind: str = (await self._info(path, location=location, certain=certain))["type"]
        except FileNotFoundError:
            return None
        return kind

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        infos = await on_io_loop(self._list(path, **kwargs))
        return infos if detail else [info["name"] for info in infos]

    async def _list(self, path: str, location: str | None = None, **kwargs: Any) -> list[Info]:
        key, selected = self._strip_protocol(path), self._readable(location)
        found = await merge_children(
            selected,
            awaitable,
            lambda each: children(each, awaitable, key),
            f"list {key!r}",
            strict=self.store.strict,
        )
        if found is None:
            info = await self._look(awaitable, key, location)
            return [info] if info["type"] == "file" else []
        return found

    async def _find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any
    ) -> Any:
        if maxdepth is not None or withdirs:
            return await super()._find(path, maxdepth=maxdepth, withdirs=withdirs, **kwargs)
        detail, location = kwargs.pop("detail", False), kwargs.pop("location", None)
        found = await on_io_loop(self._below(self._strip_protocol(path), location))
        return found if detail else list(found)

    async def _below(self, key: str, location: str | None) -> dict[str, Info]:
        selected, prefix = self._readable(location), f"{key}/" if key else ""
        pages = list_merged(selected, awaitable, prefix, strict=self.store.strict)
        found = {info["name"]: info async for page in pages for info in page}
        if not found and key:
            with suppress(FileNotFoundError):
                info = await self._look(awaitable, key, location, certain=True)
                if info["type"] == "file":
                    found[key] = info
        return dict(sorted(found.items()))

    async def _du(
        self, path: str, total: bool = True, maxdepth: int | None = None, **kwargs: Any
    ) -> Any:
        # fsspec asks for each file again.
        found = await self._find(path, maxdepth, detail=True, **kwargs)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    async def _walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = "omit",
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        # fsspec omits a folder whose listing failed, so that the walk comes out short.
        tell = _raise_unless_absent if on_error == "omit" else on_error
        async for step in super()._walk(path, maxdepth, topdown, on_error=tell, **kwargs):
            yield step

    # Writing

    async def _pipe_file(
        self,
        path: str,
        value: bytes,
        mode: str = "overwrite",
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        key, content = self._strip_protocol(path), bytes(value)
        await self._write(
            key,
            mode,
            location,
            lambda each, force: each.write(awaitable, key, content, overwrite=force),
        )

    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        mode: str = "overwrite",
        callback: Callback = DEFAULT_CALLBACK,
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        key = self._strip_protocol(rpath)
        if os.path.isdir(lpath):
            await self._makedirs(key, exist_ok=True, location=location)
            return
        size = os.path.getsize(lpath)
        callback.set_size(size)
        await self._write(
            key,
            mode,
            location,
            lambda each, force: each.send(awaitable, key, lpath, overwrite=force),
        )
        callback.absolute_update(size)

    async def _write(self, key: str, mode: str, location: str | None, write: Any) -> None:
        what = f"write {key!r}"
        targets, force = self._writable(location, what), mode != "create"
        if not force and len(targets) > 1 and await self._exists(key, location=location):
            raise FileExistsError(f"cannot {what}: it is there already")
        written = await on_io_loop(
            write_each(
                targets, awaitable, lambda each: write(each, force), what, self.store.min_copies
            )
        )
        if not written:
            raise FileExistsError(f"cannot {what}: it is there already")

    async def _rm_file(self, path: str, location: str | None = None, **kwargs: Any) -> None:
        key = self._strip_protocol(path)
        if not await self._isfile(key, location):
            raise NotFound(f"cannot delete {key!r}: there is no such file")
        await self._each(location, f"delete {key!r}", lambda each: each.remove(awaitable, key))

    async def _each(self, location: str | None, what: str, act: Any) -> None:
        targets = self._writable(location, what)
        await on_io_loop(delete_each(targets, awaitable, act, what))

    async def _rm(
        self,
        path: Any,
        recursive: bool = False,
        batch_size: int | None = None,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        if not recursive or maxdepth is not None:
            await super()._rm(path, recursive, batch_size, maxdepth, **kwargs)
            return
        location = kwargs.get("location")
        for each in await self._expand_path(path):
            if await self._isdir(each, location):
                await self._each(
                    location,
                    f"delete {each!r}",
                    lambda place, key=each: remove_tree(place, awaitable, key),
                )
            else:
                await self._rm_file(each, **kwargs)

    async def _cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        source, dest = self._strip_protocol(path1), self._strip_protocol(path2)
        if await self._isdir(source):
            await self._makedirs(dest, exist_ok=True, location=kwargs.get("location"))
            return
        with TemporaryDirectory(prefix="filestore-") as folder:
            await self._get_file(source, f"{folder}/copy")
            await self._put_file(f"{folder}/copy", dest, **kwargs)

    async def _mkdir(
        self, path: str, create_parents: bool = True, location: str | None = None, **kwargs: Any
    ) -> None:
        key = self._strip_protocol(path)
        if await self._exists(key, location=location):
            raise FileExistsError(f"cannot make the folder {key!r}: it is there already")
        if not create_parents and not await self._isdir(self._parent(key), location):
            raise NotFound(f"cannot make the folder {key!r}: there is none to make it in")
        await self._makedirs(key, exist_ok=True, location=location)

    async def _makedirs(
        self, path: str, exist_ok: bool = False, location: str | None = None
    ) -> None:
        key = self._strip_protocol(path)
        kind = await self._kind(key, location)
        if kind == "file" or (kind and not exist_ok):
            raise FileExistsError(f"cannot make the folder {key!r}: it is there already")
        if key:
            await self._each(
                location, f"make the folder {key!r}", lambda each: make_folder(each, awaitable, key)
            )

    def mv(
        self,
        path1: str,
        path2: str,
        recursive: bool = False,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        # fsspec copies, then deletes: what stays where it is, or moves into itself, would be lost.
        source, dest = self._strip_protocol(path1), self._strip_protocol(path2)
        if isinstance(source, str) and not has_magic(source):
            if dest == source or (dest == self._parent(source) and self.isdir(dest)):
                self.info(source)
                return
            if recursive and f"{dest}/".startswith(f"{source}/"):
                raise ValueError(f"cannot move {source!r} into itself")
        super().mv(path1, path2, recursive, maxdepth, **kwargs)

    def rmdir(self, path: str, location: str | None = None) -> None:
        # fsspec has no mirror for it: its own does nothing.
        sync(self.loop, self._rmdir, path, location)

    async def _rmdir(self, path: str, location: str | None = None) -> None:
        key = self._strip_protocol(path)
        infos = await self._ls(key, location=location)
        if any(info["name"] == key for info in infos):
            raise NotADirectoryError(f"cannot remove the folder {key!r}: it is a file")
        if infos:
            raise OSError(f"cannot remove the folder {key!r}: it is not empty")
        what = f"remove the folder {key!r}"
        await self._each(location, what, lambda each: remove_folder(each, awaitable, key))

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        if truncate or not self.exists(path):
            self.pipe_file(path, b"", **kwargs)
            return
        raise NotImplementedError("the time of a stored file cannot be changed alone")

    # File objects

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: Mapping[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        if "b" not in mode:
            text = {name: kwargs.pop(name) for name in _TEXT_OPTIONS if name in kwargs}
            binary = mode.replace("t", "") + "b"
            file = self.open(path, binary, block_size, cache_options, compression, **kwargs)
            return TextFile(file, **text)
        if mode in _WRITE_MODES:
            # Not fsspec's way: a gzip file, closed, leaves the file that it wraps open.
            kwargs["compress"] = get_compression(path, compression)
            compression = None
        return super().open(path, mode, block_size, cache_options, compression, **kwargs)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Mapping[str, Any] | None = None,
        location: str | None = None,
        compress: str | None = None,
        **kwargs: Any,
    ) -> ReadFile | WriteFile:
        key = self._strip_protocol(path)
        if mode == "rb":
            options = {"block_size": block_size, "cache_options": cache_options, **kwargs}
            given = {name: value for name, value in options.items() if value is not None}
            return self._open_to_read(key, location, **given)
        if mode not in _WRITE_MODES:
            raise ValueError(f"mode {mode!r}: files open as rb, wb, xb, ab and r+b, and as text")
        if compress and mode in ("ab", "r+b"):
            raise ValueError(f"mode {mode!r}: compressed files open as rb, wb and xb")
        return self._open_to_write(key, mode, location, compress, autocommit=autocommit)

    def _open_to_read(self, key: str, location: str | None, **options: Any) -> ReadFile:
        try:
            return ReadFile(self._readable(location), key, **options)
        except LocationUnavailable as error:
            raise self._unless_strict(error, key) from error

    def _open_to_write(
        self, key: str, mode: str, location: str | None, compress: str | None, *, autocommit: bool
    ) -> WriteFile:
        targets = self._writable(location, f"write {key!r}")
        how = "create" if mode == "xb" else "overwrite"
        if mode == "xb" and self.exists(key, location=location):
            raise FileExistsError(f"cannot write {key!r}: it is there already")

        def show(local_path: str) -> None:
            with compressed(local_path, compress) as content_path:
                publish(targets, key, content_path, how, self.store.min_copies)

        content: ReadFile | None = None
        if mode == "r+b" or (mode == "ab" and self.exists(key, location=location)):
            content = self._open_to_read(key, location)
        try:
            file = WriteFile(key, show, content, autocommit=autocommit)
        finally:
            if content is not None:
                content.close()
        if mode == "r+b":
            file.seek(0)
            if not autocommit:
                self.transaction.files.append(file)  # fsspec takes the mode for one that reads
        return file

    async def open_async(self, path: str, mode: str = "rb", **kwargs: Any) -> AwaitedFile:
        return AwaitedFile(await asyncio.to_thread(self._open, path, mode, **kwargs))

    # What tells one content from another

    def created(self, path: str) -> datetime:
        created = self.info(path).get("created")
        if isinstance(created, int | float):  # fsspec's local files
            return datetime.fromtimestamp(created, UTC)
        if not isinstance(created, datetime):
            raise NotImplementedError("the location that has it keeps no time of creation")
        return created

    def modified(self, path: str) -> datetime:
        modified = self.info(path)["modified"]
        if not isinstance(modified, datetime):
            raise NotImplementedError("the location that has it keeps no time of change")
        return modified

    def ukey(self, path: str) -> str:
        """Return the SHA-256 of the content: the same whichever location answers."""
        with self.open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def checksum(self, path: str) -> int:
        return int(self.ukey(path), 16)

    def sign(self, path: str, expiration: int = 100, **kwargs: Any) -> str:
        """Return a URL of the first location that has the file and can sign."""
        key = self._strip_protocol(path)
        found = run(find_each(self._readable(None), blocking, key))
        if not found:
            raise NotFound(f"cannot sign {key!r}: there is no such file")
        for location in found:
            with suppress(NotImplementedError):
                url: str = location.fs.sign(location.fs_path(key), expiration, **kwargs)
                return url
        raise NotImplementedError(f"no location that has {key!r} signs URLs")


def _sources(
    locations: Sequence[object] | None,
    store: str | None,
    stores: Mapping[str, Sequence[object]] | None,
) -> Sequence[object]:
    if locations is not None and store is not None:
        raise InvalidURL("give 'locations' or the name of a 'store', not both")
    if locations is not None:
        return locations
    if store is None:
        return find_sources()
    return (stores or {}).get(store) or find_store(store)


def _is_top_level(path: object) -> bool:
    """Tell whether `path` lies in the root, so that fsspec would not place it in a folder.

    fsspec 2026.9 takes the part before the last `/` of what it copies for its parent; with none
    there, a file would take the folder's name, and a folder's content goes where it should.
    """
    if not isinstance(path, str) or path.endswith("/") or has_magic(path):
        return False
    return "/" not in FileStoreFileSystem._strip_protocol(path)  # noqa: SLF001 - same file


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
