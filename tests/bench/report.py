"""The results as figures (JSON) and as tables (Markdown), in docs/; `chart.py` draws them."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.measure import Result
    from tests.bench.rows import Row

DOCS = Path(__file__).parents[2] / "docs"
BASE = "predecessor"
HEAD = """\
# Benchmarks

`make bench` measures all of this again, `make bench ROWS="s3-get file-put"` some of it. Servers
and contenders run on one machine, on loopback, with their files in memory (/dev/shm). Each
contender has a process of its own, and in each round everybody works once, one after the other.
Times are medians of the rounds (for single calls: of each round's median call); a ratio is the
predecessor's time over the contender's in the same round: the median, and in brackets the least
and the most; memory is the peak above what the imports took (unknown of programs).

`predecessor` is Assemblyline's file store (`assemblyline.filestore`); `fast` is `engine=obstore`;
fsspec's own filesystems, s3fs, adlfs and sshfs are measured as they come, obstore and OpenDAL with
64 calls at once in batches. `far` rows have a line with 5 ms each way. The file stores' puts refuse
to overwrite, and show nothing half-written; those of the others may not. What holds the rows that
are below their aim
stands in [What limits the slower rows](limits.md).

![How many times as fast as the predecessor](benchmarks.png)
"""


class Figures:
    """What is known of all rows; a run of some leaves the results of others as they are."""

    def __init__(self) -> None:
        self.file = DOCS / "benchmarks.json"
        self.rows: dict[str, Any] = json.loads(self.file.read_text()) if self.file.is_file() else {}

    def add(self, row: Row, results: dict[str, Result]) -> None:
        self.rows[row.name] = {
            "when": datetime.now(UTC).isoformat(timespec="minutes"),
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, "
            f"Python {platform.python_version()}",
            "results": {
                name: {"seconds": result.seconds, "peak_mib": round(result.peak_mib, 1)}
                for name, result in results.items()
                if result.seconds and not result.error
            },
        }

    def seconds(self, row: Row, contender: str) -> list[float]:
        """Return the contender's rounds; none if it was not there or failed."""
        results = self.rows.get(row.name, {}).get("results", {})
        found: list[float] = results.get(contender, {}).get("seconds", [])
        return found

    def ratios(self, row: Row, contender: str, than: str = BASE) -> list[float]:
        """Return, for each round, how many times as fast as `than` the contender was."""
        pairs = zip(self.seconds(row, than), self.seconds(row, contender), strict=False)
        return [theirs / own for theirs, own in pairs]

    def save(self) -> None:
        DOCS.mkdir(exist_ok=True)
        self.file.write_text(json.dumps(self.rows, indent=1) + "\n")
        text = "\n".join([HEAD, *self._tables(), *self._targets()])
        self.file.with_suffix(".md").write_text(text + "\n")

    def _tables(self) -> Iterator[str]:
        known = [row for row in ROWS if row.name in self.rows]
        for family in dict.fromkeys(row.family for row in known):
            rows = [row for row in known if row.family == family]
            names = list(dict.fromkeys(name for row in rows for name in row.contenders))
            yield f"## {rows[0].name.partition('-')[0]}\n"
            yield from _table(
                ["", *names],
                ([row.name, *(self._cell(row, name) for name in names)] for row in rows),
            )

    def _cell(self, row: Row, contender: str) -> str:
        if not (seconds := self.seconds(row, contender)):
            return ""
        parts = [_time(median(seconds), row)]
        if contender != BASE and (ratios := self.ratios(row, contender)):
            parts.append(_spread(ratios))
        if (peak := self.rows[row.name]["results"][contender]["peak_mib"]) >= 1:
            parts.append(f"{peak:.0f} MiB")
        return "<br>".join(parts)

    def _targets(self) -> Iterator[str]:
        yield "## What it must show\n"
        lines = []
        for row in ROWS:
            for contender, least, than in row.targets:
                if ratios := self.ratios(row, contender, than):
                    met = "yes" if median(ratios) >= least else "**no**"
                    wanted = f"{least:.2g}x {than}"
                    lines.append([row.name, contender, wanted, _spread(ratios), met])
        yield from _table(["row", "who", "at least", "seen", "met"], lines)


def _time(seconds: float, row: Row) -> str:
    """Small calls in microseconds, batches and large files in seconds."""
    one_call = row.work in ("get", "put", "hit", "miss")
    return f"{seconds * 1e6:,.{1 if seconds < 1e-5 else 0}f} us" if one_call else f"{seconds:.3g} s"


def _spread(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.3g}x ({min(ratios):.3g}-{max(ratios):.3g})"


def _table(head: Sequence[str], lines: Iterator[list[str]] | list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for line in lines:
        yield f"| {' | '.join(line)} |"
    yield ""
