from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import ClientSession

from filestore_fsspec.drivers.shared.aiohttp_patches import lasting, sending_once

if TYPE_CHECKING:
    from tests.services.http import Faults


def test_a_server_that_ends_its_connections_is_believed(http_faults: Faults) -> None:
    async def look() -> list[int]:
        async with lasting(sending_once(ClientSession())) as session:
            found = []
            for _ in range(50):
                async with session.head(http_faults.url("unsized/x")) as answer:
                    found.append(answer.status)
            return found

    assert asyncio.run(look()) == [200] * 50
