"""What is timed: one function a kind of work, run in a contender's own process.

Only the standard library is imported here: the predecessor's Python runs this too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FOLDERS = 16
SOURCES = 2000


def shard(key: str) -> str:
    """Return the path of a 64-character key in the layout `sharded`."""
    return f"{key[0]}/{key[1]}/{key[2]}/{key[3]}/{key}"


@dataclass(frozen=True)
class Job:
    """One run of a work: which keys, how large, and a local folder with the files to send."""

    salt: str
    """Other salts give other keys."""
    count: int
    size: int
    folder: str

    @cached_property
    def keys(self) -> list[str]:
        """64 characters each, in a few folders: in a store that has some age they are there."""
        digests = (
            hashlib.sha256(f"{self.salt}/{index}".encode()).hexdigest()
            for index in range(self.count)
        )
        return [f"{index % FOLDERS:04x}{digest[4:]}" for index, digest in enumerate(digests)]

    @property
    def sources(self) -> list[str]:
        """The local file for each key."""
        return [f"{self.folder}/source/{index % SOURCES:04}" for index in range(self.count)]

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        return list(zip(self.sources, self.keys, strict=True))


def each(call: Callable[[str], object], keys: Iterable[str], expected: object) -> float:
    """Return the median seconds of a call."""
    seconds = []
    for key in keys:
        start = perf_counter()
        answer = call(key)
        seconds.append(perf_counter() - start)
        _same(answer, expected)
    return median(seconds)


def once(call: Callable[[], object], expected: object) -> float:
    """Return the seconds of one call."""
    start = perf_counter()
    answer = call()
    seconds = perf_counter() - start
    _same(answer, expected)
    return seconds


def _same(answer: object, expected: object) -> None:
    if answer != expected:
        raise ValueError(f"{str(answer)[:200]} where {expected} was right")


def get(client: Any, job: Job) -> float:
    return each(lambda key: len(client.get(key)), job.keys, job.size)


def put(client: Any, job: Job) -> float:
    content = bytes(job.size)
    return each(lambda key: client.put(key, content), job.keys, None)


def hit(client: Any, job: Job) -> float:
    return each(client.exists, job.keys, expected=True)


def miss(client: Any, job: Job) -> float:
    return each(client.exists, job.keys, expected=False)


def upload_batch(client: Any, job: Job) -> float:
    pairs = job.pairs
    return once(lambda: client.upload_batch(pairs), None)


def get_many(client: Any, job: Job) -> float:
    keys = job.keys
    return once(lambda: client.get_many(keys), job.count * job.size)


def delete_batch(client: Any, job: Job) -> float:
    keys = job.keys
    return once(lambda: client.delete_batch(keys), None)


def list_keys(client: Any, job: Job) -> float:
    return once(client.list_keys, job.count)


def upload(client: Any, job: Job) -> float:
    (pair,) = job.pairs
    return once(lambda: client.upload(*pair), None)


def download(client: Any, job: Job) -> float:
    (key,), dest = job.keys, Path(job.folder, "received")
    seconds = once(lambda: client.download(key, str(dest)), None)
    _same(dest.stat().st_size, job.size)
    dest.unlink()
    return seconds


class Work(NamedTuple):
    run: Callable[[Any, Job], float]
    method: str
    """Of a contender; one that has none is not in the row."""
    keys: str
    """`there` from the start, `there again` for each run, or `new` ones for each run."""


WORKS = {
    "get": Work(get, "get", "there"),
    "put": Work(put, "put", "new"),
    "hit": Work(hit, "exists", "there"),
    "miss": Work(miss, "exists", "new"),
    "upload_batch": Work(upload_batch, "upload_batch", "new"),
    "get_many": Work(get_many, "get_many", "there"),
    "delete_batch": Work(delete_batch, "delete_batch", "there again"),
    "list": Work(list_keys, "list_keys", "there"),
    "upload": Work(upload, "upload", "new"),
    "download": Work(download, "download", "there"),
}
