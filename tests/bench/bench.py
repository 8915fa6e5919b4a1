"""`make bench`, or `make bench ROWS="s3-get file-put"`: each row is run and reported in docs/."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bench.chart import draw
from tests.bench.crew import Crew
from tests.bench.measure import Place, Race
from tests.bench.report import Figures
from tests.bench.rows import ROWS, Row
from tests.services.common import Server, Service, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def figures() -> Iterator[Figures]:
    figures = Figures()
    yield figures
    figures.save()
    draw(figures)


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(tmp_path / "crew.log")
    yield crew
    crew.dismiss_all()


@pytest.fixture
def services(row: Row, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Service]]:
    """The row's services, behind a slow line where it wants one."""
    found = [request.getfixturevalue(name) for name in row.family.services]
    if not row.family.delay_seconds:
        yield found
        return
    (service,), port = found, free_port()
    program = [sys.executable, str(Path(__file__).with_name("proxy.py"))]
    command = [*program, str(port), str(service.port), str(row.family.delay_seconds)]
    for proxy in running(Server(command, port, tmp_path / "proxy.log")):
        yield [replace(service, port=proxy.port)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(
    row: Row, services: list[Service], crew: Crew, figures: Figures, tmp_path: Path
) -> None:
    places = [Place.of(service, row.name) for service in services]
    rounds = int(os.environ.get("ROUNDS") or row.rounds)
    results = Race(row, places, crew, tmp_path).run(rounds)
    figures.add(row, results)
    failed = {name: result.error for name, result in results.items() if result.error}
    assert not failed, "\n".join(f"{name}: {error}" for name, error in failed.items())
