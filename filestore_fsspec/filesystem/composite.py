"""`FileStoreFileSystem`: several locations as one fsspec filesystem, protocol `filestore`."""

# ruff: noqa: ANN401, ARG002, ASYNC240, D102, FBT001, FBT002, PLR0913, PLR0917, PTH103, PTH112
# ruff: noqa: PTH202
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
from typing import TYPE_CHECKING, Any, TypeVar

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.core import get_compression, has_magic
from fsspec.implementations.local import LocalFileSystem, make_path_posix

from filestore_fsspec.bridge import ASYNCIO, SYNC, on_io_loop, run, sync
from filestore_fsspec.bulk import NotDeleted
from filestore_fsspec.checksum import sha256_named_by
from filestore_fsspec.concurrency import for_each
from filestore_fsspec.errors import FileStoreException, NotFound
from filestore_fsspec.filesystem.awaited_file import AwaitedFile
from filestore_fsspec.filesystem.base import Base
from filestore_fsspec.filesystem.folders import above
from filestore_fsspec.filesystem.opening import binary_mode
from filestore_fsspec.filesystem.transfer import (
    Pairs,
    Paths,
    Sources,
    is_folder_name,
    local_sources,
    moved_from,
    pair,
    partial_move,
    paths_of,
    refuse_loss,
)
from filestore_fsspec.filesystem.write_file import TextFile
from filestore_fsspec.operations import (
    find_each,
    raise_partial,
    run_on_targets,
    select,
    select_writable,
)
from filestore_fsspec.store import delete, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.filesystem.read_file import ReadFile
    from filestore_fsspec.filesystem.write_file import WriteFile
    from filestore_fsspec.operations import Locations

T = TypeVar("T")

_TEXT_OPTIONS = ("encoding", "errors", "newline")


class FileStoreFileSystem(Base):
    """Several locations as one filesystem: near is the first, far the last.

    Reading takes the first location that has a file; writing goes to all that may be written, and
    overwrites unless the mode is `create` or `xb`; listings are merged, the first location's first.
    A location that is unknown makes a call fail rather than come out short.
    """

    # Where a call runs, and at which locations

    def _step(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self.store.ending():
            return run(coroutine)

    def _run(self, location: str, operation: Callable[[Runner], Coroutine[Any, Any, T]]) -> T:
        with self.store.ending():
            return run_on_targets(select(self.store.locations, location), operation)

    async def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self.store.ending():
            return await on_io_loop(coroutine)

    def _at(self, location: str | None) -> str:
        return location or self.location

    def _writable(self, location: str | None, what: str) -> Locations:
        return select_writable(self.store.locations, self._at(location), what)

    # Looking

    def info(self, path: str, location: str | None = None, **kwargs: Any) -> Info:
        key = self._strip_protocol(path)
        return self._step(self._tree.look(SYNC, key, self._at(location)))

    async def _info(self, path: str, location: str | None = None, **kwargs: Any) -> Info:
        key = self._strip_protocol(path)
        return await self._on_loop(self._tree.look(ASYNCIO, key, self._at(location)))

    def exists(self, path: str, location: str | None = None, **kwargs: Any) -> bool:
        with suppress(FileNotFoundError):
            self.info(path, location)
            return True
        return False

    async def _exists(self, path: str, location: str | None = None, **kwargs: Any) -> bool:
        with suppress(FileNotFoundError):
            await self._info(path, location)
            return True
        return False

    # fsspec's own isfile and isdir say False whatever goes wrong.

    def isfile(self, path: str, location: str | None = None) -> bool:
        key = self._strip_protocol(path)
        return self._step(self._tree.is_file(SYNC, key, self._at(location)))

    async def _isfile(self, path: str, location: str | None = None) -> bool:
        key = self._strip_protocol(path)
        return await self._on_loop(self._tree.is_file(ASYNCIO, key, self._at(location)))

    def isdir(self, path: str, location: str | None = None) -> bool:
        key, at = self._strip_protocol(path), self._at(location)
        return self._run(at, lambda runner: self._tree.is_folder(runner, key, at))

    async def _isdir(self, path: str, location: str | None = None) -> bool:
        key = self._strip_protocol(path)
        return await self._on_loop(self._tree.is_folder(ASYNCIO, key, self._at(location)))

    def ls(
        self, path: str, detail: bool = True, location: str | None = None, **kwargs: Any
    ) -> list[Any]:
        key, at = self._strip_protocol(path), self._at(location)
        return _named(self._run(at, lambda runner: self._tree.children(runner, key, at)), detail)

    async def _ls(
        self, path: str, detail: bool = True, location: str | None = None, **kwargs: Any
    ) -> list[Any]:
        key = self._strip_protocol(path)
        infos = await self._on_loop(self._tree.children(ASYNCIO, key, self._at(location)))
        return _named(infos, detail)

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        location: str | None = None,
        **kwargs: Any,
    ) -> Any:
        key, at = self._strip_protocol(path), self._at(location)
        if maxdepth is None and not withdirs:
            found = await self._on_loop(self._tree.files_below(key, at))
        else:
            found = await self._find_with_folders(key, maxdepth, at, withdirs=withdirs)
        return found if detail else list(found)

    async def _find_with_folders(
        self, key: str, maxdepth: int | None, location: str, *, withdirs: bool
    ) -> dict[str, Info]:
        folders: dict[str, Info] = {}
        files: dict[str, Info] = {}
        if withdirs and key and await self._isdir(key, location):
            folders[key] = {**await self._info("", location), "name": key}
        async for _, below, inside in self._walk(key, maxdepth, detail=True, location=location):
            folders |= {info["name"]: info for info in below.values() if withdirs}
            files |= {info["name"]: info for info in inside.values()}
        return dict(sorted((folders | files).items()))

    async def _du(
        self, path: str, total: bool = True, maxdepth: int | None = None, **kwargs: Any
    ) -> Any:
        # fsspec asks for each file again.
        found = await self._find(path, maxdepth, detail=True, **kwargs)
        sizes = {name: info["size"] or 0 for name, info in found.items()}
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

    # Reading

    def cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> bytes:
        # Stepped in this thread: a near local file costs no event loop.
        return self._step(self._read(SYNC, path, start, end, location))

    async def _cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> bytes:
        return await self._on_loop(self._read(ASYNCIO, path, start, end, location))

    async def _read(
        self,
        runner: Runner,
        path: str,
        start: int | None,
        end: int | None,
        location: str | None,
    ) -> bytes:
        key = self._strip_protocol(path)
        _, content = await self._tree.read(
            key,
            self._at(location),
            lambda each: each.read(runner, key, start, end, verify=self.store.verify_content),
        )
        return content

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
            sources = await self._sources(
                paths_of(path), None, kwargs.get("location"), recursive=True
            )
            if sources.files and [*sources.files] != [self._strip_protocol(path)]:
                path = [*sources.files]
        return await super()._cat(path, on_error=on_error, **kwargs)

    def get_file(self, rpath: str, lpath: Any, *args: Any, **kwargs: Any) -> None:
        self._step(self._fetch(SYNC, rpath, lpath, *args, **kwargs))

    async def _get_file(self, rpath: str, lpath: Any, *args: Any, **kwargs: Any) -> None:
        await self._on_loop(self._fetch(ASYNCIO, rpath, lpath, *args, **kwargs))

    async def _fetch(
        self,
        runner: Runner,
        rpath: str,
        lpath: Any,
        callback: Callback = DEFAULT_CALLBACK,
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        key, at = self._strip_protocol(rpath), self._at(location)
        try:
            if not key:
                raise NotFound("the root is a folder")
            await self._fetch_file(runner, key, lpath, at)
        except FileNotFoundError:
            if not await self._tree.is_folder(runner, key, at):
                raise
            os.makedirs(lpath, exist_ok=True)
            return
        size = os.path.getsize(lpath)
        callback.set_size(size)
        callback.absolute_update(size)

    async def _fetch_file(self, runner: Runner, key: str, lpath: Any, location: str) -> None:
        await self._tree.read(
            key,
            location,
            lambda each: each.fetch(runner, key, Path(lpath), verify=self.store.verify_content),
        )

    # Copying

    async def _sources(
        self, path: Paths, maxdepth: int | None, location: str | None, *, recursive: bool
    ) -> Sources:
        """Return what `path`, a name, pattern or list of them, stands for, by one listing."""
        files: list[str] = []
        names: list[str] = []
        matched = False
        for each in [path] if isinstance(path, str) else path:
            key = self._strip_protocol(each)
            if not has_magic(key):
                names.append(key)
                continue
            # The pattern's own level is one of those that `maxdepth` counts.
            found = await self._glob(key, maxdepth=maxdepth, detail=True, location=location)
            matched = matched or bool(found)
            files += [name for name, info in found.items() if info["type"] == "file"]
            if recursive:
                names += [name for name in found if maxdepth is None or maxdepth > 1]
        if not names and not matched:
            raise NotFound(f"there is nothing that {path!r} stands for")
        if not recursive:
            # Of a list, each is taken for a file until it is copied: a look would cost a request.
            if isinstance(path, str) and names:
                kind = (await self._info(names[0], location))["type"]
                names = names if kind == "file" else []
            return Sources([*files, *names], [], {})
        depth = (
            None
            if maxdepth is None
            else maxdepth - any(map(has_magic, [path] if isinstance(path, str) else path))
        )
        at = self._at(location)
        found_at = await self._on_loop(self._tree.below(names, at, depth)) if names else {}
        below, folders = self._tree.merged(found_at)
        if not below and not folders and not matched:
            raise NotFound(f"there is nothing that {path!r} stands for")
        if isinstance(path, str) and maxdepth is not None:
            folders = []
        return Sources(sorted({*files, *below}), folders, found_at)

    async def _get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> Any:
        source, dest = paths_of(rpath), paths_of(lpath)
        if isinstance(source, str) or isinstance(dest, str):
            sources = await self._sources(source, maxdepth, location, recursive=recursive)
            into = False
            if isinstance(dest, str):
                dest = make_path_posix(dest)
                into = is_folder_name(dest) or LocalFileSystem().isdir(dest)
            pairs = pair(source, sources, dest, into=into)
            for _, folder in pairs.folders:
                os.makedirs(folder, exist_ok=True)
            source, dest = [each for each, _ in pairs.files], [each for _, each in pairs.files]
        return await super()._get(source, dest, callback=callback, location=location, **kwargs)

    async def _put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        batch_size: int | None = None,
        maxdepth: int | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> Any:
        source, dest = paths_of(lpath), paths_of(rpath)
        if isinstance(source, str) or isinstance(dest, str):
            source = make_path_posix(source) if isinstance(source, str) else source
            sources = local_sources(source, maxdepth, recursive=recursive)
            pairs = await self._pairs(source, sources, dest)
            for _, folder in pairs.folders:
                await self._makedirs(folder, exist_ok=True, location=location)
            source, dest = [each for each, _ in pairs.files], [each for _, each in pairs.files]
        return await super()._put(
            source, dest, callback=callback, batch_size=batch_size, location=location, **kwargs
        )

    async def _pairs(self, source: Paths, sources: Sources, dest: Paths) -> Pairs:
        if not isinstance(dest, str):
            return pair(source, sources, [self._strip_protocol(each) for each in dest], into=False)
        into = is_folder_name(dest) or await self._isdir(dest)
        pairs = pair(source, sources, self._strip_protocol(dest), into=into)
        return Pairs(*([(a, self._strip_protocol(b)) for a, b in each] for each in pairs))

    async def _copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        on_error: str | None = None,
        maxdepth: int | None = None,
        batch_size: int | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        source, dest = paths_of(path1), paths_of(path2)
        if isinstance(source, list) and isinstance(dest, list):
            await super()._copy(
                source, dest, on_error=on_error, batch_size=batch_size, location=location
            )
            return
        sources = await self._sources(source, maxdepth, None, recursive=recursive)
        if not sources.files and not sources.folders:
            return
        pairs = await self._pairs(source, sources, dest)
        for _, folder in pairs.folders:
            await self._makedirs(folder, exist_ok=True, location=location)
        failed = await self._copy_each(pairs.files, location, batch_size)
        ignored = FileNotFoundError if on_error in {None, "ignore"} and recursive else ()
        for error in failed.values():
            if not isinstance(error, ignored):
                raise error

    async def _copy_each(
        self, pairs: list[tuple[str, str]], location: str | None, batch_size: int | None
    ) -> dict[str, Exception]:
        """Copy files, some at a time; return those that could not be copied, and why."""
        failed: dict[str, Exception] = {}

        async def copy(each: tuple[str, str]) -> None:
            try:
                await self._copy_file(*each, location)
            except (FileStoreException, OSError) as error:
                failed[each[0]] = error

        most = batch_size or self.batch_size
        most = most or max(each.driver.max_concurrency for each in self.store.locations)
        await for_each(pairs, copy, most if most > 0 else len(pairs))
        return failed

    async def _cp_file(
        self, path1: str, path2: str, location: str | None = None, **kwargs: Any
    ) -> None:
        source, dest = self._strip_protocol(path1), self._strip_protocol(path2)
        try:
            await self._copy_file(source, dest, location)
        except FileNotFoundError:
            if not await self._isdir(source):
                raise
            await self._makedirs(dest, exist_ok=True, location=location)

    async def _copy_file(self, source: str, dest: str, location: str | None) -> None:
        with TemporaryDirectory(prefix="filestore-") as folder:
            copy = f"{folder}/copy"
            await self._on_loop(self._fetch_file(ASYNCIO, source, copy, self.location))
            await self._put_file(copy, dest, location=location)

    def mv(
        self,
        path1: str,
        path2: str,
        recursive: bool = False,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        sync(self.loop, self._mv, path1, path2, recursive, maxdepth, **kwargs)

    async def _mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        batch_size: int | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy what one listing shows, then delete exactly what was copied.

        Raises:
            ValueError: a file would be moved into itself, or over another that is to be moved.
            PartialMove: of several files or folders, some stayed.
            OSError: the only file could not be moved.
        """
        source, dest = paths_of(path1), paths_of(path2)
        what = f"move {source!r}"
        if isinstance(source, str) and self._strip_protocol(source) == self._strip_protocol(dest):
            await self._info(source)
            return
        targets = self._writable(location, what)
        sources = await self._sources(source, maxdepth, location, recursive=recursive)
        if not sources.files and not sources.folders:
            raise NotFound(f"cannot {what}: it is a folder, which only recursive=True moves")
        pairs = await self._pairs(source, sources, dest)
        refuse_loss(what, pairs, sources)
        for _, folder in pairs.folders:
            await self._makedirs(folder, exist_ok=True, location=location)
        files = [each for each in pairs.files if each[0] != each[1]]
        stayed = await self._copy_each(files, location, batch_size)
        moved = {key: copy for key, copy in files if key not in stayed}
        found = moved_from(targets, sources, moved)
        removing = self._tree.remove_found(targets, found, moved, links=False)
        failed = await self._on_loop(removing)
        if len(sources.files) == 1 and not sources.folders:
            for error in stayed.values():
                raise error
            if failed:
                done = [each for each in targets if each not in failed]
                raise_partial(what, targets, done, failed)
        for error in failed.values():
            stayed |= error.failed if isinstance(error, NotDeleted) else {str(error): error}
        if stayed:
            raise partial_move(what, moved, stayed)

    # Writing

    async def _pipe_file(
        self,
        path: str,
        value: bytes,
        mode: str = "overwrite",
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        await self._write(self._strip_protocol(path), bytes(value), mode, location)

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
        await self._write(key, os.fspath(lpath), mode, location)
        callback.absolute_update(size)

    async def _write(self, key: str, source: bytes | str, mode: str, location: str | None) -> None:
        targets, force = self._writable(location, f"write {key!r}"), mode != "create"
        exists = FileExistsError(f"cannot write {key!r}: it is there already")
        if not force and len(targets) > 1 and await self._exists(key, location=location):
            raise exists
        put = write(self.store, ASYNCIO, targets, key, source, force=force, action="write")
        if not await self._on_loop(put):
            raise exists

    async def _rm_file(self, path: str, location: str | None = None, **kwargs: Any) -> None:
        key = self._strip_protocol(path)
        if not await self._isfile(key, location):
            raise NotFound(f"cannot delete {key!r}: there is no such file")
        targets = self._writable(location, f"delete {key!r}")
        await self._on_loop(delete(self.store, ASYNCIO, targets, key))

    async def _rm(
        self,
        path: Any,
        recursive: bool = False,
        batch_size: int | None = None,
        maxdepth: int | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not recursive:
            await super()._rm(path, batch_size=batch_size, location=location, **kwargs)
            return
        source = paths_of(path)
        if maxdepth is not None:
            sources = await self._sources(source, maxdepth, location, recursive=True)
            await super()._rm([*sources.files], batch_size=batch_size, location=location, **kwargs)
            return
        names = await self._expand_path(source)
        inside = {each for each in names if not {*names}.isdisjoint(above(each))}
        await self._on_loop(
            self._tree.remove([each for each in names if each not in inside], self._at(location))
        )

    # Folders

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
        is_folder = await self._isdir(key, location)
        if (is_folder and not exist_ok) or (not is_folder and await self._isfile(key, location)):
            raise FileExistsError(f"cannot make the folder {key!r}: it is there already")
        if key:
            await self._on_loop(self._tree.make_folder(key, self._at(location)))

    def rmdir(self, path: str, location: str | None = None) -> None:
        # fsspec has no mirror for it: its own does nothing.
        sync(self.loop, self._rmdir, path, location)

    async def _rmdir(self, path: str, location: str | None = None) -> None:
        key = self._strip_protocol(path)
        await self._on_loop(self._tree.remove_folder(key, self._at(location)))

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        if truncate or not self.exists(path):
            self.pipe_file(path, b"", **kwargs)
            return
        raise NotImplementedError("the time of a stored file cannot be changed alone")

    # Files

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: Mapping[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        binary, is_text = binary_mode(mode)
        if is_text:
            text = {name: kwargs.pop(name) for name in _TEXT_OPTIONS if name in kwargs}
            file = self.open(path, binary, block_size, cache_options, compression, **kwargs)
            return TextFile(file, **text)
        if binary != "rb":
            # Not fsspec's way: a gzip file, closed, leaves the file that it wraps open.
            kwargs["compress"] = get_compression(path, compression)
            compression = None
        return super().open(path, binary, block_size, cache_options, compression, **kwargs)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Mapping[str, Any] | None = None,
        location: str | None = None,
        compress: str | None = None,
        blocksize: int | None = None,
        cache_type: str | None = None,
        **kwargs: Any,
    ) -> ReadFile | WriteFile:
        key, at = self._strip_protocol(path), self._at(location)
        mode, _ = binary_mode(mode)
        if mode == "rb":
            size = block_size or blocksize  # what fsspec calls it in a file
            options = {
                "block_size": size,
                "cache_type": cache_type,
                "cache_options": cache_options,
            }
            given = {name: value for name, value in options.items() if value is not None}
            return self._opener.to_read(key, at, given)
        if compress and mode not in {"wb", "xb"}:
            raise ValueError(f"mode {mode!r}: compressed files open as rb, wb and xb")
        file = self._opener.to_write(key, mode, at, compress, autocommit=autocommit)
        if mode == "r+b" and not autocommit:
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
        modified = self.info(path).get("modified")
        if not isinstance(modified, datetime):
            raise NotImplementedError("the location that has it keeps no time of change")
        return modified

    def ukey(self, path: str) -> str:
        """Return the SHA-256 of the content: the same whichever location answers."""
        key = self._strip_protocol(path)
        digest = sha256_named_by(key) if self.store.verify_content else None
        if digest is not None and self.info(key)["type"] == "file":
            return digest  # of whatever reading it will let through
        with self.open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def checksum(self, path: str) -> int:
        return int(self.ukey(path), 16)

    def sign(self, path: str, expiration: int = 100, **kwargs: Any) -> str:
        """Return a URL of the first location that has the file and can sign."""
        key = self._strip_protocol(path)
        primary, fallback = self.store.read_plan(self.location, key)
        found = self._step(find_each(primary + fallback, SYNC, key))
        if not found:
            raise NotFound(f"cannot sign {key!r}: there is no such file")
        for location in found:
            with suppress(NotImplementedError):
                url: str = location.fs.sign(location.fs_path(key), expiration, **kwargs)
                return url
        raise NotImplementedError(f"no location that has {key!r} signs URLs")


def _named(infos: list[Info], detail: bool) -> list[Any]:
    return infos if detail else list(dict.fromkeys(info["name"] for info in infos))


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
