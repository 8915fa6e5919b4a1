"""`must_exist=true`: without its root, bucket or container a location is unknown, never empty."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import FileStore, LocationUnavailable, TransportException

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services.common import Service

SERVICES = [
    "file_service",
    "memory_service",
    "ftp_plain",
    "ftp_vsftpd",
    "sftp_openssh",
    "http_plain",
    "s3_moto",
    "s3_rclone",
    "azure_http",
]
ENGINES = {"s3_moto": ("fsspec", "obstore"), "azure_http": ("fsspec", "obstore")}
CASES = [(name, engine) for name in SERVICES for engine in ENGINES.get(name, ("",))]


def url_of(service: Service, name: str, engine: str, **options: str) -> str:
    """Return a URL that stands on `name`: a folder, a bucket or a container."""
    if engine:
        options["engine"] = engine
    if service.scheme == "s3":
        return service.url("root", s3_bucket=name, **options)
    if service.scheme == "azure":
        return replace(service, base=f"{name}/").url("root", **options)
    return service.url(name, **options)


def functions_of(store: FileStore, source: Path) -> dict[str, Callable[[], Any]]:
    functions: dict[str, Callable[[], Any]] = {
        "get": lambda: store.get("a/k"),
        "download": lambda: store.download("a/k", source.with_name("dest")),
        "exists": lambda: store.exists("a/k"),
        "exists at all": lambda: store.exists("a/k", location="all"),
        "list": lambda: list(store.list()),
        "list below": lambda: list(store.list("a/")),
        "ls": lambda: store.fs.ls(""),
        "info": lambda: store.fs.info("a/k"),
        "find": lambda: store.fs.find(""),
        "open": lambda: store.fs.open("a/k"),
    }
    if not store.locations[0].read_only:
        functions |= {
            "delete": lambda: store.delete("a/k"),
            "delete many": lambda: store.delete_batch(["a/k", "b"]),
            "put": lambda: store.put("a/k", b"content"),
            "put by force": lambda: store.put("a/k", b"content", force=True),
            "upload": lambda: store.upload(source, "a/k"),
            "upload verified": lambda: store.upload(source, "a/k", verify=True),
            "pipe": lambda: store.fs.pipe_file("a/k", b"content"),
            "make a folder": lambda: store.fs.makedirs("a/b"),
        }
    return functions


@pytest.mark.parametrize(("server", "engine"), CASES)
def test_what_stands_on_nothing_is_unknown(
    server: str, engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    service: Service = request.getfixturevalue(server)
    name = f"missing-{secrets.token_hex(6)}"
    url = url_of(service, name, engine, must_exist="true")
    source = tmp_path / "source"
    source.write_bytes(b"content")
    with FileStore(url) as store:
        for what, function in functions_of(store, source).items():
            kind = TransportException if what == "delete many" else LocationUnavailable
            with pytest.raises(kind, match="must_exist"):
                pytest.fail(f"{what}: {function()}")
        (located,) = store.locate("a/k")
        assert located.state == "unknown"
    with FileStore(url, strict=False) as store:
        assert (store.get("a/k"), store.exists("a/k")) == (None, [])
    with FileStore(url_of(service, name, engine)) as store:
        assert (store.get("a/k"), list(store.list())) == (None, [])  # by default it is empty


@pytest.mark.parametrize(("server", "engine"), CASES)
def test_what_stands_on_something_works_as_ever(
    server: str, engine: str, request: pytest.FixtureRequest
) -> None:
    service: Service = request.getfixturevalue(server)
    name = f"present-{secrets.token_hex(6)}"
    if service.scheme == "http":
        service.raw.write(f"{name}/there", b"content")
    else:
        with FileStore(url_of(service, name, engine)) as store:
            store.put("there", b"content")
    with FileStore(url_of(service, name, engine, must_exist="true")) as store:
        assert (store.get("there"), store.get("k")) == (b"content", None)
        assert (store.exists("k"), list(store.list("k"))) == ([], [])
        assert list(store.list()) == ["there"]
        if service.scheme != "http":
            assert store.put("a/k", b"x") == list(store.locations)
            store.delete("a/k")
            assert store.get("a/k") is None


def test_a_root_that_goes_away_is_missed_at_once(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "unmounted"
    root.mkdir()
    with FileStore(f"file://{root}?must_exist=true") as store:
        store.put("k", b"x")
        root.rename(other)
        for function in (lambda: store.get("k"), lambda: store.put("l", b"x")):
            with pytest.raises(LocationUnavailable, match="must_exist"):
                function()
        assert not root.exists()
        root.touch()  # something else is there
        with pytest.raises(LocationUnavailable, match="must_exist"):
            store.exists("k")
        root.unlink()
        other.rename(root)
        assert store.get("k") == b"x"


def test_the_next_location_answers(tmp_path: Path) -> None:
    with FileStore(f"file://{tmp_path}/none?must_exist=true", f"file://{tmp_path}/far") as store:
        store.put("k", b"x", location="far")
        assert store.get("k") == b"x"
        with pytest.raises(LocationUnavailable, match="must_exist"):
            store.get("none")
