"""The botocore client of one location: one attempt a call, no idle round trips, bounded waits."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any, Literal

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.exceptions import HTTPClientError
from botocore.handlers import add_expect_header, convert_body_to_file_like_object

from filestore_fsspec.drivers.s3.botocore_patches import ParserFactory
from filestore_fsspec.drivers.shared.aiohttp_patches import lasting, paced, sending_once

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from aiohttp import ClientSession

_SMALL_BODY_BYTES = 64 * 2**10
_MAX_CONNECTIONS = 128
_REDIRECTS = {301, 302, 303, 307, 308}
_REGION = "x-amz-bucket-region"


class _NoRedirects:
    """A session that follows no redirect, as botocore's own does not.

    aiohttp would leave Authorization behind on the way to another host, and take the token of
    temporary credentials along; and what comes from there is nothing that we signed for.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def request(self, method: str, **arguments: Any) -> Any:
        return self._session.request(method, allow_redirects=False, **arguments)


class _Session(AIOHTTPSession):  # type: ignore[misc]  # no types for mypy to look into
    """Sends each request once, and large bodies in chunks, each within the read time-out.

    aiohttp starts its read time-out when the body is sent: a server that stops reading would
    hold a call for ever. It also reads file objects through a thread, 64 KiB a hop.
    """

    async def _get_session(self, proxy_url: str | None) -> _NoRedirects:
        return _NoRedirects(lasting(sending_once(await super()._get_session(proxy_url))))

    async def send(self, request: Any) -> Any:
        answer = await self._send(request)
        if answer.status_code in _REDIRECTS and _REGION not in answer.headers:
            # botocore would take it for Amazon's word on a region, and ask for that for ever.
            raise HTTPClientError(error="the server redirects, which is not followed")
        return answer

    async def _send(self, request: Any) -> Any:
        body = request.body
        if not isinstance(body, bytes | bytearray) or len(body) <= _SMALL_BODY_BYTES:
            return await super().send(request)
        request = copy.copy(request)
        connect_seconds, read_seconds = self._timeout.sock_connect, self._timeout.sock_read
        async with asyncio.timeout(connect_seconds + read_seconds) as limit:
            request.body = paced(body, limit, read_seconds)
            return await super().send(request)


def _config(endpoint_url: str | None, connect_timeout: float, read_timeout: float) -> AioConfig:
    s3: dict[str, Any] = {}
    if endpoint_url is not None:
        s3["addressing_style"] = "path"  # a server of one's own has no name for each bucket
    if endpoint_url is None or endpoint_url.startswith("https:"):
        s3["payload_signing_enabled"] = False  # TLS covers the content already
    return AioConfig(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"total_max_attempts": 1},
        http_session_cls=_Session,
        max_pool_connections=_MAX_CONNECTIONS,
        parameter_validation=False,
        user_agent="filestore-fsspec",
        # Not every server knows the newer checksums: rclone's fail on ranges.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3=s3,
    )


def client_context(
    endpoint_url: str | None,
    key: str | None,
    secret: str | None,
    region: str | None,
    verify: str | Literal[False] | None,
    timeouts: tuple[float, float],
) -> AbstractAsyncContextManager[Any]:
    """Return the context whose entry is a client; `timeouts` are connect and read, in seconds."""
    session = AioSession()
    session.register_component("response_parser_factory", ParserFactory())
    # Bodies stay bytes, and are sent at once: `Expect: 100-continue` costs a round trip a put.
    session.unregister("before-call.s3", add_expect_header)
    for operation in ("PutObject", "UploadPart"):
        session.unregister(
            f"before-parameter-build.s3.{operation}", convert_body_to_file_like_object
        )
    context: AbstractAsyncContextManager[Any] = session.create_client(
        "s3",
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        verify=verify,
        config=_config(endpoint_url, *timeouts),
    )
    return context
