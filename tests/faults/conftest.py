"""The table of the matrix, printed by `make faults`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.matrix import SCHEMES, TROUBLES
from tests.faults.sites import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")  # an FTP server's data ports have one proxy at a time
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request)
    yield made
    made.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the cells that were run have recorded."""
    records = [
        record
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, record in report.user_properties
        if name == "cell"
    ]
    if not records:
        return
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        rows[record["fault"], record["scheme"]].append(record)
        rows["all", record["scheme"]].append(record)
        rows[record["fault"], "all"].append(record)
        rows["all", "all"].append(record)
    terminalreporter.section("faults")
    terminalreporter.line("In each field: cells, calls that succeeded all the same, longest s")
    schemes = [*SCHEMES, "all"]
    terminalreporter.line(f"{'fault':18}" + "".join(f"{scheme:>17}" for scheme in schemes))
    for fault in [*TROUBLES, "all"]:
        fields = (_field(rows[fault, scheme]) for scheme in schemes)
        terminalreporter.line(f"{fault:18}" + "".join(f"{field:>17}" for field in fields))
    every = rows["all", "all"]
    terminalreporter.line(
        f"{len(every)} cells, {sum(each['survived'] for each in every)} succeeded all the same, "
        f"{sum(bool(each['violations']) for each in every)} outside the contract, "
        f"{sum(each['lost'] for each in every)} objects lost, "
        f"longest {max(each['seconds'] for each in every):.1f} s"
    )


def _field(records: list[dict[str, Any]]) -> str:
    if not records:
        return "-"
    survived = sum(record["survived"] for record in records)
    return f"{len(records)} {survived} {max(record['seconds'] for record in records):.1f}"
