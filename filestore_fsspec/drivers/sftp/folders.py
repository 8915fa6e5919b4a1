"""The SFTP driver's folders: listing, making and removing them."""

from __future__ import annotations

import errno
import os
import posixpath
from typing import TYPE_CHECKING, Any

import asyncssh
from fsspec.asyn import _run_coros_in_chunks, sync_wrapper
from sshfs import SSHFileSystem

from filestore_fsspec.drivers.sftp.connection import GONE, Connection
from filestore_fsspec.drivers.sftp.listing import entries, info_of, leads_upward, scan
from filestore_fsspec.drivers.sftp.write import exists, make_folders
from filestore_fsspec.drivers.shared.driver import AsyncDriver, first_folder, split_entries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from filestore_fsspec.drivers.shared.driver import Page

_AT_ONCE = 64
"""How many files of a folder are removed side by side."""


class SFTPFolders(AsyncDriver, SSHFileSystem):  # type: ignore[misc]  # sshfs carries no types
    """What is done to folders; the driver adds what is done to files."""

    connection: Connection

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        # sshfs parses a path as a URL: the name `x://y?z` lost its parts.
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        path = os.fspath(path)
        return path.rstrip("/") or path[:1]

    async def _rmdir(self, path: str, **kwargs: Any) -> None:
        path = self._strip_protocol(path)
        async with self.connection.use(path) as link:
            await link.sftp.rmdir(path)

    async def _rm(self, path: Any, recursive: bool = False, **kwargs: Any) -> None:
        for each in self._strip_protocol(path if isinstance(path, list) else [path]):
            async with self.connection.use(each) as link:
                info = info_of(each, await link.sftp.lstat(each))
            if info["type"] != "directory":
                await self._rm_file(each)
            elif recursive:
                await self._rm_folder(each)
            else:
                await self._rmdir(each)

    async def _rm_folder(self, folder: str) -> None:
        # By what the entries are themselves: a link goes, what it leads to stays.
        async with self.connection.use(folder) as link:
            infos = await scan(link, folder)
        files = [info["name"] for info in infos if info["type"] != "directory"]
        await _run_coros_in_chunks([self._rm_file(name) for name in files], batch_size=_AT_ONCE)
        for info in infos:
            if info["type"] == "directory":
                await self._rm_folder(info["name"])
        await self._rmdir(folder)

    async def _mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        path = self._strip_protocol(path)
        async with self.connection.use(path) as link:
            if await exists(link, path):
                raise FileExistsError(errno.EEXIST, "it is there already", path)
            if create_parents and posixpath.dirname(path):
                await make_folders(link, posixpath.dirname(path))
            await link.sftp.mkdir(path)

    async def _makedirs(self, path: str, exist_ok: bool = False, **kwargs: Any) -> None:
        path = self._strip_protocol(path)
        if not exist_ok:
            await self._mkdir(path)
            return
        async with self.connection.use(path) as link:
            await make_folders(link, path)

    # sshfs binds the first two to its own coroutines, and leaves the third out: it did nothing.
    mkdir = sync_wrapper(_mkdir)
    makedirs = sync_wrapper(_makedirs)
    rmdir = sync_wrapper(_rmdir)

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        path = self._strip_protocol(path)
        async with self.connection.use(path) as link:
            try:
                infos = await entries(link, path)
            except (*GONE, asyncssh.SFTPFailure):
                # The folder is a file, if it is anything.
                infos = [info_of(path, await link.sftp.stat(path or "."))]
                if infos[0]["type"] == "directory":
                    raise
        return infos if detail else [info["name"] for info in infos]

    async def _list_page(self, prefix: str, token: Any = None) -> Page:
        return await self._page(prefix, token)

    async def _stale_files(self, prefix: str, token: Any = None) -> Page:
        return await self._page(prefix, token, stale_files=True)

    async def _page(self, prefix: str, token: Any, *, stale_files: bool = False) -> Page:
        folders: list[str] = token or [
            first_folder(prefix) or ("/" if prefix.startswith("/") else "")
        ]
        folder = folders[0]
        async with self.connection.use(folder) as link:
            try:
                infos = await entries(link, folder)
            except GONE:
                infos = []
            infos = [info for info in infos if not await leads_upward(link, info)]
        files, below = split_entries(prefix, infos, stale_files=stale_files)
        left = folders[1:] + below
        return [info for info in files if info["type"] == "file"], left or None

    async def _walk(
        self, path: str, maxdepth: int | None = None, on_error: Any = "omit", **kwargs: Any
    ) -> AsyncIterator[Any]:
        # fsspec passes over every error of a folder: find() on a dropped connection gave [].
        def only_missing(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                raise error

        handler = only_missing if on_error == "omit" else on_error
        async for entry in super()._walk(path, maxdepth, on_error=handler, **kwargs):
            yield entry
