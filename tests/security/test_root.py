"""No key and no name in a listing leads out of a location's root: on real servers, from behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from filestore_fsspec import FileStore, InvalidKey
from filestore_fsspec.keys import temporary_path
from tests.services.common import FolderRaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.services.common import Service

WRITABLE = [
    "file_service",
    "memory_service",
    "ftp_plain",
    "ftp_vsftpd",
    "sftp_asyncssh",
    "sftp_openssh",
    "s3_moto",
    "s3_rclone",
    "azure_http",
]
CANARY = b"the canary beside the root"
NEW = b"new"
REFUSED = [
    "..",
    ".",
    "../canary",
    "/../canary",
    "a/../../canary",
    "a/./../../canary",
    "../root/../canary",
    "x\0/../../canary",
    "a/..",
]
"""Keys that are none, whatever the scheme."""
STRANGE = [
    "%2e%2e/canary",
    "%2e%2e%2fcanary",
    "..%2fcanary",
    "..%5ccanary",
    "%252e%252e%252fcanary",
    "..\\canary",
    "..\\..\\canary",
    "a\\..\\..\\canary",
    "\u2024\u2024/canary",  # one-dot leaders
    "\uff0e\uff0e/canary",  # full-width dots
    "..\uff0fcanary",  # a full-width slash
    "..\u2215canary",  # a division slash
    "..;/canary",
    ".../canary",
    ".. /canary",
    " ../canary",
    "a\r\nDELE canary",
    "a\nRNTO canary",
    "a\tb",
    "\x7f\x1b[2J",
    "-rf",
    "~/canary",
    "$(touch canary)",
    "`touch canary`",
    "| touch canary",
    "*",
    "C:\\canary",
    "file:/etc/passwd",
]
"""Keys like any others: each is its own name, or refused, and never another's."""


@pytest.fixture(params=WRITABLE)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Service, str]]:
    """Yield a server and a folder of its own there, with a canary in it and beside `root`."""
    service: Service = request.getfixturevalue(request.param)
    folder = uuid4().hex
    service.raw.write(f"{folder}/canary", CANARY)
    service.raw.write(f"{folder}/root/inside", b"inside")
    yield service, folder
    assert service.raw.read(f"{folder}/canary") == CANARY
    outside = {path for path in service.raw.paths() if not path.startswith(f"{folder}/root/")}
    assert {path for path in outside if path.startswith(folder)} == {f"{folder}/canary"}


def functions(store: FileStore, source: str, dest: str) -> dict[str, Callable[[str], Any]]:
    """Return all that takes a key."""
    location = store.locations[0]
    return {
        "get": store.get,
        "exists": store.exists,
        "locate": store.locate,
        "put": lambda key: store.put(key, NEW, force=True),
        "upload": lambda key: store.upload(source, key, force=True),
        "download": lambda key: store.download(key, dest),
        "delete": store.delete,
        "delete_batch": lambda key: store.delete_batch([key]),
        "get_many": lambda key: list(store.get_many([key])),
        "location.get": location.get,
        "location.put": lambda key: location.put(key, NEW),
        "location.delete": location.delete,
        "location.delete_batch": lambda key: location.delete_batch([key]),
        "fs.cat_file": store.fs.cat_file,
        "fs.info": store.fs.info,
        "fs.pipe_file": lambda key: store.fs.pipe_file(key, NEW),
        "fs.open": lambda key: store.fs.open(key, "wb").close(),
        "fs.rm_file": store.fs.rm_file,
        "fs.rm": lambda key: store.fs.rm(key, recursive=True),
        "fs.ls": store.fs.ls,
        "fs.find": store.fs.find,
        "fs.mv": lambda key: store.fs.mv("inside", key),
        "fs.cp_file": lambda key: store.fs.cp_file("inside", key),
        "fs.makedirs": store.fs.makedirs,
        "fs.rmdir": store.fs.rmdir,
    }


def test_a_key_with_dots_is_refused_by_all_functions(
    place: tuple[Service, str], tmp_path: Path
) -> None:
    service, folder = place
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.write_bytes(NEW)
    with FileStore(service.url(f"{folder}/root")) as store:
        for name, function in functions(store, str(source), str(dest)).items():
            for key in REFUSED:
                if name.startswith("fs.") and key == ".":
                    continue  # fsspec's own name for the root
                try:
                    gave = function(key)
                except (InvalidKey, FileNotFoundError):
                    continue
                assert (name, gave) == ("fs.find", []), key
        for key in (*REFUSED, "../"):
            assert [found for found in store.list(f"{key}/") if found != "inside"] == []
        assert store.get("inside") == b"inside"
    assert not dest.exists()


def test_a_strange_key_is_its_own_name_or_refused(
    place: tuple[Service, str], tmp_path: Path
) -> None:
    service, folder = place
    taken = []
    with FileStore(service.url(f"{folder}/root")) as store:
        for key in STRANGE:
            content = f"of {key}".encode()
            try:
                assert store.get(key) is None
                store.put(key, content)
            except (InvalidKey, OSError):
                continue  # FTP has no line breaks, Azure no backslashes
            taken.append(key)
            assert store.get(key) == content
            store.download(key, tmp_path / "dest")
            assert (tmp_path / "dest").read_bytes() == content
            assert set(store.list()) == {key, "inside"}
            store.delete(key)
            assert store.exists(key) == []
        assert set(store.list()) == {"inside"}
    assert len(taken) > len(STRANGE) / 2


# What others stored under names that are no keys


@pytest.mark.parametrize("bucket", ["s3_moto", "memory_service"])
def test_a_hostile_name_in_a_bucket_is_not_followed(
    bucket: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    service: Service = request.getfixturevalue(bucket)
    folder = uuid4().hex
    for name in ("good", "sub/good", "../../escaped", "sub/../../../escaped", "/etc/escaped"):
        service.raw.write(f"{folder}/{name}", b"theirs")
    names = {path.removeprefix(f"{folder}/") for path in service.raw.paths() if folder in path}
    assert names >= {"good", "../../escaped", "/etc/escaped"}
    dest = tmp_path / "a" / "b" / "dest"
    with FileStore(service.url(folder)) as store:
        assert set(store.list()) == {"good", "sub/good"}
        assert set(store.fs.find("")) == {"good", "sub/good"}
        store.fs.get("", f"{dest}/", recursive=True)
    found = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {Path("a/b/dest/good"), Path("a/b/dest/sub/good")}


# Links on local disks


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """Return a root with links in it that lead to a canary beside it."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    (outside / "empty").mkdir(parents=True)
    (outside / "canary").write_bytes(CANARY)
    (root / "inside").write_bytes(b"inside")
    for link in (root / "link", root / "sub" / "link"):
        link.symlink_to(outside)
    (root / "file").symlink_to(outside / "canary")
    (root / "dangling").symlink_to(outside / "made")
    return root


def test_no_function_follows_a_link_below_the_root(linked: Path, tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.write_bytes(NEW)
    outside = tmp_path / "outside"
    left = outside / Path(temporary_path("x"))
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    before = sorted(outside.iterdir())
    keys = ["link/canary", "sub/link/canary", "file", "dangling", "link/new", "link/empty", "link"]
    with FileStore(f"file://{linked}?follow_symlinks=false") as store:
        for name, function in functions(store, str(source), str(dest)).items():
            for key in keys:
                if name == "locate":
                    assert store.locate(key)[0].state == "unknown"
                    continue
                with pytest.raises((OSError, InvalidKey)):
                    pytest.fail(f"{name}({key!r}) gave {function(key)!r}")
        assert list(store.list()) == ["inside"]
        assert list(store.list("link/")) == []
        assert set(store.fs.find("")) == {"inside"}
        assert {Path(path).name for path in store.fs.ls("", detail=False)} == {"inside", "sub"}
        assert store.cleanup() == []
        store.fs.rm("sub", recursive=True)
    assert sorted(outside.iterdir()) == before
    assert (outside / "canary").read_bytes() == CANARY
    assert not dest.exists()
    assert not (linked / "sub").exists()


def test_a_root_that_is_a_link_is_followed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    with FileStore(f"file://{tmp_path}/root?follow_symlinks=false") as store:
        store.put("a/b", b"x")
        assert list(store.list()) == ["a/b"]
        assert set(store.fs.find("")) == {"a/b"}


def test_deleting_a_link_that_is_followed_leaves_what_it_leads_to(linked: Path) -> None:
    with FileStore(f"file://{linked}") as store:
        store.delete("file")
        store.fs.rm("sub", recursive=True)
    assert not (linked / "file").is_symlink()
    assert (linked.parent / "outside" / "canary").read_bytes() == CANARY


# What we make, and for whom


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_what_is_made_follows_the_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / "source").write_bytes(b"x")
    (tmp_path / "source").chmod(0o777)
    before = os.umask(umask)
    try:
        with FileStore(f"file://{tmp_path}/root") as store:
            store.put("put/x", b"x")
            store.upload(tmp_path / "source", "upload/x")
            with store.fs.open("open/x", "wb") as file:
                file.write(b"x")
            store.download("put/x", tmp_path / "dest" / "x")
    finally:
        os.umask(before)
    made = [*(tmp_path / "root").rglob("*"), *(tmp_path / "dest").rglob("*")]
    assert len(made) == 7
    for path in made:
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~umask


@pytest.mark.parametrize("server", ["sftp_openssh", "sftp_asyncssh", "ftp_vsftpd", "ftp_plain"])
def test_on_a_server_its_own_umask_counts(server: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(server)
    folder = uuid4().hex
    with FileStore(service.url(folder)) as store:
        store.put("put/x", b"x")
        with store.fs.open("open/x", "wb") as file:
            file.write(b"x")
    assert isinstance(service.raw, FolderRaw)
    for path in (service.raw.folder / folder).rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_temporary_names_are_128_random_bits() -> None:
    names = {temporary_path("a/b") for _ in range(1000)}
    assert len(names) == 1000
    digits = [name.removeprefix("a/.filestore-").removesuffix(".part") for name in names]
    assert {len(digit) for digit in digits} == {32}
    ones = sum(int(digit, 16).bit_count() for digit in digits)
    assert 0.49 < ones / 128_000 < 0.51


def test_a_temporary_name_that_is_taken_is_not_written_to(
    file_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = uuid4().hex
    trap = f"{folder}/.filestore-{'0' * 32}.part"
    monkeypatch.setattr("secrets.token_hex", lambda _bytes: "0" * 32)
    file_service.raw.write(f"{folder}/victim", CANARY)
    assert isinstance(file_service.raw, FolderRaw)
    (file_service.raw.folder / trap).symlink_to("victim")
    with FileStore(file_service.url(folder)) as store:
        assert store.put("x", b"x") == []
        assert store.get("x") is None
    assert file_service.raw.read(f"{folder}/victim") == CANARY
