"""Every fault under every function: `make faults` runs all cells, `make test` a part of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.faults.judge import lost, violations
from tests.faults.matrix import cells, in_part
from tests.faults.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.matrix import Cell
    from tests.faults.sites import Bench


def chosen() -> list[Cell]:
    """Return all cells, or for `make test` those of a part."""
    return [
        cell for cell in cells() if os.environ.get("FILESTORE_FAULTS") == "all" or in_part(cell)
    ]


@pytest.mark.parametrize("cell", chosen(), ids=str)
def test_cell(cell: Cell, bench: Bench, record_property: Callable[[str, object], None]) -> None:
    with bench.site(cell) as site, Run(cell, site, bench) as run:
        outcome = run.client() if cell.trouble.family == "client" else run.call()
        faulty, healthy = run.contents(site.service), run.contents(run.healthy)
        found = violations(cell, outcome, faulty, healthy) + run.oddities(outcome)
    record_property(
        "cell",
        {
            "fault": cell.trouble.name,
            "scheme": cell.scheme,
            "survived": outcome is not None and not outcome.raised and not outcome.unsent,
            "violations": found,
            "lost": lost(cell, faulty, healthy),
            "seconds": outcome.seconds if outcome else 0.0,
        },
    )
    assert found == []
