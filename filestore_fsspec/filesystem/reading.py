"""How the composite filesystem reads and lists."""

# ruff: noqa: ANN401, ARG002, ASYNC240, D102, FBT001, FBT002, PTH103, PTH112, PTH202
# Signatures and paths as text are fsspec's, and so are the docstrings of its methods: ours say what
# is special here.
from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync
from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.core import has_magic

from filestore_fsspec.bridge import ASYNCIO, SYNC
from filestore_fsspec.errors import LocationUnavailable, NotFound
from filestore_fsspec.filesystem.base import Base
from filestore_fsspec.filesystem.folders import children, look
from filestore_fsspec.operations import list_merged, merge_children, run_on_targets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.location import Location


class Reading(Base):
    """What changes nothing."""

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        # Stepped in this thread: a near local file costs no event loop.
        return self._step(self._read(SYNC, path, start, end, **kwargs))

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        return await self._on_loop(self._read(ASYNCIO, path, start, end, **kwargs))

    async def _read(
        self,
        runner: Runner,
        path: str,
        start: int | None,
        end: int | None,
        location: str | None = None,
        **kwargs: Any,
    ) -> bytes:
        key = self._strip_protocol(path)
        _, content = await self._first(
            location,
            lambda each: each.read(runner, key, start, end, verify=self.store.verify_content),
            key,
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
        key = self._strip_protocol(rpath)
        if not key:  # the root, which is always a folder
            os.makedirs(lpath, exist_ok=True)
            return
        try:
            await self._first(
                location,
                lambda each: each.fetch(runner, key, Path(lpath), verify=self.store.verify_content),
                key,
            )
        except FileNotFoundError:
            if await self._kind(runner, key, location) != "directory":
                raise
            os.makedirs(lpath, exist_ok=True)
            return
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
        return self._step(self._look(SYNC, path, **kwargs))

    async def _info(self, path: str, **kwargs: Any) -> Info:
        return await self._on_loop(self._look(ASYNCIO, path, **kwargs))

    async def _look(
        self,
        runner: Runner,
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
            info = await look(each, runner, key)
            if info["type"] == "directory":
                # Another location may have a file of that name, and it goes first.
                folder = folder or info
                raise NotFound(f"{each}: {key!r} is a folder")
            return info

        try:
            _, info = await self._first(location, look_for_file, key)
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

    def isfile(self, path: str, location: str | None = None) -> bool:
        return self._step(self._kind(SYNC, path, location, certain=True)) == "file"

    async def _isfile(self, path: str, location: str | None = None) -> bool:
        return await self._on_loop(self._kind(ASYNCIO, path, location, certain=True)) == "file"

    def isdir(self, path: str, location: str | None = None) -> bool:
        return self._step(self._kind(SYNC, path, location)) == "directory"

    async def _isdir(self, path: str, location: str | None = None) -> bool:
        return await self._on_loop(self._kind(ASYNCIO, path, location)) == "directory"

    async def _kind(
        self, runner: Runner, path: str, location: str | None, *, certain: bool = False
    ) -> str | None:
        # fsspec's own isfile and isdir say False whatever goes wrong.
        try:
            kind: str = (await self._look(runner, path, location, certain))["type"]
        except FileNotFoundError:
            return None
        return kind

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        selected = self._readable(kwargs.get("location"))
        with self.store.ending():
            infos = run_on_targets(selected, lambda runner: self._list(runner, path, **kwargs))
        return _named(infos, detail)

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        return _named(await self._on_loop(self._list(ASYNCIO, path, **kwargs)), detail)

    async def _list(
        self, runner: Runner, path: str, location: str | None = None, **kwargs: Any
    ) -> list[Info]:
        key, selected = self._strip_protocol(path), self._readable(location)

        async def ask(each: Location) -> list[Info]:
            return self.store.visible(each, await children(each, runner, key))

        found = await merge_children(
            selected,
            runner,
            ask,
            f"list {key!r}",
            strict=self.store.strict,
        )
        if found is None:
            info = await self._look(runner, key, location)
            return [info] if info["type"] == "file" else []
        return found

    async def _find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any
    ) -> Any:
        if maxdepth is not None or withdirs:
            return await super()._find(path, maxdepth=maxdepth, withdirs=withdirs, **kwargs)
        detail, location = kwargs.pop("detail", False), kwargs.pop("location", None)
        found = await self._on_loop(self._below(self._strip_protocol(path), location))
        return found if detail else list(found)

    async def _below(self, key: str, location: str | None) -> dict[str, Info]:
        selected, prefix = self._readable(location), f"{key}/" if key else ""
        strict, visible = self.store.strict, self.store.visible
        pages = list_merged(selected, ASYNCIO, prefix, strict=strict, visible=visible)
        found = {info["name"]: info async for page in pages for info in page}
        if not found and key:
            with suppress(FileNotFoundError):
                info = await self._look(ASYNCIO, key, location, certain=True)
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


def _named(infos: list[Info], detail: bool) -> list[Any]:
    return infos if detail else [info["name"] for info in infos]


def _is_top_level(path: object) -> bool:
    """Tell whether `path` lies in the root, so that fsspec would not place it in a folder.

    fsspec 2026.9 takes the part before the last `/` of what it copies for its parent; with none
    there, a file would take the folder's name, and a folder's content goes where it should.
    """
    if not isinstance(path, str) or path.endswith("/") or has_magic(path):
        return False
    return "/" not in Base._strip_protocol(path)  # noqa: SLF001 - ours


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
