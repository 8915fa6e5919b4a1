"""Web servers that only show files, on fsspec's `HTTPFileSystem` and aiohttp.

Paths are whole URLs, unquoted behind the origin: `http://host:80/folder/a b#c?.txt`.
"""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.http import HTTPFileSystem
from fsspec.utils import isfilelike

from filestore_fsspec.drivers.http.files import (
    HTTPFile,
    HTTPStream,
    linked_entries,
    modified,
    pour,
    refuse_write,
)
from filestore_fsspec.drivers.http.session import (
    TLSCheck,
    Web,
    is_folder,
    kept_secure,
    quoted,
    raise_for_status,
)
from filestore_fsspec.drivers.shared.driver import AsyncDriver, first_folder, split_entries
from filestore_fsspec.drivers.shared.errors import Absent, absent
from filestore_fsspec.drivers.shared.readahead import READ_BYTES, cache_type

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from aiohttp import ClientResponse, ClientSession
    from yarl import URL

    from filestore_fsspec.drivers.shared.driver import Info, Page

_IN_MEMORY = 8 << 20
_PARTIAL = 206
_NONE: frozenset[int] = frozenset()
_PAST_END = frozenset({416})
_NO_HEAD = frozenset({405, 501})


class HTTPDriver(AsyncDriver, HTTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files that a web server shows; every write is an OSError (EROFS)."""

    cachable = False

    def __init__(
        self,
        *,
        username: str | None = None,
        password: str | None = None,
        pki: str | None = None,
        verify: bool = True,
        ca_bundle: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        asynchronous: bool = False,
        loop: AbstractEventLoop | None = None,
        **kwargs: Any,
    ) -> None:
        """Sign in with a name and a password, or with `pki`: a PEM of certificate and key."""
        super().__init__(asynchronous=asynchronous, loop=loop, **kwargs)
        self._web = Web(TLSCheck(verify, ca_bundle, pki), connect_timeout, read_timeout)
        if username is not None:
            self._web.sign_in(username, password or "")

    async def set_session(self) -> ClientSession:
        """Return the session of the running loop; fsspec keeps to the first loop for ever."""
        return await self._web.session()

    async def _close(self) -> None:
        await self._web.close()

    close = sync_wrapper(_close)

    def encode_url(self, url: str) -> URL:
        """Quote what stands behind the origin; fsspec takes paths that are quoted already."""
        return quoted(url)

    def _raise_not_found_for_status(self, response: ClientResponse, url: str) -> None:
        raise_for_status(response, url)  # fsspec's knows 404 only

    # Reading

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        byte_range = ""
        if start is not None or end is not None:
            start = start or 0
            if (start < 0 and end is not None) or (end is not None and end < 0):
                size = (await self._info(path))["size"]
                if size is None:
                    return (await self._cat_file(path))[start:end]
                start, end, _step = slice(start, end).indices(size)
            if end is not None and start >= end:
                await self._info(path)
                return b""
            last = "" if end is None else end - 1
            byte_range = str(start) if start < 0 else f"{start}-{last}"
        allowed = _PAST_END if byte_range else _NONE
        async with self._web.request("GET", path, byte_range, allowed) as found:
            if is_folder(found):
                raise absent(path)
            if found.status in _PAST_END:
                return b""
            content: bytes = await found.read()
        return content if found.status == _PARTIAL else content[start:end]

    async def _get_file(
        self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **_kwargs: Any
    ) -> None:
        async with self._web.request("GET", rpath) as found:
            if is_folder(found):
                raise absent(rpath)
            callback.set_size(found.content_length)
            if isfilelike(lpath):
                await pour(found, lpath, callback)
                return
            local_path = Path(lpath)
            local_path.parent.mkdir(parents=True, exist_ok=True)
            with local_path.open("wb") as file:
                try:
                    await pour(found, file, callback)
                except BaseException:
                    local_path.unlink()  # a part must not be taken for the whole
                    raise

    async def _info(self, path: str, **_kwargs: Any) -> Info:
        # fsspec calls every failure "not found".
        async with self._web.request("HEAD", path, allowed=_NO_HEAD) as found:
            if found.status not in _NO_HEAD:
                return self._described(path, found)
        async with self._web.request("GET", path, "0-0", _PAST_END) as found:
            return self._described(path, found)

    def _described(self, path: str, found: ClientResponse) -> Info:
        folder = is_folder(found)
        total = found.headers.get("Content-Range", "").rpartition("/")[2]
        size = found.content_length if found.status not in {_PARTIAL, *_PAST_END} else None
        return {
            "name": path,
            "size": 0 if folder else int(total) if total.isdecimal() else size,
            "type": "directory" if folder else "file",
            "modified": modified(found),
            "ETag": found.headers.get("ETag"),
        }

    async def _exists(self, path: str, **_kwargs: Any) -> bool:
        try:
            await self._info(path)
        except Absent:
            return False
        return True

    async def _isfile(self, path: str, **_kwargs: Any) -> bool:
        return await self._type(path) == "file"

    async def _isdir(self, path: str, **_kwargs: Any) -> bool:
        return await self._type(path) == "directory"

    async def _type(self, path: str) -> str | None:
        try:
            return str((await self._info(path))["type"])
        except Absent:
            return None

    async def _entries(self, folder: str) -> list[Info]:
        async with self._web.request("GET", folder + "/") as found:
            if found.content_type != "text/html" or "Content-Encoding" in found.headers:
                raise OSError(errno.ENOTSUP, "the server sent no page that lists it", folder)
            return linked_entries(folder, str(found.url), await found.text(errors="replace"))

    async def _ls(self, path: str, detail: bool = True, **_kwargs: Any) -> list[Any]:
        try:
            entries = await self._entries(path.rstrip("/"))
        except Absent:
            entries = [await self._info(path)]
        return entries if detail else sorted(entry["name"] for entry in entries)

    ls = sync_wrapper(_ls)

    async def _list_page(self, prefix: str, token: list[str] | None = None) -> Page:
        """List one folder; the token is the stack of those left."""
        left = [first_folder(prefix)] if token is None else list(token)
        try:
            entries = await self._entries(left.pop())
        except Absent:
            entries = []
        files, folders = split_entries(prefix, entries)
        left += sorted(folders, reverse=True)
        return sorted(files, key=lambda info: str(info["name"])), left or None

    list_page = sync_wrapper(_list_page)

    def _open(
        self, path: str, mode: str = "rb", block_size: Any = None, size: Any = None, **kwargs: Any
    ) -> Any:
        if mode != "rb":
            refuse_write(path)
        info = self.info(path)
        if info["type"] == "directory":
            raise absent(path)
        if info["size"] is not None:
            cache = kwargs.get("cache_type", cache_type(block_size))
            length = block_size or READ_BYTES
            return HTTPFile(self, path, block_size=length, size=info["size"], cache_type=cache)
        file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
        self.get_file(path, file)
        file.seek(0)
        return file

    async def open_async(self, path: str, mode: str = "rb", size: Any = None, **kwargs: Any) -> Any:
        """Return a file to be read from its beginning with `await file.read(length)`."""
        if mode != "rb":
            refuse_write(path)
        session = await self.set_session()
        file = HTTPStream(self, path, session=session, size=size)
        # fsspec forgets those given above.
        file.kwargs = {"headers": self._web.headers, "middlewares": kept_secure(path)}
        return file

    # Writing: fsspec really sends PUT and POST, and says yes to folders.

    async def _refuse(self, path: Any, *_args: Any, **_kwargs: Any) -> None:
        refuse_write(path)

    def _refuse_now(self, path: Any, *_args: Any, **_kwargs: Any) -> None:
        refuse_write(path)

    _pipe_file = _put_file = _cp_file = _rm_file = _rm = _mkdir = _makedirs = _refuse
    mv = rmdir = touch = _refuse_now
