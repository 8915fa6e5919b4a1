"""What is asked of Azure, one attempt each, and what its answers mean.

Requests go through the SDK's pipeline and signature, without the SDK's three tries of each.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
from base64 import b64encode
from contextlib import asynccontextmanager
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit
from uuid import uuid4

from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient

from filestore_fsspec.drivers.azure.errors import code_of, errors_of, server_said
from filestore_fsspec.drivers.azure.transport import (
    AzureTransport,
    key_credential,
    token_credential,
)
from filestore_fsspec.drivers.shared.aiohttp_patches import paced
from filestore_fsspec.drivers.shared.bucket_requests import Body, Part, Written
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    absent,
    checksum_mismatch,
    only_os_errors,
    range_of,
    unusable_answer,
)
from filestore_fsspec.drivers.shared.fork_safety import close_after, keep_from_children
from filestore_fsspec.drivers.shared.pieces import md5_of
from filestore_fsspec.drivers.shared.tls import tls_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from weakref import finalize

    from aiohttp import ClientResponse
    from azure.core.credentials_async import AsyncTokenCredential

    from filestore_fsspec.drivers.shared.driver import Info, Page

_TOKEN_SCOPE = "https://storage.azure.com/.default"  # noqa: S105 - names a right, holds none
_SMALL_BODY_BYTES = 64 * 2**10
_PAGE = 5000
_COPY_PAUSE_SECONDS = 0.2
_BLOCK = {"x-ms-blob-type": "BlockBlob"}
_CONTAINER = "?restype=container"
_MD5 = "Content-MD5"
_GARBLED = {"Md5Mismatch", "InvalidOperation"}
"""What Azure says of content that is not what its MD5 says, and what azurite says."""
_FOLDER = "hdi_isfolder"
"""The metadata that marks a folder where the account has a hierarchical namespace."""
_EXPECTED = {
    "GET": {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT},
    "HEAD": {HTTPStatus.OK},
    "PUT": {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED},
    "DELETE": {HTTPStatus.ACCEPTED},
}


class AzureSettings(NamedTuple):
    """Where and as whom to ask."""

    account_url: str
    account_name: str
    account_key: str | None
    tenant_id: str | None
    client_id: str | None
    client_secret: str | None
    use_default_credentials: bool
    credential: AsyncTokenCredential | None
    verify: bool
    ca_bundle: str | None
    initialize_container: bool
    timeouts: tuple[float, float]
    """Connect and read, in seconds."""
    held_by_loop: bool
    """Whether the caller's loop ends before the process, and its connections with it."""


@only_os_errors
class AzureRequests:
    """The requests of one location, over one pipeline of the SDK's."""

    max_parts = 50_000

    def __init__(self, settings: AzureSettings) -> None:
        self.settings = settings
        self.service: Any = None
        """The SDK's client, made on first use and after `close`."""
        self._pipeline: AsyncPipeline[Any, Any] | None = None
        self._signer: Any = None
        self._auth: list[Any] = []
        self._owned: tuple[Any, ...] = ()
        self._finalizer: finalize[Any, Any] | None = None

    # Connections

    async def connect(self) -> BlobServiceClient:
        """Return the SDK's client."""
        if self.service is None:
            self._connect()
        service: BlobServiceClient = self.service
        return service

    def _connect(self) -> AsyncPipeline[Any, Any]:
        settings = self.settings
        tls = tls_context(verify=settings.verify, ca_bundle=settings.ca_bundle)
        with errors_of(settings.account_url):
            transport = AzureTransport(tls, settings.timeouts, settings.account_url)
            credential: Any = settings.credential or self._make_credential()
            self.service = BlobServiceClient(
                settings.account_url, credential=credential, transport=transport, retry_total=0
            )
        self._signer = credential
        auth = self.service.credential  # of a key, the SDK has made the policy that signs
        if hasattr(auth, "get_token"):
            auth = AsyncBearerTokenCredentialPolicy(auth, _TOKEN_SCOPE)
        self._auth = [auth] if auth is not None else []
        self._pipeline = AsyncPipeline(transport, self._auth)
        is_mine = credential is not settings.credential and hasattr(credential, "close")
        owned = self._owned = (transport, *((credential,) if is_mine else ()))
        loop = asyncio.get_running_loop()
        keep_from_children(loop)
        if not settings.held_by_loop:
            self._finalizer = close_after(self, loop, lambda: _close_all(owned))
        return self._pipeline

    def _make_credential(self) -> Any:
        settings = self.settings
        if settings.account_key is not None:
            return key_credential(settings.account_name, settings.account_key)
        tls = tls_context(verify=settings.verify, ca_bundle=settings.ca_bundle, public=True)
        try:
            return token_credential(
                settings.tenant_id,
                settings.client_id,
                settings.client_secret,
                AzureTransport(tls, settings.timeouts),
                use_default=settings.use_default_credentials,
            )
        except ValueError as error:
            raise PermissionError(errno.EACCES, f"no Azure credentials: {error}") from error

    async def token(self) -> Any:
        """Return a token for the account."""
        await self.connect()
        return await self._signer.get_token(_TOKEN_SCOPE)

    async def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        owned, self._owned, self.service, self._pipeline = self._owned, (), None, None
        if self._finalizer is not None:
            self._finalizer.detach()
        await _close_all(owned)

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> AsyncIterator[ClientResponse]:
        """Send one request, once; the answer's body is yet to be read."""
        pipeline = self._pipeline or self._connect()
        url = f"{self.settings.account_url}/{quote(path, safe='~/')}{query}"
        request = self._request(method, url)
        request.headers.update(headers or {})
        with errors_of(path):
            answer = await self._send(pipeline, request, content)
        try:
            with errors_of(path):
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    await answer.read()
                    raise _refusal(answer)
                is_azures = "x-ms-request-id" in answer.headers
                if not is_azures or answer.status not in _EXPECTED[method]:
                    raise ServiceResponseError(f"HTTP status {answer.status}, which is not Azure's")
            yield answer
        finally:
            answer.release()

    def _request(self, method: str, url: str) -> HttpRequest:
        headers = {"x-ms-version": self.service.api_version, "x-ms-date": formatdate(usegmt=True)}
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
            connect_seconds, read_seconds = self.settings.timeouts
            async with asyncio.timeout(connect_seconds + read_seconds) as limit:
                request.data = paced(content, limit, read_seconds)  # type: ignore[assignment]  # for aiohttp
                response = await pipeline.run(request, stream=True)
        answer: ClientResponse = response.http_response.internal_response
        return answer

    async def ask(self, method: str, path: str, **request: Any) -> Mapping[str, str]:
        """Send one request and return the answer's headers."""
        async with self._answer(method, path, **request) as answer:
            with errors_of(path):
                await answer.read()
            return answer.headers

    async def _write(self, bucket: str, key: str, **request: Any) -> Mapping[str, str]:
        """Send one PUT; a container that is missing is made, and the PUT sent again."""
        try:
            return await self.ask("PUT", f"{bucket}/{key}", **request)
        except Absent as error:
            if not self.settings.initialize_container or code_of(error) != "ContainerNotFound":
                raise
        await self.make_bucket(bucket)
        return await self.ask("PUT", f"{bucket}/{key}", **request)

    # Containers

    async def buckets(self) -> list[str]:
        """Return the names of all containers."""
        service = await self.connect()
        with errors_of(self.settings.account_url):
            return [each.name async for each in service.list_containers()]

    async def head_bucket(self, bucket: str) -> None:
        """Return if the container is there."""
        await self.ask("HEAD", bucket, query=_CONTAINER)

    async def make_bucket(self, bucket: str) -> None:
        """Make a container, unless it is there."""
        try:
            await self.ask("PUT", bucket, query=_CONTAINER)
        except FileExistsError:
            return

    async def remove_bucket(self, bucket: str) -> None:
        """Remove a container, and all that is in it."""
        await self.ask("DELETE", bucket, query=_CONTAINER)

    # Looking

    async def head(self, bucket: str, key: str) -> Info:
        """Return the info of a blob; of one that marks a folder, a `directory`."""
        headers = await self.ask("HEAD", f"{bucket}/{key}")
        modified = parsedate_to_datetime(headers["Last-Modified"])
        size, etag = int(headers["Content-Length"]), headers["ETag"]
        kind = "directory" if _is_folder(headers) else "file"
        return _info(f"{bucket}/{key}", size, modified, etag, kind)

    async def page(
        self,
        bucket: str,
        prefix: str,
        token: Any = None,
        *,
        delimiter: bool = False,
        size: int | None = None,
    ) -> Page:
        """Return the infos of some blobs under a prefix, and a token for more."""
        client = (await self.connect()).get_container_client(bucket)
        listing: Any = client.walk_blobs if delimiter else client.list_blobs
        found = listing(
            name_starts_with=prefix, include=["metadata"], results_per_page=size or _PAGE
        )
        with errors_of(bucket):
            pages = found.by_page(token)
            try:
                infos = [_entry(bucket, blob) async for blob in await anext(pages)]
            except StopAsyncIteration:
                return [], None
        more = pages.continuation_token or None
        if more is not None and more == token:
            raise unusable_answer("a listing without an end", f"{bucket}/{prefix}")
        return infos, more

    async def refuse_marker(self, bucket: str, key: str) -> None:
        """Raise IsADirectoryError if a blob marks a folder."""
        try:
            found = await self.head(bucket, key)
        except Absent:
            return
        if found["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, "is a directory", found["name"])

    # Reading

    async def get(
        self, bucket: str, key: str, start: int = 0, end: int | None = None, etag: str = ""
    ) -> bytes:
        """Return the bytes from `start` to before `end`."""
        path = f"{bucket}/{key}"
        if start < 0:
            found = await self.head(bucket, key)
            start = max(0, found["size"] + start)
            etag = found["etag"]
        headers = {"If-Match": etag} if etag else {}
        is_part = bool(start) or end is not None
        if is_part:
            headers["x-ms-range"] = f"bytes={start}-{'' if end is None else end - 1}"
        try:
            async with self._answer("GET", path, headers=headers) as answer:
                if _is_folder(answer.headers):
                    raise absent(path)
                with errors_of(path):
                    content = await answer.read()
                if is_part:
                    return range_of(content, answer.headers.get("Content-Range"), start, end, path)
                _check_whole(answer, path)
                return content
        except OSError as error:
            status = getattr(error.__cause__, "status_code", None)
            if status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
        if (await self.head(bucket, key))["type"] == "directory":
            raise absent(path)
        return b""  # a range past the end is empty, here as in a local file

    @asynccontextmanager
    async def open(self, bucket: str, key: str, etag: str = "") -> AsyncIterator[Body]:
        """Begin to get a whole blob."""
        path = f"{bucket}/{key}"
        headers = {"If-Match": etag} if etag else {}
        async with self._answer("GET", path, headers=headers) as answer:
            if _is_folder(answer.headers):
                raise absent(path)
            _check_whole(answer, path)

            async def read(size: int) -> bytes:
                with errors_of(path):
                    return await answer.content.read(size)

            yield Body(answer.content_length, read)

    # Writing

    async def put(
        self, bucket: str, key: str, content: bytes, mode: str, *, verify: bool = False
    ) -> Written:
        """Write a small blob in one Put Blob."""

        async def put(condition: Mapping[str, str]) -> Written:
            sent = await self._checked(
                bucket, key, content, verify=verify, headers={**_BLOCK, **condition}
            )
            return Written(sent.name, sent.verified)

        return await self._over(bucket, key, mode, put)

    async def begin(self, bucket: str, key: str) -> str:
        """Return nothing: blocks that are sent wait for a list of them."""
        return ""

    async def send_part(
        self,
        bucket: str,
        key: str,
        upload: str,
        number: int,
        content: bytes,
        *,
        verify: bool = False,
    ) -> Part:
        """Send one block."""
        # The SDK's ids have this length too; the ids of one blob must all have the same.
        block = b64encode(secrets.token_hex(16).encode()).decode()
        query = f"?comp=block&blockid={quote(block, safe='')}"
        sent = await self._checked(bucket, key, content, verify=verify, query=query)
        return sent._replace(name=block)

    async def _checked(
        self, bucket: str, key: str, content: bytes, *, verify: bool, **request: Any
    ) -> Part:
        """Send content, which the service checks with `verify`; the name is the ETag."""
        digest = b64encode(await asyncio.to_thread(md5_of, content)).decode() if verify else ""
        if verify:
            request["headers"] = {**request.get("headers", {}), _MD5: digest}
        try:
            answer = await self._write(bucket, key, content=content, **request)
        except OSError as error:
            if verify and code_of(error) in _GARBLED:
                raise checksum_mismatch(f"{bucket}/{key}") from error.__cause__
            raise
        return Part(answer.get("ETag", ""), verified=verify and answer.get(_MD5) == digest)

    async def complete(
        self, bucket: str, key: str, upload: str, parts: Sequence[Part], mode: str
    ) -> Written:
        """Make a blob of the blocks."""
        listed = "".join(f"<Latest>{part.name}</Latest>" for part in parts)
        content = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'

        async def commit(condition: Mapping[str, str]) -> Written:
            answer = await self._write(
                bucket, key, query="?comp=blocklist", headers=condition, content=content.encode()
            )
            return Written(answer["ETag"], all(part.verified for part in parts))

        return await self._over(bucket, key, mode, commit)

    async def _over(
        self,
        bucket: str,
        key: str,
        mode: str,
        write: Callable[[Mapping[str, str]], Awaitable[Written]],
    ) -> Written:
        """Write with a condition that holds where nothing is there; else over all but markers."""
        try:
            return await write({"If-None-Match": "*"})
        except FileExistsError:
            if mode == "create":
                raise
        await self.refuse_marker(bucket, key)
        return await write({})

    async def abort(self, bucket: str, key: str, upload: str) -> None:
        """Do nothing: blocks that nobody listed are gone after a week."""

    async def copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        size: int | None = None,
        *,
        marker: bool = False,
    ) -> None:
        """Copy a blob on the server."""
        if not marker:
            await self.refuse_marker(*target)
        path, read_seconds = "/".join(target), self.settings.timeouts[1]
        place = f"{self.settings.account_url}/{quote('/'.join(source), safe='~/')}"
        headers = await self._write(*target, headers={"x-ms-copy-source": place})
        progress = None
        deadline = 0.0
        while headers["x-ms-copy-status"] == "pending":
            now = asyncio.get_running_loop().time()
            if deadline == 0.0 or headers.get("x-ms-copy-progress") != progress:
                progress, deadline = headers.get("x-ms-copy-progress"), now + read_seconds
            if now > deadline:
                raise ConnectionError(errno.EIO, f"the copy stands still at {progress}", path)
            await asyncio.sleep(_COPY_PAUSE_SECONDS)
            headers = await self.ask("HEAD", path)
        if headers["x-ms-copy-status"] != "success":
            text = headers.get("x-ms-copy-status-description", headers["x-ms-copy-status"])
            raise OSError(errno.EIO, text, path)

    # Deleting

    async def remove(self, bucket: str, key: str, etag: str = "") -> None:
        """Delete a blob."""
        headers = {"If-Match": etag} if etag else {}
        await self.ask("DELETE", f"{bucket}/{key}", headers=headers)

    async def remove_many(self, bucket: str, keys: Sequence[str]) -> dict[str, OSError]:
        """Delete up to 256 blobs in one request."""
        answers = await self._delete_batch(bucket, keys)
        if len(answers) != len(keys):
            # One answer for all: the batch as a whole was refused.
            raise server_said(*answers[0], bucket)
        return {
            key: server_said(status, code, f"{bucket}/{key}")
            for key, (status, code) in zip(keys, answers, strict=True)
            if status not in {HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND}
        }

    async def _delete_batch(self, bucket: str, keys: Sequence[str]) -> list[tuple[int, str]]:
        """Return HTTP status and Azure's code for each key, in order."""
        pipeline = self._pipeline or self._connect()
        url, place = self.settings.account_url, f"/{quote(bucket)}"
        request = self._request("POST", f"{url}{place}{_CONTAINER}&comp=batch")
        folder = urlsplit(url).path + place
        parts = (self._request("DELETE", f"{folder}/{quote(key, safe='~/')}") for key in keys)
        # The SDK's own batches have a boundary that azurite cannot read.
        request.set_multipart_mixed(
            *parts, policies=self._auth, boundary=f"batch_{uuid4()}", enforce_https=False
        )
        with errors_of(bucket):
            response = (await pipeline.run(request)).http_response
            if response.status_code != HTTPStatus.ACCEPTED:
                raise _refusal(response.internal_response)
            answers = [part async for part in response.parts()]
        return [(one.status_code, one.headers.get("x-ms-error-code", "")) for one in answers]

    async def unfinished(self, bucket: str, prefix: str, token: Any) -> Page:
        """Return nothing: Azure removes what killed writers left."""
        return [], None

    # Metadata

    async def metadata(self, bucket: str, key: str) -> dict[str, str]:
        """Return a blob's own metadata, names in lower case."""
        headers = await self.ask("HEAD", f"{bucket}/{key}")
        start = "x-ms-meta-"
        pairs = ((name.lower(), value) for name, value in headers.items())
        return {name.removeprefix(start): text for name, text in pairs if name.startswith(start)}

    async def set_metadata(self, bucket: str, key: str, metadata: Mapping[str, str]) -> None:
        """Set all of a blob's own metadata."""
        headers = {f"x-ms-meta-{name}": text for name, text in metadata.items()}
        await self.ask("PUT", f"{bucket}/{key}", query="?comp=metadata", headers=headers)


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


def _check_whole(answer: ClientResponse, path: str) -> None:
    if answer.status != HTTPStatus.OK:
        raise unusable_answer(f"HTTP status {answer.status}, where all was asked for", path)


def _is_folder(headers: Mapping[str, str]) -> bool:
    return headers.get(f"x-ms-meta-{_FOLDER}", "").lower() == "true"


def _entry(bucket: str, blob: Any) -> Info:
    name = f"{bucket}/{blob.name}"
    if not isinstance(blob, BlobProperties):
        return {"name": name, "size": 0, "type": "directory"}
    metadata = {key.lower(): str(value).lower() for key, value in (blob.metadata or {}).items()}
    marks = metadata.get(_FOLDER) == "true" and not name.endswith("/")
    etag = f'"{blob.etag.strip(chr(34))}"'
    return _info(name, blob.size, blob.last_modified, etag, "directory" if marks else "file")


def _info(name: str, size: int, modified: datetime, etag: str, kind: str) -> Info:
    times = {"modified": modified, "mtime": modified}
    return {"name": name, "size": size, "type": kind, **times, "etag": etag}
