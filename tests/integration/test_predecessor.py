"""What the predecessor has stored is read, and the other way round: with its real package."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import filestore_fsspec
from filestore_fsspec import FileStore
from filestore_fsspec.compat import assemblyline
from tests.services.common import HOST, unavailable

if TYPE_CHECKING:
    from tests.services.common import Service

PYTHON = Path(__file__).parents[2] / ".services" / "predecessor" / "bin" / "python"
SCRIPT = Path(__file__).with_name("predecessor_script.py")


def predecessor(**job: object) -> dict[str, Any]:
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
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def keys(tag: str, count: int, *shapes: str) -> dict[str, bytes]:
    """Return so many keys of each shape, and what is stored under each."""
    found: dict[str, bytes] = {}
    for shape, number in product(shapes, range(count)):
        content = f"{tag} {shape} {number} {secrets.token_hex(8)}".encode()
        sha = hashlib.sha256(content).hexdigest()
        spelled = {
            "sha256": sha,
            "capitals": sha.upper(),
            "name": f"{sha[:20]}.bin",
            "blank": f"{sha[:20]} und ümläut (1)+@~",
            "hidden": f".{sha[:20]}",
            "hidden-64": f".{sha[1:]}",
            "below": f"{sha[:2]}/{sha[2:4]}/{sha[:20]}",
            "sha-below": f"in/{sha}",
            "not-64": sha + "0",
        }
        found[spelled[shape]] = content
    return found


SHAPES = ("sha256", "capitals", "name", "blank", "hidden", "not-64")
ANYWHERE = {
    "file_service": (*SHAPES, "hidden-64", "below", "sha-below"),
    "ftp_plain": (*SHAPES, "hidden-64", "below", "sha-below"),
    # On SFTP the predecessor cannot write those: it makes a folder `.` for them.
    "sftp_asyncssh": (*SHAPES, "below", "sha-below"),
    "s3_moto": (*SHAPES, "hidden-64", "below", "sha-below"),
    "azure_http": (*SHAPES, "hidden-64", "below", "sha-below"),
}


@pytest.mark.parametrize("server", ANYWHERE)
def test_stored_data_goes_both_ways(server: str, request: pytest.FixtureRequest) -> None:
    """Some 500 keys: theirs are read, listed and deleted by both stores of ours; and back."""
    service: Service = request.getfixturevalue(server)
    # The predecessor keeps nothing of the URL's path on S3.
    root = "" if service.scheme == "s3" else f"predecessor-{secrets.token_hex(4)}"
    url = service.url(root)
    job = {"url": url}
    if service.scheme == "azure":
        options = service.options
        host = f"{options['account']}.blob.core.windows.net"
        key = quote(options["access_key"], safe="")
        job["url"] = f"azure://{host}/{service.base}{root}?access_key={key}"
        job["endpoint"] = f"http://{HOST}:{service.port}/{options['account']}"

    flat = service.scheme in ("s3", "azure")
    layout = {"layout": "flat"} if flat else {}
    shapes = ANYWHERE[server]
    theirs, ours = keys("theirs", 6, *shapes), keys("ours", 3, *shapes)
    compats = keys("compat", 3, *shapes)
    predecessor(**job, put={key: content.hex() for key, content in theirs.items()})
    with (
        FileStore(service.url(root, **layout)) as store,
        assemblyline.FileStore(url) as compat,
    ):
        wanted = {key.rpartition("/")[2] if flat else key for key in theirs}
        for listed in (store.list(), compat.transports[0].list(None)):
            assert wanted <= set(listed)
        for key, content in theirs.items():
            assert store.get(key) == compat.get(key) == content
            assert store.exists(key) == [store.locations[0]]
            assert compat.exists(key) == compat.transports
            assert not store.put(key, b"other")
            assert not compat.put(key, b"other")
        for key, content in ours.items():
            assert store.put(key, content) == [store.locations[0]]
        for key, content in compats.items():
            assert compat.put(key, content) == compat.transports
        written = ours | compats
        got = predecessor(**job, get=list(written))["got"]
        assert got == {key: content.hex() for key, content in written.items()}
        for each in (store, compat):
            each.delete_batch(list(theirs)[:: 2 if each is store else 1])
        names = {path.rpartition("/")[2] for path in service.raw.paths()}
        assert not names & {key.rpartition("/")[2] for key in theirs}


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
