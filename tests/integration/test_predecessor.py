"""What the predecessor has stored is read, and the other way round: with its real package."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import filestore_fsspec
from filestore_fsspec import FileStore
from tests.services.common import unavailable

if TYPE_CHECKING:
    from tests.services.common import Service

PYTHON = Path(__file__).parents[2] / ".services" / "predecessor" / "bin" / "python"
SCRIPT = Path(__file__).with_name("predecessor_script.py")


def predecessor(**job: str) -> bytes:
    if not PYTHON.exists():
        unavailable("the predecessor", "make .services/predecessor/ready")
    done = subprocess.run(
        [PYTHON, "-W", "ignore", SCRIPT],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return bytes.fromhex(done.stdout)


@pytest.mark.parametrize(
    ("server", "named"),
    [
        *product(["file_service", "ftp_plain", "sftp_asyncssh", "s3_moto"], ["sha256", "name"]),
        # On SFTP the predecessor cannot write those: it makes a folder `.` for them.
        *product(["file_service", "ftp_plain", "s3_moto"], ["hidden"]),
    ],
)
def test_stored_data_goes_both_ways(
    server: str, named: str, request: pytest.FixtureRequest
) -> None:
    service: Service = request.getfixturevalue(server)
    # The predecessor keeps nothing of the URL's path on S3.
    root = "" if service.scheme == "s3" else f"predecessor-{secrets.token_hex(4)}"
    url = service.url(root)
    theirs, ours = secrets.token_bytes(1000), secrets.token_bytes(1000)

    def key(content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        names = {"sha256": digest, "name": f"{digest[:8]}.bin", "hidden": f".{digest[1:]}"}
        return names[named]

    predecessor(url=url, key=key(theirs), content=theirs.hex())
    with FileStore(url) as store:
        assert store.get(key(theirs)) == theirs
        assert store.exists(key(theirs)) == [store.locations[0]]
        assert key(theirs) in list(store.list())
        assert store.put(key(theirs), ours) == []
        store.put(key(ours), ours)
    assert predecessor(url=url, key=key(ours)) == ours


def test_the_predecessors_names_are_here() -> None:
    """`from filestore_fsspec import ...` replaces both predecessors' imports."""
    for name in (
        "FileStore",
        "FileStoreException",
        "TransportException",
        "CorruptedFileStoreException",
        "loader",
    ):
        assert hasattr(filestore_fsspec, name)
    store = FileStore("file:///a", "file:///b", connection_attempts=3)
    assert store.transports == store.locations
    assert [transport.read_only for transport in store.transports] == [False, False]
    assert store.delete_batch_chunk_size() == 1
