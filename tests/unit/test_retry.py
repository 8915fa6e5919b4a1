"""How often a location is asked, how long an operation takes, and when a circuit is open."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import AsyncFileStore, FileStore, Location, LocationUnavailable, PartialWrite
from filestore_fsspec.breaker import Breaker
from filestore_fsspec.deadline import end_in, seconds_left, share, until
from filestore_fsspec.drivers.local.driver import LocalDriver
from filestore_fsspec.drivers.shared.errors import Absent, RetryAfter, temporary_failure
from tests.services.common import wait_until

if TYPE_CHECKING:
    from pathlib import Path


class Broken(LocalDriver):
    """A disk that fails, hangs or loses its answers, as a server may."""

    may_wait = True

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[OSError] = []
        self.calls = 0
        self.loses_answer = False
        self.hangs = threading.Event()
        self.hangs.set()

    def _trouble(self) -> None:
        self.calls += 1
        if not self.hangs.wait(5):
            raise TimeoutError("hung")
        if self.errors:
            raise self.errors.pop(0)

    def cat_file(self, *args: Any, **kwargs: Any) -> bytes:
        self._trouble()
        return super().cat_file(*args, **kwargs)

    def isfile(self, path: str) -> bool:
        self._trouble()
        return super().isfile(path)

    def pipe_file(self, *args: Any, **kwargs: Any) -> None:
        self._trouble()
        super().pipe_file(*args, **kwargs)
        self._lose()

    def put_file(self, *args: Any, **kwargs: Any) -> None:
        self._trouble()
        super().put_file(*args, **kwargs)
        self._lose()

    def _lose(self) -> None:
        if self.loses_answer:
            self.loses_answer = False
            raise ConnectionResetError("the answer was lost")


def broken(location: Location) -> Broken:
    location._fs = driver = Broken()
    return driver


@pytest.fixture
def pair(tmp_path: Path) -> Any:
    """Give a store of two disks, and what stands before the near one."""
    with FileStore(
        f"file://{tmp_path}/near?name=n", f"file://{tmp_path}/far", breaker_seconds=0.2
    ) as store:
        yield store, broken(store.locations[0])


# Attempts


@pytest.mark.parametrize("size", [0, 10, 8 * 2**20, 8 * 2**20 + 1])
@pytest.mark.parametrize("function", ["put", "upload"])
def test_a_create_whose_answer_was_lost_is_known_for_ours(
    tmp_path: Path, size: int, function: str
) -> None:
    content = bytes(size)
    with FileStore(f"file://{tmp_path}/root") as store:
        driver = broken(store.locations[0])
        driver.loses_answer = True
        if function == "put":
            assert store.put("k", content) == list(store.locations)
        else:
            (tmp_path / "source").write_bytes(content)
            assert store.upload(tmp_path / "source", "k") == list(store.locations)
        assert store.get("k") == content
        assert store.put("k", content) == []


@pytest.mark.parametrize("other", [b"", b"anothe", b"another!", b"content and more"])
def test_what_somebody_else_made_meanwhile_is_not_ours(tmp_path: Path, other: bytes) -> None:
    with FileStore(f"file://{tmp_path}") as store:
        driver = broken(store.locations[0])
        (tmp_path / "k").write_bytes(other)
        driver.errors = [ConnectionResetError()]
        assert store.put("k", b"content") == []
        assert store.get("k") == other


def test_what_gives_a_file_its_name_is_done_once(tmp_path: Path) -> None:
    with FileStore(f"file://{tmp_path}", connection_attempts=5) as store:
        driver = broken(store.locations[0])
        shown = []

        def show(file: Any) -> None:
            shown.append(file)
            raise ConnectionResetError("the answer was lost")

        driver.commit = show  # type: ignore[method-assign]
        with pytest.raises(LocationUnavailable), store.fs.open("k", "wb") as file:
            file.write(b"x")
        assert len(shown) == 1


@pytest.mark.parametrize(
    ("retry_after", "least"),
    [("1", 1), ("in 2 s", 0.9), ("", 0), ("soon", 0), (None, 0)],
)
def test_the_pause_that_a_server_asks_for_is_kept(
    tmp_path: Path, retry_after: str | None, least: float
) -> None:
    (tmp_path / "k").write_bytes(b"x")
    if retry_after == "in 2 s":
        retry_after = formatdate(time.time() + 2, usegmt=True)
    with FileStore(f"file://{tmp_path}") as store:
        broken(store.locations[0]).errors = [temporary_failure("busy", "k", retry_after)]
        started = time.monotonic()
        assert store.get("k") == b"x"
        assert least <= time.monotonic() - started < least + 2.5


def test_nobody_waits_for_an_hour(tmp_path: Path) -> None:
    error = temporary_failure("busy", "k", "3600")
    assert isinstance(error, RetryAfter)
    with FileStore(f"file://{tmp_path}") as store:
        broken(store.locations[0]).errors = [error]
        started = time.monotonic()
        with pytest.raises(LocationUnavailable, match="busy"):
            store.get("k")
        assert time.monotonic() - started < 1


# Deadlines


def test_a_deadline_is_seen_in_threads_and_on_the_loop(tmp_path: Path) -> None:
    with until(end_in(100)):
        left = seconds_left()
        assert left is not None
        assert 99 < left <= 100
        with until(end_in(1000)), share(4):
            inner = seconds_left()
            assert inner is not None
            assert 24 < inner <= 25
    assert seconds_left() is None
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="deadline_seconds"):
            FileStore(f"file://{tmp_path}", deadline_seconds=wrong)
        with FileStore(f"file://{tmp_path}") as store, pytest.raises(ValueError, match="deadline"):
            store.get("k", deadline_seconds=wrong)


FUNCTIONS: dict[str, Any] = {
    "get": lambda store, **kwargs: store.get("k", **kwargs),
    "exists": lambda store, **kwargs: store.exists("k", **kwargs),
    "put": lambda store, **kwargs: store.put("k", b"x", **kwargs),
    "get_many": lambda store, **kwargs: list(store.get_many(["k"], **kwargs)),
    "exists_many": lambda store, **kwargs: list(store.exists_many(["k"], **kwargs)),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("per_call", [True, False])
def test_what_hangs_is_left_in_time(tmp_path: Path, function: str, per_call: bool) -> None:  # noqa: FBT001 - a parameter
    given = {"deadline_seconds": 0.3} if per_call else {}
    with FileStore(f"file://{tmp_path}", deadline_seconds=None if per_call else 0.3) as store:
        driver = broken(store.locations[0])
        driver.hangs.clear()
        started = time.monotonic()
        with pytest.raises(LocationUnavailable, match="deadline has passed"):
            FUNCTIONS[function](store, **given)
        assert 0.25 < time.monotonic() - started < 2
        driver.hangs.set()


def test_what_hangs_is_left_in_time_when_awaited(tmp_path: Path) -> None:
    async def work() -> None:
        async with AsyncFileStore(f"file://{tmp_path}", deadline_seconds=0.3) as store:
            driver = broken(store.locations[0])
            driver.hangs.clear()
            for call in (store.get("k"), store.put("k", b"x"), anext(aiter(store.get_many(["k"])))):
                with pytest.raises(LocationUnavailable, match="deadline has passed"):
                    await call
            driver.hangs.set()

    asyncio.run(work())


def test_a_batch_names_what_was_not_done_in_time(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    with FileStore(f"file://{tmp_path}/root") as store:
        driver = broken(store.locations[0])
        driver.hangs.clear()
        pairs = [(tmp_path / "source", f"k{number}") for number in range(20)]
        failed = store.upload_batch(pairs, deadline_seconds=0.3)
        assert sorted(dest for _, dest, _ in failed) == sorted(dest for _, dest in pairs)
        driver.hangs.set()


def test_the_far_location_gets_its_share_of_the_time(pair: tuple[FileStore, Broken]) -> None:
    store, driver = pair
    store.put("k", b"x", location="far")
    driver.hangs.clear()
    started = time.monotonic()
    assert store.get("k", deadline_seconds=1) == b"x"
    assert 0.4 < time.monotonic() - started < 0.9
    driver.hangs.set()


def test_no_attempt_begins_that_there_is_no_time_for(tmp_path: Path) -> None:
    with FileStore(f"file://{tmp_path}", connection_attempts=100) as store:
        driver = broken(store.locations[0])
        driver.errors = [ConnectionResetError("reset") for _ in range(100)]
        started = time.monotonic()
        with pytest.raises(LocationUnavailable, match="reset"):
            store.get("k", deadline_seconds=0.8)
        assert time.monotonic() - started < 0.8
        assert 2 <= driver.calls <= 4


@pytest.mark.parametrize("awaited", [True, False])
def test_what_was_not_done_in_time_is_in_the_journal(tmp_path: Path, awaited: bool) -> None:  # noqa: FBT001 - a parameter
    urls, journal = [f"file://{tmp_path}/near", f"file://{tmp_path}/far"], tmp_path / "journal"
    with FileStore(*urls, journal=journal) as store:
        driver = broken(store.locations[0])
        driver.hangs.clear()
        with pytest.raises(PartialWrite, match="deadline has passed"):
            if awaited:
                twin = AsyncFileStore(*urls, journal=journal)
                twin.locations = store.locations
                asyncio.run(twin.put("k", b"x", deadline_seconds=0.3))
            else:
                store.put("k", b"x", deadline_seconds=0.3)
        ((key, error),) = [(leg.key, leg.error) for leg in store.pending()]
        assert key == "k"
        assert error is not None
        assert "deadline has passed" in error
        driver.hangs.set()
        store.close()
        assert [each.state for each in store.replay()] == ["done"]
        assert store.get("k", "near") == b"x"


# Breakers


def test_a_location_that_is_down_is_circuit_open(
    pair: tuple[FileStore, Broken], caplog: pytest.LogCaptureFixture
) -> None:
    store, driver = pair
    near, far = store.locations
    store.put("k", b"x")
    driver.calls = 0
    driver.errors = [ConnectionResetError()] * 1000
    assert store.get("k") == b"x"
    calls = driver.calls
    assert (calls, near.breaker_state) == (3, "open")
    assert "file://" in caplog.text
    assert "not asked for 0.2 s" in caplog.text

    # At once, and unknown: never absent.
    assert store.get("k") == b"x"
    with pytest.raises(LocationUnavailable, match="circuit is open"):
        store.get("none")
    with pytest.raises(LocationUnavailable, match="circuit is open"):
        store.exists("none")
    assert store.exists("k") == [far]
    assert driver.calls == calls
    located = store.locate("k")
    assert [(each.state, each.breaker) for each in located] == [
        ("unknown", "open"),
        ("present", "closed"),
    ]

    # It is probed in the background, and comes back.
    wait_until(lambda: store.get("k") == b"x" and driver.calls > calls, "a look")
    driver.errors.clear()
    wait_until(lambda: store.get("k") == b"x" and near.breaker_state == "closed", "its return")
    assert store.get("k", location="near") == b"x"
    wait_until(lambda: "answers again" in caplog.text, "the log")


def test_nobody_waits_for_the_look(pair: tuple[FileStore, Broken]) -> None:
    store, driver = pair
    store.put("k", b"x")
    driver.errors = [TimeoutError("silent")]
    store.get("k")
    driver.hangs.clear()
    calls = driver.calls
    wait_until(lambda: store.get("k") == b"x" and driver.calls > calls, "a look")
    with ThreadPoolExecutor(8) as threads:
        started = time.monotonic()
        assert list(threads.map(store.get, ["k"] * 80)) == [b"x"] * 80
    assert time.monotonic() - started < 1
    assert (driver.calls, store.locations[0].breaker_state) == (calls + 1, "half-open")
    driver.hangs.set()
    wait_until(lambda: store.locations[0].breaker_state == "closed", "its return")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_ends_unexpectedly_is_not_the_last(
    pair: tuple[FileStore, Broken], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, driver = pair
    store.put("k", b"x")
    driver.errors = [TimeoutError("silent")]
    store.get("k")

    def break_down(_path: str) -> bool:
        driver.calls += 1
        raise RuntimeError("unexpected")

    with monkeypatch.context() as patch:
        patch.setattr(driver, "isfile", break_down)
        calls = driver.calls
        wait_until(lambda: store.get("k") == b"x" and driver.calls > calls, "a look")
    near = store.locations[0]
    wait_until(lambda: store.get("k") == b"x" and near.breaker_state == "closed", "its return")


@pytest.mark.parametrize("error", [Absent(), PermissionError(), OSError("full")])
def test_an_answer_is_an_answer(pair: tuple[FileStore, Broken], error: OSError) -> None:
    store, driver = pair
    driver.errors = [error] * 5
    for _ in range(5):
        store.strict = False
        store.get("k")
    assert store.locations[0].breaker_state == "closed"


def test_breakers_count_what_fails_in_a_row(tmp_path: Path) -> None:
    urls = [f"file://{tmp_path}/a", f"file://{tmp_path}/b"]
    with FileStore(*urls, connection_attempts=1, breaker_failures=2) as store:
        store.put("k", b"x")
        driver = broken(store.locations[0])
        for _ in range(3):
            driver.errors = [ConnectionResetError()]
            assert [store.get("k"), store.get("k")] == [b"x", b"x"]
            assert [each.breaker_state for each in store.locations] == ["closed", "closed"]
        driver.errors = [ConnectionResetError()] * 2
        assert [store.get("k"), store.get("k")] == [b"x", b"x"]
        assert [each.breaker_state for each in store.locations] == ["open", "closed"]
        store.close()
        assert store.locations[0].breaker_state == "closed"
    with FileStore(*urls, breaker_failures=0) as store:
        assert store.locations[0].breaker is None
    with FileStore(urls[0]) as store:
        assert store.locations[0].breaker is None
    with pytest.raises(ValueError, match="breaker_failures"):
        FileStore(urls[0], breaker_failures=-1)
    with pytest.raises(ValueError, match="breaker_seconds"):
        FileStore(*urls, breaker_seconds=0)


def test_the_pause_doubles_up_to_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("filestore_fsspec.breaker.time.monotonic", lambda: clock[0])
    breaker = Breaker(seconds=1)
    breaker.failed()
    pauses = []
    for _ in range(7):
        began = clock[0]
        while not breaker.is_due():
            clock[0] += 0.5
        pauses.append(clock[0] - began)
        breaker.failed()
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    while not breaker.is_due():
        clock[0] += 0.5
    assert not breaker.is_due()
    assert breaker.succeeded()
    assert breaker.state == "closed"
    breaker.failed()
    clock[0] += 1
    assert breaker.is_due()


def test_a_write_to_a_location_that_is_circuit_open_is_named(
    pair: tuple[FileStore, Broken],
) -> None:
    store, driver = pair
    driver.errors = [ConnectionResetError()] * 3
    with pytest.raises(LocationUnavailable):
        store.get("k")
    with pytest.raises(PartialWrite, match="circuit is open") as caught:
        store.put("k", b"x")
    assert caught.value.written == (store.locations[1],)
