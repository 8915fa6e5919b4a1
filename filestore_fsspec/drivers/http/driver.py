"""Web servers that only show files, on aiohttp.

HTTPFileSystem of fsspec 2026.9 takes a folder for a file, calls every failure "not found", and
really sends PUT and POST. It is no parent of this driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from fsspec.asyn import AbstractAsyncStreamedFile, AsyncFileSystem
from fsspec.utils import stringify_path

from filestore_fsspec.drivers.http.requests import HTTPRequests, refuse_write
from filestore_fsspec.drivers.http.session import TLSCheck, Web
from filestore_fsspec.drivers.shared.errors import Absent
from filestore_fsspec.drivers.shared.folders import AsyncFolderDriver

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from filestore_fsspec.drivers.shared.driver import Info, Page
    from filestore_fsspec.drivers.shared.files import Handle


class HTTPDriver(AsyncFolderDriver, AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files that web servers show; every write is an OSError (EROFS).

    Paths are whole URLs, unquoted behind the origin: `http://host:80/folder/a b#c?.txt`. What a
    server compresses on the way, though it is asked not to, is refused. See `requests` for what
    is believed.
    """

    protocol = ("http", "https")
    cachable = False
    requests: HTTPRequests

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
        web = Web(TLSCheck(verify, ca_bundle, pki), connect_timeout, read_timeout)
        if username is not None:
            web.sign_in(username, password or "")
        self.requests = HTTPRequests(web)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return stringify_path(path).rstrip("/")

    async def _isfile(self, path: Any) -> bool:
        try:
            info, _version = await self.requests.look(self._strip_protocol(path))
        except Absent:
            return False
        return bool(info["type"] == "file")

    # Sizes: not every page of a folder has them

    async def _find(
        self, path: Any, *args: Any, detail: bool = False, sizes: bool = True, **kwargs: Any
    ) -> Any:
        found: dict[str, Info] = await super()._find(path, *args, detail=True, **kwargs)
        if not detail:
            return list(found)
        if sizes:
            unsized = [path for path, info in found.items() if info["size"] is None]
            infos = await self._all(map(self.requests.stat, unsized))
            found |= zip(unsized, infos, strict=True)
        return found

    async def _glob(self, path: Any, *args: Any, detail: bool = False, **kwargs: Any) -> Any:
        found = await super()._glob(path, *args, detail=True, sizes=detail, **kwargs)
        return found if detail else list(found)

    async def _du(
        self, path: Any, total: bool = True, maxdepth: int | None = None, **_kwargs: Any
    ) -> Any:
        found = await self._find(path, maxdepth, detail=True)
        sizes = {path: info["size"] or 0 for path, info in found.items()}
        return sum(sizes.values()) if total else sizes

    async def open_async(self, path: Any, mode: str = "rb", **_kwargs: Any) -> _StreamedFile:
        """Return a file to be read from its beginning with `await file.read(length)`."""
        path = self._strip_protocol(path)
        if mode != "rb":
            refuse_write(path)
        return _StreamedFile(self, path, await self._open_to_read(path))

    # Writing: refused before anything is read or sent

    async def _refuse(self, *args: Any, **_kwargs: Any) -> NoReturn:
        refuse_write(args[0])

    _send = _refuse_to_write = _cp_file = _refuse

    async def _stale_files(self, prefix: str, token: Any = None) -> Page:
        return [], None


class _StreamedFile(AbstractAsyncStreamedFile):  # type: ignore[misc]  # fsspec has no types
    def __init__(self, fs: HTTPDriver, path: str, handle: Handle) -> None:
        self._handle = handle
        super().__init__(fs, path, "rb", size=handle.info["size"], cache_type="none")

    async def _fetch_range(self, start: int, end: int) -> bytes:
        return await self._handle.read(start, min(end, self.size))

    async def close(self) -> None:
        await super().close()
        self._handle.close()
