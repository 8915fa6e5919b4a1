"""An aioftp server, run as a program. Its arguments: FOLDER PORT."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aioftp

from tests.services.common import HOST, PASSWORD, USERNAME


async def _serve(folder: str, port: int) -> None:
    user = aioftp.User(USERNAME, PASSWORD, base_path=Path(folder))
    await aioftp.Server([user]).run(HOST, port)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
