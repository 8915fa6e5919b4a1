"""The chart: for each row, how many times as fast as the predecessor, with the spread."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from tests.bench.report import BASE, DOCS
from tests.bench.rows import ROWS

if TYPE_CHECKING:
    from tests.bench.report import Figures

BARE = ("fsspec", "s3fs", "sshfs", "adlfs")
LABELS = dict.fromkeys(BARE[1:], "") | {BARE[0]: "bare driver"}
"""One for all of them, of which a row has one."""
COLORS = {
    "filestore": "#0b6e99",
    "filestore fast": "#d1495b",
    **dict.fromkeys(BARE, "#9aa5ab"),
    "obstore": "#66a182",
    "opendal": "#b9a44c",
    "rclone": "#8d6a9f",
}


def draw(figures: Figures) -> None:
    """Write docs/benchmarks.png and docs/benchmarks.svg."""
    rows = [row for row in ROWS if figures.seconds(row, BASE)][::-1]
    if not rows:
        return
    figure = Figure(figsize=(9, 1.5 + 0.3 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for contender, color in COLORS.items():
        # A little above or below its row's line, where two would lie upon each other.
        shift = 0.15 if contender == "filestore" else -0.15 if contender == "filestore fast" else 0
        points = [
            (place + shift, ratios)
            for place, row in enumerate(rows)
            if (ratios := figures.ratios(row, contender))
        ]
        if points:
            middles = [median(ratios) for _, ratios in points]
            ends = [
                (middle - min(each), max(each) - middle)
                for middle, (_, each) in zip(middles, points, strict=True)
            ]
            axes.errorbar(
                middles,
                [place for place, _ in points],
                xerr=list(zip(*ends, strict=True)),
                fmt="o",
                color=color,
                label=LABELS.get(contender, contender),
                markersize=7 if contender.startswith("filestore") else 4,
            )
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.xaxis.set_major_formatter("{x:g}x")
    axes.margins(y=0.02)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("times as fast as the predecessor (median, least to most of the rounds)")
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    for suffix in ("png", "svg"):
        figure.savefig(DOCS / f"benchmarks.{suffix}", dpi=150)
