"""Azure Blob Storage: adlfs, with one request a call, telling the truth."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from fsspec.asyn import AsyncFileSystem, sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.azure.file import AzureDriverFile
from filestore_fsspec.drivers.azure.listing import is_folder
from filestore_fsspec.drivers.azure.writing import AzureWriting
from filestore_fsspec.drivers.shared.errors import absent
from filestore_fsspec.drivers.shared.pieces import PIECE_BYTES, save
from filestore_fsspec.drivers.shared.readahead import READ_BYTES, cache_type

if TYPE_CHECKING:
    from fsspec.callbacks import Callback

_RANGE_NOT_SATISFIABLE = 416


class AzureDriver(AzureWriting):
    """adlfs with the promises of `shared.driver`; paths are `container/key`.

    Args:
        account_url: `https://account.blob.core.windows.net`, or an emulator's
            `http://127.0.0.1:10000/devstoreaccount1`.
        account_name: the account's name.
        account_key: its key; without it or any of the following, access is anonymous.
        tenant_id: of a service principal, as are the next two.
        client_id: its id.
        client_secret: its secret.
        use_default_credentials: whether to use what the machine has (workload identity, given
            `tenant_id` and `client_id`).
        credential: anything else that gives tokens; whoever made it closes it.
        verify: whether the server's certificate is checked.
        ca_bundle: PEM file with the authorities to trust instead of the usual ones.
        initialize_container: whether a write makes a container that is missing.
        connect_timeout: seconds.
        read_timeout: seconds without a byte in either direction.
        asynchronous: whether it is used from inside coroutines.
        loop: fsspec's own.
        **kwargs: fsspec's own.
    """

    blocksize = PIECE_BYTES

    async def read_range(
        self, path: str, start: int | None, end: int | None, etag: str | None = None
    ) -> bytes:
        """Return a blob, or its bytes from `start` to `end`; given an `etag`, of that one only."""
        self.split_blob(path)
        headers = {"If-Match": etag} if etag else {}
        if start is not None or end is not None:
            last = "" if end is None else str(end - 1)
            headers["x-ms-range"] = f"bytes={start or 0}-{last}"
        async with self.answer("GET", path, headers=headers) as answer:
            if is_folder(answer.headers):
                raise absent(path)
            return await answer.read()

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: object
    ) -> bytes:
        path = self.blob_path(path)
        if (start or 0) < 0 or (end or 0) < 0:
            size = (await self.head(path))["size"]
            start = max(0, size + start) if start is not None and start < 0 else start
            end = size + end if end is not None and end < 0 else end
        if end is not None and end <= (start or 0):
            await self.head(path)
            return b""
        try:
            return await self.read_range(path, start, end)
        except OSError as error:
            if getattr(error.__cause__, "status_code", None) != _RANGE_NOT_SATISFIABLE:
                raise
            return b""  # a range past the end is empty, here as in a local file

    async def _get_file(
        self, rpath: str, lpath: str, callback: Callback | None = None, **_kwargs: object
    ) -> None:
        if os.path.isdir(lpath):
            return
        callback = callback or DEFAULT_CALLBACK
        async with self.answer("GET", self.blob_path(rpath)) as answer:
            if is_folder(answer.headers):
                raise absent(rpath)
            callback.set_size(answer.content_length)
            await save(answer.content.read, lpath, callback)

    get_file = sync_wrapper(_get_file)

    cat: Any = sync_wrapper(AsyncFileSystem._cat)  # noqa: SLF001 - adlfs reads one after the other

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        **kwargs: object,
    ) -> AzureDriverFile:
        if "a" in mode:
            raise OSError(errno.ENOTSUP, "what is on Azure cannot be appended to", path)
        length = block_size or (READ_BYTES if mode == "rb" else self.blocksize)
        kwargs.setdefault("cache_type", cache_type(block_size))
        return AzureDriverFile(self, path, mode, length, autocommit=autocommit, **kwargs)
