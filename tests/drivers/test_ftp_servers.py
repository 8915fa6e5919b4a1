"""FTP servers of other makers, each with what it does unlike all others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from filestore_fsspec import FileStore, NotFound, TransportException
from filestore_fsspec.drivers.ftp.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.common import Service


@pytest.fixture(params=["ftp_pure", "ftp_rclone", "ftp_aioftp"])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(service: Service, tmp_path: Path) -> Iterator[FileStore]:
    """A store of the server and a disk: an open circuit would be noticed."""
    url = service.url(uuid4().hex, layout="verbatim", read_timeout="10")
    with FileStore(url, f"file://{tmp_path}/far?layout=verbatim", connection_attempts=1) as made:
        yield made


def test_what_is_absent_is_absent_and_opens_no_circuit(store: FileStore) -> None:
    near = store.locations[0]
    for key in ("k", "a/b/c"):
        for _ in range(2):
            assert (store.get(key), store.exists(key)) == (None, [])
            assert store.locate(key)[0].state == "absent"
            store.delete(key)
    assert list(store.list()) == []
    assert near.breaker_state == "closed"
    assert store.put("a/b/c", b"x") == list(store.locations)
    assert (near.get("a/b/c"), near.exists("a/b/c"), near.exists("a/b")) == (b"x", True, False)
    for key in ("a/b", "a/b/c/d"):
        with pytest.raises(NotFound):
            near.get(key)
    assert near.fs.info(near.fs_path("a/b"))["type"] == "directory"


def test_what_is_written_is_there(store: FileStore, tmp_path: Path) -> None:
    near = store.locations[0]
    content = os.urandom(3_000_001)
    (tmp_path / "source").write_bytes(content)
    assert store.upload(tmp_path / "source", "new/folder/large") == list(store.locations)
    path = near.fs_path("new/folder/large")
    assert near.fs.info(path)["size"] == len(content)
    assert near.fs.cat_file(path) == content
    for start, end in ((5, 9), (-7, None), (None, -3_000_000), (2_999_999, 4_000_000), (9, 9)):
        assert near.fs.cat_file(path, start, end) == content[start:end]
    with near.fs.open(path) as file:
        file.seek(1_000_000)
        assert file.read(10) == content[1_000_000:1_000_010]
    assert store.put("empty", b"") == list(store.locations)
    assert near.get("empty") == b""
    assert store.put("empty", b"no") == []
    assert store.put("empty", b"replaced", force=True) == list(store.locations)
    assert near.get("empty") == b"replaced"
    assert sorted(near.list()) == ["empty", "new/folder/large"]
    with pytest.raises(TransportException):
        store.put("new/folder", b"x", location="near")


def test_folders(store: FileStore) -> None:
    fs: Any = store.locations[0].fs
    root = store.locations[0].target.root.rstrip("/")
    fs.makedirs(f"{root}/d/empty")
    fs.pipe_file(f"{root}/d/.hidden é", b"1")
    fs.mv(f"{root}/d/.hidden é", f"{root}/e/f/moved")
    assert fs.find(root) == [f"{root}/e/f/moved"]
    assert fs.ls(f"{root}/e/f/moved", detail=False) == [f"{root}/e/f/moved"]
    assert fs.ls(f"{root}/d/empty") == []
    for call in (fs.ls, fs.rmdir, fs.rm_file, fs.info):
        with pytest.raises(FileNotFoundError):
            call(f"{root}/none")
    with pytest.raises(NotADirectoryError):
        fs.rmdir(f"{root}/e/f/moved")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(f"{root}/e")
    with pytest.raises(IsADirectoryError):
        fs.open(f"{root}/e")
    fs.rm(root, recursive=True)
    assert not fs.exists(root)


def test_what_is_absent_takes_no_more_than_twice_the_trips(
    ftp_pure: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    real = Connection.putline

    def putline(self: Connection, line: str) -> None:
        sent.append(line)
        real(self, line)

    with FileStore(ftp_pure.url(uuid4().hex)) as store:
        store.put("present", b"x")
        for key in ("present", "absent"):
            store.exists(key)  # what is asked once of each server
        monkeypatch.setattr(Connection, "putline", putline)
        assert store.exists("present")
        present = len(sent)
        for key in ("absent", "no/folder/absent"):
            sent.clear()
            assert not store.exists(key)
            assert len(sent) <= 2 * present
            assert not any(line.startswith("CWD") for line in sent)


@pytest.mark.parametrize("server", ["ftp_plain", "ftp_vsftpd", "ftp_pure"])
def test_a_file_that_is_replaced_while_it_is_read(
    server: str, request: pytest.FixtureRequest
) -> None:
    service: Service = request.getfixturevalue(server)
    with FileStore(service.url(uuid4().hex)) as store:
        (location,) = store.locations
        store.put("x", b"a" * 6_000_000)
        with location.fs.open(location.fs_path("x"), block_size=100_000) as file:
            assert file.read(1000) == b"a" * 1000
            store.put("x", b"b" * 6_000_001, force=True)
            with pytest.raises(OSError, match="changed while it was read"):
                file.read()
