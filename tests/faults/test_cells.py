"""The matrix is what the documentation says, and the part of every test run leaves no row out."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from pathlib import Path

from tests.faults.matrix import FUNCTIONS, SCHEMES, TROUBLES, cells, in_part, reason_against

PAGE = Path(__file__).parents[2] / "docs/guide/failures.md"


def test_the_documentation_counts_the_cells() -> None:
    text = PAGE.read_text()
    shown = dict(
        re.findall(r"^\| `?(\w+)`? \| ([\d,]+) \| [\d,]+ \| 0 \| 0 \|", text, re.MULTILINE)
    )
    expected = Counter(cell.scheme for cell in cells())
    expected["all"] = expected.total()
    assert {name: int(number.replace(",", "")) for name, number in shown.items()} == expected


def test_every_row_is_of_the_part_once() -> None:
    rows = Counter((cell.trouble.name, cell.scheme) for cell in cells())
    assert Counter(
        (each.trouble.name, each.scheme) for each in cells() if in_part(each)
    ) == dict.fromkeys(rows, 1)
    assert {cell.function for cell in cells() if in_part(cell)} == set(FUNCTIONS)


def test_what_is_no_cell_has_a_reason() -> None:
    every = product(TROUBLES.values(), SCHEMES, FUNCTIONS)
    reasons = [reason_against(*each) for each in every]
    assert all(reason is None or len(reason) > 10 for reason in reasons)
    assert reasons.count(None) * 3 == len(list(cells()))
