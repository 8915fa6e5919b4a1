"""What aiohttp lacks: a request sent once, a connection that HEAD leaves alone, a timed body."""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, Self

from aiohttp import ClientResponse, HttpVersion11

if TYPE_CHECKING:
    from asyncio import Timeout
    from collections.abc import AsyncIterator

    from aiohttp import ClientSession
    from aiohttp.connector import Connection

_PACED_BYTES = 256 * 2**10


class _Response(ClientResponse):
    """An answer that leaves its connection open for the next request wherever HTTP does.

    aiohttp 3.14 closes it after an answer to HEAD without a length, such as Go's servers give for
    what is missing: it takes the end of the connection for the end of a body (RFC 9112, 6.3), which
    such an answer never has. Each miss, and each put that looks first, then made a new connection.
    """

    async def start(self, connection: Connection) -> Self:
        await super().start(connection)
        if self.method == "HEAD":
            lasts = "close" not in self.headers.get("Connection", "").lower()
            if lasts and self.version == HttpVersion11 and connection.protocol is not None:
                connection.protocol._should_close = False  # noqa: SLF001 - it has no other switch
            super()._response_eof()
        return self

    def _response_eof(self) -> None:
        # Called ahead of the headers where there is no body.
        if self.method != "HEAD":
            super()._response_eof()


def sending_once(session: ClientSession) -> ClientSession:
    """Return an aiohttp session that does not repeat a request whose connection broke.

    It would repeat PUT and DELETE, which the server may have carried out already: a create would
    then find its own object and report it as somebody else's. aiohttp 3.14 has no public switch.
    """
    session._retry_connection = False  # noqa: SLF001 - see above
    return session


def lasting(session: ClientSession) -> ClientSession:
    """Return an aiohttp session whose connections outlive HEAD: for servers that know HTTP well."""
    session._response_class = _Response  # noqa: SLF001 - not every session is made by us
    return session


async def paced(
    body: bytes | bytearray, limit: Timeout, seconds: float
) -> AsyncIterator[memoryview]:
    """Yield `body` in chunks for an HTTP client; `limit` ends `seconds` after the latest one.

    aiohttp starts its read time-out when the whole body is sent: a server that stops reading
    would hold the call for ever.
    """
    loop = get_running_loop()
    view = memoryview(body)
    for start in range(0, len(view), _PACED_BYTES):
        limit.reschedule(loop.time() + seconds)
        yield view[start : start + _PACED_BYTES]
    limit.reschedule(loop.time() + seconds)
