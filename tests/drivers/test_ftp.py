"""What the FTP driver mends, on every server that we can start."""

from __future__ import annotations

import gc
import io
import os
import pickle
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from filestore_fsspec.drivers.ftp.driver import FTPDriver
from filestore_fsspec.keys import temporary_path
from tests.services.common import Certificates, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVERS = ["ftp_plain", "ftp_explicit", "ftp_implicit", "ftp_vsftpd", "ftp_vsftpd_tls"]


def make_driver(service: Service, **options: Any) -> FTPDriver:
    tls = "implicit" if service.scheme == "ftps" else "none"
    if "use_tls" in service.options:
        tls = "explicit"
    given = {
        "host": service.host,
        "port": service.port,
        "username": service.username,
        "password": service.password,
        "tls": tls,
        "ca_bundle": service.options.get("ca_bundle"),
        "connect_timeout": 5.0,
        "read_timeout": 10.0,
    }
    return FTPDriver(**{**given, **options})


@pytest.fixture(params=SERVERS)
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def driver(service: Service) -> Iterator[FTPDriver]:
    made = make_driver(service)
    yield made
    made.close()


@pytest.fixture
def root() -> str:
    return uuid4().hex


class TestContent:
    def test_get_put_exists_delete(self, driver: FTPDriver, service: Service, root: str) -> None:
        path = f"/{root}/a/b c/.hidden é.bin"
        content = os.urandom(300_000)
        driver.pipe_file(path, content)
        assert service.raw.read(path[1:]) == content
        assert driver.cat_file(path) == content
        assert driver.isfile(path)
        assert driver.exists(f"/{root}/a")
        assert not driver.isfile(f"/{root}/a")
        driver.rm_file(path)
        assert not driver.exists(path)
        assert service.raw.read(path[1:]) is None

    def test_an_empty_file(self, driver: FTPDriver, root: str) -> None:
        driver.pipe_file(f"/{root}/empty", b"")
        assert driver.cat_file(f"/{root}/empty") == b""
        assert driver.info(f"/{root}/empty")["size"] == 0

    @pytest.mark.parametrize(
        ("start", "end"),
        [(0, 10), (5, None), (-5, None), (10, 20), (-10, -5), (99_990, 200_000), (7, 7), (20, 10),
         (100_000, None), (200_000, None), (-200_000, 3), (None, -99_000)],
    )  # fmt: skip
    def test_ranges(
        self, driver: FTPDriver, service: Service, root: str, start: int | None, end: int | None
    ) -> None:
        content = os.urandom(100_000)
        service.raw.write(f"{root}/x", content)
        expected = content[slice(start, end)]
        assert driver.cat_file(f"/{root}/x", start, end) == expected
        assert driver.cat_file(f"/{root}/x") == content

    def test_a_part_of_a_large_file_leaves_the_next_call_right(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        content = os.urandom(20_000_000)
        service.raw.write(f"{root}/x", content)
        for start in (0, 1_000_000, 19_000_000):
            assert driver.cat_file(f"/{root}/x", start, start + 10) == content[start : start + 10]
            assert driver.cat_file(f"/{root}/x", -3) == content[-3:]

    def test_files_stream_both_ways(
        self, driver: FTPDriver, service: Service, root: str, tmp_path: Any
    ) -> None:
        content = os.urandom(5_000_000)
        source, dest = tmp_path / "source", tmp_path / "below" / "dest"
        source.write_bytes(content)
        driver.put_file(str(source), f"/{root}/d/x")
        assert service.raw.read(f"{root}/d/x") == content
        driver.get_file(f"/{root}/d/x", str(dest))
        assert dest.read_bytes() == content
        driver.put_file(io.BytesIO(b"open"), f"/{root}/d/y")
        target = io.BytesIO()
        driver.get_file(f"/{root}/d/y", target)
        assert target.getvalue() == b"open"
        with pytest.raises(FileNotFoundError):
            driver.get_file(f"/{root}/d/none", str(dest))
        assert dest.read_bytes() == content
        assert sorted(path.name for path in dest.parent.iterdir()) == ["dest"]

    def test_create_leaves_what_is_there(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        driver.pipe_file(f"/{root}/x", b"one", mode="create")
        for size in (3, 3_000_000):
            with pytest.raises(FileExistsError):
                driver.pipe_file(f"/{root}/x", b"t" * size, mode="create")
        with pytest.raises(FileExistsError):
            driver.put_file(io.BytesIO(b"two"), f"/{root}/x", mode="create")
        assert {path for path in service.raw.paths() if path.startswith(root)} == {f"{root}/x"}
        assert service.raw.read(f"{root}/x") == b"one"
        driver.pipe_file(f"/{root}/x", b"three")
        assert service.raw.read(f"{root}/x") == b"three"

    def test_a_source_that_fails_leaves_nothing(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        class Failing(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 1_000_000:
                    raise RuntimeError("the source failed")
                return super().read(size)

        service.raw.write(f"{root}/x", b"old")
        with pytest.raises(RuntimeError, match="the source failed"):
            driver.put_file(Failing(os.urandom(3_000_000)), f"/{root}/x")
        assert {path for path in service.raw.paths() if path.startswith(root)} == {f"{root}/x"}
        assert driver.cat_file(f"/{root}/x") == b"old"

    def test_names_with_line_breaks_are_refused(self, driver: FTPDriver, root: str) -> None:
        for name in ("a\nb", "a\rb", "a\0b", "a\ud800b"):
            with pytest.raises(OSError, match=r"line break|UTF-8"):
                driver.pipe_file(f"/{root}/{name}", b"x")
            with pytest.raises(OSError, match=r"line break|UTF-8"):
                driver.isfile(f"/{root}/{name}")

    def test_names_that_are_options_or_patterns(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        names = ["-l", "*", "[a]", "{a,b}", "a -> b", " x ", "~", "a?b", "#", "%41", "a;b=c", "'\""]
        for name in names:
            driver.pipe_file(f"/{root}/{name}", name.encode())
        for name in names:
            assert driver.cat_file(f"/{root}/{name}") == name.encode()
            assert driver.isfile(f"/{root}/{name}")
            assert service.raw.read(f"{root}/{name}") == name.encode()
        for name in ("x*", "-a", "b?", "nope"):
            assert not driver.isfile(f"/{root}/{name}")
            assert not driver.exists(f"/{root}/{name}")
        assert driver.ls(f"/{root}", detail=False) == sorted(f"/{root}/{name}" for name in names)


class TestOpen:
    def test_reads_anywhere(self, driver: FTPDriver, service: Service, root: str) -> None:
        content = os.urandom(1_000_000)
        service.raw.write(f"{root}/x", content)
        with driver.open(f"/{root}/x", "rb", block_size=10_000) as file:
            assert file.read(5) == content[:5]
            file.seek(-7, 2)
            assert file.read() == content[-7:]
            file.seek(400_000)
            assert file.read(30_000) == content[400_000:430_000]
        with pytest.raises(IsADirectoryError):
            driver.open(f"/{root}", "rb")
        with pytest.raises(FileNotFoundError):
            driver.open(f"/{root}/none", "rb")

    @pytest.mark.parametrize("size", [0, 10, 2_500_000])
    def test_shows_nothing_before_it_is_closed(
        self, driver: FTPDriver, service: Service, root: str, size: int
    ) -> None:
        content = os.urandom(size)
        with driver.open(f"/{root}/d/x", "wb", block_size=1_000_000) as file:
            file.write(content)
            assert not driver.exists(f"/{root}/d/x")
        assert service.raw.read(f"{root}/d/x") == content

    @pytest.mark.parametrize("size", [10, 2_500_000])
    def test_a_body_that_raises_commits_nothing(
        self, driver: FTPDriver, service: Service, root: str, size: int
    ) -> None:
        service.raw.write(f"{root}/x", b"old")

        def write_and_fail() -> None:
            with driver.open(f"/{root}/x", "wb", block_size=1_000_000) as file:
                file.write(os.urandom(size))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            write_and_fail()
        gc.collect()
        assert service.raw.read(f"{root}/x") == b"old"
        assert {path for path in service.raw.paths() if path.startswith(root)} == {f"{root}/x"}

    def test_a_forgotten_file_commits_nothing(self, driver: FTPDriver, root: str) -> None:
        file = driver.open(f"/{root}/x", "wb")
        file.write(b"half")
        del file
        gc.collect()
        assert not driver.exists(f"/{root}/x")

    def test_exclusive(self, driver: FTPDriver, service: Service, root: str) -> None:
        with driver.open(f"/{root}/x", "xb") as file:
            file.write(b"one")
        with pytest.raises(FileExistsError):
            driver.open(f"/{root}/x", "xb")
        file = driver.open(f"/{root}/y", "xb")
        file.write(b"mine")
        service.raw.write(f"{root}/y", b"another's")
        with pytest.raises(FileExistsError):
            file.close()
        assert service.raw.read(f"{root}/y") == b"another's"
        assert driver.ls(f"/{root}", detail=False) == [f"/{root}/x", f"/{root}/y"]

    def test_transaction(self, driver: FTPDriver, service: Service, root: str) -> None:
        with driver.transaction:
            with driver.open(f"/{root}/x", "wb") as file:
                file.write(b"in")
            assert not driver.exists(f"/{root}/x")
        assert service.raw.read(f"{root}/x") == b"in"


class TestFolders:
    def test_ls_info_and_pages(self, driver: FTPDriver, service: Service, root: str) -> None:
        for name in ("a/1", "a/b/2", "ab", "c/.3"):
            service.raw.write(f"{root}/{name}", b"12345")
        service.raw.write(temporary_path(f"{root}/a/1"), b"half")
        listed = driver.ls(f"/{root}/a")
        assert [(info["name"], info["type"], info["size"]) for info in sorted(
            listed, key=lambda info: str(info["name"])
        )] == [(f"/{root}/a/1", "file", 5), (f"/{root}/a/b", "directory", None)]  # fmt: skip
        info = driver.info(f"/{root}/ab")
        assert (info["name"], info["type"], info["size"]) == (f"/{root}/ab", "file", 5)
        assert abs(info["modified"].timestamp() - time.time()) < 60
        assert driver.info(f"/{root}/a")["type"] == "directory"
        assert driver.info("/")["type"] == "directory"
        assert driver.ls(f"/{root}/ab", detail=False) == [f"/{root}/ab"]
        for prefix, expected in [
            (f"/{root}/", {"a/1", "a/b/2", "ab", "c/.3"}),
            (f"/{root}/a", {"a/1", "a/b/2", "ab"}),
            (f"/{root}/a/", {"a/1", "a/b/2"}),
            (f"/{root}/a/b/2", {"a/b/2"}),
            (f"/{root}/none/x", set()),
            (f"/{root}/ab/x", set()),
        ]:
            assert set(_pages(driver, prefix)) == {f"/{root}/{name}" for name in expected}
        assert driver.find(f"/{root}/a") == [f"/{root}/a/1", f"/{root}/a/b/2"]

    def test_make_move_copy_remove(self, driver: FTPDriver, service: Service, root: str) -> None:
        driver.makedirs(f"/{root}/a/b")
        driver.makedirs(f"/{root}/a/b", exist_ok=True)
        with pytest.raises(FileExistsError):
            driver.makedirs(f"/{root}/a/b")
        with pytest.raises(FileNotFoundError):
            driver.mkdir(f"/{root}/x/y", create_parents=False)
        driver.pipe_file(f"/{root}/a/b/1", b"1")
        driver.cp_file(f"/{root}/a/b/1", f"/{root}/c/2")
        driver.mv(f"/{root}/a/b/1", f"/{root}/d/e/3")
        assert {path for path in service.raw.paths() if path.startswith(root)} == {
            f"{root}/c/2",
            f"{root}/d/e/3",
        }
        with pytest.raises(FileNotFoundError):
            driver.mv(f"/{root}/a/b/1", f"/{root}/z")
        with pytest.raises(FileNotFoundError):
            driver.rm_file(f"/{root}/a/b/1")
        with pytest.raises(OSError, match="not empty"):
            driver.rmdir(f"/{root}/d")
        with pytest.raises(NotADirectoryError):
            driver.rmdir(f"/{root}/c/2")
        with pytest.raises(FileNotFoundError):
            driver.rmdir(f"/{root}/none")
        service.raw.write(temporary_path(f"{root}/d/3"), b"left behind")
        driver.rm(f"/{root}", recursive=True)
        assert not driver.exists(f"/{root}")

    def test_missing_folders(self, driver: FTPDriver, root: str) -> None:
        with pytest.raises(FileNotFoundError):
            driver.ls(f"/{root}")
        for call in (driver.cat_file, driver.info, driver.rm_file, driver.rmdir):
            with pytest.raises(FileNotFoundError):
                call(f"/{root}/x/y")
        assert not driver.isdir(f"/{root}")
        assert not driver.isfile(f"/{root}/x/y")

    def test_below_a_file_is_nothing(self, driver: FTPDriver, service: Service, root: str) -> None:
        service.raw.write(f"{root}/x", b"1")
        assert not driver.isfile(f"/{root}/x/y")
        assert not driver.exists(f"/{root}/x/y/z")
        with pytest.raises(FileNotFoundError):
            driver.cat_file(f"/{root}/x/y")
        with pytest.raises(PermissionError):
            driver.pipe_file(f"/{root}/x/y", b"2")
        assert service.raw.read(f"{root}/x") == b"1"

    def test_links(self, driver: FTPDriver, service: Service, root: str) -> None:
        service.raw.write(f"{root}/a/x", b"12345")
        folder = service.raw.folder / root  # type: ignore[attr-defined]
        (folder / "to file").symlink_to("a/x")
        (folder / "to folder").symlink_to("a")
        (folder / "to nothing").symlink_to("none")
        found = {info["name"]: (info["type"], info["size"]) for info in driver.ls(f"/{root}")}
        assert found[f"/{root}/to file"] == ("file", 5)
        assert found[f"/{root}/to folder"][0] == "directory"
        assert driver.cat_file(f"/{root}/to folder/x") == b"12345"
        assert not driver.isfile(f"/{root}/to nothing")

    def test_a_name_with_a_line_break_is_left_out(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        service.raw.write(f"{root}/a\nb", b"1")
        service.raw.write(f"{root}/c", b"1")
        assert driver.ls(f"/{root}", detail=False) == [f"/{root}/c"]
        service.raw.write(f"{root}/a", b"1")
        with pytest.raises(ConnectionError, match="cannot be read"):
            driver.ls(f"/{root}", detail=False)  # nobody can tell which line is whose


def _pages(driver: FTPDriver, prefix: str) -> Iterator[str]:
    token: Any = None
    for _ in range(100):
        infos, token = driver.list_page(prefix, token)
        yield from (info["name"] for info in infos)
        if token is None:
            return
    raise AssertionError("pages without end")


class TestForbidden:
    """A 550 that means `forbidden` is not `missing`; only vsftpd works as another user here."""

    @pytest.fixture(params=["ftp_vsftpd", "ftp_vsftpd_tls"])
    def service(self, request: pytest.FixtureRequest) -> Service:
        found: Service = request.getfixturevalue(request.param)
        return found

    @pytest.fixture
    def closed(self, service: Service, root: str) -> Iterator[Callable[[str, int], None]]:
        folder = service.raw.folder / root  # type: ignore[attr-defined]
        service.raw.write(f"{root}/folder/x", b"1")
        service.raw.write(f"{root}/file", b"1")

        def close(name: str, mode: int) -> None:
            (folder / name).chmod(mode)

        yield close
        close("folder", 0o755)
        close("file", 0o644)

    @pytest.mark.parametrize("mode", [0o000, 0o444])
    def test_what_is_in_a_closed_folder_is_unknown(
        self, driver: FTPDriver, root: str, closed: Callable[[str, int], None], mode: int
    ) -> None:
        closed("folder", mode)
        for name in ("x", "y", "y/z"):
            for call in (driver.cat_file, driver.isfile, driver.exists, driver.info):
                with pytest.raises(PermissionError):
                    call(f"/{root}/folder/{name}")
            with pytest.raises(PermissionError):
                driver.rm_file(f"/{root}/folder/{name}")
            with pytest.raises(PermissionError):
                driver.pipe_file(f"/{root}/folder/{name}", b"2", mode="create")
        with pytest.raises(PermissionError):
            driver.find(f"/{root}")
        with pytest.raises(PermissionError):
            list(_pages(driver, f"/{root}/"))

    def test_a_folder_that_cannot_be_listed(
        self, driver: FTPDriver, root: str, closed: Callable[[str, int], None]
    ) -> None:
        closed("folder", 0o111)
        with pytest.raises(PermissionError):
            driver.ls(f"/{root}/folder")
        assert driver.cat_file(f"/{root}/folder/x") == b"1"
        with pytest.raises(PermissionError):
            driver.isfile(f"/{root}/folder/y")

    def test_a_file_that_cannot_be_read(
        self, driver: FTPDriver, root: str, closed: Callable[[str, int], None]
    ) -> None:
        closed("file", 0o000)
        with pytest.raises(PermissionError):
            driver.cat_file(f"/{root}/file")
        assert driver.isfile(f"/{root}/file")
        closed("folder", 0o555)
        with pytest.raises(PermissionError):
            driver.pipe_file(f"/{root}/folder/z", b"2")
        with pytest.raises(PermissionError):
            driver.rm_file(f"/{root}/folder/x")


class TestConnections:
    def test_many_threads_get_right_answers(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        contents = {f"/{root}/{number}": os.urandom(5000 + number) for number in range(8)}
        for path, content in contents.items():
            service.raw.write(path[1:], content)

        def work(number: int) -> None:
            path = f"/{root}/{number % 8}"
            assert driver.cat_file(path) == contents[path]
            assert not driver.isfile(f"/{root}/none")
            driver.pipe_file(f"/{root}/new/{number}", contents[path])
            assert driver.cat_file(f"/{root}/new/{number}") == contents[path]

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(work, range(80)))
        assert len(driver.requests.pool.idle) <= 8

    def test_a_restart_between_two_calls(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        driver.pipe_file(f"/{root}/x", b"1")
        assert service.server is not None
        service.server.restart()
        assert driver.cat_file(f"/{root}/x") == b"1"

    def test_a_fork_leaves_the_parents_connections_alone(
        self, driver: FTPDriver, service: Service, root: str
    ) -> None:
        service.raw.write(f"{root}/x", b"1")
        assert driver.cat_file(f"/{root}/x") == b"1"
        for _ in range(2):
            child = os.fork()
            if child == 0:
                right = False
                try:
                    right = not driver.requests.pool.idle and driver.cat_file(f"/{root}/x") == b"1"
                    driver.close()
                finally:
                    os._exit(0 if right else 1)
            assert driver.cat_file(f"/{root}/x") == b"1"
            assert os.waitpid(child, 0)[1] == 0
            assert driver.cat_file(f"/{root}/x") == b"1"

    def test_close_and_use_again(self, driver: FTPDriver, service: Service, root: str) -> None:
        service.raw.write(f"{root}/x", b"1")
        assert driver.cat_file(f"/{root}/x") == b"1"
        driver.close()
        assert not driver.requests.pool.idle
        assert driver.cat_file(f"/{root}/x") == b"1"
        again = pickle.loads(pickle.dumps(driver))  # noqa: S301 - our own
        assert again is not driver
        assert again.cat_file(f"/{root}/x") == b"1"
        again.close()

    def test_a_wrong_password(self, service: Service) -> None:
        driver = make_driver(service, password="wr0ng-secret")
        with pytest.raises(PermissionError, match="login") as caught:
            driver.cat_file("/x")
        assert "wr0ng-secret" not in repr(caught.value) + repr(caught.value.__cause__)
        assert "wr0ng-secret" not in repr(driver) + repr(driver.requests.pool.settings)

    def test_a_closed_port(self, service: Service) -> None:
        driver = make_driver(service, port=free_port())
        for call in (driver.isfile, driver.cat_file, driver.exists, driver.ls):
            with pytest.raises(ConnectionError):
                call("/x")

    def test_anonymous(self, ftp_plain: Service, root: str) -> None:
        ftp_plain.raw.write(f"{root}/x", b"1")
        driver = make_driver(ftp_plain, username="", password="")
        assert driver.cat_file(f"{root}/x") == b"1"
        with pytest.raises(PermissionError):
            driver.pipe_file(f"/{root}/y", b"1")
        driver.close()

    def test_no_more_than_its_connections(self, ftp_plain: Service) -> None:
        driver = make_driver(ftp_plain, connections=1, read_timeout=0.3)
        with driver.requests.pool.lease(), pytest.raises(TimeoutError, match="busy"):
            driver.isfile("/x")
        assert not driver.isfile("/x")
        driver.close()


class TestTLS:
    @pytest.fixture(params=["ftp_explicit", "ftp_implicit", "ftp_vsftpd_tls"])
    def service(self, request: pytest.FixtureRequest) -> Service:
        found: Service = request.getfixturevalue(request.param)
        return found

    def test_an_unknown_authority(self, service: Service, certificates: Certificates) -> None:
        for ca_bundle in (None, str(certificates.other_ca)):
            driver = make_driver(service, ca_bundle=ca_bundle)
            with pytest.raises(ConnectionError, match="verify=false") as caught:
                driver.isfile("/x")
            assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
        unchecked = make_driver(service, ca_bundle=None, verify=False)
        assert not unchecked.isfile("/x")
        unchecked.close()

    def test_a_name_that_is_not_in_the_certificate(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = socket.create_connection
        monkeypatch.setattr(
            socket,
            "create_connection",
            lambda to, *rest, **more: real(("localhost", to[1]), *rest, **more),
        )
        driver = make_driver(service, host="other.example")
        with pytest.raises(ConnectionError, match="verify=false"):
            driver.isfile("/x")

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_both_versions(self, service: Service, root: str, version: ssl.TLSVersion) -> None:
        driver = make_driver(service)
        context = driver.requests.pool.settings.context
        assert context is not None
        context.minimum_version = context.maximum_version = version
        content = os.urandom(5_000_000)
        for number in range(3):
            driver.pipe_file(f"/{root}/{number}", content)
            driver.pipe_file(f"/{root}/{number}", content[:10])
            assert driver.cat_file(f"/{root}/{number}") == content[:10]
        driver.pipe_file(f"/{root}/x", content)
        assert driver.cat_file(f"/{root}/x") == content
        assert driver.cat_file(f"/{root}/x", 100, 200) == content[100:200]
        with driver.requests.pool.lease() as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            assert client.sock.version() == version.name.replace("_", ".")
        driver.close()

    def test_small_uploads_do_not_wait_for_acknowledgements(
        self, service: Service, root: str
    ) -> None:
        driver = make_driver(service)
        driver.pipe_file(f"/{root}/x", b"1")
        started = time.monotonic()
        for _ in range(20):
            driver.pipe_file(f"/{root}/x", b"1" * 100)
        assert (time.monotonic() - started) / 20 < 0.03
        driver.close()

    def test_clear_text_is_not_an_answer(self, ftp_plain: Service) -> None:
        driver = make_driver(ftp_plain, tls="explicit")
        with pytest.raises(OSError, match="no explicit TLS"):
            driver.isfile("/x")
        driver = make_driver(ftp_plain, tls="implicit")
        with pytest.raises(ConnectionError):
            driver.isfile("/x")


def test_a_reader_sees_the_old_or_the_new(driver: FTPDriver, root: str) -> None:
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    driver.pipe_file(f"/{root}/x", contents[0])
    done = threading.Event()
    seen = []

    def read() -> None:
        while not done.is_set():
            seen.append(driver.cat_file(f"/{root}/x"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(30):
            driver.pipe_file(f"/{root}/x", contents[number % 2])
    finally:
        done.set()
        reader.join()
    assert seen
    assert set(seen) <= set(contents)
