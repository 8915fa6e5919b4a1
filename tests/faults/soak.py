"""`make soak`: eight threads, half an hour, a disk that fills up, a bad line, no wrong answer.

Near is a small disk, far is S3 behind a proxy. Each thread has keys of its own and knows what each
location may hold under them: one content, or several where a write failed on its way. The server is
rclone's: moto's stores what has arrived of a request that was cut.
"""

from __future__ import annotations

import os
import random
import secrets
import statistics
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import psutil
import pytest

from filestore_fsspec import FileStore, LocationUnavailable, PartialWrite
from tests.services.faults import Refuse, Reset, Slow, Status, Truncate
from tests.services.proxy import FaultProxy, behind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.common import Service
    from tests.services.faults import Fault

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
THREADS = 8
KEYS = 10
DISK_BYTES = 16 * 2**20
GHOST_SECONDS = 5
"""How long the server may work on a request that it has, though its connection is gone."""


@dataclass
class Line:
    """How often all connections were dropped, and with them what was held back on the way."""

    drops: int = 0


@dataclass
class Held:
    """What each location may hold under one key; None is nothing."""

    line: Line
    near: bytes | None = None
    far: set[bytes | None] = field(default_factory=lambda: {None})
    ghosts: list[tuple[int, float, bytes | None]] = field(default_factory=list)
    """What may still arrive: the drop before it, the end of its time after that, and what it is."""

    def far_is(self, content: bytes | None) -> None:
        self.far = {content}

    def far_may_be(self, content: bytes | None) -> None:
        self.far = self.far | {content}
        self.ghosts.append((self.line.drops, time.monotonic() + GHOST_SECONDS, content))

    @property
    def far_now(self) -> set[bytes | None]:
        now = time.monotonic()
        # On a slow line a request arrives seconds after its sender gave it up: seen on rclone's.
        self.ghosts = [
            ghost for ghost in self.ghosts if ghost[0] + 1 >= self.line.drops or ghost[1] > now
        ]
        return self.far | {content for *_, content in self.ghosts}


class Worker(threading.Thread):
    """Does at random what a store can do, and knows what may come of it."""

    def __init__(
        self, number: int, store: FileStore, ends: float, folder: Path, line: Line
    ) -> None:
        super().__init__()
        self.store, self.ends = store, ends
        self.near, self.far = store.locations
        self.chance = random.Random(number)  # noqa: S311 - no secret
        self.prefix = f"t{number}/"
        self.source = folder / f"source-{number}"
        self.dest = folder / f"dest-{number}"
        self.held = {f"{self.prefix}{key}": Held(line) for key in range(KEYS)}
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        actions = [self.put, self.put, self.upload, self.get, self.get, self.get_far, self.exists]
        actions += [self.delete, self.get_many, self.list, self.download, self.locate]
        while time.monotonic() < self.ends and len(self.wrong) < 10:
            action, key = self.chance.choice(actions), self.chance.choice(list(self.held))
            try:
                action(key)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
                self.wrong.append(f"{action.__name__} {key}: {error!r}")
            self.done[action.__name__] += 1

    def check(self, what: str, key: str, found: object, allowed: object) -> None:
        if not allowed:
            self.wrong.append(f"{what} {key}: {str(found)[:60]}, and not {self.held[key]}"[:400])

    def content(self) -> bytes:
        return secrets.token_bytes(16) * self.chance.choice([1, 100, 1_000, 10_000])

    def written(self, key: str, content: bytes | None, error: PartialWrite | None) -> None:
        held = self.held[key]
        failed = error.failed if error else {}
        if self.near not in failed:
            held.near = content
        if self.far in failed:
            held.far_may_be(content)
            self.done["failed at far"] += 1
        else:
            held.far_is(content)
        self.done["failed at near"] += self.near in failed

    # What a store can do

    def put(self, key: str) -> None:
        content = self.content()
        try:
            self.store.put(key, content, force=True)
        except PartialWrite as error:
            self.written(key, content, error)
        else:
            self.written(key, content, None)

    def upload(self, key: str) -> None:
        content = self.content()
        self.source.write_bytes(content)
        try:
            self.store.upload(self.source, key, force=True, deadline_seconds=4)
        except PartialWrite as error:
            self.written(key, content, error)
        else:
            self.written(key, content, None)

    def delete(self, key: str) -> None:
        try:
            self.store.delete(key)
        except PartialWrite as error:
            self.written(key, None, error)
        else:
            self.written(key, None, None)

    def get(self, key: str) -> None:
        held = self.held[key]
        try:
            found = self.store.get(key)
        except LocationUnavailable:
            self.check("unknown", key, "", held.near is None)
            return
        allowed = held.far_now if held.near is None else {held.near}
        self.check("get", key, found, found in allowed)

    def get_far(self, key: str) -> None:
        try:
            found = self.store.get(key, location="far")
        except LocationUnavailable:
            self.done["far unknown"] += 1
            return
        self.check("get far", key, found, found in self.held[key].far_now)

    def get_many(self, key: str) -> None:
        keys = [key, *(each for each, held in self.held.items() if held.near is not None)]
        keys = keys[self.held[key].near is None :]
        for each, found in zip(keys, self.store.get_many(keys), strict=True):
            self.check("get many", each, found, found == self.held[each].near)

    def download(self, key: str) -> None:
        held = self.held[key]
        self.dest.write_bytes(b"before")
        try:
            self.store.download(key, self.dest)
        except FileNotFoundError:
            found = None
        except LocationUnavailable:
            self.check("unknown", key, "", held.near is None)
            self.check("left", key, "", self.dest.read_bytes() == b"before")
            return
        else:
            found = self.dest.read_bytes()
        allowed = held.far_now if held.near is None else {held.near}
        self.check("download", key, found, found in allowed)

    def exists(self, key: str) -> None:
        held = self.held[key]
        try:
            found = self.store.exists(key)
        except LocationUnavailable:
            self.check("unknown", key, "", held.near is None)
            return
        if held.near is not None:
            self.check("exists", key, found, found == [self.near])
        elif found:
            self.check("exists", key, found, held.far_now != {None})
        else:
            self.check("exists", key, found, None in held.far_now)

    def locate(self, key: str) -> None:
        held = self.held[key]
        near, far = self.store.locate(key)
        self.check("near", key, near, near.state == ("absent" if held.near is None else "present"))
        if far.state == "present":
            self.check("far", key, far, held.far_now != {None})
        elif far.state == "absent":
            self.check("far", key, far, None in held.far_now)

    def list(self, key: str) -> None:
        try:
            found = set(self.store.list(key[:-1]))
        except LocationUnavailable:
            self.done["no list"] += 1
            return
        for each, held in self.held.items():
            if held.near is not None or None not in held.far_now:
                self.check("listed", each, found, each in found)
            elif held.far_now == {None}:
                self.check("not listed", each, found, each not in found)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 16 MiB; mounting it needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={DISK_BYTES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def trouble(chance: random.Random) -> Fault | None:
    """Return what befalls the line next: in half of all cases nothing."""
    faults: list[Fault] = [
        Refuse(),
        Slow(50_000),
        Status(chance.choice([500, 503])),
        Status(429, retry_after=1),
        Reset(chance.randrange(2_000), chance.choice(["up", "down"])),
        Truncate(chance.randrange(2_000), chance.choice(["up", "down"])),
    ]
    return chance.choice([*faults, *[None] * len(faults)])


# The proxy leaves a connection to the collector that it accepts as it is told to refuse.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(SECONDS + 120)
def test_soak(s3_rclone: Service, disk: Path, tmp_path: Path) -> None:
    chance, process = random.Random(0), psutil.Process()  # noqa: S311 - no secret
    ends = time.monotonic() + SECONDS
    filler = disk / "filler"
    memory, handles, line = [], [], Line()
    for number in range(THREADS):
        # rclone's server answers 404 while it removes a folder that became empty.
        s3_rclone.raw.write(f"soak/t{number}/stays", b"")
    with FaultProxy(s3_rclone.port) as proxy:
        far = behind(s3_rclone, proxy).url("soak", connect_timeout="1", read_timeout="2")
        with FileStore(
            f"file://{disk}/near", far, connection_attempts=2, breaker_seconds=0.2
        ) as store:
            workers = [Worker(number, store, ends, tmp_path, line) for number in range(THREADS)]
            for worker in workers:
                worker.start()
            faults = 0
            while time.monotonic() < ends and any(worker.is_alive() for worker in workers):
                proxy.fault = Refuse()
                line.drops += 1
                proxy.fault = fault = trouble(chance)
                full = chance.random() < 0.2
                filler.write_bytes(b"")
                if full:
                    fill(filler)
                faults += full + (fault is not None)
                time.sleep(chance.uniform(0.2, 2))  # the faults' own time
                memory.append(process.memory_info().rss)
                handles.append(process.num_fds())
            filler.unlink()
            proxy.fault = None
            for worker in workers:
                worker.join(60)
    done = sum((worker.done for worker in workers), Counter[str]())
    wrong = [line for worker in workers for line in worker.wrong]
    print(f"\n{faults} faults, {done.total()} operations, {len(wrong)} wrong: {dict(done)}")  # noqa: T201 - the figures
    print(*wrong, sep="\n")  # noqa: T201 - all of them
    report("memory, MiB", [value / 2**20 for value in memory])
    report("file descriptors", handles)
    assert wrong == []
    assert not any(worker.is_alive() for worker in workers)
    assert min(done[name] for name in ("failed at near", "failed at far", "far unknown")) > 0
    assert growth(memory) < 1.1
    assert growth(handles) < 1.2


def fill(filler: Path) -> None:
    """Take all that is left of the disk."""
    try:
        with filler.open("wb") as file:
            file.write(bytes(2 * DISK_BYTES))
    except OSError:
        return


def growth(values: list[float] | list[int]) -> float:
    """Return how the last third compares with the third before it."""
    third = len(values) // 3
    return statistics.median(values[-third:]) / statistics.median(values[third : 2 * third])


def report(what: str, values: list[float] | list[int]) -> None:
    edges = [len(values) * part // 4 for part in range(5)]
    medians = " ".join(
        f"{statistics.median(values[start:end]):.0f}" for start, end in pairwise(edges)
    )
    print(f"{what}: {medians} over time, at most {max(values):.0f}")  # noqa: T201 - the figures
