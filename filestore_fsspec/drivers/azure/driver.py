"""Azure Blob Storage: adlfs, with one request a call, telling the truth."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Any, ClassVar

from adlfs import AzureBlobFileSystem
from fsspec.asyn import AsyncFileSystem

from filestore_fsspec.bridge import sync
from filestore_fsspec.drivers.azure.requests import AzureRequests, AzureSettings
from filestore_fsspec.drivers.shared.buckets import BucketDriver
from filestore_fsspec.drivers.shared.errors import Absent

if TYPE_CHECKING:
    import asyncio

    from azure.core.credentials_async import AsyncTokenCredential


class AzureDriver(BucketDriver, AzureBlobFileSystem):  # type: ignore[misc]  # adlfs has no types
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

    requests: AzureRequests
    delete_batch_chunk_size: ClassVar[int] = 256
    marks_by_metadata = True
    unkeepable = re.compile(r"[\\\x00-\x1f\x7f]")

    def __init__(
        self,
        account_url: str,
        account_name: str,
        account_key: str | None = None,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        use_default_credentials: bool = False,
        credential: AsyncTokenCredential | None = None,
        verify: bool = True,
        ca_bundle: str | None = None,
        initialize_container: bool = True,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        **kwargs: object,
    ) -> None:
        # adlfs's own constructor takes what is not given from AZURE_STORAGE_*, connects, and
        # registers a finalizer that keeps the instance for ever.
        AsyncFileSystem.__init__(
            self, asynchronous=asynchronous, loop=loop, use_listings_cache=False, **kwargs
        )
        self.requests = AzureRequests(
            AzureSettings(
                account_url.rstrip("/"),
                account_name,
                account_key,
                tenant_id,
                client_id,
                client_secret,
                use_default_credentials,
                credential,
                verify,
                ca_bundle,
                initialize_container,
                (connect_timeout, read_timeout),
                asynchronous,
            )
        )
        # What adlfs's signed URLs are made with.
        self.account_name, self.account_key, self.connection_string = (
            account_name,
            account_key,
            None,
        )

    def split_path(self, path: Any, *args: object, **kwargs: object) -> tuple[str, str, None]:
        """Return container, key and None.

        Raises:
            Absent: Azure has no such name: of a backslash it makes `/`, of a line feed nothing.
        """
        container, key, _ = super().split_path(path, *args, **kwargs)
        if self.unkeepable.search(key):
            raise Absent(errno.ENOENT, "Azure has no backslash or control character", path)
        return container, key, None

    # What adlfs has beyond fsspec

    @property
    def service_client(self) -> Any:
        """The SDK's client, made on first use and after `close`."""
        return self.requests.service or sync(self.loop, self.requests.connect)

    async def _url(self, path: Any, expires: float = 3600, **kwargs: Any) -> Any:
        if self.account_key is None:
            raise OSError(errno.ENOTSUP, "only the account's key signs URLs", path)
        await self.requests.connect()
        return await super()._url(path, expires, **kwargs)

    async def _getxattr(self, path: Any, attr: str) -> str | None:
        return (await self.requests.metadata(*self._object(path))).get(attr.lower())

    def getxattr(self, path: Any, attr: str) -> str | None:
        """Return one of a blob's own metadata, or None."""
        value: str | None = sync(self.loop, self._getxattr, path, attr)
        return value

    async def _setxattrs(self, rpath: Any, **metadata: str) -> None:
        await self.requests.set_metadata(*self._object(rpath), metadata)

    def setxattrs(self, rpath: Any, **metadata: str) -> None:
        """Set all of a blob's own metadata."""
        sync(self.loop, self._setxattrs, rpath, **metadata)
