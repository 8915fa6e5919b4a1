"""A journal when a real server goes away and comes back, and when the writer is killed."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import FileStore
from filestore_fsspec.errors import PartialWrite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Service

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("KILLS", "40"))


class Scene:
    """A local folder near, and a bucket far whose server can be stopped."""

    def __init__(self, service: Service, folder: Path) -> None:
        if service.server is None:
            raise ValueError("a server that can be stopped")
        self.root, self.raw, self.server = secrets.token_hex(4), service.raw, service.server
        self.urls = [f"file://{folder}/near", service.url(self.root)]
        self.journal = folder / "journal"

    def store(self, **options: Any) -> FileStore:
        return FileStore(*self.urls, journal=self.journal, connection_attempts=1, **options)

    def far(self) -> dict[str, bytes | None]:
        prefix = f"{self.root}/"
        return {
            path.removeprefix(prefix): self.raw.read(path)
            for path in self.raw.paths()
            if path.startswith(prefix)
        }

    def replay(self) -> list[str]:
        with self.store() as store:
            states: list[str] = [each.state for each in store.replay()]
            assert ([*store.pending()], [*store.replay()]) == ([], [])
        return states


@pytest.fixture
def scene(s3_rclone: Service, tmp_path: Path) -> Iterator[Scene]:
    found = Scene(s3_rclone, tmp_path)
    yield found
    if found.server.process is None:
        found.server.start()


def test_writes_that_a_server_missed_reach_it_when_it_is_back(scene: Scene, tmp_path: Path) -> None:
    sources = [(tmp_path / name, f"batch/{name}") for name in "abc"]
    for path, _ in sources:
        path.write_bytes(path.name.encode() * 100_000)
    with scene.store() as store:
        store.put("gone", b"old")
        store.put("replaced", b"old")
        scene.server.stop()
        with pytest.raises(PartialWrite):
            store.put("put", b"content")
        with pytest.raises(PartialWrite):
            store.put("replaced", b"new", force=True)
        with pytest.raises(PartialWrite):
            store.upload(sources[0][0], "uploaded")
        with pytest.raises(PartialWrite):
            store.delete("gone")
        assert len(store.upload_batch(sources)) == 3
        with pytest.raises(PartialWrite):
            store.fs.pipe_file("piped", b"content")
        assert len([*store.pending()]) == 8
    with scene.store() as store:
        assert {each.state for each in store.replay()} == {"kept"}
        assert (store.get("replaced"), store.get("gone")) == (b"new", None)
    scene.server.start()
    with scene.store() as store:
        assert store.get("gone") is None
        assert "gone" not in list(store.list())
    assert scene.replay() == ["done"] * 8
    assert scene.far() == {
        "put": b"content",
        "replaced": b"new",
        "uploaded": b"a" * 100_000,
        "piped": b"content",
        **{key: path.read_bytes() for path, key in sources},
    }


def test_a_file_written_to_one_of_two_reaches_the_other(scene: Scene) -> None:
    scene.server.stop()
    with scene.store(min_copies=1) as store, store.fs.open("k", "wb") as file:
        file.write(b"content" * 100_000)
    scene.server.start()
    assert scene.replay() == ["done"]
    assert scene.far() == {"k": b"content" * 100_000}


WRITER = """
import sys
from filestore_fsspec import FileStore

journal, *urls = sys.argv[1:]
store = FileStore(*urls, journal=journal, connection_attempts=1)
while True:
    for number in range(20):
        try:
            store.put(f"k{number}", b"%d" % number * 1000, force=True)
        except Exception as error:
            sys.stdout.write(f"{type(error).__name__}\\n")
            sys.stdout.flush()
"""


def test_a_writer_is_killed_while_the_server_is_away(scene: Scene) -> None:
    scene.server.stop()
    command = [sys.executable, "-c", WRITER, str(scene.journal), *scene.urls]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        assert {writer.stdout.readline() for _ in range(30)} == {"PartialWrite\n"}
        writer.kill()
    with scene.store() as store:
        assert {leg.key for leg in store.pending()} == {f"k{number}" for number in range(20)}
    scene.server.start()
    assert set(scene.replay()) == {"done"}
    assert scene.far() == {f"k{number}": b"%d" % number * 1000 for number in range(20)}


@pytest.mark.timeout(1800)
def test_killed_between_any_two_system_calls(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.kill_script", str(tmp_path), str(KILLS)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=1700, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    sys.stdout.write(done.stdout)
    assert sum(each["kills"] for name, each in figures.items() if name != "replay") == KILLS
    seen = {seen for each in figures.values() for seen in each["seen"]}
    assert seen >= {"before none", "before dropped dropped", "after done", "after done done"}
