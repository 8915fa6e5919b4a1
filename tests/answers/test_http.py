"""Wrong answers of a web server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.answers.common import FALLS_THROUGH, OBJECTS, far, judge
from tests.answers.web import Liar, Request, lying, reply
from tests.services.common import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = "root"
READS = ("get", "get part", "get tail", "exists", "info", "download", "open", "list", "find")


def right(request: Request) -> bytes:
    """Answer as a web server does."""
    path = request.target.lstrip("/").removeprefix(ROOT).lstrip("/")
    content = OBJECTS.get(path)
    if content is None:
        names = {
            each[len(path) :].partition("/")[0] + ("/" if "/" in each[len(path) :] else "")
            for each in OBJECTS
            if each.startswith(path)
        }
        if not names or path[-1:] not in {"", "/"}:
            return reply(404)
        page = "".join(f'<a href="{name}">{name}</a>' for name in sorted(names))
        return reply(200, page.encode(), "Content-Type: text/html")
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    kind = "Content-Type: application/octet-stream"
    if asked is None:
        answer = reply(200, content, kind, 'ETag: "1"')
    else:
        first, last = asked.groups()
        size = len(content)
        start = int(first) if first else size - int(last)
        stop = min(int(last) + 1, size) if first and last else size
        answer = reply(
            206,
            content[start:stop],
            kind,
            'ETag: "1"',
            f"Content-Range: bytes {start}-{stop - 1}/{size}",
        )
    return answer if request.method != "HEAD" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    with lying() as liar:
        yield liar


@pytest.fixture(params=["fsspec", "obstore"])
def url(request: pytest.FixtureRequest, liar: Liar) -> str:
    return f"http://{HOST}:{liar.port}/{ROOT}?engine={request.param}&read_timeout=2"


def test_right_answers_are_believed(liar: Liar, url: str, tmp_path: Path) -> None:
    liar.answer = right
    for name in READS:
        assert judge(url, name, tmp_path, may_be_right=True) == []
        assert judge(url, name, tmp_path) != []
    for name in FALLS_THROUGH:
        (tmp_path / name).mkdir()
        assert far(url, name, tmp_path / name) == []
