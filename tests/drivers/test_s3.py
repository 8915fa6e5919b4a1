from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec.drivers.s3.driver import S3Driver
from filestore_fsspec.drivers.s3.requests import S3Requests
from filestore_fsspec.keys import temporary_path
from tests.services.common import HOST, free_port, wait_until
from tests.services.s3 import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.common import Certificates, Service

PART = 8 * 2**20


def driver_of(service: Service, **options: Any) -> S3Driver:
    plain = service.options.get("use_ssl") == "false"
    settings = {
        "endpoint_url": f"{'http' if plain else 'https'}://{service.host}:{service.port}",
        "key": service.username,
        "secret": service.password,
        "region": service.options["aws_region"],
        "ca_bundle": service.options.get("ca_bundle"),
        **options,
    }
    return S3Driver(**settings)


@pytest.fixture(params=["s3_moto", "s3_rclone"])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def driver(service: Service) -> Iterator[S3Driver]:
    with closing(driver_of(service)) as driver:
        yield driver


@pytest.fixture
def moto(s3_moto: Service) -> Iterator[S3Driver]:
    with closing(driver_of(s3_moto)) as driver:
        yield driver


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    """Return the name of a folder that no other test uses."""
    return f"{request.node.originalname}-{time.time_ns()}"


@pytest.fixture
def root(service: Service, folder: str) -> str:
    return f"{service.options['s3_bucket']}/{folder}"


@pytest.fixture
def moto_root(s3_moto: Service, folder: str) -> str:
    s3_moto.raw.write(f"{folder}/there", b"0123456789")
    return f"{s3_moto.options['s3_bucket']}/{folder}"


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


def requests(service: Service, folder: str) -> list[str]:
    """Return what the server was asked about `folder`: `PUT`, `GET`, ..., in order."""
    assert service.server is not None
    lines = service.server.log.read_text().splitlines()
    return [
        line.partition('"')[2].lstrip("\x1b[0123456789m").split()[0]
        for line in lines
        if folder in line
    ]


def test_each_call_is_one_request(
    moto: S3Driver, s3_moto: Service, moto_root: str, folder: str, tmp_path: Path
) -> None:
    begin = len(requests(s3_moto, folder))

    moto.pipe_file(f"{moto_root}/a", b"content")
    moto.cat_file(f"{moto_root}/a")
    moto.cat_file(f"{moto_root}/a", 2, 4)
    moto.cat_file(f"{moto_root}/a", -2)
    moto.get_file(f"{moto_root}/a", str(tmp_path / "a"))
    moto.put_file(str(tmp_path / "a"), f"{moto_root}/b")
    moto.isfile(f"{moto_root}/b")
    moto.isfile(f"{moto_root}/none")
    moto.info(f"{moto_root}/b")
    moto.list_page(f"{moto_root}/")
    moto.rm_file(f"{moto_root}/b")

    asked = requests(s3_moto, folder)[begin:]
    assert asked == "PUT GET GET GET GET PUT HEAD HEAD HEAD GET DELETE".split()  # noqa: SIM905


def test_create_is_one_request_once_the_server_is_known(
    moto: S3Driver, s3_moto: Service, moto_root: str, folder: str
) -> None:
    moto.pipe_file(f"{moto_root}/first", b"1", mode="create")
    begin = len(requests(s3_moto, folder))

    moto.pipe_file(f"{moto_root}/second", b"2", mode="create")
    with pytest.raises(FileExistsError):
        moto.pipe_file(f"{moto_root}/second", b"3", mode="create")

    assert requests(s3_moto, folder)[begin:] == ["PUT", "PUT"]
    assert moto.cat_file(f"{moto_root}/second") == b"2"


def test_a_probe_that_was_repeated_on_the_way_is_nobody_elses(
    s3_moto: Service, moto_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_once = S3Requests._create_probe

    async def send_twice(requests: S3Requests, bucket: str, key: str) -> None:
        await send_once(requests, bucket, key)
        await send_once(requests, bucket, key)

    monkeypatch.setattr(S3Requests, "_create_probe", send_twice)
    driver = driver_of(s3_moto)
    driver.pipe_file(f"{moto_root}/k", b"1", mode="create")
    assert driver.cat_file(f"{moto_root}/k") == b"1"
    driver.close()


def test_create_refuses_what_is_there_on_every_server(
    driver: S3Driver, service: Service, root: str
) -> None:
    for number in range(2):
        driver.pipe_file(f"{root}/{number}", b"old", mode="create")
        with pytest.raises(FileExistsError):
            driver.pipe_file(f"{root}/{number}", b"new", mode="create")
        with pytest.raises(FileExistsError), driver.open(f"{root}/{number}", "xb") as file:
            file.write(b"new")
        assert driver.cat_file(f"{root}/{number}") == b"old"
    left = {path for path in service.raw.paths() if path.startswith(root.partition("/")[2])}
    assert {path.rpartition("/")[2] for path in left} == {"0", "1"}


def test_large_files_are_created_conditionally_too(
    driver: S3Driver, root: str, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(os.urandom(2 * PART + 1))

    driver.put_file(str(tmp_path / "large"), f"{root}/large", mode="create")
    with pytest.raises(FileExistsError):
        driver.put_file(str(tmp_path / "large"), f"{root}/large", mode="create")
    driver.get_file(f"{root}/large", str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == (tmp_path / "large").read_bytes()


@pytest.mark.parametrize("write", ["pipe_file", "put_file", "large", "create", "open"])
def test_a_write_makes_the_missing_bucket(service: Service, write: str, tmp_path: Path) -> None:
    bucket = f"made-{time.time_ns()}"
    path, local_path = f"{bucket}/a/b", tmp_path / "file"
    local_path.write_bytes(b"content" * (3 * 2**20 if write == "large" else 1))
    with closing(driver_of(service)) as driver:
        assert not driver.isfile(path)
        assert not driver.exists(bucket)
        with pytest.raises(FileNotFoundError):
            driver.cat_file(path)
        assert driver.list_page(f"{bucket}/") == ([], None)
        driver.makedirs(f"{bucket}/a", exist_ok=True)
        assert not driver.exists(bucket)

        if write in {"put_file", "large"}:
            driver.put_file(str(local_path), path)
        elif write == "open":
            with driver.open(path, "wb") as file:
                file.write(b"content")
        else:
            driver.pipe_file(path, b"content", mode="create" if write == "create" else "overwrite")

        assert driver.cat_file(path, 0, 7) == b"content"


def test_a_bucket_outside_the_home_region_is_made_there(s3_moto: Service) -> None:
    bucket = f"far-{time.time_ns()}"
    with closing(driver_of(s3_moto, region="eu-west-1")) as driver:
        driver.pipe_file(f"{bucket}/a", b"content")

    place = client(s3_moto.port).get_bucket_location(Bucket=bucket)
    assert place["LocationConstraint"] == "eu-west-1"


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
    ],
)
def test_ranges(
    driver: S3Driver, root: str, start: int | None, end: int | None, expected: bytes
) -> None:
    driver.pipe_file(f"{root}/there", b"0123456789")

    assert driver.cat_file(f"{root}/there", start, end) == expected
    with pytest.raises(FileNotFoundError):
        driver.cat_file(f"{root}/none", start, end)


@pytest.mark.parametrize(
    "name", ["v?versionId=1", "ü b+c%41 .txt", "back\\slash", "h#x", "-\u20ac"]
)
def test_names(driver: S3Driver, service: Service, root: str, name: str) -> None:
    path = f"{root}/{name}"
    driver.pipe_file(path, b"content")

    assert service.raw.read(path.partition("/")[2]) == b"content"
    assert driver.cat_file(f"/{path}") == b"content"
    assert driver.info(path)["name"] == path
    assert [info["name"] for info in driver.list_page(f"{root}/")[0]] == [path]
    assert driver.rm_files([path]) == {}
    assert not driver.isfile(path)


def test_list_page(moto: S3Driver, s3_moto: Service, moto_root: str, folder: str) -> None:
    s3_moto.raw.write(f"{folder}/marker/", b"")
    s3_moto.raw.write(temporary_path(f"{folder}/a"), b"")
    moto.pipe({f"{moto_root}/{number}": b"x" for number in range(1001)})

    first, token = moto.list_page(f"{moto_root}/")
    rest, end = moto.list_page(f"{moto_root}/", token)

    assert end is None
    assert {info["name"] for info in first + rest} == {
        f"{moto_root}/there",
        *(f"{moto_root}/{number}" for number in range(1001)),
    }
    info = rest[-1]
    assert (info["size"], info["type"]) == (10, "file")
    assert info["modified"].utcoffset().total_seconds() == 0
    assert info["modified"] == moto.info(info["name"])["modified"]
    assert moto.list_page(f"{moto_root}/the")[0] == rest[-1:]


def test_rm_files_is_one_request_for_a_thousand(
    moto: S3Driver, s3_moto: Service, moto_root: str
) -> None:
    paths = [f"{moto_root}/{number}" for number in range(20)]
    moto.pipe(dict.fromkeys(paths[:10], b"x"))
    bucket = s3_moto.options["s3_bucket"]
    begin = requests(s3_moto, f"/{bucket}?delete").count("POST")

    assert moto.rm_files(paths) == {}

    assert requests(s3_moto, f"/{bucket}?delete").count("POST") == begin + 1
    assert moto.delete_batch_chunk_size == 1000
    assert [info["name"] for info in moto.list_page(f"{moto_root}/")[0]] == [f"{moto_root}/there"]


def test_without_batch_delete(s3_moto: Service, moto_root: str) -> None:
    with closing(driver_of(s3_moto, batch_delete=False)) as driver:
        assert driver.delete_batch_chunk_size == 1
        assert driver.rm_files([f"{moto_root}/there"]) == {}
        assert not driver.isfile(f"{moto_root}/there")


def test_folders_are_no_files(driver: S3Driver, root: str) -> None:
    driver.pipe_file(f"{root}/a/b", b"content")
    bucket = root.partition("/")[0]

    for path in (f"{root}/a", f"{root}/a/", bucket, f"{bucket}/"):
        assert not driver.isfile(path)
        assert driver.isdir(path)
        assert driver.info(path)["type"] == "directory"
        with pytest.raises(FileNotFoundError):
            driver.cat_file(path)
    with pytest.raises(IsADirectoryError):
        driver.rm_file(bucket)
    with pytest.raises(IsADirectoryError):
        driver.pipe_file(bucket, b"content")
    assert driver.cat_file(f"{root}/a/b") == b"content"
    with pytest.raises(FileExistsError):
        driver.mkdir(bucket)
    with pytest.raises(OSError, match="not empty"):
        driver.rmdir(f"{root}/a")
    with pytest.raises(FileNotFoundError):
        driver.rmdir(f"{root}/none")


def fail_while_writing(driver: S3Driver, path: str, size: int) -> None:
    with driver.open(path, "wb") as file:
        file.write(b"x" * size)
        raise KeyError


def test_open_shows_nothing_until_closed(moto: S3Driver, moto_root: str, s3_moto: Service) -> None:
    bucket, uploads = s3_moto.options["s3_bucket"], client(s3_moto.port).list_multipart_uploads
    for size in (10, 3 * PART):
        with moto.open(f"{moto_root}/{size}", "wb") as file:
            file.write(b"x" * size)
            assert not moto.isfile(f"{moto_root}/{size}")
        assert moto.info(f"{moto_root}/{size}")["size"] == size

        with pytest.raises(KeyError):
            fail_while_writing(moto, f"{moto_root}/gone", size)
        file = moto.open(f"{moto_root}/gone", "wb")
        file.write(b"x" * size)
        del file
        gc.collect()
        assert not moto.isfile(f"{moto_root}/gone")
    assert "Uploads" not in uploads(Bucket=bucket)


def test_open_reads_the_object_that_was_opened(moto: S3Driver, moto_root: str) -> None:
    moto.pipe_file(f"{moto_root}/a", bytes(range(256)) * 2**18)
    with moto.open(f"{moto_root}/a") as file:
        file.seek(50 * 2**20 + 7)
        assert file.read(3) == b"\x07\x08\x09"
        moto.pipe_file(f"{moto_root}/a", b"another")
        file.seek(0)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(3)


def test_a_staged_file_is_shown_or_dropped(
    moto: S3Driver, s3_moto: Service, moto_root: str, tmp_path: Path
) -> None:
    for size in (0, 10, 3 * PART):
        (tmp_path / "file").write_bytes(b"x" * size)
        shown, dropped = (
            moto.prepare(str(tmp_path / "file"), f"{moto_root}/{name}{size}", "create")
            for name in ("shown", "dropped")
        )
        assert not moto.isfile(f"{moto_root}/shown{size}")
        moto.commit(shown)
        dropped.discard()
        assert moto.cat_file(f"{moto_root}/shown{size}") == b"x" * size
        assert not moto.isfile(f"{moto_root}/dropped{size}")
        late = moto.prepare(str(tmp_path / "file"), f"{moto_root}/shown{size}", "create")
        with pytest.raises(FileExistsError):
            moto.commit(late)
        late.discard()
    uploads = client(s3_moto.port).list_multipart_uploads(Bucket=s3_moto.options["s3_bucket"])
    assert "Uploads" not in uploads


def test_copies_and_moves(driver: S3Driver, root: str) -> None:
    driver.pipe_file(f"{root}/a?versionId=1", b"content")

    driver.cp_file(f"{root}/a?versionId=1", f"{root}/b")
    driver.mv(f"{root}/b", f"{root}/c")

    assert driver.cat_file(f"{root}/c") == b"content"
    assert sorted(driver.find(root)) == [f"{root}/a?versionId=1", f"{root}/c"]
    with pytest.raises(FileNotFoundError):
        driver.cp_file(f"{root}/none", f"{root}/d")


def test_a_cancelled_upload_leaves_nothing(
    s3_moto: Service, moto_root: str, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(os.urandom(12 * PART))
    bucket, uploads = s3_moto.options["s3_bucket"], client(s3_moto.port).list_multipart_uploads

    async def cancelled() -> bool:
        driver = driver_of(s3_moto, asynchronous=True)
        upload = asyncio.create_task(driver._put_file(str(tmp_path / "large"), f"{moto_root}/a"))
        begun = lambda: "Uploads" in uploads(Bucket=bucket)  # noqa: E731 - one line
        await asyncio.to_thread(wait_until, begun, "the upload")
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        there: bool = await driver._isfile(f"{moto_root}/a")
        await driver._close()
        return there

    assert not asyncio.run(cancelled())
    forget_connections()
    assert "Uploads" not in uploads(Bucket=bucket)


def test_a_failed_download_leaves_no_file(driver: S3Driver, root: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        driver.get_file(f"{root}/none", str(tmp_path / "back"))
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("wrong", [{"key": "stranger"}, {"secret": "not-the-secret"}])
def test_wrong_keys_are_refused(s3_rclone: Service, folder: str, wrong: dict[str, str]) -> None:
    path = f"{s3_rclone.options['s3_bucket']}/{folder}"
    s3_rclone.raw.write(folder, b"content")
    with closing(driver_of(s3_rclone, **wrong)) as driver:
        calls: tuple[Callable[[], object], ...] = (
            lambda: driver.cat_file(path),
            lambda: driver.isfile(path),
            lambda: driver.exists(path.partition("/")[0]),
            lambda: driver.pipe_file(path, b"new"),
            lambda: driver.rm_file(path),
            lambda: driver.list_page(path),
            lambda: driver.ls(""),
        )
        for call in calls:
            with pytest.raises(PermissionError) as caught:
                call()
            assert caught.value.__cause__ is not None
            assert s3_rclone.password not in str(caught.value)
    with closing(driver_of(s3_rclone, missing_is_403=True, **wrong)) as driver:
        assert not driver.isfile(path)
        with pytest.raises(PermissionError):
            driver.list_page(path)


def test_no_credentials_are_no_anonymous_access(
    s3_moto: Service, moto_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with closing(driver_of(s3_moto, key=None, secret=None)) as driver:
        with pytest.raises(PermissionError, match="no AWS credentials"):
            driver.cat_file(f"{moto_root}/there")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_moto.username)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_moto.password)
        driver.close()
        assert driver.cat_file(f"{moto_root}/there") == b"0123456789"


def test_certificates_are_checked(
    s3_moto_tls: Service, certificates: Certificates, folder: str
) -> None:
    path = f"{s3_moto_tls.options['s3_bucket']}/{folder}"
    with closing(driver_of(s3_moto_tls)) as driver:
        driver.pipe_file(path, b"x" * 2**20)
        assert driver.cat_file(path) == b"x" * 2**20
    for trust in (None, str(certificates.other_ca)):
        with (
            closing(driver_of(s3_moto_tls, ca_bundle=trust)) as driver,
            pytest.raises(ConnectionError, match="verify=false turns the check off"),
        ):
            driver.cat_file(path)
    with closing(driver_of(s3_moto_tls, ca_bundle=None, verify=False)) as driver:
        assert driver.isfile(path)


@pytest.mark.parametrize("size", [10, 2**20, 15 * 2**20])
def test_a_mute_server_is_given_up(s3_moto: Service, mute_port: int, size: int) -> None:
    options = {"endpoint_url": f"http://{HOST}:{mute_port}", "read_timeout": 0.5}
    with closing(driver_of(s3_moto, **options)) as driver:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            driver.pipe_file("bucket/a", b"x" * size)
        with pytest.raises(TimeoutError):
            driver.exists("bucket")
        assert time.monotonic() - begin < 3


def test_a_slow_reader_is_waited_for(s3_moto: Service) -> None:
    """A server that needs more than the time-out in all is not mute; and there is no `Expect`."""
    size = 16 * 2**20
    head = bytearray()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            head.extend(connection.recv(2000))
            left = size + head.index(b"\r\n\r\n") + 4 - len(head)
            while left > 0 and (taken := connection.recv(2**16)):
                left -= len(taken)
                time.sleep(0.005)
            connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n')

    with socket.create_server((HOST, 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        options = {"endpoint_url": f"http://{HOST}:{listener.getsockname()[1]}"}
        with closing(driver_of(s3_moto, read_timeout=0.8, **options)) as driver:
            begin = time.monotonic()
            driver.pipe_file("bucket/a", b"x" * size)
            assert time.monotonic() - begin > 0.8
        thread.join()
    assert head.startswith(b"PUT /bucket/a HTTP/1.1\r\n")
    assert b"Expect" not in head


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
    s3_moto: Service, answer: bytes, tmp_path: Path
) -> None:
    for port in answering(b"HTTP/1.1 " + answer):
        with closing(driver_of(s3_moto, endpoint_url=f"http://{HOST}:{port}")) as driver:
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


def test_an_unreachable_server(s3_moto: Service) -> None:
    with closing(driver_of(s3_moto, endpoint_url=f"http://{HOST}:{free_port()}")) as driver:
        for call in (driver.cat_file, driver.isfile, driver.exists, driver.rm_file):
            with pytest.raises(ConnectionError):
                call("bucket/a")


def test_a_restart_is_survived(s3_rclone: Service, folder: str) -> None:
    path = f"{s3_rclone.options['s3_bucket']}/{folder}"
    assert s3_rclone.server is not None
    with closing(driver_of(s3_rclone)) as driver:
        driver.pipe_file(path, b"content")
        s3_rclone.server.restart()
        with suppress(ConnectionError):
            driver.cat_file(path)
        assert driver.cat_file(path) == b"content"
        driver.close()
        assert driver.cat_file(path) == b"content"


def test_many_threads(moto: S3Driver, moto_root: str) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(10):
            path, content = f"{moto_root}/{number}/{turn}", f"{number}:{turn}".encode()
            moto.pipe_file(path, content, mode="create")
            if moto.cat_file(path) != content or not moto.isfile(path):
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(moto.find(moto_root)) == 81


_FORKS = """
import gc, os, sys, time
from filestore_fsspec.drivers.s3.driver import S3Driver
url, key, secret, path = sys.argv[1:]
drivers = [S3Driver(url, key, secret, read_timeout=5)]
drivers[0].pipe_file(path, b"content")
for _ in range(3):
    child = os.fork()
    if not child:
        assert S3Driver(url, key, secret).cat_file(path) == b"content"
        drivers.clear()
        gc.collect()
        gc.collect()
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    begin = time.monotonic()
    assert drivers[0].cat_file(path) == b"content"
    assert time.monotonic() - begin < 2
"""


def test_a_forked_child_does_no_harm(s3_rclone: Service, folder: str) -> None:
    service = s3_rclone
    url = f"http://{service.host}:{service.port}"
    path = f"{service.options['s3_bucket']}/{folder}"
    command = [sys.executable, "-W", "ignore", "-c", _FORKS, url]
    subprocess.run([*command, service.username, service.password, path], check=True, timeout=30)


def test_answers_are_those_of_botocore(
    service: Service, driver: S3Driver, root: str, folder: str
) -> None:
    theirs = client(service.port)
    driver.pipe_file(f"{root}/there", b"0123456789")
    bucket = service.options["s3_bucket"]
    theirs.put_object(
        Bucket=bucket,
        Key=f"{folder}/rich",
        Body=b"0123456789",
        ContentType="text/x-test",
        CacheControl="no-store",
        Metadata={"one": "1", "two": "2"},
    )
    for method, arguments in (
        ("head_object", {"Key": f"{folder}/rich"}),
        ("head_object", {"Key": f"{folder}/there"}),
        ("get_object", {"Key": f"{folder}/rich", "Range": "bytes=2-4"}),
        ("list_objects_v2", {"Prefix": folder}),
    ):
        ours = driver.call_s3(method, Bucket=bucket, **arguments)
        expected = getattr(theirs, method)(Bucket=bucket, **arguments)
        for answer in (ours, expected):
            answer.pop("ResponseMetadata")
            answer.pop("Body", None)
            # rclone sends One and Two, of which aiobotocore makes one and two.
            metadata = answer.pop("Metadata", {})
            answer["metadata"] = {name.lower(): text for name, text in metadata.items()}
        assert ours == expected


def test_a_role_is_assumed(
    s3_moto: Service, moto_root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/files\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = base\naws_secret_access_key = base\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{HOST}:{s3_moto.port}")
    with closing(driver_of(s3_moto, key=None, secret=None)) as driver:
        assert driver.cat_file(f"{moto_root}/there") == b"0123456789"
        assert driver.s3._request_signer._credentials.method == "assume-role"
