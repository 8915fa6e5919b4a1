"""What is the engine obstore's own; the default drivers' tests over it stand beside."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from importlib import util
from typing import TYPE_CHECKING

import pytest
from obstore.exceptions import GenericError

from filestore_fsspec import FileStore, InvalidURL, Location, LocationUnavailable, PermissionDenied
from filestore_fsspec.drivers.azure.driver import AzureDriver
from filestore_fsspec.drivers.http.driver import HTTPDriver
from filestore_fsspec.drivers.obstore.base import SMALL_BYTES
from filestore_fsspec.drivers.obstore.errors import failure_of
from filestore_fsspec.drivers.s3.driver import S3Driver
from tests.faults.test_errors import AZURE_KEY, SECRET, check, mute, unreachable
from tests.services.common import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.test_errors import Mute
    from tests.services.common import Certificates, Service
    from tests.services.http import Faults

__all__ = ["mute"]

SERVERS = ["s3_moto", "s3_rclone", "azure_http", "azure_https", "http_plain", "https_basic"]
WRITABLE = SERVERS[:4]
URLS = {
    "s3": "s3://k:s@h/a?s3_bucket=bkt&",
    "azure": "azure://acc.blob.core.windows.net/box?",
    "http": "http://h/a?",
    "https": "https://h/a?",
}


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


def location_of(service: Service, root: str = "root", **options: str) -> Location:
    return Location(service.url(root, engine="obstore", **options), connection_attempts=1)


# Which engine


@pytest.mark.parametrize("scheme", URLS)
def test_the_url_or_the_environment_chooses(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = scheme.removesuffix("s") if scheme == "https" else scheme
    assert Location(URLS[scheme]).target.protocol == protocol
    assert Location(URLS[scheme] + "engine=obstore").target.protocol == f"{protocol}+obstore"
    monkeypatch.setenv("FILESTORE_ENGINE", "obstore")
    assert Location(URLS[scheme]).target.protocol == f"{protocol}+obstore"
    assert Location(URLS[scheme] + "engine=fsspec").target.protocol == protocol
    monkeypatch.setenv("FILESTORE_ENGINE", "warp")
    with pytest.raises(InvalidURL, match="FILESTORE_ENGINE takes 'fsspec' or 'obstore'"):
        Location(URLS[scheme])


def test_an_engine_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filestore_fsspec.schemes.base.find_spec", lambda _name: None)
    assert util.find_spec("obstore")
    with pytest.raises(InvalidURL, match=r"pip install filestore-fsspec\[fast\]"):
        Location("http://h/a?engine=obstore")
    assert Location("http://h/a")


def test_a_client_certificate_is_for_the_default_engine() -> None:
    with pytest.raises(InvalidURL, match="engine=fsspec"):
        Location("https://h/a?pki=x&engine=obstore")
    assert Location("https://h/a?pki=x").target.protocol == "http"


@pytest.mark.parametrize("service", SERVERS, indirect=True)
def test_the_default_driver_is_not_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("obstore was not used")

    service.raw.write("root/there", b"0123456789")
    (tmp_path / "small").write_bytes(b"small")
    location = location_of(service)
    if service.scheme in {"s3", "azure"}:
        service.raw.write("root/new", b"x")
    for default in (S3Driver, AzureDriver, HTTPDriver):
        for name in ("_cat_file", "_get_file", "_pipe_file", "_put_file"):
            monkeypatch.setattr(default, name, refuse)
    monkeypatch.setattr(S3Driver, "_isfile", refuse)
    monkeypatch.setattr(S3Driver, "_rm_files", refuse)
    with closing(location):
        path = location.fs_path("there")
        assert location.fs.cat_file(path) == b"0123456789"
        assert asyncio.run(location.fs._cat_file(path)) == b"0123456789"
        location.fs.get_file(path, str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == b"0123456789"
        if service.scheme in {"s3", "azure"}:
            location.put("new", b"x" * SMALL_BYTES)
            location.upload(tmp_path / "small", "new")
            assert location.get("new") == b"small"
        if service.scheme == "s3":
            assert location.exists("new")
            location.delete_batch(["new", "none"])
            assert not location.exists("new")
    assert type(location.fs).__name__.endswith("ObstoreDriver")


# What goes wrong


@pytest.mark.parametrize("service", ["http_basic", "https_basic", "s3_rclone"], indirect=True)
def test_a_wrong_password(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    wrong = replace(service, password=SECRET)
    check(wrong.url("root", engine="obstore"), PermissionDenied, (), caplog)


@pytest.mark.parametrize("service", ["azure_http", "azure_https"], indirect=True)
def test_a_wrong_account_key(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    url = service.url("root", engine="obstore", access_key=AZURE_KEY)
    check(url, PermissionDenied, (), caplog)


@pytest.mark.parametrize("service", ["https_basic", "s3_moto_tls", "azure_https"], indirect=True)
def test_an_untrusted_certificate(
    service: Service, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    url = service.url("root", engine="obstore", ca_bundle=str(certificates.other_ca))
    check(url, LocationUnavailable, ("verify=false",), caplog)
    system = {name: value for name, value in service.options.items() if name != "ca_bundle"}
    url = replace(service, options=system).url("root", engine="obstore")
    check(url, LocationUnavailable, ("verify=false",), caplog)
    with FileStore(service.url("root", engine="obstore", verify="false")) as store:
        assert store.get("missing") is None
    with FileStore(service.url("root", engine="obstore")) as store:
        assert store.get("missing") is None


@pytest.mark.parametrize("scheme", URLS)
def test_an_unreachable_port(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    url = unreachable(scheme, free_port()).url("root", engine="obstore")
    check(url, LocationUnavailable, (), caplog)


@pytest.mark.parametrize("scheme", URLS)
def test_a_mute_port(scheme: str, mute: Mute, caplog: pytest.LogCaptureFixture) -> None:
    server = unreachable(scheme, mute.port)
    url = server.url("root", engine="obstore", connect_timeout="0.5", read_timeout="0.5")
    check(url, LocationUnavailable, (), caplog)


@pytest.mark.parametrize("service", WRITABLE, indirect=True)
def test_a_missing_bucket_is_made_by_the_first_write(service: Service) -> None:
    name = f"engine-{time.time_ns()}"
    new = replace(service, base=f"{name}/") if service.scheme == "azure" else service
    options = {} if service.scheme == "azure" else {"s3_bucket": name}
    with FileStore(new.url("root", engine="obstore", **options)) as store:
        assert store.get("k") is None
        assert store.exists("k") == []
        store.delete_batch(["k"])
        assert store.put("k", b"x") == list(store.locations)
        assert store.get("k") == b"x"


HEAD = (
    b'HTTP/1.1 200 OK\r\nETag: "0x1"\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n'
    b"Content-Length: 40\r\n\r\n"
)


@contextmanager
def dripping(*parts: bytes, pause: float) -> Iterator[int]:
    """Yield a port where every request gets `parts`, with a pause of some seconds behind each."""
    ended = threading.Event()
    connections: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        connections.append(connection)
        with connection, suppress(OSError):
            while connection.recv(2**16):
                for part in parts:
                    connection.sendall(part)
                    ended.wait(pause)

    def serve() -> None:
        with suppress(OSError):  # the listener's end
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()

    with socket.create_server((HOST, 0)) as listener:
        threads = [threading.Thread(target=serve)]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            for one in (listener, *connections):
                with suppress(OSError):  # it is closed
                    one.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("scheme", ["s3", "azure", "http"])
def test_silence_in_the_middle_is_a_timeout(scheme: str, tmp_path: Path) -> None:
    with dripping(HEAD + b"half of it", pause=5) as port:
        url = unreachable(scheme, port).url("root", engine="obstore", read_timeout="0.5")
        with closing(Location(url)) as location:
            begin = time.monotonic()
            for call in (lambda: location.get("k"), lambda: location.download("k", tmp_path / "k")):
                with pytest.raises(LocationUnavailable) as caught:
                    call()
                assert isinstance(caught.value.__cause__, TimeoutError)
            assert time.monotonic() - begin < 3
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["s3", "azure", "http"])
def test_what_comes_slowly_is_waited_for(scheme: str, tmp_path: Path) -> None:
    with dripping(HEAD + b"0123456789", *[b"0123456789"] * 3, pause=0.3) as port:
        url = unreachable(scheme, port).url("root", engine="obstore", read_timeout="0.8")
        with closing(Location(url)) as location:
            assert location.get("k") == b"0123456789" * 4
            location.download("k", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == b"0123456789" * 4


def test_another_servers_answer_is_not_azures(tmp_path: Path) -> None:
    head = HEAD.replace(b'"0x1"', b'"a-b"').replace(b": 40", b": 0")
    with dripping(head, pause=0) as port:
        url = unreachable("azure", port).url("root", engine="obstore")
        with closing(Location(url, connection_attempts=1)) as location:
            for call in (
                lambda: location.get("k"),
                lambda: location.download("k", tmp_path / "k"),
                lambda: location.put("k", b"content"),
            ):
                with pytest.raises(LocationUnavailable, match="not Azure's"):
                    call()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('Status {\n  status: 404,\n  body: Some(\n  "<Code>NoSuchKey</Code>",\n ),\n}', "status"),
        ("Status {\n  status: 302,\n  body: None,\n}", "redirect"),
        ("HttpError {\n  kind: Timeout,\n}", "timeout"),
        ("HttpError {\n  kind: Connect,\n  error: InvalidCertificate(\n", "untrusted"),
        ("HttpError {\n  kind: Connect,\n}", "connection"),
        ('path: "a\\n status: 404,\\n",\n NotPartial,', "unclear"),
        ('path: "External AWS credential provider",\n', "refused"),
    ],
)
def test_an_exception_is_taken_apart(text: str, kind: str) -> None:
    failure = failure_of(GenericError(f"words\n\nDebug source:\nGeneric {{\n {text}"))
    assert failure.kind == kind
    assert failure.code == ("NoSuchKey" if kind == "status" else "")
    assert failure_of(ValueError("a name")).kind == "refused"


# Where obstore falls short


@pytest.mark.parametrize("service", ["s3_moto", "azure_http"], indirect=True)
@pytest.mark.parametrize("key", ["a//b", "folder/", "x/"])
def test_names_that_obstore_cannot_take(service: Service, key: str) -> None:
    with closing(location_of(service, f"names-{time.time_ns()}")) as location:
        path = f"{location.target.root}{key}"
        if key.endswith("/"):
            with pytest.raises(FileNotFoundError):
                location.fs.cat_file(path)
            assert not location.fs.isfile(path)
        else:
            location.fs.pipe_file(path, b"content", mode="create")
            with pytest.raises(FileExistsError):
                location.fs.pipe_file(path, b"content", mode="create")
            assert location.fs.cat_file(path) == b"content"
            assert location.fs.isfile(path)
            assert location.fs.rm_files([path]) == {}
            assert not location.fs.isfile(path)


def test_a_page_of_html_is_no_folder(http_plain: Service) -> None:
    http_plain.raw.write("html/page.html", b"<p>")
    http_plain.raw.write("html/indexed/index.html", b"<p>")
    with closing(location_of(http_plain, "html")) as location:
        assert location.get("page.html") == b"<p>"
        for folder in ("indexed", ""):
            with pytest.raises(FileNotFoundError):
                location.fs.cat_file(f"{location.target.root}{folder}".rstrip("/"))


def test_a_redirect_to_another_server_takes_no_password_along(other_faults: Faults) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {other_faults.url('x')}\r\nContent-Length: 0\r\n\r\n"
    with dripping(answer.encode(), pause=0) as port:
        server = unreachable("http", port)
        with closing(Location(server.url("root", engine="obstore"))) as location:
            assert location.get("x") == other_faults.content
    assert "authorization" not in {name.lower() for name in other_faults.seen[0][2]}


def test_the_environment_is_not_mixed_in(
    s3_rclone: Service, azure_http: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_SESSION_TOKEN": "another",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_CA_BUNDLE": "/no/such/file",
        "AZURE_STORAGE_USE_EMULATOR": "true",
        "AZURE_STORAGE_ACCOUNT_NAME": "another",
        "AZURE_STORAGE_SAS_KEY": "?sig=x",
        "AZURE_SKIP_SIGNATURE": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for service in (s3_rclone, azure_http):
        service.raw.write("root/k", b"x")
        with closing(location_of(service)) as location:
            assert location.get("k") == b"x"


def test_the_usual_credentials_are_found(
    s3_rclone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_rclone.raw.write("root/k", b"x")
    nobody = replace(s3_rclone, username="")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_rclone.username)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_rclone.password)
    with closing(location_of(nobody)) as location:
        assert location.get("k") == b"x"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{s3_rclone.port}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{HOST}:{s3_rclone.port}")
    with closing(location_of(nobody, boto_defaults="true")) as location:
        assert location.get("k") == b"x"


def test_a_driver_that_nobody_closed_is_collected(s3_moto: Service, azure_token: Service) -> None:
    for service in (s3_moto, azure_token):
        service.raw.write("root/k", b"x")
        location = location_of(service)
        assert location.get("k") == b"x"
        driver = weakref.ref(location.fs)
        del location
        gc.collect()
        assert driver() is None


MEMORY = """
import os, resource, sys
from filestore_fsspec import Location
url, path, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
location = Location(url)
location.put("small", b"x")
location.get("small")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
location.upload(path, "large")
location.download("large", path + ".back")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("service", ["s3_rclone", "azure_http"], indirect=True)
def test_a_large_file_does_not_fill_the_memory(service: Service, tmp_path: Path) -> None:
    source, size = tmp_path / "large", 200 * 2**20
    with source.open("wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(4) * 2**18)
    url = service.url("root", engine="obstore")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, url, source, str(size)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    assert int(done.stdout) < 128
    assert os.path.getsize(f"{source}.back") == size  # noqa: PTH202
    with source.open("rb") as one, open(f"{source}.back", "rb") as other:  # noqa: PTH123
        assert all(one.read(2**20) == other.read(2**20) for _ in range(size >> 20))
