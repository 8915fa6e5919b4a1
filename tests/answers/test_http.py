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
    answer = _right(request)
    return answer if request.method != "HEAD" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def _right(request: Request) -> bytes:
    path = request.target.removeprefix(f"/{ROOT}").removeprefix("/")
    content = OBJECTS.get(path)
    if content is not None:
        return file(content, request.headers.get("Range"))
    folder = f"{path}/" if path and path[-1] != "/" else path
    names = [each.removeprefix(folder) for each in OBJECTS if each.startswith(folder)]
    if not request.target.startswith(f"/{ROOT}") or not names:
        return reply(404)
    if request.target[-1] != "/":
        return reply(301, b"", f"Location: {request.target}/")
    return listing(sorted({name[: name.find("/") + 1] or name for name in names}))


def file(content: bytes, asked: str | None, *lines: str) -> bytes:
    """Return the answer with a file, or with a part of it."""
    lines = lines or ("Content-Type: application/octet-stream", 'ETag: "1"')
    if asked is None:
        return reply(200, content, *lines)
    size = len(content)
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    assert match is not None
    first, last = match.groups()
    start = int(first) if first else size - int(last)
    stop = min(int(last) + 1, size) if first and last else size
    told = f"Content-Range: bytes {start}-{stop - 1}/{size}"
    return reply(206, content[start:stop], *lines, told)


def listing(names: list[str]) -> bytes:
    links = "".join(f'<a href="{name}">{name}</a>' for name in names)
    return reply(200, f"<h1>Index of /</h1>{links}".encode(), "Content-Type: text/html")


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
