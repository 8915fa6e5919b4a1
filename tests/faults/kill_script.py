"""Kill a put with one failing leg again and again, and see what the journal makes of it.

In `new` the key is new, in `over` it is overwritten, in `first` the journal is made as well: these
are the kills asked for. In `replay`, a fifth more, it is the replay that is killed.

The folder and the number of kills come as arguments; out go the figures, as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filestore_fsspec import FileStore
from filestore_fsspec.errors import PartialWrite
from tests.faults.stepping import count_from_here, run_and_kill, run_in_child

if TYPE_CHECKING:
    from filestore_fsspec.journal.replay import Replayed

OLD, NEW = b"old" * 1000, b"new" * 2000


class Scene:
    """Two folders; nobody can say what is in the far one until it is brought back."""

    def __init__(self, base: Path, *, before: bool, new_journal: bool) -> None:
        self.base, self.before, self.new_journal = base, before, new_journal
        self.near, self.far = base / "near" / "k", base / "far" / "k"

    def set_up(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        for path in (self.near, self.far):
            path.parent.mkdir(parents=True)
            if self.before:
                path.write_bytes(OLD)
        self.far.parent.rename(self.base / "away")
        self.far.parent.symlink_to("far")

    def store(self) -> FileStore:
        urls = [f"file://{path.parent}" for path in (self.near, self.far)]
        return FileStore(*urls, journal=self.base / "journal")

    def go(self) -> None:
        if self.new_journal:
            count_from_here()
        store = self.store()
        store.locate("k")  # which starts the threads
        if not self.new_journal:
            count_from_here()
        self.put(store)

    def put(self, store: FileStore) -> None:
        with suppress(PartialWrite):
            store.put("k", NEW, force=self.before)

    def check(self) -> None:
        """Bring the far folder back, and raise unless all is as it has to be; tell what was."""
        seen = _content(self.near)
        with self.store() as store:
            legs = [*store.pending()]
            changed = seen != (OLD if self.before else None)
            _claim(not changed or any("far" in leg.location for leg in legs), "a record is lost")
            self.far.parent.unlink()
            (self.base / "away").rename(self.far.parent)
            _claim(store.get("k") == seen, "a read does not give what is near")
            outcomes = [*store.replay()]
            _claim(all(each.state != "kept" for each in outcomes), f"kept: {outcomes}")
            _claim(not [*store.pending()], "a leg is left")
            _claim(_content(self.near) == _content(self.far) == seen, "near and far differ")
            inodes = [path.stat().st_ino for path in (self.near, self.far) if path.exists()]
            _claim([*store.replay()] == [], "a leg is replayed twice")
            again = [path.stat().st_ino for path in (self.near, self.far) if path.exists()]
            _claim(inodes == again, "a second replay wrote")
            _claim(list(store.list()) == (["k"] if seen is not None else []), "listed")
        self.tell("after" if changed else "before", outcomes)

    def tell(self, when: str, outcomes: list[Replayed]) -> None:
        states = sorted(each.state for each in outcomes)
        with (self.base.parent / "seen").open("a") as file:
            file.write(f"{when} {' '.join(states) or 'none'}\n")


class ReplayScene(Scene):
    """The same with the put behind it, the far folder back, and the replay to be killed."""

    def set_up(self) -> None:
        super().set_up()
        run_in_child(lambda: self.put(self.store()))
        self.far.parent.unlink()
        (self.base / "away").rename(self.far.parent)

    def go(self) -> None:
        with self.store() as store:
            list(store.pending())
            count_from_here()
            list(store.replay())

    def check(self) -> None:
        far = _content(self.far)
        with self.store() as store:
            _claim(store.get("k") == NEW, "a read does not give what was put")
            _claim(far == NEW or len([*store.pending()]) == 1, "a record is lost")
            outcomes = [*store.replay()]
            _claim({each.state for each in outcomes} <= {"done"}, f"not done: {outcomes}")
            _claim(_content(self.far) == _content(self.near) == NEW, "near and far differ")
            _claim(([*store.pending()], [*store.replay()]) == ([], []), "a leg is left")
        self.tell("after" if far == NEW else "before", outcomes)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _claim(truth: bool, what: str) -> None:  # noqa: FBT001 - what is claimed
    if not truth:
        raise RuntimeError(what)


def main() -> None:
    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    scenes = {
        "new": (Scene(folder / "new", before=False, new_journal=False), kills * 2 // 5),
        "over": (Scene(folder / "over", before=True, new_journal=False), kills * 2 // 5),
        "first": (Scene(folder / "first", before=True, new_journal=True), kills // 5),
        "replay": (ReplayScene(folder / "replay", before=True, new_journal=False), kills // 5),
    }
    # Here, so that what is imported on first use is so before the forks. It starts no thread.
    with FileStore(f"file://{folder}/warm", journal=folder / "warm.db") as store:
        store.put("k", NEW)
        list(store.replay())
    figures = {}
    for name, (scene, count) in scenes.items():
        scene.set_up()
        stops = run_and_kill(scene.go, None)
        run_in_child(scene.check)
        (folder / "seen").unlink()
        for number in range(count):
            scene.set_up()
            run_and_kill(scene.go, 1 + number * stops // count)
            run_in_child(scene.check)
        seen = Counter((folder / "seen").read_text().splitlines())
        (folder / "seen").unlink()
        figures[name] = {"kills": count, "stops": stops, "seen": dict(seen)}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
