"""Looking at what Azure holds."""

from __future__ import annotations

import errno
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from azure.storage.blob import BlobProperties
from fsspec.asyn import AsyncFileSystem

from filestore_fsspec.drivers.azure.connection import AzureConnection
from filestore_fsspec.drivers.azure.errors import errors_of
from filestore_fsspec.drivers.shared.errors import Absent, absent
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filestore_fsspec.drivers.shared.driver import Info, Page

_FOLDER = "hdi_isfolder"
"""The metadata that marks a folder where the account has a hierarchical namespace."""
_PAGE = 5000


def _folder(name: str) -> Info:
    return {"name": name, "size": 0, "type": "directory", "modified": None}


def is_folder(headers: Mapping[str, str]) -> bool:
    """Tell by an answer's headers whether it is about a folder."""
    return headers.get(f"x-ms-meta-{_FOLDER}", "").lower() == "true"


def _marks_folder(metadata: Mapping[str, str] | None) -> bool:
    return any(name.lower() == _FOLDER for name in metadata or ())


def _file(container: str, blob: BlobProperties) -> Info:
    info = {"name": f"{container}/{blob.name}", "size": blob.size, "type": "file"}
    return {**info, "modified": blob.last_modified, "etag": f'"{blob.etag.strip(chr(34))}"'}


class AzureListing(AzureConnection):
    """What of `AzureDriver` looks without reading."""

    def blob_path(self, path: str) -> str:
        """Return the path of a blob; containers, and names that end in `/`, are none."""
        container, key, _ = self.split_path(path)
        if not key or key.endswith("/"):
            raise absent(path)
        return f"{container}/{key}"

    async def head(self, path: str) -> Info:
        """Return what HEAD says of a blob."""
        headers = await self.ask("HEAD", self.blob_path(path))
        if is_folder(headers):
            raise absent(path)
        return {
            "name": path,
            "size": int(headers["Content-Length"]),
            "type": "file",
            "modified": parsedate_to_datetime(headers["Last-Modified"]),
            "etag": headers["ETag"],
        }

    async def _info(self, path: str, *_args: object, **_kwargs: object) -> Info:
        path = self._strip_protocol(path)
        container, key, _ = self.split_path(path)
        if not key:
            if container:
                await self.ask("HEAD", container, query="?restype=container")
            return _folder(container)
        try:
            return await self.head(path)
        except Absent:
            if not await self._isdir(path):
                raise
            return _folder(path)

    async def _isfile(self, path: str) -> bool:
        # adlfs says False whatever goes wrong.
        try:
            await self.head(path)
        except Absent:
            return False
        return True

    async def _isdir(self, path: str) -> bool:
        path = self._strip_protocol(path)
        container, key, _ = self.split_path(path)
        if key:
            return await self.holds_something(path)
        try:
            await self._info(container)
        except Absent:
            return False
        return True

    async def _exists(self, path: str, **_kwargs: object) -> bool:
        # adlfs says True for a container that it may not see.
        try:
            await self._info(path)
        except Absent:
            return False
        return True

    async def holds_something(self, folder: str) -> bool:
        """Tell whether anything lies in a folder or container, with one request."""
        container, key, _ = self.split_path(folder)
        return bool((await self._page(container, f"{key}/" if key else "", None, 1))[0])

    async def _page(
        self, container: str, prefix: str, token: str | None, size: int
    ) -> tuple[list[BlobProperties], str | None]:
        with errors_of(container):
            client = self.service_client.get_container_client(container)
            blobs = client.list_blobs(
                name_starts_with=prefix, include=["metadata"], results_per_page=size
            )
            pages: Any = blobs.by_page(token)
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return [], None
            return [blob async for blob in page], pages.continuation_token or None

    async def _list_page(self, prefix: str, token: Any = None) -> Page:
        container, key, _ = self.split_path(prefix)
        try:
            blobs, token = await self._page(container, key, token, _PAGE)
        except Absent:
            return [], None
        files = [
            _file(container, blob)
            for blob in blobs
            if not (
                blob.name.endswith("/") or _marks_folder(blob.metadata) or is_temporary(blob.name)
            )
        ]
        return files, token

    async def _ls(self, path: str, detail: bool = True, **_kwargs: object) -> list[Any]:
        path = self._strip_protocol(path)
        entries = await (self._entries(path) if path else self._containers())
        if not entries and "/" in path:
            entries = [await self.head(path)]
        return entries if detail else sorted(entry["name"] for entry in entries)

    async def _containers(self) -> list[Info]:
        with errors_of(self.account_url):
            return [_folder(one.name) async for one in self.service_client.list_containers()]

    async def _entries(self, folder: str) -> list[Info]:
        """Return what lies directly in a folder or container."""
        container, key, _ = self.split_path(folder)
        prefix = f"{key}/" if key else ""
        entries: dict[str, Info] = {}
        with errors_of(folder):
            client = self.service_client.get_container_client(container)
            async for one in client.walk_blobs(name_starts_with=prefix, include=["metadata"]):
                if one.name == prefix:
                    continue  # the folder's own marker
                name = f"{container}/{one.name.rstrip('/')}"
                if isinstance(one, BlobProperties) and not _marks_folder(one.metadata):
                    entries[name] = _file(container, one)
                else:
                    entries[name] = _folder(name)
        return list(entries.values())

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        prefix: str = "",
        *,
        detail: bool = False,
        **_kwargs: object,
    ) -> dict[str, Info] | list[str]:
        path = self._strip_protocol(path)
        if not path:
            raise OSError(errno.EINVAL, "a whole account is not listed", path)
        found: dict[str, Info]
        if withdirs or maxdepth is not None:
            found = await self._find_with_folders(path, maxdepth, withdirs=withdirs)
        else:
            found, token = {}, None
            while True:
                files, token = await self._list_page(f"{path}/{prefix}", token)
                found.update({info["name"]: info for info in files})
                if token is None:
                    break
            if not found and not prefix and await self._isfile(path):
                found = {path: await self.head(path)}
        return dict(sorted(found.items())) if detail else sorted(found)

    async def _find_with_folders(
        self, path: str, maxdepth: int | None, *, withdirs: bool
    ) -> dict[str, Info]:
        # fsspec's walk passes over folders that it cannot list, unless told.
        try:
            found: dict[str, Info] = await AsyncFileSystem._find(  # noqa: SLF001 - adlfs has its own
                self, path, maxdepth, withdirs, detail=True, on_error="raise"
            )
        except Absent:
            return {}
        return found

    _walk = AsyncFileSystem._walk  # noqa: SLF001 - adlfs has another function of this name
