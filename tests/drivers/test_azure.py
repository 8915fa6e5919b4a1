from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import ContainerClient

from filestore_fsspec.drivers.azure.driver import AzureDriver
from filestore_fsspec.keys import temporary_path
from tests.services.azure import ACCOUNT, FakeCredential, token
from tests.services.common import HOST, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.common import Certificates, Service

PIECE = 8 * 2**20


def driver_of(service: Service, **options: Any) -> AzureDriver:
    asked = service.options
    plain = asked.get("use_ssl") == "false"
    settings = {
        "account_url": f"{'http' if plain else 'https'}://{service.host}:{service.port}/{ACCOUNT}",
        "account_name": ACCOUNT,
        "account_key": asked.get("access_key"),
        **{name: asked.get(name) for name in ("tenant_id", "client_id", "client_secret")},
        "ca_bundle": asked.get("ca_bundle"),
        **options,
    }
    return AzureDriver(**settings)


def client_of(service: Service) -> ContainerClient:
    client: ContainerClient = service.raw.client  # type: ignore[attr-defined]  # ContainerRaw's
    return client


@pytest.fixture
def driver(azure_http: Service) -> Iterator[AzureDriver]:
    with closing(driver_of(azure_http)) as driver:
        yield driver


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    """Return the name of a folder that no other test uses."""
    return f"{request.node.originalname}-{time.time_ns()}"


@pytest.fixture
def root(azure_http: Service, folder: str) -> str:
    azure_http.raw.write(f"{folder}/there", b"0123456789")
    return f"{azure_http.base}{folder}"


@pytest.fixture
def mute_port() -> Iterator[int]:
    """Yield a port that accepts and never says or reads anything."""
    with socket.create_server((HOST, 0), backlog=50) as listener:
        yield listener.getsockname()[1]


def forget_connections() -> None:
    """Collect what a loop left that ended before the server had read the cancelled uploads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def requests(service: Service, text: str) -> list[str]:
    """Return the methods of the requests whose line in the server's log holds `text`, in order."""
    assert service.server is not None
    log = service.server.log
    marker = secrets.token_hex(8)
    service.raw.read(marker)  # the log is written behind the answers, in their order
    wait_until(lambda: marker in log.read_text(), "the log")
    lines = log.read_text().splitlines()
    return [line.partition('"')[2].split()[0] for line in lines if text in line and '"' in line]


@pytest.mark.parametrize("fixture", ["azure_http", "azure_https", "azure_token"])
def test_every_way_in(request: pytest.FixtureRequest, fixture: str, folder: str) -> None:
    service: Service = request.getfixturevalue(fixture)
    root = f"{service.base}{folder}"
    with closing(driver_of(service)) as driver:
        driver.pipe_file(f"{root}/a", b"content")
        assert driver.cat_file(f"{root}/a") == b"content"
        assert [info["name"] for info in driver.list_page(f"{root}/")[0]] == [f"{root}/a"]
        assert driver.rm_files([f"{root}/a", f"{root}/none"]) == {}
        assert not driver.isfile(f"{root}/a")


def test_each_call_is_one_request(
    driver: AzureDriver, azure_http: Service, root: str, folder: str, tmp_path: Path
) -> None:
    begin = len(requests(azure_http, folder))

    driver.pipe_file(f"{root}/a", b"content")
    driver.pipe_file(f"{root}/b", b"content", mode="create")
    with pytest.raises(FileExistsError):
        driver.pipe_file(f"{root}/b", b"another", mode="create")
    assert driver.cat_file(f"{root}/a") == b"content"
    assert driver.cat_file(f"{root}/a", 2, 4) == b"nt"
    driver.get_file(f"{root}/a", str(tmp_path / "a"))
    driver.put_file(str(tmp_path / "a"), f"{root}/c")
    assert driver.isfile(f"{root}/c")
    assert not driver.isfile(f"{root}/none")
    assert driver.info(f"{root}/c")["size"] == 7
    assert len(driver.list_page(f"{root}/")[0]) == 4
    driver.rm_file(f"{root}/c")

    asked = requests(azure_http, folder)[begin:]
    assert asked == "PUT PUT PUT GET GET GET PUT HEAD HEAD HEAD GET DELETE".split()  # noqa: SIM905
    begin = requests(azure_http, "comp=batch").count("POST")
    driver.pipe({f"{root}/{number}": b"" for number in range(256)})
    assert driver.rm_files([f"{root}/{number}" for number in range(256)]) == {}
    assert requests(azure_http, "comp=batch").count("POST") == begin + 1
    assert driver.find(root) == [f"{root}/a", f"{root}/b", f"{root}/there"]
    assert driver.delete_batch_chunk_size == 256


def test_large_files_go_in_blocks(driver: AzureDriver, root: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(3 * PIECE + 1))

    driver.put_file(str(tmp_path / "large"), f"{root}/large", mode="create")
    with pytest.raises(FileExistsError):
        driver.put_file(str(tmp_path / "large"), f"{root}/large", mode="create")
    driver.pipe_file(f"{root}/too", memoryview((tmp_path / "large").read_bytes()))
    driver.get_file(f"{root}/large", str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == (tmp_path / "large").read_bytes()
    assert driver.cat_file(f"{root}/too") == (tmp_path / "large").read_bytes()


@pytest.mark.parametrize("write", ["pipe_file", "put_file", "large", "create", "open"])
def test_a_write_makes_the_missing_container(
    azure_http: Service, write: str, tmp_path: Path
) -> None:
    container = f"made-{time.time_ns()}"
    path, local_path = f"{container}/a/b", tmp_path / "file"
    local_path.write_bytes(b"content" * (3 * 2**20 if write == "large" else 1))

    def put(driver: AzureDriver) -> None:
        if write in {"put_file", "large"}:
            driver.put_file(str(local_path), path)
        elif write == "open":
            with driver.open(path, "wb") as file:
                file.write(b"content")
        else:
            driver.pipe_file(path, b"content", mode="create" if write == "create" else "overwrite")

    with closing(driver_of(azure_http, initialize_container=False)) as driver:
        assert not driver.isfile(path)
        assert not driver.exists(container)
        with pytest.raises(FileNotFoundError):
            driver.cat_file(path)
        assert driver.list_page(f"{container}/") == ([], None)
        assert driver.rm_files([path]) == {}
        driver.makedirs(f"{container}/a", exist_ok=True)
        with pytest.raises(FileNotFoundError):
            put(driver)
        assert not driver.exists(container)
    with closing(driver_of(azure_http)) as driver:
        put(driver)
        assert driver.cat_file(path, 0, 7) == b"content"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 4, b"0123"),
        (2, None, b"23456789"),
        (2, 4, b"23"),
        (-3, None, b"789"),
        (-3, -1, b"78"),
        (0, -8, b"01"),
        (4, 4, b""),
        (6, 2, b""),
        (10, None, b""),
        (50, 60, b""),
        (-50, 3, b"012"),
    ],
)
def test_ranges(
    driver: AzureDriver, root: str, start: int | None, end: int | None, expected: bytes
) -> None:
    assert driver.cat_file(f"{root}/there", start, end) == expected
    with pytest.raises(FileNotFoundError):
        driver.cat_file(f"{root}/none", start, end)


@pytest.mark.parametrize(
    "name", ["v?versionid=1", "ü b+c%41 .txt", "h#x", "-\u20ac", "~'()*!;:@&=$,[]"]
)
def test_names(driver: AzureDriver, azure_http: Service, root: str, folder: str, name: str) -> None:
    path = f"{root}/{name}"
    driver.pipe_file(path, b"content")

    assert azure_http.raw.read(f"{folder}/{name}") == b"content"
    assert driver.cat_file(f"/{path}") == b"content"
    assert driver.info(path)["name"] == path
    assert path in [info["name"] for info in driver.list_page(f"{root}/")[0]]
    assert driver.rm_files([path]) == {}
    assert not driver.isfile(path)


def test_list_page(
    driver: AzureDriver,
    azure_http: Service,
    root: str,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("filestore_fsspec.drivers.azure.requests._PAGE", 20)
    azure_http.raw.write(temporary_path(f"{folder}/a"), b"")
    azure_http.raw.write(f"{folder}/marker/", b"")
    driver.pipe({f"{root}/{number:04}": b"x" for number in range(20)})

    first, more = driver.list_page(f"{root}/")
    rest, end = driver.list_page(f"{root}/", more)

    assert len(first) == 19  # and the temporary one, which is not shown
    assert more is not None
    assert end is None
    assert {info["name"] for info in first + rest} == {
        f"{root}/there",
        *(f"{root}/{number:04}" for number in range(20)),
    }
    info = rest[-1]
    assert (info["size"], info["type"]) == (10, "file")
    assert info["modified"].utcoffset().total_seconds() == 0
    assert info == driver.info(info["name"])
    assert driver.list_page(f"{root}/the")[0] == rest[-1:]


def test_folders_are_no_files(driver: AzureDriver, azure_http: Service, root: str) -> None:
    container, _, folder = root.partition("/")
    client_of(azure_http).upload_blob(f"{folder}/made", b"", metadata={"hdi_isfolder": "true"})
    driver.pipe_file(f"{root}/made/b", b"content")

    for path in (f"{root}/made", f"{root}/made/", root, container, f"{container}/"):
        assert not driver.isfile(path)
        assert driver.isdir(path)
        assert driver.info(path)["type"] == "directory"
        with pytest.raises(FileNotFoundError):
            driver.cat_file(path)
    assert [info["name"] for info in driver.list_page(f"{root}/made")[0]] == [f"{root}/made/b"]
    with pytest.raises(IsADirectoryError):
        driver.rm_file(container)
    with pytest.raises(IsADirectoryError):
        driver.pipe_file(container, b"content")
    with pytest.raises(FileExistsError):
        driver.mkdir(container)
    for path in (container, f"{root}/made"):
        with pytest.raises(OSError, match="not empty"):
            driver.rmdir(path)
    with pytest.raises(FileNotFoundError):
        driver.rmdir(f"{root}/none")
    driver.mkdir("an-empty-one")
    driver.rmdir("an-empty-one")
    assert not driver.exists("an-empty-one")


def test_ls_find_and_rm(driver: AzureDriver, root: str) -> None:
    driver.pipe({f"{root}/{name}": b"x" for name in ("a", "b/c", "b/d/e")})

    assert driver.ls(root, detail=False) == [f"{root}/a", f"{root}/b", f"{root}/there"]
    assert driver.ls(f"{root}/a", detail=False) == [f"{root}/a"]
    assert driver.find(f"{root}/b") == [f"{root}/b/c", f"{root}/b/d/e"]
    assert driver.find(f"{root}/b", maxdepth=1) == [f"{root}/b/c"]
    assert driver.find(f"{root}/a") == [f"{root}/a"]
    assert driver.find(f"{root}/none") == []
    assert driver.glob(f"{root}/b/*") == [f"{root}/b/c", f"{root}/b/d"]
    assert [names for _, *names in driver.walk(f"{root}/b")] == [[["d"], ["c"]], [[], ["e"]]]
    assert driver.cat([f"{root}/a", f"{root}/b/c"]) == {f"{root}/a": b"x", f"{root}/b/c": b"x"}
    driver.rm(f"{root}/b", recursive=True)
    assert driver.find(root) == [f"{root}/a", f"{root}/there"]
    for missing in (f"{root}/none", "no-such-container/none"):
        with pytest.raises(FileNotFoundError):
            driver.ls(missing)
        with pytest.raises(FileNotFoundError):
            driver.rm(missing)


def test_copies_and_moves(driver: AzureDriver, root: str) -> None:
    driver.pipe_file(f"{root}/a?b", b"content")

    driver.cp_file(f"{root}/a?b", f"{root}/b")
    driver.mv(f"{root}/b", f"{root}/c")

    assert driver.cat_file(f"{root}/c") == b"content"
    assert driver.find(root) == [f"{root}/a?b", f"{root}/c", f"{root}/there"]
    with pytest.raises(FileNotFoundError):
        driver.cp_file(f"{root}/none", f"{root}/d")


def fail_while_writing(driver: AzureDriver, path: str, size: int) -> None:
    with driver.open(path, "wb") as file:
        file.write(b"x" * size)
        raise KeyError


def test_open_shows_nothing_until_closed(driver: AzureDriver, root: str) -> None:
    for size in (0, 10, 3 * PIECE):
        with driver.open(f"{root}/{size}", "wb") as file:
            file.write(b"x" * size)
            assert not driver.isfile(f"{root}/{size}")
        assert driver.info(f"{root}/{size}")["size"] == size
        with pytest.raises(FileExistsError), driver.open(f"{root}/{size}", "xb") as file:
            file.write(b"y" * size)

        with pytest.raises(KeyError):
            fail_while_writing(driver, f"{root}/gone", size)
        file = driver.open(f"{root}/gone", "wb")
        file.write(b"x" * size)
        del file
        gc.collect()
        assert not driver.isfile(f"{root}/gone")


def test_open_reads_the_blob_that_was_opened(driver: AzureDriver, root: str) -> None:
    driver.pipe_file(f"{root}/a", bytes(range(256)) * 2**18)
    with driver.open(f"{root}/a") as file:
        file.seek(50 * 2**20 + 7)
        assert file.read(3) == b"\x07\x08\x09"
        driver.pipe_file(f"{root}/a", b"another")
        file.seek(0)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(3)


def test_a_staged_file_is_shown_or_dropped(driver: AzureDriver, root: str, tmp_path: Path) -> None:
    for size in (0, 10, 3 * PIECE):
        (tmp_path / "file").write_bytes(b"x" * size)
        shown, dropped = (
            driver.prepare(str(tmp_path / "file"), f"{root}/{name}{size}", "create")
            for name in ("shown", "dropped")
        )
        assert not driver.isfile(f"{root}/shown{size}")
        driver.commit(shown)
        dropped.discard()
        assert driver.cat_file(f"{root}/shown{size}") == b"x" * size
        assert not driver.isfile(f"{root}/dropped{size}")
        late = driver.prepare(str(tmp_path / "file"), f"{root}/shown{size}", "create")
        with pytest.raises(FileExistsError):
            driver.commit(late)


def test_it_works_inside_a_loop(
    azure_http: Service, root: str, folder: str, tmp_path: Path
) -> None:
    def begun() -> bool:
        return "PUT" in requests(azure_http, f"{folder}/large")

    async def work() -> bytes:
        driver = driver_of(azure_http, asynchronous=True)
        (tmp_path / "large").write_bytes(os.urandom(12 * PIECE))
        upload = asyncio.create_task(driver._put_file(str(tmp_path / "large"), f"{root}/large"))
        await asyncio.to_thread(wait_until, begun, "the upload")
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert not await driver._isfile(f"{root}/large")
        await driver._pipe_file(f"{root}/a", b"content")
        content: bytes = await driver._cat_file(f"{root}/a")
        await driver._close()
        return content

    assert asyncio.run(work()) == b"content"
    forget_connections()


WRONG_KEY = "bm90IHRoZSBrZXk="


@pytest.mark.parametrize("key", [WRONG_KEY, "not base64 at all"])
def test_wrong_keys_are_refused(azure_http: Service, root: str, key: str) -> None:
    with closing(driver_of(azure_http, account_key=key)) as driver:
        calls: tuple[Callable[[], object], ...] = (
            lambda: driver.cat_file(f"{root}/there"),
            lambda: driver.isfile(f"{root}/there"),
            lambda: driver.exists(root.partition("/")[0]),
            lambda: driver.isdir(root.partition("/")[0]),
            lambda: driver.pipe_file(f"{root}/there", b"new"),
            lambda: driver.rm_file(f"{root}/there"),
            lambda: driver.list_page(root),
            lambda: driver.rm_files([f"{root}/there"]),
            lambda: driver.ls(""),
        )
        for call in calls:
            with pytest.raises(PermissionError) as caught:
                call()
            assert caught.value.__cause__ is not None
            assert key not in str(caught.value)


def test_tokens(azure_token: Service, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{azure_token.base}{folder}"
    mine = {"client_secret": None, "credential": FakeCredential(token())}
    with closing(driver_of(azure_token, **mine)) as driver:
        driver.pipe_file(path, b"content")
    for credential in (FakeCredential(token(audience="https://x")), FakeCredential(token("", -9))):
        wrong = {"client_secret": None, "credential": credential}
        with closing(driver_of(azure_token, **wrong)) as driver, pytest.raises(PermissionError):
            driver.isfile(path)
    with (
        closing(driver_of(azure_token, client_secret="another")) as driver,
        pytest.raises(PermissionError, match="ClientAuthenticationError") as caught,
    ):
        driver.isfile(path)
    assert "another" not in str(caught.value)
    workload = {"client_secret": None, "use_default_credentials": True}
    with (
        closing(driver_of(azure_token, **workload)) as driver,
        pytest.raises(PermissionError, match="no Azure credentials"),
    ):
        driver.isfile(path)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"https://localhost:{free_port()}")
    with closing(driver_of(azure_token)) as driver, pytest.raises(ConnectionError):
        driver.isfile(path)


def test_without_credentials_it_is_anonymous(
    azure_http: Service, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azure_http.options["access_key"])
    container = f"public-{time.time_ns()}"
    url = f"http://{HOST}:{azure_http.port}/{ACCOUNT}"
    key = azure_http.options["access_key"]
    with ContainerClient(url, container, credential=key) as client:
        client.create_container(public_access="blob")
        client.upload_blob("a", b"content")
    with closing(driver_of(azure_http, account_key=None)) as driver:
        assert driver.cat_file(f"{container}/a") == b"content"
        with pytest.raises(PermissionError):
            driver.pipe_file(f"{container}/a", b"new")
        with pytest.raises(PermissionError):
            driver.pipe_file(f"{root}/there", b"new")


def test_certificates_are_checked(
    azure_https: Service, certificates: Certificates, folder: str
) -> None:
    path = f"{azure_https.base}{folder}"
    with closing(driver_of(azure_https)) as driver:
        driver.pipe_file(path, b"x" * 2**20)
        assert driver.cat_file(path) == b"x" * 2**20
    for trust in (None, str(certificates.other_ca)):
        with (
            closing(driver_of(azure_https, ca_bundle=trust)) as driver,
            pytest.raises(ConnectionError, match="verify=false turns the check off"),
        ):
            driver.cat_file(path)
    with closing(driver_of(azure_https, ca_bundle=None, verify=False)) as driver:
        assert driver.isfile(path)


@pytest.mark.parametrize("size", [10, 2**20, 15 * 2**20])
def test_a_mute_server_is_given_up(azure_http: Service, mute_port: int, size: int) -> None:
    options = {"account_url": f"http://{HOST}:{mute_port}/{ACCOUNT}", "read_timeout": 0.5}
    with closing(driver_of(azure_http, connect_timeout=0.5, **options)) as driver:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            driver.pipe_file("box/a", b"x" * size)
        with pytest.raises(TimeoutError):
            driver.exists("box")
        with pytest.raises(TimeoutError):
            driver.list_page("box/")
        assert time.monotonic() - begin < 4


def answering(answer: bytes) -> Iterator[int]:
    """Yield a port where each connection gets `answer` and is closed."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener's end
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(2**16)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
        b"302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"503 Busy\r\nContent-Length: 0\r\n\r\n",
        b"200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_gateway_says_nothing_about_objects(
    azure_http: Service, answer: bytes, tmp_path: Path
) -> None:
    for port in answering(b"HTTP/1.1 " + answer):
        with closing(
            driver_of(azure_http, account_url=f"http://{HOST}:{port}/{ACCOUNT}")
        ) as driver:
            calls: tuple[Callable[[], object], ...] = (
                lambda: driver.cat_file("box/a"),
                lambda: driver.get_file("box/a", str(tmp_path / "a")),
                lambda: driver.pipe_file("box/a", b"content"),
                lambda: driver.list_page("box/"),
            )
            for call in calls:
                with pytest.raises(ConnectionError):
                    call()
            assert not (tmp_path / "a").exists()


def test_an_unreachable_server(azure_http: Service) -> None:
    url = f"http://{HOST}:{free_port()}/{ACCOUNT}"
    with closing(driver_of(azure_http, account_url=url)) as driver:
        begin = time.monotonic()
        for call in (driver.cat_file, driver.isfile, driver.exists, driver.ls, driver.list_page):
            with pytest.raises(ConnectionError):
                call("box/a")
        assert time.monotonic() - begin < 2


def test_a_restart_is_survived(azure_http: Service, root: str) -> None:
    assert azure_http.server is not None
    with closing(driver_of(azure_http)) as driver:
        driver.pipe_file(f"{root}/a", b"content")
        azure_http.server.restart()
        with suppress(ConnectionError):
            driver.cat_file(f"{root}/a")
        assert driver.cat_file(f"{root}/a") == b"content"
        driver.close()
        assert driver.cat_file(f"{root}/a") == b"content"


def test_many_threads(driver: AzureDriver, root: str) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(10):
            path, content = f"{root}/{number}/{turn}", f"{number}:{turn}".encode()
            driver.pipe_file(path, content, mode="create")
            if driver.cat_file(path) != content or not driver.isfile(path):
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(driver.find(root)) == 81


_FORKS = """
import gc, os, sys, time
from filestore_fsspec.drivers.azure.driver import AzureDriver
url, account, key, ca, path = sys.argv[1:]
def driver():
    return AzureDriver(url, account, key, ca_bundle=ca, read_timeout=5)
drivers = [driver()]
drivers[0].pipe_file(path, b"content")
for _ in range(3):
    child = os.fork()
    if not child:
        assert driver().cat_file(path) == b"content"
        drivers.clear()
        gc.collect()
        gc.collect()
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    begin = time.monotonic()
    assert drivers[0].cat_file(path) == b"content"
    assert time.monotonic() - begin < 2
"""


def test_a_forked_child_does_no_harm(azure_https: Service, folder: str) -> None:
    url = f"https://{azure_https.host}:{azure_https.port}/{ACCOUNT}"
    key, ca = azure_https.options["access_key"], azure_https.options["ca_bundle"]
    command = [sys.executable, "-W", "ignore", "-c", _FORKS, url, ACCOUNT, key, ca]
    subprocess.run([*command, f"{azure_https.base}{folder}"], check=True, timeout=30)
