from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.asyn import sync

from filestore_fsspec.drivers.http.driver import HTTPDriver
from filestore_fsspec.drivers.shared.errors import Absent
from tests.answers.web import Liar, Request, lying, reply
from tests.services.common import HOST, PASSWORD, USERNAME, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.common import Certificates
    from tests.services.http import Faults

NAMES = [
    "plain.txt",
    "a b",
    "100%41",
    "h#x?y=1&z",
    'it\'s "quoted" <b>',
    "über+ü",
    "semi;colon:x",
    "back\\slash",
    "~tilde(1)*",
]


@pytest.fixture
def fs() -> Iterator[HTTPDriver]:
    fs = HTTPDriver(connect_timeout=2, read_timeout=2)
    yield fs
    fs.close()


def origin(service: Service) -> str:
    return f"{service.scheme}://{service.host}:{service.port}"


def driver(service: Service, **options: Any) -> HTTPDriver:
    user = {"username": service.username, "password": service.password}
    return HTTPDriver(**(user if service.username else {}) | dict(service.options) | options)


def every_path(fs: HTTPDriver, prefix: str) -> list[str]:
    found: list[str] = []
    token = None
    for _page in range(100):
        infos, token = fs.list_page(prefix, token)
        found += [info["name"] for info in infos]
        if token is None:
            return found
    raise AssertionError("a listing without end")


@pytest.mark.parametrize("kind", ["http_plain", "http_basic", "https_basic", "https_pki"])
def test_reads_what_is_there(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    service: Service = request.getfixturevalue(kind)
    service.raw.write("reads/x", b"0123456789")
    fs = driver(service)
    path = f"{origin(service)}/reads/x"
    assert fs.cat_file(path) == b"0123456789"
    fs.get_file(path, f"{tmp_path}/new/x")
    assert (tmp_path / "new" / "x").read_bytes() == b"0123456789"
    assert fs.isfile(path)
    info = fs.info(path)
    assert (info["name"], info["size"], info["type"]) == (path, 10, "file")
    assert abs(info["modified"].timestamp() - time.time()) < 100
    with fs.open(path, "rb") as file:
        file.seek(-3, 2)
        assert file.read() == b"789"
    assert not fs.isfile(path + "y")
    for call in (fs.cat_file, fs.info, fs.open):
        with pytest.raises(FileNotFoundError):
            call(path + "y")
    with pytest.raises(FileNotFoundError):
        fs.get_file(path + "y", f"{tmp_path}/y")
    assert not (tmp_path / "y").exists()
    fs.close()


def test_names_of_any_kind_are_read_and_listed(http_plain: Service, fs: HTTPDriver) -> None:
    for number, name in enumerate(NAMES):
        http_plain.raw.write(f"names of 50%/{name}", b"%d" % number)
    folder = f"{origin(http_plain)}/names of 50%"
    for number, name in enumerate(NAMES):
        assert fs.cat_file(f"{folder}/{name}") == b"%d" % number
        assert fs.isfile(f"{folder}/{name}")
    paths = sorted(f"{folder}/{name}" for name in NAMES)
    assert every_path(fs, f"{folder}/") == paths
    assert sorted(fs.ls(folder, detail=False)) == paths
    assert sorted(fs.find(folder)) == paths


def test_lists_below_a_prefix_folder_by_folder(http_plain: Service, fs: HTTPDriver) -> None:
    for path in ("b", "ab/c", "ab/d/e", "other/f", f"ab/.filestore-{'0' * 32}.part"):
        http_plain.raw.write(f"listed/{path}", b"")
    root = f"{origin(http_plain)}/listed"
    assert every_path(fs, f"{root}/a") == [f"{root}/ab/c", f"{root}/ab/d/e"]
    assert every_path(fs, f"{root}/ab/d") == [f"{root}/ab/d/e"]
    assert every_path(fs, f"{root}/none/x") == []
    assert fs.ls(f"{root}/b", detail=False) == [f"{root}/b"]
    assert fs.isdir(f"{root}/ab")
    assert not fs.isdir(f"{root}/b")


def test_a_folder_is_no_file(http_plain: Service, fs: HTTPDriver, tmp_path: Path) -> None:
    http_plain.raw.write("a folder/x", b"")
    for path in (f"{origin(http_plain)}/a folder", origin(http_plain)):
        assert not fs.isfile(path)
        assert fs.info(path)["type"] == "directory"
        with pytest.raises(FileNotFoundError):
            fs.cat_file(path)
        with pytest.raises(IsADirectoryError):
            fs.open(path)
        fs.get_file(path, f"{tmp_path}/copy")  # as fsspec has it: `get` names folders too
        assert [*(tmp_path / "copy").iterdir()] == []


RANGES = [(0, 4), (3, None), (None, 5), (-4, None), (-6, -2), (2, -1), (8, 99), (50, 60), (5, 2)]


@pytest.mark.parametrize(("start", "end"), RANGES)
@pytest.mark.parametrize("path", ["ranges", "no-range/x"])
def test_a_range_is_a_slice_of_the_content(
    http_plain: Service,
    http_faults: Faults,
    fs: HTTPDriver,
    path: str,
    start: int | None,
    end: int | None,
) -> None:
    content = http_faults.content = b"0123456789"
    if path == "ranges":
        http_plain.raw.write(path, content)
        url = f"{origin(http_plain)}/{path}"
    else:
        url = http_faults.url(path)
    assert fs.cat_file(url, start, end) == content[start:end]


def test_one_request_each(http_faults: Faults, fs: HTTPDriver, tmp_path: Path) -> None:
    url = http_faults.url("x")
    calls: list[Callable[[], object]] = [
        lambda: fs.cat_file(url),
        lambda: fs.cat_file(url, 2, 5),
        lambda: fs.cat_file(url, -5),
        lambda: fs.get_file(url, f"{tmp_path}/x"),
        lambda: fs.isfile(url),
        lambda: fs.info(url),
        lambda: fs.exists(url),
    ]
    for call in calls:
        http_faults.seen.clear()
        call()
        assert len(http_faults.seen) == 1
    assert http_faults.seen[0][0] == "HEAD"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, PermissionError),
        (403, PermissionError),
        (407, PermissionError),
        (408, ConnectionError),
        (429, ConnectionError),
        (500, ConnectionError),
        (503, ConnectionError),
        (404, Absent),
        (410, Absent),
        (400, OSError),
        (304, OSError),
        (416, OSError),
    ],
)
def test_a_status_becomes_the_error_that_fits(
    http_faults: Faults, fs: HTTPDriver, tmp_path: Path, status: int, kind: type[OSError]
) -> None:
    url = http_faults.url(f"status/{status}/x")
    calls = [fs.cat_file, fs.info, fs.open, lambda url: fs.get_file(url, f"{tmp_path}/x")]
    for call in calls:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the very type is compared
            call(url)
        assert type(caught.value) is kind
        assert status in {404, 410} or str(status) in str(caught.value)
    if kind is Absent:
        assert not fs.exists(url)
        assert not fs.isfile(url)
        assert not fs.isdir(url)
        with pytest.raises(OSError, match="no page that lists it"):  # those above neither
            fs.list_page(f"{url}/")
        return
    for call in (fs.exists, fs.isfile, fs.isdir, fs.ls, lambda url: fs.list_page(f"{url}/")):
        with pytest.raises(kind):
            call(url)


def test_a_server_that_refuses_head_is_asked_for_one_byte(
    http_faults: Faults, fs: HTTPDriver
) -> None:
    assert fs.isfile(http_faults.url("no-head/x"))
    assert [method for method, _, _ in http_faults.seen] == ["HEAD", "GET"]
    assert http_faults.seen[1][2]["Range"] == "bytes=0-0"
    assert fs.info(http_faults.url("no-head/x"))["size"] == len(http_faults.content)


@pytest.mark.parametrize("path", ["short", "chunked/short"])
def test_a_body_that_ends_early_is_no_content(
    http_faults: Faults, fs: HTTPDriver, tmp_path: Path, path: str
) -> None:
    with pytest.raises(ConnectionError):
        fs.cat_file(http_faults.url(path))
    with pytest.raises(ConnectionError):
        fs.get_file(http_faults.url(path), f"{tmp_path}/x")
    assert not (tmp_path / "x").exists()


def test_content_that_comes_compressed_is_refused(
    http_faults: Faults, fs: HTTPDriver, tmp_path: Path
) -> None:
    url = http_faults.url("gzip/x.gz")
    for call in (fs.cat_file, fs.open, lambda url: fs.get_file(url, f"{tmp_path}/x")):
        with pytest.raises(OSError, match="compressed") as caught:
            call(url)
        assert caught.value.errno == errno.ENOTSUP
    with pytest.raises(OSError, match="compressed"):
        fs.cat_file(url, 2, 5)
    asked = [{name.lower(): value for name, value in each.items()} for *_, each in http_faults.seen]
    assert {each["accept-encoding"] for each in asked} == {"identity"}
    assert fs.info(url)["size"] is None
    assert not (tmp_path / "x").exists()


def test_a_file_without_a_length_can_be_read(
    http_faults: Faults, fs: HTTPDriver, tmp_path: Path
) -> None:
    url = http_faults.url("unsized/x")
    assert fs.info(url)["size"] is None
    assert fs.cat_file(url, -3) == http_faults.content[-3:]
    fs.get_file(url, f"{tmp_path}/x")
    assert (tmp_path / "x").read_bytes() == http_faults.content
    with fs.open(url, "rb") as file:
        file.seek(5)
        assert file.read(5) == b"56789"


# Servers of other kinds


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    with lying() as liar:
        yield liar


def page_of(*names: str) -> bytes:
    links = "".join(f'<a href="{name}">{name}</a>' for name in names)
    return reply(200, f"<title>Index of /</title>{links}".encode(), "Content-Type: text/html")


def serve(liar: Liar, answers: dict[str, bytes]) -> tuple[str, list[str]]:
    """Have these targets answered so, all others by 404; return the origin, and what is asked."""
    asked: list[str] = []

    def answer(request: Request) -> bytes:
        asked.append(f"{request.method} {request.target}")
        found = answers.get(request.target, reply(404, b"no such thing"))
        if request.method == "HEAD" and b"Connection: close" in found:
            return found.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return found

    liar.answer = answer
    return f"http://{HOST}:{liar.port}", asked


FILE = reply(200, b"content", 'ETag: "1"')


@pytest.mark.parametrize("age_seconds", [0, 100])
@pytest.mark.parametrize("longer", [0, 3])
def test_a_file_that_is_replaced_while_it_is_read(
    http_plain: Service, fs: HTTPDriver, age_seconds: int, longer: int
) -> None:
    old, new = b"old" * 2**23, b"new" * (2**23 + longer)
    http_plain.raw.write("replaced", old)
    raw: Any = http_plain.raw
    written = time.time() - age_seconds
    os.utime(raw.folder / "replaced", (written, written))
    with fs.open(f"{origin(http_plain)}/replaced", "rb") as file:
        first = file.read(1000)
        raw.delete("replaced")
        raw.write("replaced", new)
        if age_seconds:
            with pytest.raises(OSError) as caught:  # noqa: PT011 - its number is compared
                file.read()
            assert caught.value.errno == errno.EBUSY
        else:  # nginx tells versions apart by the second: what is so new is read from one answer
            assert first + file.read() == old


def test_a_file_without_a_version_is_read_from_one_answer(liar: Liar, fs: HTTPDriver) -> None:
    answers = {"/x": reply(200, b"old" * 1000)}
    server, asked = serve(liar, answers)
    with fs.open(f"{server}/x", "rb") as file:
        assert file.read(10) == b"oldoldoldo"
        answers["/x"] = reply(200, b"new" * 1000)
        file.seek(-3, 2)
        assert file.read() == b"old"
    assert len(asked) == 2


def test_a_folder_elsewhere_is_a_folder(liar: Liar, fs: HTTPDriver) -> None:
    server, _ = serve(
        liar,
        {
            "/old/folder": reply(302, b"", "Location: /base/folder"),
            "/base/folder": reply(301, b"", "Location: /base/folder/"),
            "/base/folder/": page_of("../", "x"),
            "/old/folder/": reply(302, b"", "Location: /base/folder/"),
            "/old/folder/x": reply(302, b"", "Location: /base/folder/x"),
            "/base/folder/x": FILE,
        },
    )
    folder = f"{server}/old/folder"
    assert fs.isdir(folder)
    assert not fs.isfile(folder)
    with pytest.raises(Absent):
        fs.cat_file(folder)
    assert fs.find(folder) == [f"{folder}/x"]
    assert fs.cat_file(f"{folder}/x") == b"content"


def test_a_folder_is_found_by_its_name_with_a_slash(liar: Liar, fs: HTTPDriver) -> None:
    server, _ = serve(liar, {"/": page_of("folder"), "/folder/": page_of("x"), "/folder/x": FILE})
    assert fs.isdir(f"{server}/folder")
    assert not fs.isfile(f"{server}/folder")
    assert fs.find(server, detail=True)[f"{server}/folder/x"]["size"] == len(b"content")
    assert fs.du(server) == len(b"content")
    assert every_path(fs, f"{server}/") == [f"{server}/folder/x"]


def test_a_folder_that_is_not_listed_above_is_absent(liar: Liar, fs: HTTPDriver) -> None:
    server, asked = serve(liar, {"/": page_of("folder/"), "/folder/": page_of("x")})
    assert every_path(fs, f"{server}/none/below/") == []
    with pytest.raises(Absent):
        fs.ls(f"{server}/none")
    serve(liar, {"/": page_of("folder/")})
    for folder in ("folder", "folder/below"):
        with pytest.raises(OSError, match="shows no folders"):
            every_path(fs, f"{server}/{folder}/")
    assert "GET /none/below/" in asked


def test_a_body_after_head_hides_nothing(liar: Liar, fs: HTTPDriver) -> None:
    kept = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nthere"
    server, _ = serve(liar, {"/x": kept, "/": page_of("y")})
    for _number in range(5):
        assert not fs.isfile(f"{server}/x")
        assert not fs.exists(f"{server}/x")


@pytest.mark.parametrize("told", [(), ("Content-Range: bytes */7",)])
def test_a_server_without_suffix_ranges(liar: Liar, fs: HTTPDriver, told: tuple[str, ...]) -> None:
    def answer(request: Request) -> bytes:
        match request.headers.get("Range"):
            case None | "bytes=0-":
                return FILE
            case "bytes=4-6":
                return reply(206, b"ent", 'ETag: "1"', "Content-Range: bytes 4-6/7")
            case "bytes=0-6":
                return reply(206, b"content", 'ETag: "1"', "Content-Range: bytes 0-6/7")
        return reply(416, b"", *told)

    liar.answer = answer
    path = f"http://{HOST}:{liar.port}/x"
    assert fs.cat_file(path, -3) == b"ent"
    assert fs.cat_file(path, -50) == b"content"
    assert fs.cat_file(path, 7) == b""


def test_sizes_come_from_the_page_or_from_the_files(
    http_plain: Service, liar: Liar, fs: HTTPDriver
) -> None:
    http_plain.raw.write("sizes/in/x", b"12345")
    assert fs.du(f"{origin(http_plain)}/sizes") == 5
    server, asked = serve(
        liar,
        {"/": page_of("a/"), "/a/": page_of("x", "y"), "/a/x": FILE, "/a/y": FILE},
    )
    assert fs.find(server) == [f"{server}/a/x", f"{server}/a/y"]
    assert not any(each.endswith(("x", "y")) for each in asked)
    assert fs.du(server) == 2 * len(b"content")


def test_credentials_stay_with_their_origin(
    http_faults: Faults, other_faults: Faults, certificates: Certificates
) -> None:
    fs = HTTPDriver(username="üser", password=PASSWORD, ca_bundle=str(certificates.ca))
    content = http_faults.content
    assert fs.cat_file(http_faults.url("to//x")) == content
    assert [headers["Authorization"] for *_, headers in http_faults.seen] == [
        "Basic w7xzZXI6Q2hAbmdlVGghc1BhMzN3MHJk"
    ] * 2
    for target in (other_faults.url("x"), http_faults.url("x", "localhost")):
        http_faults.seen.clear()
        other_faults.seen.clear()
        assert fs.cat_file(http_faults.url(f"to/{target}")) == content
        last = (http_faults.seen + other_faults.seen)[-1]
        assert "Authorization" not in last[2]
    with pytest.raises(OSError, match="no usable answer"):
        fs.cat_file(http_faults.url("to/ftp://elsewhere/x"))
    fs.close()


def test_https_is_not_left_for_clear_text(
    http_faults: Faults, https_faults: Faults, certificates: Certificates, tmp_path: Path
) -> None:
    fs = HTTPDriver(username="user", password=PASSWORD, ca_bundle=str(certificates.ca))
    inside = https_faults.url(f"to/{https_faults.url('x')}")
    assert fs.cat_file(inside) == https_faults.content
    assert fs.cat_file(http_faults.url(f"to/{https_faults.url('x')}")) == https_faults.content
    http_faults.seen.clear()
    path = https_faults.url(f"to/{http_faults.url('x')}")
    for call in (
        fs.cat_file,
        fs.isfile,
        fs.info,
        lambda path: fs.get_file(path, f"{tmp_path}/x"),
        lambda path: sync(fs.loop, read_on, fs, path),
    ):
        with pytest.raises(ConnectionError, match="TLS alone"):
            call(path)
    assert http_faults.seen == []
    fs.close()


async def read_on(fs: HTTPDriver, path: str) -> bytes:
    file = await fs.open_async(path)
    try:
        content: bytes = await file.read(3)
    finally:
        await file.close()
    return content


def test_a_wrong_password_is_a_refusal(http_basic: Service) -> None:
    http_basic.raw.write("guarded", b"x")
    path = f"{origin(http_basic)}/guarded"
    for options in ({"password": "wrong"}, {"username": None}):
        fs = driver(http_basic, **options)
        for call in (fs.cat_file, fs.isfile, fs.exists, fs.info, fs.ls):
            with pytest.raises(PermissionError) as caught:
                call(path)
            assert PASSWORD not in repr(caught.value)
        fs.close()


def test_certificates_are_checked(
    https_basic: Service, https_pki: Service, certificates: Certificates
) -> None:
    https_basic.raw.write("x", b"basic")
    https_pki.raw.write("x", b"pki")
    for options in ({"ca_bundle": None}, {"ca_bundle": str(certificates.other_ca)}):
        fs = driver(https_basic, **options)
        for call in (fs.cat_file, fs.exists):
            with pytest.raises(ConnectionError, match="verify=false"):
                call(f"{origin(https_basic)}/x")
        fs.close()
    for service in (https_basic, https_pki):
        fs = driver(service, ca_bundle=None, verify=False)
        assert fs.cat_file(f"{origin(service)}/x").decode() in {"basic", "pki"}
        fs.close()
    fs = driver(https_pki, pki=None)
    with pytest.raises(OSError, match="400"):
        fs.cat_file(f"{origin(https_pki)}/x")
    fs.close()


def test_useless_certificate_files_are_not_a_missing_object(
    https_pki: Service, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    for options in (
        {"ca_bundle": f"{tmp_path}/missing"},
        {"ca_bundle": f"{tmp_path}/empty"},
        {"pki": f"{tmp_path}/missing"},
        {"pki": f"{tmp_path}/empty"},
    ):
        fs = driver(https_pki, **options)
        for call in (fs.cat_file, fs.isfile):
            with pytest.raises(OSError, match=r"ca_bundle=|pki=") as caught:
                call(f"{origin(https_pki)}/x")
            assert caught.value.errno == errno.EINVAL


def test_unreachable_is_not_absent(fs: HTTPDriver) -> None:
    for url in (f"http://{HOST}:{free_port()}/x", "http://no-such-host.invalid/x"):
        for call in (fs.cat_file, fs.isfile, fs.exists, fs.info, fs.ls):
            with pytest.raises(ConnectionError):
                call(url)


def test_no_call_outlasts_its_time_outs(http_faults: Faults, tmp_path: Path) -> None:
    fs = HTTPDriver(connect_timeout=0.2, read_timeout=0.2)
    with socket.create_server((HOST, 0)) as mute:
        port = mute.getsockname()[1]
        for url in (http_faults.url("mute"), f"http://{HOST}:{port}/", f"https://{HOST}:{port}/x"):
            for call in (fs.cat_file, fs.isfile, lambda url: fs.get_file(url, f"{tmp_path}/x")):
                start = time.monotonic()
                with pytest.raises((TimeoutError, ConnectionError)):
                    call(url)
                assert time.monotonic() - start < 1
    fs.close()


def test_a_name_that_nobody_resolves_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_args: object, **_kwargs: object) -> None:
        over.wait(10)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    fs = HTTPDriver(connect_timeout=0.2)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        fs.cat_file("http://slow-name.invalid/x")
    assert time.monotonic() - start < 2
    over.set()
    fs.close()


def test_nothing_is_written(http_plain: Service, fs: HTTPDriver, tmp_path: Path) -> None:
    http_plain.raw.write("kept", b"kept")
    (tmp_path / "x").touch()
    path = f"{origin(http_plain)}/kept"
    calls: list[Callable[[], object]] = [
        lambda: fs.pipe_file(path, b"new"),
        lambda: fs.pipe_file(path + "2", b"new", mode="create"),
        lambda: fs.put_file(f"{tmp_path}/x", path),
        lambda: fs.rm_file(path),
        lambda: fs.rm(path),
        lambda: fs.mkdir(path),
        lambda: fs.makedirs(path, exist_ok=True),
        lambda: fs.rmdir(path),
        lambda: fs.mv(path, path + "2"),
        lambda: fs.cp_file(path, path + "2"),
        lambda: fs.touch(path),
        lambda: fs.open(path, "wb"),
    ]
    for call in calls:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - its number is compared
            call()
        assert caught.value.errno == errno.EROFS
    assert fs.rm_files([path])[path].errno == errno.EROFS
    assert fs.cat_file(path) == b"kept"


def test_a_restarted_server_costs_one_failure_at_most(http_plain: Service, fs: HTTPDriver) -> None:
    http_plain.raw.write("lasting", b"x")
    path = f"{origin(http_plain)}/lasting"
    assert fs.cat_file(path) == b"x"
    assert http_plain.server is not None
    http_plain.server.restart()
    try:
        assert fs.cat_file(path) == b"x"
    except ConnectionError:
        assert fs.cat_file(path) == b"x"


def test_many_threads_get_their_own_answers(http_basic: Service) -> None:
    for number in range(8):
        http_basic.raw.write(f"threads/{number}", b"%d" % number * 5000)
    fs = driver(http_basic)

    def read(number: int) -> bool:
        content: bytes = fs.cat_file(f"{origin(http_basic)}/threads/{number % 8}")
        return content == b"%d" % (number % 8) * 5000

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(400)))
    fs.close()


async def awaited(fs: HTTPDriver, path: str, local_path: Path) -> list[object]:
    await fs._get_file(path, local_path)
    file = await fs.open_async(path)
    head = await file.read(4)
    await file.close()
    infos, _token = await fs._list_page(path)
    found = [await fs._cat_file(path), await fs._isfile(path + "y"), head, len(infos)]
    await fs._close()
    return found


def test_awaited_calls_do_the_same_in_one_loop_after_another(
    http_basic: Service, tmp_path: Path
) -> None:
    http_basic.raw.write("awaited/x y", b"0123456789")
    fs = driver(http_basic, asynchronous=True)
    path = f"{origin(http_basic)}/awaited/x y"
    for number in range(2):
        copy = tmp_path / f"{number}"
        assert asyncio.run(awaited(fs, path, copy)) == [b"0123456789", False, b"0123", 1]
        assert copy.read_bytes() == b"0123456789"


_FORK = """
import gc, json, os, sys, time
from importlib import import_module
module, name, path, options = json.load(sys.stdin)
kind = getattr(import_module(module), name)
fs = kind(**options, read_timeout=5)
assert fs.cat_file(path) == b"x"
child = os.fork()
if child == 0:
    fs = None
    gc.collect()
    sys.exit(kind(**options).cat_file(path) != b"x")
assert os.waitpid(child, 0)[1] == 0
start = time.monotonic()
assert fs.cat_file(path) == b"x"
assert time.monotonic() - start < 5
"""


@pytest.mark.parametrize("kind", ["http_basic", "https_basic"])
def test_a_fork_leaves_the_connections_of_its_parent_alone(
    request: pytest.FixtureRequest, kind: str
) -> None:
    service: Service = request.getfixturevalue(kind)
    service.raw.write("forked", b"x")
    options = {**service.options, "username": service.username, "password": service.password}
    given = [HTTPDriver.__module__, HTTPDriver.__name__, f"{origin(service)}/forked", options]
    # In a process of its own: one with the threads of other tests may not be forked.
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORK],
        input=json.dumps(given),
        text=True,
        check=True,
        timeout=60,
    )


def test_nothing_secret_shows(https_basic: Service) -> None:
    fs = driver(https_basic)
    assert PASSWORD not in repr(fs) + str(fs)
    assert HTTPDriver(username=USERNAME) is not HTTPDriver(username=USERNAME)
