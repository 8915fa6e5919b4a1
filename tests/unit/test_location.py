"""What a location makes of its driver's errors."""

from __future__ import annotations

import logging
import traceback
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import (
    FileStore,
    InvalidURL,
    Location,
    LocationUnavailable,
    NotFound,
    PermissionDenied,
    TransportException,
)
from filestore_fsspec.drivers.shared.errors import Absent, CertificateError

if TYPE_CHECKING:
    from pathlib import Path


class Driver:
    """Raises what it is given, then answers."""

    async_impl = False
    threads = None

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def cat_file(self, *_args: Any) -> bytes:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return b"x"

    def stop_threads(self) -> None: ...
    def close(self) -> None: ...


def location(*errors: Exception, attempts: int | None = None) -> tuple[Location, Driver]:
    found = Location("ftp://user:hidden@host/root", attempts)
    found._fs = driver = Driver(*errors)
    return found, driver


@pytest.mark.parametrize(
    ("error", "ours", "builtin"),
    [
        (Absent("gone"), NotFound, FileNotFoundError),
        (FileNotFoundError("a token's file"), LocationUnavailable, ConnectionError),
        (PermissionError("no"), PermissionDenied, PermissionError),
        (TimeoutError("late"), LocationUnavailable, ConnectionError),
        (OSError("full"), TransportException, OSError),
    ],
)
def test_a_drivers_error_becomes_ours(error: Exception, ours: Any, builtin: Any) -> None:
    found, driver = location(error)
    with pytest.raises(ours) as caught:
        found.get("a/key")
    assert type(caught.value) is ours
    assert isinstance(caught.value, builtin)
    assert (caught.value.cause, caught.value.__cause__) == (error, error)
    assert str(caught.value) == f"ftp://user@host:21/root: cannot get 'a/key': {error}"
    assert driver.calls == 1


def test_a_dropped_connection_is_tried_again_and_not_for_ever() -> None:
    found, driver = location(ConnectionResetError(), ConnectionResetError())
    assert found.get("k") == b"x"
    found, driver = location(*[ConnectionResetError("reset")] * 5, attempts=2)
    with pytest.raises(LocationUnavailable, match="reset"):
        found.get("k")
    assert driver.calls == 2


def test_a_certificate_does_not_get_better_by_trying_again() -> None:
    found, driver = location(CertificateError("self-signed"))
    with pytest.raises(LocationUnavailable):
        found.get("k")
    assert driver.calls == 1


def test_a_secret_in_a_drivers_text_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    store = FileStore("ftp://user:hidden@host/root", strict=False)
    store.locations[0]._fs = Driver(PermissionError("login user:hidden refused"))
    with caplog.at_level(logging.DEBUG):
        assert store.get("k") is None
    assert "login user:*** refused" in caplog.text
    assert "hidden" not in caplog.text
    found, _driver = location(OSError("hidden"))
    with pytest.raises(TransportException) as caught:
        found.get("k")
    ours = "".join(traceback.format_exception_only(caught.value))
    assert "hidden" not in f"{ours}{caught.value!r}{found!r}{found}"


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="connection_attempts"):
        FileStore("file:///a", connection_attempts=0)
    with pytest.raises(ValueError, match="min_copies"):
        FileStore("file:///a", min_copies=2)
    with pytest.raises(InvalidURL, match="at least one"):
        FileStore()
    with pytest.raises(InvalidURL, match="same name: x, x"):
        FileStore("file:///a?name=x", "file:///b?name=x")


def test_what_lies_where_no_key_leads_is_not_listed(tmp_path: Path) -> None:
    key = "a" * 64
    (tmp_path / key).write_bytes(b"another's")
    with FileStore(f"file://{tmp_path}") as store:
        assert (store.exists(key), list(store.list()), list(store.list(key[:9]))) == ([], [], [])
        assert store.fs.ls("", detail=False) == store.fs.find("") == []
        store.put(key, b"ours")
        assert store.fs.ls("", detail=False) == store.fs.find("") == [key]
        assert list(store.list()) == list(store.list(key[:9])) == [key]


def test_listing_one_location_remembers_nothing(tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / f"{number:02}"
        folder.mkdir()
        for name in range(100):
            (folder / f"{name:0200}").touch()
    with FileStore(f"file://{tmp_path}") as store:
        keys = store.list()
        next(keys)
        tracemalloc.start()
        try:
            assert sum(1 for _ in keys) == 40 * 100 - 1
            held = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert held < 40 * 100 * 200 / 2
