"""Wrong answers of a web server, over both engines.

Each row of a table is an answer that one kind of request gets, where all others are answered as
they should be: never content, never absent, never an empty listing.
"""

from __future__ import annotations

import gzip
import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.answers.common import CONTENT, FALLS_THROUGH, KEY, OBJECTS, far, judge
from tests.answers.web import Liar, Request, lying, reply
from tests.services.common import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.answers.web import Answer
    from tests.services.common import Certificates

ROOT = "root"
FILE_READS = ("get", "get part", "get tail", "exists", "info", "download", "open")
READS = (*FILE_READS, "list", "find")


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


class Row(NamedTuple):
    """An answer that is wrong."""

    answer: Answer | Callable[[Request], Answer | None] | None
    calls: tuple[str, ...] = FILE_READS
    may_be_right: bool = False
    """Whether a client can see through it."""


HTML = "Content-Type: text/html"
ETAG = 'ETag: "1"'
SIZE = len(CONTENT)
PAGE = b"<html><title>Log in</title><form><a href='forgot'>Forgot?</a></form></html>"
TWO_LENGTHS = ("Content-Length: 5", "Content-Length: 6")


def head(*lines: str, status: str = "200 OK") -> bytes:
    """Return an answer's head alone, as it is given."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def sent_on(to: str, there: bytes) -> Callable[[Request], bytes]:
    """Return what sends on to another place, where `there` is answered."""

    def answer(request: Request) -> bytes:
        return there if request.target == to else reply(302, b"", f"Location: {to}")

    return answer


def circles(request: Request) -> bytes:
    return reply(302, b"", f"Location: {request.target}x")


def endless(first: bytes, more: bytes) -> Callable[[Request], Answer]:
    return lambda _request: itertools.chain([first], itertools.repeat(more * 1000))


LATER = "Mon, 01 Jan 99999999999999 00:00:00 GMT"
ANY = {
    # No HTTP
    "nothing": Row(b""),
    "silence": Row(None, ("get", "exists")),
    "garbage": Row(b"\x00\xff\xfe no HTTP\r\n\r\n"),
    "another protocol": Row(b"220 ftp.example.org ready\r\n"),
    "half a head": Row(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no status": Row(b"HTTP/1.1\r\n\r\n"),
    "status of two digits": Row(head(status="99 Odd")),
    "status 999": Row(reply(999)),
    "status of letters": Row(head(status="abc OK")),
    "a head without end": Row(endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
    "a line without end": Row(endless(b"HTTP/1.1 200 OK\r\nX: ", b"y")),
    "a line that is no header": Row(head("Content-Length 5", "Connection: close") + b"01234"),
    "continue and nothing else": Row(head(status="100 Continue"), ("get",)),
    "continue without end": Row(endless(b"", head(status="100 Continue")), ("get",)),
    "switching protocols": Row(reply(101, b"", "Upgrade: other")),
    # Lengths
    "negative length": Row(head("Content-Length: -5", "Connection: close")),
    "length of letters": Row(head("Content-Length: five", "Connection: close") + b"01234"),
    "giant length": Row(
        reply(200, CONTENT, ETAG, f"Content-Length: {10**30}"),
        ("get", "get tail", "download", "open"),
    ),
    "two lengths": Row(head(*TWO_LENGTHS, "Connection: close") + b"01234"),
    "an end before the length": Row(
        reply(200, CONTENT[:100], ETAG, f"Content-Length: {SIZE}"),
        ("get", "get tail", "download", "open"),
    ),
    "a chunk that is none": Row(
        reply(200, b"zz\r\n01234", ETAG, "Transfer-Encoding: chunked"),
        ("get", "get part", "get tail", "download", "open"),
    ),
    "an end before the last chunk": Row(
        reply(200, b"5\r\n01234\r\n", ETAG, "Transfer-Encoding: chunked"),
        ("get", "get part", "get tail", "download", "open"),
    ),
    "compressed": Row(
        reply(200, gzip.compress(CONTENT), ETAG, "Content-Encoding: gzip"),
        ("get", "get part", "get tail", "download", "open"),
    ),
    # Statuses
    **{
        f"status {status}": Row(reply(status, CONTENT, ETAG))
        for status in (
            *(201, 202, 203, 204, 205, 206, 207, 300, 304, 307, 400, 401, 403, 407, 408, 409),
            *(412, 421, 425, 429, 451, 499, 500, 502, 503, 504, 511, 530),
        )
    },
    "416 to all of it": Row(reply(416), ("get", "download")),
    "try again in a year": Row(reply(503, b"", "Retry-After: 31536000")),
    "try again in 10^400 s": Row(reply(429, b"", f"Retry-After: 1{'0' * 400}")),
    "try again much later": Row(reply(503, b"", f"Retry-After: {LATER}")),
    "try again at no time": Row(reply(503, b"", "Retry-After: soon")),
    "a challenge that is none": Row(reply(401, b"", "WWW-Authenticate: \x01")),
    # Pages
    "a page to log in": Row(reply(200, PAGE, HTML)),
    "a page, its type in capitals": Row(reply(200, PAGE, "Content-Type: TEXT/HTML;x=y")),
    "sent on to log in": Row(sent_on("/login?next=x", reply(200, PAGE, HTML, ETAG))),
    "sent on to log in, with a slash": Row(sent_on("/login/", reply(200, PAGE, HTML, ETAG))),
    "sent on without end": Row(circles),
    "sent on to itself": Row(lambda request: reply(302, b"", f"Location: {request.target}")),
    "sent on to nowhere": Row(reply(302)),
    "sent on to what is not there": Row(sent_on("/login", reply(404))),
    "sent on to no URL": Row(reply(302, b"", "Location: http://[bad")),
    "sent on to a file": Row(reply(302, b"", "Location: file:///etc/passwd")),
    "sent on to another protocol": Row(reply(302, b"", "Location: ftp://127.0.0.1/x")),
    "sent on to a closed port": Row(reply(302, b"", "Location: http://127.0.0.1:9/object")),
}
"""What any request about a file may get."""


def of_range(content_range: str | None, content: bytes, *lines: str) -> bytes:
    told = [] if content_range is None else [f"Content-Range: {content_range}"]
    return reply(206, content, "Content-Type: application/octet-stream", *told, *lines)


def all_of_it(_request: Request) -> bytes:
    return reply(200, CONTENT, ETAG)


def byte_by_byte(request: Request) -> bytes:
    first = int(re.findall(r"bytes=(-?\d+)", request.headers["Range"])[0]) % SIZE
    return of_range(f"bytes {first}-{first}/{SIZE}", CONTENT[first : first + 1])


def changing(request: Request) -> bytes:
    """Give another version with each part."""
    first = int(re.findall(r"bytes=(-?\d+)", request.headers["Range"])[0]) % SIZE
    told = f"bytes {first}-{first}/{SIZE}"
    return of_range(told, CONTENT[first : first + 1], f'ETag: "{first}"')


def asked_for(status: int = 206, *lines: str, cut: int = 0, more: bytes = b"") -> Row:
    """Return the answer to the range asked for, but for its status, headers or length."""

    def answer(request: Request) -> bytes:
        head, _, body = file(CONTENT, request.headers["Range"], *lines).partition(b"\r\n\r\n")
        told = head.partition(b"Content-Range: ")[2].partition(b"\r\n")[0].decode()
        return reply(status, body[: len(body) - cut] + more, *lines, f"Content-Range: {told}")

    return Row(answer, ("get part", "get tail", "open"))


PARTS = ("get part", "get tail", "open")
RANGES = {
    "another range": Row(of_range(f"bytes 100-114/{SIZE}", CONTENT[100:115]), PARTS),
    "no Content-Range": Row(of_range(None, CONTENT[:15]), PARTS),
    "a Content-Range of nothing": Row(of_range("", CONTENT[:15]), PARTS),
    "Content-Range: *": Row(of_range(f"bytes */{SIZE}", CONTENT[:15]), PARTS),
    "another unit": Row(of_range(f"lines 5-19/{SIZE}", CONTENT[5:20]), PARTS),
    "backwards": Row(of_range(f"bytes 19-5/{SIZE}", CONTENT[5:20]), PARTS),
    "past the end": Row(of_range("bytes 5-19/10", CONTENT[5:20]), PARTS),
    "negative": Row(of_range(f"bytes -5-19/{SIZE}", CONTENT[5:20]), PARTS),
    "giant": Row(of_range(f"bytes 5-{10**30}/{10**31}", CONTENT[5:20]), PARTS),
    "other digits": Row(of_range(f"bytes \u0665-19/{SIZE}".encode().decode("latin-1"), b""), PARTS),
    "several parts": Row(
        reply(206, b"--x", "Content-Type: multipart/byteranges; boundary=x"), PARTS
    ),
    "no content": Row(of_range(f"bytes 5-19/{SIZE}", b""), PARTS),
    "fewer bytes than said": asked_for(cut=3),
    "more bytes than said": asked_for(more=b"more"),
    "compressed": asked_for(206, "Content-Encoding: gzip"),
    "200 with a Content-Range": asked_for(200),
    "203": asked_for(203),
    "416, and not past the end": Row(reply(416, b"", f"Content-Range: bytes */{SIZE}"), PARTS),
    "416 without a size": Row(reply(416, PAGE, HTML), PARTS),
    "412": Row(reply(412), PARTS),
    "another version": Row(changing, PARTS),
    "all of it": Row(all_of_it, PARTS, may_be_right=True),
    "all of it as a part": Row(
        of_range(f"bytes 0-{SIZE - 1}/{SIZE}", CONTENT), PARTS, may_be_right=True
    ),
    "byte by byte": Row(byte_by_byte, PARTS, may_be_right=True),
}
"""What a request for a range may get; all of a file is as it should be."""

HEADS = {
    **{
        f"status {status}": Row(reply(status), ("exists", "info", "open"), may_be_right=True)
        for status in (403, 405, 501)
    },
    **{
        f"status {status}": Row(reply(status), ("exists", "info", "open"))
        for status in (202, 204, 206, 302, 304, 400, 401, 412, 429, 500, 503)
    },
    "a body": Row(
        head("Content-Length: 5", status="405 No") + b"01234", ("exists", "info"), may_be_right=True
    ),
    "a body, and the connection kept": Row(
        head(f"Content-Length: {SIZE}", ETAG) + CONTENT, ("exists", "info"), may_be_right=True
    ),
    "no length": Row(head(ETAG), ("exists", "open"), may_be_right=True),
    "length 0": Row(reply(200, b"", ETAG), ("exists", "open"), may_be_right=True),
    "too short": Row(reply(200, b"", ETAG, "Content-Length: 5"), ("open",)),
    "too long": Row(reply(200, b"", ETAG, "Content-Length: 5000"), ("open",)),
    "another version": Row(reply(200, b"", 'ETag: "0"', f"Content-Length: {SIZE}"), ("open",)),
    "no version": Row(reply(200, b"", f"Content-Length: {SIZE}"), ("open",), may_be_right=True),
    "a date that is none": Row(
        reply(200, b"", ETAG, f"Content-Length: {SIZE}", f"Last-Modified: {LATER}"),
        ("exists", "info", "open"),
        may_be_right=True,
    ),
}
"""What HEAD may get; GET is as it should be."""

LIST = ("list", "find")
LINKS = {
    "": ["folder/", "second"],
    "folder/": ["deeper/", "object"],
    "folder/deeper/": ["third"],
}


def page(text: str | bytes, *lines: str, status: int = 200) -> Row:
    body = text.encode() if isinstance(text, str) else text
    return Row(reply(status, body, *(lines or (HTML,))), LIST)


def pages(links: Callable[[list[str]], str], *, may_be_right: bool = True) -> Row:
    """Return a server whose listings are made by `links` of the right names."""

    def answer(request: Request) -> bytes:
        names = LINKS.get(request.target.removeprefix(f"/{ROOT}/"))
        if names is None:
            return right(request)
        return reply(200, f"<title>Index of /</title>{links(names)}".encode(), HTML)

    return Row(answer, LIST, may_be_right)


def anchors(names: list[str], form: str = '<a href="{0}">{0}</a>') -> str:
    return "".join(form.format(name) for name in names)


def only_root(request: Request) -> bytes:
    """Show the root, but no folder in it."""
    at_root = request.target.removeprefix(f"/{ROOT}") == "/"
    return right(request) if at_root else reply(404)


PAGES = {
    **{
        f"status {status}": Row(reply(status, PAGE, HTML), LIST)
        for status in (202, 203, 204, 206, 304, 400, 401, 403, 404, 405, 410, 416, 429, 500, 503)
    },
    "silence": Row(None, ("list",)),
    "nothing": page(""),
    "a page to log in": page(PAGE),
    "a home page": page("<html><a href='/'>Home</a><a href='about'>About</a></html>"),
    "an error as a page": page("<html><h1>503</h1>Service unavailable</html>"),
    "a frame": page("<frameset><frame src='real'></frameset>"),
    "JSON": page('[{"name": "second"}]', "Content-Type: application/json"),
    "text": page("folder/\nsecond", "Content-Type: text/plain"),
    "bytes": page(b"\x00\xff", "Content-Type: application/octet-stream"),
    "no type": page("<h1>Index of /</h1>", "X: y"),
    "compressed": page(gzip.compress(b"<h1>Index of /</h1>"), HTML, "Content-Encoding: gzip"),
    "half of it": page("<h1>Index of /</h1><a href='second'", HTML, "Content-Length: 500"),
    "half of it, and no length": Row(
        head(HTML, "Connection: close") + b"<h1>Index of /</h1><a href='second'>", LIST
    ),
    "half of it in chunks": page("5\r\n<pre>\r\n", HTML, "Transfer-Encoding: chunked"),
    "without end": Row(
        endless(head(HTML, "Connection: close") + b"<h1>Index of /</h1>", b"<a href='x'>x</a>"),
        ("list",),
    ),
    "sent on to log in": Row(sent_on("/login/", reply(200, PAGE, HTML)), LIST),
    "sent on to a file": Row(sent_on("/index.html", reply(200, PAGE, HTML, ETAG)), LIST),
    "sent on without end": Row(circles, LIST),
    "each folder with itself": Row(listing(["folder/", "other/", "second"]), LIST),
    "no folder but the root": Row(only_root, LIST),
    "folders without a slash": pages(lambda names: anchors([each.strip("/") for each in names])),
    "links elsewhere": pages(
        lambda names: anchors(
            [*names, "../", "./", "/", "?C=N;O=D", "#top", "//other/x", "http://[bad", "mailto:x"]
        )
    ),
    "links up, without a slash": pages(lambda names: anchors([*names, "..", ".", f"/{ROOT}"])),
    "names that lead out": pages(
        lambda names: anchors([*names, "%2e%2e/x", "..%2fx", "%2e%2e", "x%00y", "a%2Fb", "%FF"])
    ),
    "links in capitals": pages(lambda names: anchors(names, "<A CLASS=x HREF={0}>{0}</A>")),
    "whole links": pages(lambda names: anchors(names, "<a href='{0}' >{0}</a>")),
    "links that are not closed": pages(lambda names: "<a <a href=" * 1000 + anchors(names)),
}
"""What the page of a folder may get."""


def _is_about(request: Request, kind: str) -> bool:
    """Tell whether a row of a table is the answer to this request."""
    is_file = request.target.startswith(f"/{ROOT}/{KEY}")
    match kind:
        case "head":
            return is_file and request.method == "HEAD"
        case "range":
            return is_file and request.headers.get("Range", "bytes=0-") != "bytes=0-"
        case "page":
            return not is_file and request.method == "GET"
    return is_file or not request.target.startswith(f"/{ROOT}")


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    with lying() as liar:
        yield liar


@pytest.fixture(params=["fsspec", "obstore"])
def url(request: pytest.FixtureRequest, liar: Liar, certificates: Certificates) -> str:
    # The system's authorities take longer to load than all the rest of a call.
    options = f"ca_bundle={certificates.ca}&connect_timeout=1&read_timeout=1"
    return f"http://{HOST}:{liar.port}/{ROOT}?engine={request.param}&{options}"


def answer_with(row: Row, kind: str) -> Callable[[Request], Answer | None]:
    def answer(request: Request) -> Answer | None:
        if not _is_about(request, kind):
            return right(request)
        return row.answer(request) if callable(row.answer) else row.answer

    return answer


def check(liar: Liar, url: str, folder: Path, row: Row, kind: str) -> None:
    liar.answer = answer_with(row, kind)
    problems = []
    for name in row.calls:
        (folder / name).mkdir()
        problems += judge(url, name, folder / name, may_be_right=row.may_be_right)
    for name in {*FALLS_THROUGH}.intersection(row.calls):
        (folder / f"far {name}").mkdir()
        problems += far(url, name, folder / f"far {name}")
    assert problems == []


def test_right_answers_are_believed(liar: Liar, url: str, tmp_path: Path) -> None:
    liar.answer = right
    for name in READS:
        assert judge(url, name, tmp_path, may_be_right=True) == []
        assert judge(url, name, tmp_path) != []
    for name in FALLS_THROUGH:
        (tmp_path / name).mkdir()
        assert far(url, name, tmp_path / name) == []


@pytest.mark.parametrize("row", ANY.values(), ids=ANY)
def test_wrong_answers_about_a_file(liar: Liar, url: str, tmp_path: Path, row: Row) -> None:
    check(liar, url, tmp_path, row, "any")


@pytest.mark.parametrize("row", RANGES.values(), ids=RANGES)
def test_wrong_answers_to_a_range(liar: Liar, url: str, tmp_path: Path, row: Row) -> None:
    check(liar, url, tmp_path, row, "range")


@pytest.mark.parametrize("row", HEADS.values(), ids=HEADS)
def test_wrong_answers_to_head(liar: Liar, url: str, tmp_path: Path, row: Row) -> None:
    check(liar, url, tmp_path, row, "head")


@pytest.mark.parametrize("row", PAGES.values(), ids=PAGES)
def test_wrong_pages_of_folders(liar: Liar, url: str, tmp_path: Path, row: Row) -> None:
    check(liar, url, tmp_path, row, "page")
