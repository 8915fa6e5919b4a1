"""What is logged, under which name: each event once, with the location, the action and the key."""

from __future__ import annotations

import asyncio
import logging
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import AsyncFileStore, FileStore, LocationUnavailable, ReadOnly
from filestore_fsspec.drivers.local.driver import LocalDriver
from filestore_fsspec.errors import FileStoreException
from tests.services.common import wait_until

if TYPE_CHECKING:
    from pathlib import Path

NAME = "assemblyline.transport"


class Down(LocalDriver):
    """A disk that drops a connection so many times."""

    drops = 10**6
    error: type[OSError] = ConnectionResetError

    def _trouble(self) -> None:
        if self.drops:
            self.drops -= 1
            raise self.error("gone")

    def cat_file(self, *args: Any, **kwargs: Any) -> bytes:
        self._trouble()
        return super().cat_file(*args, **kwargs)

    def isfile(self, path: str) -> bool:
        self._trouble()
        return super().isfile(path)

    def pipe_file(self, *args: Any, **kwargs: Any) -> None:
        self._trouble()
        super().pipe_file(*args, **kwargs)

    def rm_file(self, path: str) -> None:
        self._trouble()
        super().rm_file(path)


def down(store: FileStore, index: int = 0) -> Down:
    driver = Down()
    driver.error = TimeoutError  # which is not tried again
    store.locations[index]._fs = driver
    return driver


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged since the last look, and that it was our name."""
    assert {record.name for record in caplog.records} <= {NAME}
    assert {record.levelname for record in caplog.records} <= {"WARNING"}
    found = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return found


@pytest.fixture
def pair(tmp_path: Path) -> Any:
    with FileStore(
        f"file://{tmp_path}/near", f"file://{tmp_path}/far", logger=NAME, breaker_failures=0
    ) as store:
        store.put("k", b"x")
        yield store


def test_a_failover_is_one_line(pair: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    near = str(pair.locations[0])
    down(pair)
    assert pair.get("k") == b"x"
    assert lines(caplog) == [f"{near}: cannot get 'k': gone"]
    assert pair.exists("k") == [pair.locations[1]]
    assert lines(caplog) == [f"{near}: cannot look for 'k': gone"]
    assert pair.exists("k", location="all") == [pair.locations[1]]
    assert lines(caplog) == [f"{near}: cannot look for 'k': gone"]
    with pytest.raises(LocationUnavailable):
        pair.get("none")
    assert lines(caplog) == []  # what is raised says it


def test_a_skipped_location_and_its_return_are_one_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    urls = (f"file://{tmp_path}/near", f"file://{tmp_path}/far")
    with FileStore(*urls, logger=NAME, breaker_seconds=0.2) as store:
        store.put("k", b"x")
        near, driver = str(store.locations[0]), down(store)
        assert store.get("k") == b"x"
        assert lines(caplog) == [
            f"{near}: failed, and is not asked for 0.2 s",
            f"{near}: cannot get 'k': gone",
        ]
        assert store.get("k") == b"x"
        (skipped,) = lines(caplog)
        assert skipped.startswith(f"{near}: cannot get 'k': ")
        assert skipped.endswith("its circuit is open")
        driver.drops = 0
        wait_until(lambda: bool(store.get("k")) and "answers again" in caplog.text, "its return")
        assert lines(caplog).count(f"{near}: answers again") == 1


def test_each_retry_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with FileStore(f"file://{tmp_path}", logger=NAME) as store:
        store.put("k", b"x")
        driver = down(store)
        driver.drops, driver.error = 2, ConnectionResetError
        assert store.get("k") == b"x"
        place = store.locations[0]
    first, second = lines(caplog)
    assert first.startswith(f"{place}: cannot get 'k': gone; attempt 2 of 3 in ")
    assert second.startswith(f"{place}: cannot get 'k': gone; attempt 3 of 3 in ")


def test_without_strict_each_locations_failure_is_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    urls = (f"file://{tmp_path}/near", f"file://{tmp_path}/far")
    with FileStore(*urls, logger=NAME, breaker_failures=0, strict=False) as store:
        near, far = map(str, store.locations)
        down(store, 0)
        down(store, 1)
        assert store.get("k") is None
        assert lines(caplog) == [f"{each}: cannot get 'k': gone" for each in (near, far)]
        for location in ("any", "all"):
            assert store.exists("k", location) == []
            assert lines(caplog) == [f"{each}: cannot look for 'k': gone" for each in (near, far)]
        store.delete("k")
        assert lines(caplog) == [f"{each}: cannot delete 'k': gone" for each in (near, far)]


def test_where_all_are_read_only_nothing_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"file://{tmp_path}/root?read_only=true"
    (tmp_path / "src").write_bytes(b"x")
    pairs = [(tmp_path / "src", "k")]
    with FileStore(url) as store:
        for refused in (
            lambda: store.put("k", b"x"),
            lambda: store.upload(tmp_path / "src", "k"),
            lambda: store.upload_batch(pairs),
            lambda: store.delete("k"),
            lambda: store.delete_batch(["k"]),
        ):
            with pytest.raises(ReadOnly):
                refused()
    with FileStore(url, strict=False, logger=NAME, journal=tmp_path / "journal") as store:
        assert store.put("k", b"x") == []
        assert store.upload(tmp_path / "src", "k") == []
        assert store.upload_batch(pairs) == []
        assert [store.delete("k"), store.delete_batch(["k"])] == [None, None]  # type: ignore[func-returns-value]
        assert store.cleanup() == []
        assert [*store.pending()] == []
    said = lines(caplog)
    assert len(said) == 6
    assert all("read-only" in each for each in said)

    async def awaited() -> None:
        async with AsyncFileStore(url, strict=False, logger=NAME) as store:
            assert await store.put("k", b"x") == []
            assert await store.upload(tmp_path / "src", "k") == []
            assert await store.upload_batch(pairs) == []
            await store.delete("k")
            await store.delete_batch(["k"])

    asyncio.run(awaited())
    assert len(lines(caplog)) == 5
    assert not (tmp_path / "root").exists()


def test_the_name_travels(tmp_path: Path) -> None:
    store = FileStore(f"file://{tmp_path}", logger=NAME)
    assert store.log is store.locations[0].log is logging.getLogger(NAME)
    assert store.fs.store.log.name == NAME
    assert pickle.loads(pickle.dumps(store)).log is store.log  # noqa: S301 - our own
    twin = pickle.loads(pickle.dumps(store.fs))  # noqa: S301 - our own
    assert twin.store.log is store.log
    assert FileStore(f"file://{tmp_path}").log.name == "filestore_fsspec"


def test_the_environments_name_takes_the_place_of_the_packages() -> None:
    code = (
        "from filestore_fsspec import FileStore; from filestore_fsspec.drivers.s3 import requests;"
        "print(FileStore('file:///x').log.name, requests._log.name,"
        " FileStore('file:///x', logger='mine').log.name)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"FILESTORE_LOGGER": "app.files"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["app.files", "app.files.drivers.s3.requests", "mine"]


def test_as_many_attempts_as_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("filestore_fsspec.bridge.time.sleep", pauses.append)
    with FileStore(f"file://{tmp_path}", connection_attempts=30, logger=NAME) as store:
        down(store).error = ConnectionResetError
        with pytest.raises(FileStoreException, match="gone"):
            store.get("k")
    assert len(pauses) == len(lines(caplog)) == 29
    assert max(pauses) <= 30
    assert sum(pauses) > 10 * 15  # they grow
