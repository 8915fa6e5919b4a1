"""Writers killed in mid-write leave the old content or the new, and nothing in between.

`KILLS` in the environment says how many are killed at each server; `make kills` kills 200.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore
from filestore_fsspec.keys import is_temporary
from tests.faults.writer_script import content, created_size
from tests.services.common import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Raw, Service

KILLS = int(os.environ.get("KILLS", "5"))
STEP = 10_000
SIZES = [40_000, 400_000, 4_000_000, 20_000_000]  # the last goes in pieces on S3 and Azure
SERVERS = ["file_service", "sftp_openssh", "ftp_vsftpd", "s3_moto", "azure_http"]


class Writers:
    """Forks writers, one at a time, and kills them."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.writer_script"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def kill_one(self, url: str, number: int, size: int, after_seconds: float) -> list[str]:
        """Have one write, kill it some time after it has connected; return what it finished."""
        ask, tell = self.process.stdin, self.process.stdout
        assert ask is not None
        assert tell is not None
        ask.write(json.dumps([url, number, size]) + "\n")
        ask.flush()
        told = [tell.readline().strip(), tell.readline().strip()]
        pid = next(int(line) for line in told if line.isdigit())
        time.sleep(after_seconds)  # in the middle of something, wherever that is
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _lives(pid), "its end")
        ask.write("mark\n")
        ask.flush()
        return list(iter(lambda: tell.readline().strip(), "mark"))

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    found = Writers()
    yield found
    found.close()


@pytest.mark.timeout(60 + 6 * KILLS)
@pytest.mark.parametrize("server", SERVERS)
def test_killed_writers(server: str, writers: Writers, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(server)
    root = f"killed-{secrets.token_hex(4)}"
    url = service.url(root)
    chance = random.Random(root)  # noqa: S311 - no secret
    left: set[str] = set()
    times = 0
    with FileStore(url) as store:
        may_be = {(1, SIZES[0])}
        store.put("k", content(*may_be.copy().pop()))
        for kill in range(1, KILLS + 1):
            number, size = kill * STEP, SIZES[kill % len(SIZES)]
            seconds = chance.uniform(0, 0.02 + size / 10**8)
            finished = writers.kill_one(url, number, size, seconds)
            assert all(word in {"connected", "new"} or word.isdigit() for word in finished)

            created = service.raw.read(f"{root}/new-{number}")
            assert created is not None or "new" not in finished

            # What the dead have sent may still be on its way through the server.
            numbers = [int(word) for word in finished if word.isdigit()]
            if numbers:
                may_be = {(numbers[-1], size)}
            may_be.add(((numbers or [number])[-1] + 1, size))
            now = service.raw.read(f"{root}/k")
            assert now is not None
            assert (int.from_bytes(now[:4], "big"), len(now)) in may_be
            assert now == content(int.from_bytes(now[:4], "big"), len(now))
            times += bool(left_behind(service.raw, root) - left)
            left = left_behind(service.raw, root)
        keys = set(store.list())
        assert keys - {f"new-{kill * STEP}" for kill in range(1, KILLS + 1)} == {"k"}
        for key in keys - {"k"}:
            found, number = store.get(key), int(key.removeprefix("new-"))
            assert found == content(number, created_size(SIZES[number // STEP % len(SIZES)]))
        store.cleanup(older_than_seconds=0)
    assert left_behind(service.raw, root) == set()
    print(f"{server}: {KILLS} killed, {times} of them left something behind")  # noqa: T201 - the figure


def left_behind(raw: Raw, root: str) -> set[str]:
    return {path for path in raw.paths() if path.startswith(root) and is_temporary(path)}
