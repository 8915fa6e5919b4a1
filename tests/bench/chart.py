"""The chart: for each row, how many times as fast as the predecessor, with the spread."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from tests.bench.report import BASE, DOCS
from tests.bench.rows import ROWS

if TYPE_CHECKING:
    from tests.bench.report import Figures

COLORS = {
    "filestore": "#0b6e99",
    "filestore fast": "#d1495b",
    "fsspec": "#9aa5ab",
    "s3fs": "#9aa5ab",
    "sshfs": "#9aa5ab",
    "adlfs": "#9aa5ab",
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
            below = [
                middle - min(ratios) for middle, (_, ratios) in zip(middles, points, strict=True)
            ]
            above = [
                max(ratios) - middle for middle, (_, ratios) in zip(middles, points, strict=True)
            ]
            axes.errorbar(
                middles,
                [place for place, _ in points],
                xerr=[below, above],
                fmt="o",
                color=color,
                label=contender,
                markersize=7 if contender.startswith("filestore") else 4,
            )
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.xaxis.set_major_formatter("{x:g}x")
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("times as fast as the predecessor (median, least to most of the rounds)")
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    for suffix in ("png", "svg"):
        figure.savefig(DOCS / f"benchmarks.{suffix}", dpi=150)
