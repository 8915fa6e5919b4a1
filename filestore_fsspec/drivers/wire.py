"""What HTTP clients lack: a request that is sent once, and a body that is sent in time."""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from asyncio import Timeout
    from collections.abc import AsyncIterator

T = TypeVar("T")

_PACED_BYTES = 256 * 2**10


def sending_once(session: T) -> T:
    """Return an aiohttp session that does not repeat a request whose connection broke.

    It would repeat PUT and DELETE, which the server may have carried out already: a create would
    then find its own object and report it as somebody else's. aiohttp 3.14 has no public switch.
    """
    session._retry_connection = False  # type: ignore[attr-defined]  # noqa: SLF001 - see above
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
