from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from filestore_fsspec import AsyncFileStore, FileStore, PartialWrite, ReadOnly
from filestore_fsspec.cleanup import Cleaner
from filestore_fsspec.drivers.http.driver import HTTPDriver
from filestore_fsspec.keys import temporary_path
from filestore_fsspec.location import Location
from tests.services.common import FolderRaw, Service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.s3 import BucketRaw

DISKS = ["file_service", "ftp_plain", "ftp_vsftpd", "ftp_implicit", "sftp_asyncssh", "sftp_openssh"]
TWO_HOURS = 7200
UNLIKE = [".filestore-xyz.part", f".filestore-{'0' * 32}.part.txt", f"filestore-{'0' * 32}.part"]
"""Names that are not ours."""


@pytest.fixture(params=DISKS)
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def root() -> str:
    return uuid4().hex


@pytest.fixture(autouse=True)
def _nothing_passed() -> Iterator[None]:
    Cleaner._passed.clear()
    yield
    Cleaner._passed.clear()


def leave(service: Service, path: str, age_seconds: float) -> str:
    """Leave a file behind the library's back that was last written to so long ago."""
    service.raw.write(path, b"half")
    assert isinstance(service.raw, FolderRaw)
    then = time.time() - age_seconds
    os.utime(service.raw.folder / path, (then, then))
    return path


def test_what_a_killed_writer_left_is_removed_and_nothing_else(service: Service, root: str) -> None:
    old = [leave(service, temporary_path(f"{root}/{name}"), TWO_HOURS) for name in ("x", "a/b/x")]
    kept = [leave(service, f"{root}/a/{name}", TWO_HOURS) for name in UNLIKE]
    kept += [leave(service, temporary_path(f"{root}/a/x"), 60)]  # somebody is at it
    beside = leave(service, temporary_path(f"{root}x/a"), TWO_HOURS)
    with FileStore(service.url(root, cleanup="false")) as store:
        removed = store.cleanup()
        assert sorted(path[path.index(root) :] for path in removed) == sorted(old)
        assert store.cleanup() == []
    assert {path for path in service.raw.paths() if path.startswith(root)} == {*kept, beside}


def test_an_age_of_nothing_removes_all_of_ours(file_service: Service, root: str) -> None:
    path = leave(file_service, temporary_path(f"{root}/x"), 0)
    assert Location(file_service.url(root)).cleanup(older_than_seconds=0)
    assert path not in file_service.raw.paths()


def test_the_async_store_cleans_every_location(
    file_service: Service, sftp_asyncssh: Service, root: str
) -> None:
    places = (file_service, sftp_asyncssh)
    for place in places:
        leave(place, temporary_path(f"{root}/x"), TWO_HOURS)

    async def clean() -> list[str]:
        urls = (place.url(root, cleanup="false") for place in places)
        async with AsyncFileStore(*urls) as store:
            return await store.cleanup()

    assert len(asyncio.run(clean())) == 2
    assert not any(root in path for place in places for path in place.raw.paths())


def test_nothing_is_cleaned_where_nothing_may_be_written(file_service: Service, root: str) -> None:
    path = leave(file_service, temporary_path(f"{root}/x"), TWO_HOURS)
    with FileStore(file_service.url(root, read_only="true")) as store, pytest.raises(ReadOnly):
        store.cleanup()
    assert path in file_service.raw.paths()


def test_a_location_that_fails_does_not_spare_the_others(file_service: Service, root: str) -> None:
    leave(file_service, temporary_path(f"{root}/x"), TWO_HOURS)
    with FileStore("ftp://localhost:1/x", file_service.url(root), connection_attempts=1) as store:
        with pytest.raises(PartialWrite) as caught:
            store.cleanup()
        assert caught.value.written == (store.locations[1],)
    assert not any(root in path for path in file_service.raw.paths())


def uploads(raw: BucketRaw) -> set[str]:
    found = raw.client.list_multipart_uploads(Bucket=raw.bucket)
    return {upload["Key"] for upload in found.get("Uploads", ())}


def test_on_s3_an_unfinished_upload_goes(s3_moto: Service, root: str) -> None:
    raw: Any = s3_moto.raw
    raw.write(f"{root}/stays", b"whole")
    for key in (f"{root}/big", f"{root}-beside/big"):
        begun = raw.client.create_multipart_upload(Bucket=raw.bucket, Key=key)
        part = {"PartNumber": 1, "UploadId": begun["UploadId"], "Body": b"part"}
        raw.client.upload_part(Bucket=raw.bucket, Key=key, **part)
    raw.write(temporary_path(f"{root}/x"), b"")  # a killed probe of the server's manners
    with FileStore(s3_moto.url(root)) as store:
        assert store.cleanup() == []  # they are new
        assert len(store.cleanup(older_than_seconds=0)) == 2
        assert store.cleanup(older_than_seconds=0) == []
    assert {key for key in uploads(raw) if key.startswith(root)} == {f"{root}-beside/big"}
    assert {path for path in raw.paths() if path.startswith(f"{root}/")} == {f"{root}/stays"}


def test_a_bucket_that_is_missing_holds_nothing_to_clean(s3_moto: Service) -> None:
    with FileStore(s3_moto.url("x", s3_bucket=f"no-{uuid4().hex}")) as store:
        assert store.cleanup() == []


def test_on_azure_nothing_is_left_that_we_could_remove(azure_http: Service, root: str) -> None:
    with FileStore(azure_http.url(root)) as store:
        assert store.cleanup(older_than_seconds=0) == []


# In the background


def test_the_first_write_removes_what_is_old(file_service: Service, root: str) -> None:
    old = leave(file_service, temporary_path(f"{root}/a/b/x"), TWO_HOURS)
    new = leave(file_service, temporary_path(f"{root}/a/b/x"), 60)
    with FileStore(file_service.url(root)) as store:
        assert store.get("x") is None
        assert old in file_service.raw.paths()
        store.put("x", b"x")
        wait_until(lambda: old not in file_service.raw.paths(), "the leftover to go", 10)
    assert new in file_service.raw.paths()


def test_so_does_one_through_the_filesystem(file_service: Service, root: str) -> None:
    old = leave(file_service, temporary_path(f"{root}/a/b/x"), TWO_HOURS)
    with FileStore(file_service.url(root)) as store:
        with store.fs.open("x", "wb") as file:
            file.write(b"x")
        wait_until(lambda: old not in file_service.raw.paths(), "the leftover to go", 10)


@pytest.mark.parametrize(("place", "module"), [("ftp_plain", "ftp"), ("sftp_asyncssh", "sftp")])
def test_a_server_is_looked_through_when_the_process_has_lived_a_while(
    place: str,
    module: str,
    root: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"filestore_fsspec.schemes.{module}.REMOTE_CLEANUP_SECONDS", 0.05)
    service: Service = request.getfixturevalue(place)
    old = leave(service, temporary_path(f"{root}/a/x"), TWO_HOURS)
    with FileStore(service.url(root)) as store:
        store.put("x", b"x")
        wait_until(lambda: old not in service.raw.paths(), "the leftover to go", 10)


def test_a_location_is_passed_over_once_an_hour_and_by_one_thread(
    file_service: Service, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    def note(_cleaner: Cleaner, _stop: threading.Event) -> list[str]:
        passes.append(threading.get_ident())
        return []

    monkeypatch.setattr(Cleaner, "_pass", note)
    for _ in range(3):
        with FileStore(file_service.url(root)) as store:
            for number in range(10):
                store.put(f"x{number}", b"x", force=True)
            thread = store.locations[0]._cleaner._thread  # type: ignore[union-attr]
            if thread:
                thread.join(10)
    assert len(passes) == 1
    assert passes[0] != threading.get_ident()


@pytest.mark.parametrize("options", [{"cleanup": "false"}, {"read_only": "true"}])
def test_it_can_be_turned_off(file_service: Service, options: dict[str, str]) -> None:
    assert Location(file_service.url("x", **options))._cleaner is None


def test_closing_ends_it_and_the_next_write_begins_anew(sftp_asyncssh: Service, root: str) -> None:
    location = Location(sftp_asyncssh.url(root))
    location.put("x", b"x")
    assert location._cleaner is not None
    thread = location._cleaner._thread
    assert thread is not None
    assert thread.is_alive()  # it waits for the process to have lived a minute
    location.close()
    assert not thread.is_alive()
    location.put("x", b"x")
    assert location._cleaner._thread is not thread
    location.close()


def test_what_it_cannot_do_harms_nobody(
    file_service: Service,
    root: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_args: object) -> Any:
        raise PermissionError("not for you")

    monkeypatch.setattr("filestore_fsspec.drivers.local.driver.LocalDriver.stale_files", refuse)
    with caplog.at_level("INFO", "filestore_fsspec"), FileStore(file_service.url(root)) as store:
        store.put("x", b"x")
        wait_until(lambda: "cannot be cleaned up" in caplog.text, "the word of it", 10)
        assert store.get("x") == b"x"


def test_a_backend_without_leftovers_says_so() -> None:
    assert HTTPDriver().stale_files("x") == ([], None)
