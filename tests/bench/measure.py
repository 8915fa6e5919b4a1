"""A row from its beginning to its results."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.bench.works import FOLDERS, SOURCES, WORKS, Job, shard
from tests.services.common import HOST, FolderRaw, Service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.bench.crew import Crew
    from tests.bench.rows import Row

HELPER = "a helper"
"""A process of its own, so that no contender's memory or connections are touched."""


@dataclass(frozen=True)
class Place:
    """A row's own corner of a service."""

    service: Service
    root: str

    @classmethod
    def of(cls, service: Service, name: str) -> Place:
        """A bucket of that name, which the server must not have yet; elsewhere a folder."""
        service = replace(service, host=HOST)
        raw: Any = service.raw
        if service.scheme == "s3":  # where the predecessor knows no folders
            raw.client.create_bucket(Bucket=name)
            options = {**service.options, "s3_bucket": name}
            return cls(replace(service, raw=replace(raw, bucket=name), options=options), "")
        if service.scheme == "azure":
            raw.write(f"{name}/ready", b"")
        if isinstance(raw, FolderRaw):
            for key in Job("folders", FOLDERS, 0, "").keys:
                raw.write(f"{name}/{shard(key)}", b"")
                raw.delete(f"{name}/{shard(key)}")  # its folders stay
        return cls(service, name)

    def describe(self) -> dict[str, Any]:
        names = ("scheme", "port", "username", "password")
        return {
            **{name: getattr(self.service, name) for name in names},
            "options": dict(self.service.options),
            "root": f"{self.service.base}{self.root}",
            "urls": [self.service.url(self.root)],
        }

    def fill(self, crew: Crew, job: Job) -> None:
        """Put the job's keys there: behind everybody's back, or with what is known to be fast."""
        raw = self.service.raw
        if isinstance(raw, FolderRaw):
            for key in job.keys:
                raw.write(self._path(key), bytes(job.size))
        else:
            self._have_done(crew, "upload_batch", job)

    def clear(self, crew: Crew, job: Job) -> None:
        """Remove the job's keys, where they are there: servers are slower in large buckets."""
        raw = self.service.raw
        if isinstance(raw, FolderRaw):
            for key in job.keys:
                (raw.folder / self._path(key)).unlink(missing_ok=True)
        else:
            self._have_done(crew, "delete_batch", job)

    def _have_done(self, crew: Crew, work: str, job: Job) -> None:
        crew[HELPER].ask("open", place=self.describe())
        crew[HELPER].ask("run", work=work, job=asdict(job))

    def _path(self, key: str) -> str:
        folder = f"{self.root}/" if self.root else ""
        return folder + (shard(key) if isinstance(self.service.raw, FolderRaw) else key)


@dataclass
class Result:
    """What a contender needed in a row."""

    seconds: list[float] = field(default_factory=list)
    """For each round: a call's median, or the whole batch."""
    peak_mib: float = 0.0
    """Memory above what the imports took."""
    error: str = ""


class Race:
    """A row under way: in each round everybody works once, one after the other."""

    def __init__(self, row: Row, places: Sequence[Place], crew: Crew, folder: Path) -> None:
        self.row, self.places, self.crew, self.folder = row, places, crew, folder
        self.work = WORKS[row.work]
        self.results: dict[str, Result] = {}
        sources = folder / "source"
        sources.mkdir()
        for index in range(min(row.count, SOURCES)):
            (sources / f"{index:04}").write_bytes(bytes(row.size))

    def run(self, rounds: int) -> dict[str, Result]:
        """Return each contender's result; one that fails is out, and its result says why."""
        there, fresh = self._job("there"), self.work.keys == "there again"
        if self.work.keys == "there":
            self._fill(there)
        for contender in self.row.contenders:
            self._open_and_warm(contender)
        for number in range(rounds):
            for contender in [name for name, result in self.results.items() if not result.error]:
                if fresh:
                    self._fill(there)
                new = self.work.keys == "new"
                self._time(contender, self._job(f"{number} {contender}") if new else there)
        return self.results

    def _open_and_warm(self, contender: str) -> None:
        """Open a contender that can do the work, and let it connect; nothing of that counts."""
        self.results[contender] = result = Result()
        try:
            answer = self.crew[contender].ask("open", place=self._place())
        except RuntimeError as error:
            self._is_out(contender, error)
            return
        if self.work.method not in answer["can"]:
            del self.results[contender]
        elif "exists" in answer["can"]:
            self._time(contender, self._job(f"warm {contender}", FOLDERS), "miss")
            result.seconds.clear()
            result.peak_mib = 0

    def _time(self, contender: str, job: Job, work: str = "") -> None:
        name = work or self.row.work
        try:
            answer = self.crew[contender].ask("run", work=name, job=asdict(job))
        except RuntimeError as error:
            self._is_out(contender, error)
            return
        result = self.results[contender]
        result.seconds.append(answer["seconds"])
        result.peak_mib = max(result.peak_mib, answer["peak_mib"])
        if self.work.keys == "new" and not work:
            for place in self.places:
                place.clear(self.crew, job)

    def _is_out(self, contender: str, error: RuntimeError) -> None:
        self.results[contender].error = str(error)
        self.crew.dismiss(contender)

    def _job(self, salt: str, count: int | None = None) -> Job:
        return Job(salt, count or self.row.count, self.row.size, str(self.folder))

    def _fill(self, job: Job) -> None:
        near, far = self.places[:1], self.places[-1:]
        for place in {"all": self.places, "near": near, "far": far}[self.row.there]:
            place.fill(self.crew, job)

    def _place(self) -> dict[str, Any]:
        """All locations' URLs; what is not a file store sees the first location."""
        described = [place.describe() for place in self.places]
        return {**described[0], "urls": [url for each in described for url in each["urls"]]}
