"""Random puts, deletes, outages and replays on two locations, held against a mapping."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec.errors import FileStoreException, PartialWrite
from tests.unit.test_journal import Folders

if TYPE_CHECKING:
    from pathlib import Path

    from filestore_fsspec import FileStore


class Model:
    """What a user may expect of one key, whatever fails."""

    def __init__(self, base: Path, seed: int) -> None:
        self.folders, self.random = Folders(base), random.Random(seed)  # noqa: S311 - no secret
        self.lost: set[str] = set()
        self.content: bytes | None = None
        self.number = 0

    def step(self, store: FileStore) -> None:
        acts = (self.change_outage, self.put, self.put, self.delete, self.replay, self.read)
        self.random.choice(acts)(store)
        self.read(store)

    def change_outage(self, _store: FileStore) -> None:
        place = self.random.choice(("near", "far"))
        if place in self.lost:
            self.lost.remove(place)
            self.folders.bring_back(place)
        else:
            self.lost.add(place)
            self.folders.lose(place)

    def put(self, store: FileStore) -> None:
        self.number += 1
        content, force = b"%d" % self.number, self.random.random() < 0.5
        try:
            written = bool(store.put("k", content, force=force))
        except PartialWrite as error:
            written = bool(error.written)
        if written:
            if not force and self.content is not None:
                raise ValueError(f"written over {self.content!r}")
            self.content = content

    def delete(self, store: FileStore) -> None:
        with suppress(PartialWrite):
            store.delete("k")
        self.content = None

    def replay(self, store: FileStore) -> None:
        states = {each.state for each in store.replay()}
        if not self.lost:
            assert "kept" not in states
            assert [*store.pending()] == []
            self.check_both()

    def read(self, store: FileStore) -> None:
        try:
            found = store.get("k")
        except FileStoreException:
            assert self.lost
        else:
            assert found == self.content

    def check_both(self) -> None:
        for folder in (self.folders.near, self.folders.far):
            path = folder / "k"
            assert (path.read_bytes() if path.exists() else None) == self.content


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_lost_and_nothing_comes_back(tmp_path: Path, seed: int) -> None:
    model = Model(tmp_path, seed)
    with model.folders.store() as store:
        for _ in range(40):
            model.step(store)
        for place in sorted(model.lost):
            model.folders.bring_back(place)
        model.lost.clear()
        model.replay(store)
        model.read(store)
