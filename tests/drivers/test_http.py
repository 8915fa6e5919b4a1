from __future__ import annotations

import asyncio
import errno
import json
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
