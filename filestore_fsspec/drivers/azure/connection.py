"""How a call reaches Azure: one attempt, the builtin that fits each error, containers."""

from __future__ import annotations

import asyncio
import errno
import re
from contextlib import asynccontextmanager
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from adlfs import AzureBlobFileSystem
from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob.aio import BlobServiceClient
from fsspec.asyn import AsyncFileSystem

from filestore_fsspec.drivers.azure.errors import code_of, errors_of
from filestore_fsspec.drivers.azure.transport import (
    AzureTransport,
    key_credential,
    token_credential,
    trust_of,
)
from filestore_fsspec.drivers.shared.aiohttp_patches import paced
from filestore_fsspec.drivers.shared.driver import AsyncDriver
from filestore_fsspec.drivers.shared.errors import Absent
from filestore_fsspec.drivers.shared.fork_safety import close_after, keep_from_children

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from weakref import finalize

    from aiohttp import ClientResponse
    from azure.core.credentials_async import AsyncTokenCredential

TOKEN_SCOPE = "https://storage.azure.com/.default"  # noqa: S105 - names a right, holds none
_SMALL_BODY_BYTES = 64 * 2**10
_UNKEEPABLE = re.compile(r"[\\\x00-\x1f\x7f]")


class AzureConnection(AsyncDriver, AzureBlobFileSystem):  # type: ignore[misc]  # adlfs has no types
    """Requests through the SDK's pipeline and signature, without the SDK's three tries of each."""

    cachable = False

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
        self.account_url = account_url.rstrip("/")
        self.account_name = account_name
        self.account_key = account_key
        self.tenant_id, self.client_id, self.client_secret = tenant_id, client_id, client_secret
        self.use_default_credentials = use_default_credentials
        self.credential = credential
        self.verify, self.ca_bundle = verify, ca_bundle
        self.initialize_container = initialize_container
        self.connect_timeout, self.read_timeout = connect_timeout, read_timeout
        self.connection_string = None
        self.version_aware = False
        self._service: Any = None
        self._pipeline: AsyncPipeline[Any, Any] | None = None
        self._signer: Any = None
        self._auth: list[Any] = []
        self._owned: tuple[Any, ...] = ()
        self._finalizer: finalize[Any, Any] | None = None

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """Return `container/key`; adlfs takes a path for a URL, and `?` and `#` for its parts."""
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        for protocol in cls.protocol:
            path = path.removeprefix(f"{protocol}://")
        return path.strip("/")

    def split_path(self, path: str, *_args: object, **_kwargs: object) -> tuple[str, str, None]:
        """Return container, key and None; adlfs cuts `?versionid=...` off a key.

        Raises:
            OSError: Azure cannot keep the name: a backslash comes back as `/`, a line feed not at
                all.
        """
        for protocol in self.protocol:
            path = path.removeprefix(f"{protocol}://")
        container, _, key = path.lstrip("/").partition("/")
        if _UNKEEPABLE.search(key):
            raise OSError(errno.EINVAL, "Azure keeps no backslash or control character", path)
        return container, key, None

    def split_blob(self, path: str) -> tuple[str, str]:
        """Return container and key of what must be a blob."""
        container, key, _ = self.split_path(path)
        if not key:
            raise IsADirectoryError(errno.EISDIR, "a container is not a blob", path)
        return container, key

    @property
    def service_client(self) -> BlobServiceClient:
        """The SDK's client, made on first use and after `close`."""
        if self._service is None:
            self._connect()
        service: BlobServiceClient = self._service
        return service

    def _connect(self) -> AsyncPipeline[Any, Any]:
        timeouts = (self.connect_timeout, self.read_timeout)
        with errors_of(self.account_url):
            transport = AzureTransport(
                trust_of(self.verify, self.ca_bundle), timeouts, self.account_url
            )
            credential: Any = self.credential or self._make_credential(timeouts)
            self._service = BlobServiceClient(
                self.account_url, credential=credential, transport=transport, retry_total=0
            )
        self._signer = credential
        auth = self._service.credential  # of a key, the SDK has made the policy that signs
        if hasattr(auth, "get_token"):
            auth = AsyncBearerTokenCredentialPolicy(auth, TOKEN_SCOPE)
        self._auth = [auth] if auth is not None else []
        self._pipeline = AsyncPipeline(transport, self._auth)
        mine = (
            ()
            if credential is self.credential or not hasattr(credential, "close")
            else (credential,)
        )
        self._owned = (transport, *mine)
        keep_from_children(asyncio.get_running_loop() if self.asynchronous else self.loop)
        if not self.asynchronous:
            owned = self._owned
            self._finalizer = close_after(self, self.loop, lambda: _close_all(owned))
        return self._pipeline

    def _make_credential(self, timeouts: tuple[float, float]) -> Any:
        if self.account_key is not None:
            return key_credential(self.account_name, self.account_key)
        transport = AzureTransport(trust_of(self.verify, self.ca_bundle, public=True), timeouts)
        try:
            return token_credential(
                self.tenant_id,
                self.client_id,
                self.client_secret,
                transport,
                use_default=self.use_default_credentials,
            )
        except ValueError as error:
            raise PermissionError(errno.EACCES, f"no Azure credentials: {error}") from error

    async def _close(self) -> None:
        owned, self._owned, self._service, self._pipeline = self._owned, (), None, None
        if self._finalizer is not None:
            self._finalizer.detach()
        await _close_all(owned)

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> AsyncIterator[ClientResponse]:
        """Send one request, once; the answer's body is yet to be read."""
        pipeline = self._pipeline or self._connect()
        request = self._request(method, f"{self.account_url}/{quote(path, safe='~/')}{query}")
        request.headers.update(headers or {})
        with errors_of(path):
            answer = await self._send(pipeline, request, content)
            try:
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    await answer.read()
                    raise _refusal(answer)
                if "x-ms-request-id" not in answer.headers:
                    raise ServiceResponseError(f"HTTP status {answer.status}, which is not Azure's")
                yield answer
            finally:
                answer.release()

    def _request(self, method: str, url: str) -> HttpRequest:
        headers = {"x-ms-version": self._service.api_version, "x-ms-date": formatdate(usegmt=True)}
        return HttpRequest(method, url, headers=headers)

    async def _send(
        self, pipeline: AsyncPipeline[Any, Any], request: HttpRequest, content: bytes
    ) -> ClientResponse:
        if request.method == "PUT":
            request.headers["Content-Length"] = str(len(content))
        if content:
            request.headers["Content-Type"] = "application/octet-stream"
        if len(content) <= _SMALL_BODY_BYTES:
            request.data = content
            response = await pipeline.run(request, stream=True)
        else:
            async with asyncio.timeout(self.connect_timeout + self.read_timeout) as limit:
                request.data = paced(content, limit, self.read_timeout)  # type: ignore[assignment]  # for aiohttp
                response = await pipeline.run(request, stream=True)
        answer: ClientResponse = response.http_response.internal_response
        return answer

    async def ask(self, method: str, path: str, **request: Any) -> Mapping[str, str]:
        """Send one request and return the answer's headers."""
        async with self.answer(method, path, **request) as answer:
            await answer.read()
            return answer.headers

    async def write(self, path: str, **request: Any) -> Mapping[str, str]:
        """Send one PUT; a container that is missing is made, and the PUT sent again.

        Return the answer's headers.
        """
        container, _ = self.split_blob(path)
        try:
            return await self.ask("PUT", path, **request)
        except Absent as error:
            if not self.initialize_container or code_of(error) != "ContainerNotFound":
                raise
        await self.make_container(container)
        return await self.ask("PUT", path, **request)

    async def delete_batch(self, container: str, keys: Iterable[str]) -> list[tuple[int, str]]:
        """Delete blobs in one request; return HTTP status and Azure's code for each, in order."""
        pipeline = self._pipeline or self._connect()
        place = f"/{quote(container)}"
        request = self._request("POST", f"{self.account_url}{place}?restype=container&comp=batch")
        folder = urlsplit(self.account_url).path + place
        parts = (self._request("DELETE", f"{folder}/{quote(key, safe='~/')}") for key in keys)
        # The SDK's own batches have a boundary that azurite cannot read.
        request.set_multipart_mixed(
            *parts, policies=self._auth, boundary=f"batch_{uuid4()}", enforce_https=False
        )
        with errors_of(container):
            response = (await pipeline.run(request)).http_response
            if response.status_code != HTTPStatus.ACCEPTED:
                raise _refusal(response.internal_response)
            answers = [part async for part in response.parts()]
        return [(one.status_code, one.headers.get("x-ms-error-code", "")) for one in answers]

    async def make_container(self, container: str) -> None:
        """Make a container, unless it is there."""
        try:
            await self.ask("PUT", container, query="?restype=container")
        except FileExistsError:
            return


async def _close_all(owned: tuple[Any, ...]) -> None:
    for one in owned:
        await one.close()


def _refusal(answer: ClientResponse) -> HttpResponseError:
    """Return the SDK's exception for an answer; it would look for JSON in the body."""
    code = answer.headers.get("x-ms-error-code", "")
    error: Any = HttpResponseError(message=f"{answer.status} {answer.reason} {code}".strip())
    error.status_code, error.reason = answer.status, answer.reason
    error.retry_after = answer.headers.get("Retry-After")
    error.error_code = code
    refusal: HttpResponseError = error
    return refusal
