"""A journal whose users are interrupted, cancelled, forked and entered again at every step."""

from __future__ import annotations

import os
import pickle
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import AsyncFileStore, FileStore
from filestore_fsspec.bridge import SYNC, run
from filestore_fsspec.journal.records import Outcomes, digest
from tests.faults.stepping import interrupt, run_and_cancel, run_and_do
from tests.unit.test_journal import journal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    # What is interrupted between the two, and while it is collected.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ROOT = Path(__file__).parents[2]
STRIDE = int(os.environ.get("STRIDE", "7"))
"""How many lines further each one is stopped: 1 is before every line."""
INTERRUPTS = int(os.environ.get("INTERRUPTS", "60"))
"""For each of three processes."""


class Scene:
    """Two folders and a journal, with a store for whoever is stopped and one that looks."""

    def __init__(self, base: Path) -> None:
        self.near, self.far, self.journal = base / "near", base / "far", base / "journal"
        self.urls = [f"file://{self.near}?name=one", f"file://{self.far}"]
        self.store, self.other = self.new_store(), self.new_store()

    def new_store(self) -> FileStore:
        return FileStore(*self.urls, journal=self.journal)

    def contents(self) -> list[bytes | None]:
        paths = [folder / "k" for folder in (self.near, self.far)]
        return [path.read_bytes() if path.exists() else None for path in paths]

    def check(self, *allowed: bytes | None) -> None:
        """See that others can write, that all are told the truth, and that both become the same."""
        self.other.put("other", secrets.token_bytes(4), force=True)
        seen = self.other.get("k")
        assert seen in allowed
        end = time.monotonic() + 10
        while [*self.other.pending()] and time.monotonic() < end:  # what was forgotten ends soon
            assert all(each.state != "kept" for each in self.other.replay())
        assert [*self.other.pending()] == []
        near, far = self.contents()
        assert near == far == self.other.get("k")
        assert near in allowed
        assert near == seen or seen is None

    def close(self) -> None:
        self.store.close()
        self.other.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    found = Scene(tmp_path)
    yield found
    found.close()


ACTS: dict[str, Callable[[FileStore], object]] = {
    "put": lambda store: store.put("k", b"new", force=True),
    "delete": lambda store: store.delete("k"),
}
AFTER = {"put": b"new", "delete": None}


@pytest.mark.parametrize("act", ["put", "delete"])
def test_interrupted_before_any_line(scene: Scene, act: str) -> None:
    scene.store.put("k", b"old")
    lines = run_and_do(lambda: ACTS[act](scene.store), None, interrupt)
    for at in range(1, lines + 1, STRIDE):
        scene.store.put("k", b"old", force=True)
        run_and_do(lambda: ACTS[act](scene.store), at, interrupt)
        scene.check(b"old", AFTER[act])


def miss_far(scene: Scene) -> None:
    """Put what only the near folder gets."""
    store = scene.store
    scene.near.mkdir(exist_ok=True)
    (scene.near / "k").write_bytes(b"new")
    (scene.far / "k").unlink(missing_ok=True)
    outcomes = Outcomes()
    outcomes.of_legs = {(store.locations[0], "k"): True, (store.locations[1], "k"): OSError()}
    journal = journal_of(store)
    owned = journal.put(store.locations, "k", digest(b"new"), outcomes, overwrite=True)
    run(owned.begin(SYNC, durable=True))
    run(owned.end(SYNC))


def test_a_replay_interrupted_before_any_line(scene: Scene) -> None:
    miss_far(scene)
    lines = run_and_do(lambda: list(scene.store.replay()), None, interrupt)
    for at in range(1, lines + 1, STRIDE):
        miss_far(scene)
        run_and_do(lambda: list(scene.store.replay()), at, interrupt)
        scene.check(b"new")


@pytest.mark.parametrize("act", ["put", "delete", "replay"])
def test_cancelled_at_any_await(scene: Scene, act: str) -> None:
    twin = AsyncFileStore(*scene.urls, journal=scene.journal)

    async def go() -> None:
        if act == "put":
            await twin.put("k", b"new", force=True)
        elif act == "delete":
            await twin.delete("k")
        else:
            assert [each.state async for each in twin.replay()] == ["done"]

    def prepare() -> None:
        if act == "replay":
            miss_far(scene)
        else:
            scene.store.put("k", b"old", force=True)

    prepare()
    waits = run_and_cancel(go(), None)
    assert waits
    for at in range(1, waits + 1):
        prepare()
        run_and_cancel(go(), at)
        scene.check(b"new" if act == "replay" else b"old", AFTER.get(act, b"new"))


# Entered again


@pytest.mark.parametrize("act", ["put", "delete"])
def test_a_signal_handler_at_any_line_writes_the_same_key(scene: Scene, act: str) -> None:
    scene.store.put("k", b"old")
    lines = run_and_do(lambda: ACTS[act](scene.store), None, interrupt)
    for at in range(1, lines + 1, STRIDE):
        scene.store.put("k", b"old", force=True)

        def handle() -> None:
            scene.store.put("k", b"handler", force=True)
            assert scene.store.get("other") is None or scene.store.get("k") is not None

        run_and_do(lambda: ACTS[act](scene.store), at, handle)
        scene.check(b"handler", AFTER[act])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_at_any_line(scene: Scene) -> None:
    def fork() -> None:
        child = os.fork()
        if not child:
            try:
                scene.store.put("child", b"content", force=True)
                os._exit(int(scene.store.get("child") != b"content"))
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0

    scene.store.put("k", b"old")
    lines = run_and_do(lambda: ACTS["put"](scene.store), None, interrupt)
    for at in range(1, lines + 1, 3 * STRIDE):
        run_and_do(lambda: ACTS["put"](scene.store), at, fork)
        scene.check(b"new")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_while_a_thread_unpickles_stores(scene: Scene) -> None:
    pickled, ended = pickle.dumps(scene.store), threading.Event()

    def unpickle() -> None:
        while not ended.is_set():
            store = pickle.loads(pickled)  # noqa: S301 - our own
            assert store.get("k") is None
            store.pending()

    threads = [threading.Thread(target=unpickle) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if not child:
                try:
                    scene.store.put("child", b"content", force=True)
                    os._exit(0)
                finally:
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        ended.set()
        for thread in threads:
            thread.join()


# Processes


STORM = """
import os, signal, sys, threading, time
from filestore_fsspec import FileStore

journal, mark, count, *urls = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)
store = FileStore(*urls, journal=journal)
store.put("k", b"first", force=True)
main, interrupts, rest = threading.main_thread().ident, 0, iter(range(10**9))
armed = threading.Event()

def storm():
    while True:
        armed.wait()
        time.sleep(next(rest) % 97 / 20000)
        if armed.is_set():
            signal.pthread_kill(main, signal.SIGINT)

threading.Thread(target=storm, daemon=True).start()
number = 0
while interrupts < int(count):
    number += 1
    try:
        try:
            armed.set()
            if number % 3:
                store.put(f"k{number % 5}", f"{mark}{number}".encode(), force=True)
            else:
                store.delete(f"k{number % 5}")
        finally:
            armed.clear()
    except KeyboardInterrupt:
        interrupts += 1
        armed.clear()
while True:  # one may still be on its way
    try:
        time.sleep(0.05)
        break
    except KeyboardInterrupt:
        pass
store.put(f"last-{mark}", b"last", force=True)
print("done", flush=True)
"""


def test_three_processes_are_interrupted_all_the_time(scene: Scene) -> None:
    command = [sys.executable, "-c", STORM, str(scene.journal)]
    running = [
        subprocess.Popen(
            [*command, mark, str(INTERRUPTS), *scene.urls],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mark in "abc"
    ]
    assert [process.communicate(timeout=600)[0] for process in running] == ["done\n"] * 3
    hidden = {key for key in keys(scene) if scene.other.get(key) is None}
    pending = {leg.key for leg in scene.other.pending() if leg.action == "delete"}
    assert hidden <= pending
    states = {each.state for each in scene.other.replay()}
    assert states <= {"done", "dropped"}
    assert [*scene.other.pending()] == []
    for key in keys(scene):
        near, far = ((folder / key).read_bytes() for folder in (scene.near, scene.far))
        assert near == far == scene.other.get(key)
    assert {"last-a", "last-b", "last-c"} <= keys(scene)


def keys(scene: Scene) -> set[str]:
    names = {path.name for folder in (scene.near, scene.far) for path in folder.iterdir()}
    return {name for name in names if not name.startswith(".")}
