"""How the composite filesystem writes, deletes and keeps folders."""

# ruff: noqa: ANN401, ARG002, ASYNC240, D102, FBT001, FBT002, PTH112, PTH202
# Signatures and paths as text are fsspec's, and so are the docstrings of its methods: ours say what
# is special here.
from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync
from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.core import has_magic

from filestore_fsspec.bridge import ASYNCIO
from filestore_fsspec.checksum import verify_checksum
from filestore_fsspec.errors import NotFound
from filestore_fsspec.filesystem.folders import make_folder, remove_folder, remove_tree
from filestore_fsspec.filesystem.reading import Reading
from filestore_fsspec.journal.recording import record_delete, record_put
from filestore_fsspec.operations import delete_each, list_merged, write_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filestore_fsspec.location import Location


class Writing(Reading):
    """What changes what is stored."""

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
            content,
            mode,
            location,
            lambda each, force: each.write(ASYNCIO, key, content, overwrite=force),
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
            lpath,
            mode,
            location,
            lambda each, force: each.send(ASYNCIO, key, lpath, overwrite=force),
        )
        callback.absolute_update(size)

    async def _write(
        self, key: str, source: bytes | str, mode: str, location: str | None, write: Any
    ) -> None:
        what = f"write {key!r}"
        if self.store.verify_content:
            await self._on_loop(verify_checksum(ASYNCIO, key, source, "cannot write"))
        targets, force = self._writable(location, what), mode != "create"
        if not force and len(targets) > 1 and await self._exists(key, location=location):
            raise FileExistsError(f"cannot {what}: it is there already")

        async def write_all() -> list[Location]:
            async with record_put(
                self.store.journal, ASYNCIO, targets, key, source, overwrite=force
            ) as legs:
                put = legs.track(lambda each: write(each, force))
                return await write_each(targets, ASYNCIO, put, what, self.store.min_copies)

        if not await self._on_loop(write_all()):
            raise FileExistsError(f"cannot {what}: it is there already")

    async def _rm_file(self, path: str, location: str | None = None, **kwargs: Any) -> None:
        key = self._strip_protocol(path)
        if not await self._isfile(key, location):
            raise NotFound(f"cannot delete {key!r}: there is no such file")
        await self._delete(
            location, f"delete {key!r}", lambda each: each.remove(ASYNCIO, key), [key]
        )

    async def _each(self, location: str | None, what: str, act: Any) -> None:
        targets = self._writable(location, what)
        await self._on_loop(delete_each(targets, ASYNCIO, act, what))

    async def _delete(
        self, location: str | None, what: str, delete: Any, keys: Sequence[str]
    ) -> None:
        targets = self._writable(location, what)

        async def delete_all() -> None:
            async with record_delete(self.store.journal, ASYNCIO, targets, keys) as legs:
                await delete_each(targets, ASYNCIO, legs.track(delete), what)

        await self._on_loop(delete_all())

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
                keys = await self._on_loop(self._keys_to_remember(each, location))
                await self._delete(
                    location,
                    f"delete {each!r}",
                    lambda place, key=each: remove_tree(place, ASYNCIO, key),
                    keys,
                )
            else:
                await self._rm_file(each, **kwargs)

    async def _keys_to_remember(self, folder: str, location: str | None) -> list[str]:
        """Return the keys below a folder at the locations that can say, for the journal alone."""
        if self.store.journal is None:
            return []
        targets = self._writable(location, f"delete {folder!r}")
        prefix, visible = f"{folder}/" if folder else "", self.store.visible
        pages = list_merged(targets, ASYNCIO, prefix, strict=False, visible=visible)
        return [info["name"] async for page in pages for info in page]

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
        kind = await self._on_loop(self._kind(ASYNCIO, key, location))
        if kind == "file" or (kind and not exist_ok):
            raise FileExistsError(f"cannot make the folder {key!r}: it is there already")
        if key:
            await self._each(
                location, f"make the folder {key!r}", lambda each: make_folder(each, ASYNCIO, key)
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
        await self._each(location, what, lambda each: remove_folder(each, ASYNCIO, key))

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        if truncate or not self.exists(path):
            self.pipe_file(path, b"", **kwargs)
            return
        raise NotImplementedError("the time of a stored file cannot be changed alone")
