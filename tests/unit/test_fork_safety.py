from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore
from filestore_fsspec.fork_safety import watch_forks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Owner:
    def __init__(self) -> None:
        self.told: list[str] = []
        watch_forks(
            self,
            before=lambda owner: owner.told.append("before"),
            in_parent=lambda owner: owner.told.append("in parent"),
            in_child=lambda owner: owner.told.append("in child"),
        )


def fork() -> int:
    """Fork; return the child's exit code, which is 0 where both were told."""
    owner = Owner()
    child = os.fork()
    if child == 0:
        os._exit(owner.told != ["before", "in child"])
    assert owner.told == ["before", "in parent"]
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def test_both_sides_are_told() -> None:
    assert fork() == 0


def test_one_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Owner):
        def fail(self) -> None:
            raise RuntimeError("unexpected")

    failing = Failing()
    watch_forks(failing, before=Failing.fail)
    assert fork() == 0
    assert "unexpected" in caplog.text


def test_forks_while_a_thread_makes_what_is_to_be_told(tmp_path: Path) -> None:
    ended = threading.Event()

    def make() -> None:
        while not ended.is_set():
            FileStore(f"file://{tmp_path}/a", journal=tmp_path / "journal").close()

    thread = threading.Thread(target=make)
    thread.start()
    try:
        assert [fork() for _ in range(20)] == [0] * 20
    finally:
        ended.set()
        thread.join()
