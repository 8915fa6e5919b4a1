from __future__ import annotations

import errno
import logging
import os
import secrets
import select
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStoreException, portability
from filestore_fsspec.journal.records import Journal

if TYPE_CHECKING:
    from tests.services.common import Service

SCRIPT = Path(__file__).with_name("portability_script.py")


SERVERS = (
    "file_service",
    "memory_service",
    "ftp_plain",
    "ftp_implicit",
    "sftp_asyncssh",
    "s3_moto",
    "azure_http",
)


def test_it_works_without_what_only_posix_has(request: pytest.FixtureRequest) -> None:
    services: list[Service] = [request.getfixturevalue(each) for each in SERVERS]
    urls = [each.url(f"portable-{secrets.token_hex(4)}") for each in services]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT],
        input="\n".join(urls),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert not done.returncode, done.stderr
    assert not done.stderr
    modules, *used = done.stdout.split()
    assert int(modules) > 100
    assert used == ["used"] * len(SERVERS)


@pytest.fixture(params=["as here", "without"])
def taken_away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.delattr(os, "pwrite")
        monkeypatch.delattr(select, "poll")


@pytest.mark.usefixtures("taken_away")
def test_blocks_are_written_where_they_belong(tmp_path: Path) -> None:
    blocks = [bytes([number]) * 10_000 for number in range(50)]
    with (tmp_path / "file").open("wb", buffering=0) as file, ThreadPoolExecutor(8) as threads:
        for _ in threads.map(
            lambda number: portability.write_at(file.fileno(), blocks[number], number * 10_000),
            range(50),
        ):
            pass
    assert (tmp_path / "file").read_bytes() == b"".join(blocks)


@pytest.mark.usefixtures("taken_away")
def test_a_connection_is_ready() -> None:
    near, far = socket.socketpair()
    with near, far:
        has_input = portability.readiness(near)
        assert not has_input(0)
        assert portability.readiness(near, to_write=True)(0)
        far.send(b"x")
        assert has_input(10)


def test_a_journal_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portability, "fcntl", None)
    with pytest.raises(FileStoreException, match="no locks that belong to an open file") as caught:
        Journal(tmp_path / "journal", logging.getLogger("test"))
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOTSUP
