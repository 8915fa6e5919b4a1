"""A TCP proxy that delivers each byte some time later, in both directions.

Usage: proxy.py PORT TARGET_PORT SECONDS. It accepts at once: a new connection costs no round trip.
"""

from __future__ import annotations

import asyncio
import sys


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    clock = asyncio.get_running_loop().time

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - clock())
            if not data:
                return
            writer.write(data)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deliver())
        data = b"more"
        while data:
            try:
                data = await reader.read(2**18)
            except ConnectionError:
                data = b""
            under_way.put_nowait((clock() + seconds, data))
    writer.close()


async def _serve(port: int, target: int, seconds: float) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        both = ((reader, far_writer), (far_reader, writer))
        await asyncio.gather(*(_pass_on(*ends, seconds) for ends in both))

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
