"""The SFTP driver, against OpenSSH's server and asyncssh's."""

from __future__ import annotations

import asyncio
import errno
import gc
import multiprocessing
import os
import re
import secrets
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from asyncssh.encryption import get_default_encryption_algs

from filestore_fsspec.drivers.sftp import requests
from filestore_fsspec.drivers.sftp.driver import SFTPDriver
from filestore_fsspec.drivers.sftp.requests import SFTPHandle
from filestore_fsspec.drivers.shared.errors import Absent
from filestore_fsspec.keys import is_temporary
from filestore_fsspec.portability import write_at
from tests.services.common import FolderRaw, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.sftp import SFTPKeys

CONTENT = bytes(range(256)) * 40
LARGE = secrets.token_bytes(3 * 2**20 + 17)


def driver(service: Service, **options: Any) -> SFTPDriver:
    arguments: dict[str, Any] = {
        "username": service.username,
        "password": service.password,
        "known_hosts": service.options["known_hosts"],
        "connect_timeout": 5,
        "read_timeout": 10,
        **options,
    }
    return SFTPDriver(service.host, service.port, **arguments)


@pytest.fixture(params=["sftp_openssh", "sftp_asyncssh"])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def fs(service: Service) -> Iterator[SFTPDriver]:
    made = driver(service)
    yield made
    made.close()


@pytest.fixture
def root(service: Service) -> str:
    """A folder of its own for each test, as a path on the server; it is not there yet."""
    return f"/{service.base}{secrets.token_hex(6)}"


def behind(service: Service, path: str) -> Path:
    """Where this machine keeps what the server calls `path`."""
    assert isinstance(service.raw, FolderRaw)
    return service.raw.folder / path.removeprefix(f"/{service.base}")


def ssh_of(fs: SFTPDriver) -> Any:
    """The connection that it has made, for asyncssh's own counts."""
    assert fs.requests.connection._link is not None
    return fs.requests.connection._link.ssh


def stale_files(service: Service, root: str) -> list[str]:
    return [str(path) for path in behind(service, root).rglob("*") if is_temporary(str(path))]


# Reading


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 5), (3, 9), (-4, None), (None, -4), (7, None), (-9, -2), (5, 5), (9, 3), (20_000, None)],
)
def test_a_range_is_a_slice(fs: SFTPDriver, root: str, start: int | None, end: int | None) -> None:
    fs.pipe_file(f"{root}/f", CONTENT)
    assert fs.cat_file(f"{root}/f", start, end) == CONTENT[start:end]


def test_a_large_range_takes_many_requests(fs: SFTPDriver, root: str) -> None:
    fs.pipe_file(f"{root}/f", LARGE)
    assert fs.cat_file(f"{root}/f") == LARGE
    assert fs.cat_file(f"{root}/f", 1000, 2_000_000) == LARGE[1000:2_000_000]
    assert fs.cat_file(f"{root}/f", -2_000_000) == LARGE[-2_000_000:]
    assert fs.cat_ranges([f"{root}/f"] * 2, [0, 5], [3, 9]) == [LARGE[:3], LARGE[5:9]]


def test_absent_is_absent(fs: SFTPDriver, root: str, tmp_path: Path) -> None:
    for call in (fs.cat_file, fs.info, fs.rm_file, fs.open, fs.rm):
        with pytest.raises(FileNotFoundError):
            call(f"{root}/no")
    with pytest.raises(FileNotFoundError):
        fs.get_file(f"{root}/no", str(tmp_path / "local"))
    assert not (tmp_path / "local").exists()
    assert not fs.isfile(f"{root}/no")
    assert not fs.exists(f"{root}/no")


def test_a_folder_is_no_file(fs: SFTPDriver, root: str, tmp_path: Path) -> None:
    fs.pipe_file(f"{root}/folder/f", b"x")
    assert not fs.isfile(f"{root}/folder")
    assert fs.isdir(f"{root}/folder")
    for call in (fs.cat_file, fs.rm_file):
        with pytest.raises(Absent):
            call(f"{root}/folder")
    with pytest.raises(IsADirectoryError):
        fs.open(f"{root}/folder")
    with pytest.raises(NotADirectoryError):
        fs.rmdir(f"{root}/folder/f")
    fs.get_file(f"{root}/folder", str(tmp_path / "local"))
    assert (tmp_path / "local").is_dir()
    assert fs.isfile(f"{root}/folder/f")


def test_a_file_is_no_folder(fs: SFTPDriver, root: str) -> None:
    fs.pipe_file(f"{root}/f", b"x")
    assert not fs.isfile(f"{root}/f/below")
    with pytest.raises(FileNotFoundError):
        fs.cat_file(f"{root}/f/below")
    for path in (f"{root}/f/below", f"{root}/f/far/below"):
        with pytest.raises(NotADirectoryError):
            fs.pipe_file(path, b"y")
        for call in (fs.mkdir, fs.makedirs):
            with pytest.raises(NotADirectoryError):
                call(path)
    fs.pipe_file(f"{root}/g", b"z")
    with pytest.raises(NotADirectoryError):
        fs.mv(f"{root}/g", f"{root}/f/below")
    assert [info["name"] for info in fs.ls(f"{root}/f")] == [f"{root}/f"]
    assert pages(fs, f"{root}/f/") == []
    assert fs.cat_file(f"{root}/f") == b"x"


def test_info_tells_size_and_time(fs: SFTPDriver, root: str, service: Service) -> None:
    fs.pipe_file(f"{root}/f", CONTENT)
    os.utime(behind(service, f"{root}/f"), (5, 1_700_000_000))
    info = fs.info(f"{root}/f")
    assert (info["name"], info["size"], info["type"]) == (f"{root}/f", len(CONTENT), "file")
    assert info["modified"] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert fs.modified(f"{root}/f") == info["modified"]


def test_a_link_is_what_it_leads_to(fs: SFTPDriver, root: str, service: Service) -> None:
    fs.pipe_file(f"{root}/folder/f", b"x")
    folder = behind(service, root)
    (folder / "link").symlink_to("folder/f")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "linked").symlink_to("folder")
    (folder / "folder" / "up").symlink_to("..")
    assert fs.isfile(f"{root}/link")
    assert fs.cat_file(f"{root}/link") == b"x"
    assert not fs.isfile(f"{root}/dangling")
    types = {info["name"].removeprefix(root): info["type"] for info in fs.ls(root)}
    assert types == {"/folder": "directory", "/linked": "directory", "/link": "file"}
    assert [info["name"] for info in fs.ls(f"{root}/folder")] == [f"{root}/folder/f"]
    found = {name.removeprefix(root) for name in pages(fs, f"{root}/")}
    assert found == {"/folder/f", "/link", "/linked/f"}
    assert found == {name.removeprefix(root) for name in fs.find(root)}


def test_a_link_to_itself_is_absent(fs: SFTPDriver, root: str, service: Service) -> None:
    fs.pipe_file(f"{root}/f", b"x")
    folder = behind(service, root)
    (folder / "loop").symlink_to("loop")
    (folder / "there").symlink_to("back")
    (folder / "back").symlink_to("there")
    for name in ("loop", "there"):
        path = f"{root}/{name}"
        assert not fs.exists(path)
        for call in (fs.info, fs.cat_file, fs.open):
            with pytest.raises(Absent):
                call(path)
    assert fs.ls(root, detail=False) == fs.find(root) == pages(fs, f"{root}/") == [f"{root}/f"]
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{root}/loop", b"y", mode="create")
    fs.pipe_file(f"{root}/loop", b"z")
    assert fs.cat_file(f"{root}/loop") == b"z"
    fs.rm(root, recursive=True)
    assert not fs.exists(root)


def test_names_that_are_not_utf_8_are_left_out(fs: SFTPDriver, root: str, service: Service) -> None:
    fs.pipe_file(f"{root}/f", b"x")
    odd = behind(service, root) / "\udcff\udc80"
    odd.write_bytes(b"y")
    assert fs.ls(root, detail=False) == fs.find(root) == pages(fs, f"{root}/") == [f"{root}/f"]
    with pytest.raises(OSError, match="not empty") as caught:
        fs.rm(root, recursive=True)
    assert caught.value.errno == errno.ENOTEMPTY
    assert odd.read_bytes() == b"y"


def test_a_folder_does_not_replace_a_file(fs: SFTPDriver, root: str) -> None:
    fs.pipe_file(f"{root}/folder/f", b"x")
    fs.pipe_file(f"{root}/f", b"y")
    with pytest.raises(NotADirectoryError):
        fs.mv(f"{root}/folder", f"{root}/f")
    with pytest.raises(IsADirectoryError):
        fs.mv(f"{root}/f", f"{root}/folder")
    assert sorted(fs.find(root)) == [f"{root}/f", f"{root}/folder/f"]
    fs.mv(f"{root}/folder", f"{root}/new/place")
    assert fs.cat_file(f"{root}/new/place/f") == b"x"


def test_a_small_file_is_put_without_a_thread(
    fs: SFTPDriver, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs.makedirs(root)
    (tmp_path / "small").write_bytes(CONTENT)
    monkeypatch.setattr(asyncio, "to_thread", None)
    before = ssh_of(fs)._send_seq
    fs.put_file(str(tmp_path / "small"), f"{root}/f")
    # Open; write, with which the rest is joined: ask for the size and close; rename.
    assert ssh_of(fs)._send_seq <= before + 4
    assert fs.cat_file(f"{root}/f") == CONTENT


def test_rights_are_not_absence(sftp_openssh: Service) -> None:
    fs = driver(sftp_openssh)
    closed = behind(sftp_openssh, f"/{sftp_openssh.base}closed-{secrets.token_hex(4)}")
    closed.mkdir(mode=0o700)  # root's, and the user is not root
    path = f"/{sftp_openssh.base}{closed.name}"
    for call in (fs.cat_file, fs.isfile, fs.isdir, fs.exists, fs.info, fs.rm_file):
        with pytest.raises(PermissionError):
            call(f"{path}/f")
    for call in (fs.find, fs.ls):
        with pytest.raises(PermissionError):
            call(path)
    with pytest.raises(PermissionError):
        fs.pipe_file(f"{path}/f", b"x")
    fs.close()


# Writing


def test_create_leaves_alone_what_is_there(fs: SFTPDriver, root: str, service: Service) -> None:
    fs.pipe_file(f"{root}/a/f", b"first", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{root}/a/f", b"second", mode="create")
    assert fs.cat_file(f"{root}/a/f") == b"first"
    fs.pipe_file(f"{root}/a/f", b"third")
    assert fs.cat_file(f"{root}/a/f") == b"third"
    assert not stale_files(service, root)


def test_what_is_large_is_not_sent_to_a_name_that_is_taken(fs: SFTPDriver, root: str) -> None:
    content = bytes(2**20)
    fs.pipe_file(f"{root}/f", b"first")
    before = ssh_of(fs)._rekey_bytes_sent
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{root}/f", content, mode="create")
    assert ssh_of(fs)._rekey_bytes_sent - before < 10_000
    fs.pipe_file(f"{root}/g", content, mode="create")
    assert fs.cat_file(f"{root}/g") == content


def test_one_of_many_creators_wins(fs: SFTPDriver, root: str, service: Service) -> None:
    def create(number: int) -> bool:
        try:
            fs.pipe_file(f"{root}/x/f", b"%d" % number, mode="create")
        except FileExistsError:
            return False
        return True

    for _ in range(5):
        with ThreadPoolExecutor(8) as threads:
            won = [number for number, made in enumerate(threads.map(create, range(8))) if made]
        assert [b"%d" % number for number in won] == [fs.cat_file(f"{root}/x/f")]
        fs.rm_file(f"{root}/x/f")
    assert not stale_files(service, root)


def test_a_reader_sees_old_or_new(fs: SFTPDriver, root: str, service: Service) -> None:
    contents = [bytes([letter]) * 700_000 for letter in b"ab"]
    fs.pipe_file(f"{root}/f", contents[0])
    ended = threading.Event()
    seen = set()

    def watch() -> None:
        reader = driver(service)
        while not ended.is_set():
            seen.add(reader.cat_file(f"{root}/f"))
        reader.close()

    with ThreadPoolExecutor(1) as threads:
        watching = threads.submit(watch)
        for number in range(60):
            fs.pipe_file(f"{root}/f", contents[number % 2])
        ended.set()
        watching.result()
    assert seen <= set(contents)


def test_an_open_file_stays_what_it_was(fs: SFTPDriver, root: str) -> None:
    fs.pipe_file(f"{root}/f", LARGE)
    with fs.open(f"{root}/f", "rb", block_size=1000) as file:
        assert file.read(10) == LARGE[:10]
        fs.pipe_file(f"{root}/f", b"other")
        file.seek(-10, 2)
        assert file.read() == LARGE[-10:]


def test_put_and_get_files(fs: SFTPDriver, root: str, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(LARGE)
    fs.put_file(str(tmp_path / "up"), f"{root}/a/b/f")
    fs.get_file(f"{root}/a/b/f", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == LARGE
    with pytest.raises(FileExistsError):
        fs.put_file(str(tmp_path / "up"), f"{root}/a/b/f", mode="create")
    (tmp_path / "up").write_bytes(b"")
    fs.put_file(str(tmp_path / "up"), f"{root}/a/b/f")
    fs.get_file(f"{root}/a/b/f", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == b""


def test_a_failed_write_leaves_nothing(fs: SFTPDriver, root: str, service: Service) -> None:
    fs.pipe_file(f"{root}/folder/f", b"x")
    for mode in ("overwrite", "create"):
        with pytest.raises(IsADirectoryError):
            fs.pipe_file(f"{root}/folder", b"y", mode=mode)
    with pytest.raises(FileNotFoundError):
        fs.cp_file(f"{root}/no", f"{root}/copy")
    assert [name.removeprefix(root) for name in fs.find(root)] == ["/folder/f"]
    assert not stale_files(service, root)


def test_an_open_file_shows_when_closed(fs: SFTPDriver, root: str, service: Service) -> None:
    with fs.open(f"{root}/a/f", "wb", block_size=2**20) as file:
        file.write(LARGE)
        assert not fs.isfile(f"{root}/a/f")
        assert pages(fs, f"{root}/") == []
    assert fs.cat_file(f"{root}/a/f") == LARGE
    with pytest.raises(FileExistsError):
        fs.open(f"{root}/a/f", "xb")
    with fs.open(f"{root}/empty", "xb"):
        pass
    assert fs.cat_file(f"{root}/empty") == b""
    assert not stale_files(service, root)


def test_an_open_file_goes_with_the_exception(fs: SFTPDriver, root: str, service: Service) -> None:
    fs.pipe_file(f"{root}/f", b"old")

    def fail() -> None:
        with fs.open(f"{root}/f", "wb", block_size=2**20) as file:
            file.write(LARGE)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    file = fs.open(f"{root}/f", "wb")
    file.write(b"forgotten")
    del file
    gc.collect()
    fs.exists(root)  # served after what the forgotten file asked for
    assert fs.cat_file(f"{root}/f") == b"old"
    assert not stale_files(service, root)


# Folders


def pages(fs: SFTPDriver, prefix: str) -> list[str]:
    names: list[str] = []
    token = None
    for _ in range(1000):
        infos, token = fs.list_page(prefix, token)
        names.extend(info["name"] for info in infos)
        if token is None:
            return sorted(names)
    raise AssertionError("the listing does not end")


def test_pages_hold_what_starts_with_the_prefix(fs: SFTPDriver, root: str) -> None:
    assert pages(fs, f"{root}/") == []
    for name in ("ab/1", "ab/c/2", "abc", "b/3"):
        fs.pipe_file(f"{root}/{name}", b"x")
    assert pages(fs, f"{root}/a") == [f"{root}/ab/1", f"{root}/ab/c/2", f"{root}/abc"]
    assert pages(fs, f"{root}/ab/") == [f"{root}/ab/1", f"{root}/ab/c/2"]
    assert len(pages(fs, f"{root}/")) == 4


def test_move_copy_and_remove(fs: SFTPDriver, root: str) -> None:
    fs.pipe_file(f"{root}/f", LARGE)
    fs.cp_file(f"{root}/f", f"{root}/a/b/copy")
    assert fs.cat_file(f"{root}/a/b/copy") == LARGE
    fs.pipe_file(f"{root}/c/moved", b"old")
    fs.mv(f"{root}/a/b/copy", f"{root}/c/moved")
    assert fs.cat_file(f"{root}/c/moved") == LARGE
    assert not fs.exists(f"{root}/a/b/copy")
    fs.mv(f"{root}/f", f"{root}/new/folder/f")
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{root}/f", f"{root}/g")
    assert fs.rm_files([f"{root}/no", f"{root}/c/moved"]) == {}
    fs.rm(root, recursive=True)
    assert not fs.exists(root)


def test_removing_a_folder_spares_what_its_links_lead_to(
    fs: SFTPDriver, root: str, service: Service
) -> None:
    fs.pipe_file(f"{root}/kept/f", b"x")
    fs.pipe_file(f"{root}/gone/f", b"x")
    (behind(service, root) / "gone" / "link").symlink_to("../kept")
    fs.rm(f"{root}/gone", recursive=True)
    assert fs.ls(root, detail=False) == [f"{root}/kept"]
    assert fs.cat_file(f"{root}/kept/f") == b"x"


def test_make_folders(fs: SFTPDriver, root: str) -> None:
    fs.mkdir(f"{root}/a/b")
    assert fs.isdir(f"{root}/a/b")
    for call in (fs.mkdir, fs.makedirs):
        with pytest.raises(FileExistsError):
            call(f"{root}/a/b")
    fs.makedirs(f"{root}/a/b", exist_ok=True)
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(f"{root}/a")
    fs.rmdir(f"{root}/a/b")
    with pytest.raises(FileNotFoundError):
        fs.mkdir(f"{root}/x/y", create_parents=False)


@pytest.mark.parametrize("name", ["a b?c#d", "x:y%41+é&", "ftp:z", "-r", "*[a]?"])
def test_names_are_kept(fs: SFTPDriver, root: str, name: str) -> None:
    fs.pipe_file(f"{root}/{name}/{name}", b"x")
    assert pages(fs, f"{root}/") == [f"{root}/{name}/{name}"]
    assert fs.cat_file(f"{root}/{name}/{name}") == b"x"


def test_paths_without_a_slash_are_below_the_login_folder(sftp_asyncssh: Service) -> None:
    fs = driver(sftp_asyncssh)
    name = secrets.token_hex(6)
    fs.pipe_file(name, b"x")
    fs.pipe_file(f"{name}-folder/f", b"y")
    assert sftp_asyncssh.raw.read(name) == b"x"
    assert {name, f"{name}-folder/f"} <= set(pages(fs, ""))
    fs.rm([name, f"{name}-folder"], recursive=True)
    fs.close()


# Logging in


@pytest.mark.parametrize("key", ["plain", "encrypted", "encrypted_pem"])
def test_private_keys(service: Service, sftp_keys: SFTPKeys, key: str) -> None:
    secret = None if key == "plain" else sftp_keys.passphrase
    fs = driver(
        service,
        password=None,
        private_key=str(getattr(sftp_keys, key)),
        private_key_pass=secret,
    )
    assert fs.isdir(f"/{service.base}")
    fs.close()


@pytest.mark.parametrize("key", ["encrypted", "encrypted_pem"])
@pytest.mark.parametrize("secret", [None, "not-the-passphrase"])
def test_a_wrong_passphrase_is_named_not_shown(
    service: Service, sftp_keys: SFTPKeys, key: str, secret: str | None
) -> None:
    fs = driver(service, private_key=str(getattr(sftp_keys, key)), private_key_pass=secret)
    with pytest.raises(PermissionError, match="private_key_pass") as caught:
        fs.isfile("/f")
    assert "not-the-passphrase" not in str(caught.value)


def test_wrong_credentials_are_refused(service: Service, sftp_keys: SFTPKeys) -> None:
    for options in (
        {"password": "not-the-password"},
        {"password": None, "private_key": str(sftp_keys.wrong)},
    ):
        with pytest.raises(PermissionError, match="log-in refused") as caught:
            driver(service, **options).isfile("/f")
        assert "not-the-password" not in str(caught.value)


def test_an_unknown_host_key_is_refused(service: Service, sftp_keys: SFTPKeys) -> None:
    wrong = str(sftp_keys.wrong_known_hosts)
    with pytest.raises(ConnectionError, match="validate_host=false"):
        driver(service, known_hosts=wrong).isfile("/f")
    fs = driver(service, known_hosts=wrong, validate_host=False)
    assert fs.isdir(f"/{service.base}")
    fs.close()


def test_the_default_known_hosts_are_the_users_own(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConnectionError, match="known_hosts"):
        driver(service, known_hosts=None).isfile("/f")
    (tmp_path / ".ssh").mkdir()
    trusted = Path(service.options["known_hosts"]).read_bytes()
    (tmp_path / ".ssh" / "known_hosts").write_bytes(trusted)
    fs = driver(service, known_hosts=None)
    assert fs.isdir(f"/{service.base}")
    fs.close()


def test_lines_of_known_hosts_that_cannot_be_parsed_are_passed_over(
    sftp_asyncssh: Service, tmp_path: Path
) -> None:
    good = Path(sftp_asyncssh.options["known_hosts"]).read_bytes()
    bad = b"no key, no host \xff\n@unknown host key\nalone\n|1|x\n|9|a|b ssh-rsa AAAA\n"
    (tmp_path / "mixed").write_bytes(bad + good + bad)
    fs = driver(sftp_asyncssh, known_hosts=str(tmp_path / "mixed"))
    assert fs.isdir(f"/{sftp_asyncssh.base}")
    fs.close()
    (tmp_path / "bad").write_bytes(bad)
    with pytest.raises(ConnectionError, match="host key is not in"):
        driver(sftp_asyncssh, known_hosts=str(tmp_path / "bad")).isfile("/f")


@pytest.mark.parametrize("option", ["private_key", "known_hosts"])
def test_a_missing_file_of_ours_is_no_missing_object(
    sftp_asyncssh: Service, tmp_path: Path, option: str
) -> None:
    (tmp_path / "garbage").write_bytes(b"no key, no host \xff\n")
    for name in ("no", "garbage") if option == "private_key" else ("no",):
        fs = driver(sftp_asyncssh, **{option: str(tmp_path / name)})
        with pytest.raises(OSError, match=option) as caught:
            fs.isfile("/f")
        assert type(caught.value) is OSError


def test_no_secret_is_shown(sftp_asyncssh: Service) -> None:
    fs = driver(sftp_asyncssh, private_key_pass="hidden-too")
    shown = (
        repr(fs) + str(fs) + repr(fs.requests.connection.login) + str(fs.requests.connection.login)
    )
    assert sftp_asyncssh.password not in shown
    assert "hidden-too" not in shown


# Time, drops, threads, forks


def test_nobody_listens() -> None:
    fs = SFTPDriver("localhost", free_port(), "u", "p", connect_timeout=2)
    with pytest.raises(ConnectionError):
        fs.isfile("/f")
    with pytest.raises(ConnectionError):
        SFTPDriver("no-such-host.invalid", 22, "u", "p", connect_timeout=5).isfile("/f")


def test_a_mute_port_ends_within_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        fs = SFTPDriver("127.0.0.1", mute.getsockname()[1], "u", "p", connect_timeout=0.5)
        started = time.monotonic()
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(fs.isfile, "/f") for _ in range(4)]
            errors = [call.exception(10) for call in calls]
        assert all(isinstance(error, TimeoutError) for error in errors), errors
        assert all("connect_timeout" in str(error) for error in errors)
        assert time.monotonic() - started < 1.5


def stopped(service: Service) -> list[psutil.Process]:
    """Stop the server's processes that serve sessions; all of them, where it has only one."""
    assert service.server is not None
    assert service.server.process is not None
    server = psutil.Process(service.server.process.pid)
    processes = server.children(recursive=True) or [server]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    return processes


def test_a_hung_server_ends_every_call(service: Service, root: str) -> None:
    fs = driver(service, read_timeout=1.0, connect_timeout=1.0)
    fs.pipe_file(f"{root}/f", LARGE)
    processes = stopped(service)
    try:
        started = time.monotonic()
        with ThreadPoolExecutor(3) as threads:
            calls = [
                threads.submit(fs.cat_file, f"{root}/f"),
                threads.submit(fs.pipe_file, f"{root}/g", LARGE * 4),
                threads.submit(fs.isfile, f"{root}/f"),
            ]
            errors = [call.exception(20) for call in calls]
        assert all(isinstance(error, ConnectionError | TimeoutError) for error in errors), errors
        assert time.monotonic() - started < 3
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
    assert fs.cat_file(f"{root}/f") == LARGE
    assert not fs.exists(f"{root}/g")
    fs.close()


def test_a_named_pipe_hangs_nobody(service: Service, root: str) -> None:
    fs = driver(service, read_timeout=30.0)
    fs.makedirs(root)
    fifo = behind(service, f"{root}/fifo")
    os.mkfifo(fifo, 0o666)
    started = time.monotonic()
    for call in (fs.cat_file, fs.open):
        with pytest.raises(Absent):
            call(f"{root}/fifo")
    assert time.monotonic() - started < 15
    assert not fs.exists(f"{root}/fifo")
    if hasattr(service.raw, "uid"):  # OpenSSH's processes still wait for a writer: they end here
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    fs.close()


def test_a_hung_file_server_behind_a_live_ssh_server(sftp_openssh: Service) -> None:
    fs = driver(sftp_openssh, read_timeout=1.0)
    root = f"/{sftp_openssh.base}{secrets.token_hex(6)}"
    fs.pipe_file(f"{root}/f", b"x")
    assert sftp_openssh.server is not None
    assert sftp_openssh.server.process is not None
    all_of_it = psutil.Process(sftp_openssh.server.process.pid).children(recursive=True)
    files = [each for each in all_of_it if not each.children()]
    for each in files:
        each.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(TimeoutError) as caught:
            fs.cat_file(f"{root}/f")
    finally:
        for each in files:
            each.send_signal(signal.SIGCONT)
    assert "read_timeout" in str(caught.value)
    assert time.monotonic() - started < 3
    assert fs.cat_file(f"{root}/f") == b"x"
    fs.close()


def test_an_idle_line_outlives_read_timeout(service: Service, root: str) -> None:
    fs = driver(service, read_timeout=0.3)
    fs.pipe_file(f"{root}/f", b"x")
    asked = threading.Event()
    asked.wait(1.0)
    link = fs.requests.connection._link
    assert fs.cat_file(f"{root}/f") == b"x"
    assert fs.requests.connection._link is link
    fs.close()


def test_a_restart_is_survived(service: Service, root: str) -> None:
    fs = driver(service)
    fs.pipe_file(f"{root}/f", b"x")
    assert service.server is not None
    service.server.restart()
    try:
        assert fs.cat_file(f"{root}/f") == b"x"
    except ConnectionError:
        assert fs.cat_file(f"{root}/f") == b"x"
    fs.close()
    assert fs.cat_file(f"{root}/f") == b"x"
    fs.close()


def test_a_request_is_a_packet(fs: SFTPDriver, root: str) -> None:
    fs.pipe_file(f"{root}/f", b"x")
    before = ssh_of(fs)._send_seq
    assert fs.isfile(f"{root}/f")
    assert ssh_of(fs)._send_seq == before + 1
    # The packets in between guard what is in CBC mode, which nobody is offered.
    assert not [each for each in get_default_encryption_algs() if b"cbc" in each]


def test_requests_at_once_share_packets(service: Service, root: str) -> None:
    fs = driver(service, asynchronous=True)

    async def trip() -> None:
        await fs._pipe_file(f"{root}/f", b"x")
        before = ssh_of(fs)._send_seq
        found = await asyncio.gather(*(fs._isfile(f"{root}/{name}") for name in "abcdef"))
        assert found == [False] * 5 + [True]
        assert ssh_of(fs)._send_seq == before + 2  # the first waits for no other
        await fs._close()

    asyncio.run(trip())


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_asyncssh_says_as_much_as_it_did(
    level: str, service: Service, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(level, "asyncssh"):
        fs = driver(service)
        fs.pipe_file(f"{root}/f", b"x")
        fs.close()
    said = "\n".join(caplog.messages)
    assert re.search(r"\[conn=\d+, chan=0\] SFTP client exited", said)
    assert ("Received OK" in said) == (level == "DEBUG")


def test_the_connection_is_told_as_sshfs_does(service: Service) -> None:
    fs = driver(service)
    assert fs.client.get_extra_info("username") == service.username
    assert fs.client is ssh_of(fs)
    fs.close()


def test_a_file_whose_constructor_fails_is_closed(
    fs: SFTPDriver, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs.pipe_file(f"{root}/f", b"x")
    closed: list[str] = []
    monkeypatch.setattr(SFTPHandle, "close", lambda handle: closed.append(handle.info["name"]))
    with pytest.raises(KeyError):
        fs.open(f"{root}/f", cache_type="unheard of")
    assert closed == [f"{root}/f"]


def test_a_cancelled_fetch_writes_nothing_any_more(
    service: Service, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    ended: list[bool] = []

    def slowly(fd: int, block: bytes, offset: int) -> None:
        writing.set()
        go_on.wait(10)
        write_at(fd, block, offset)
        ended.append(True)

    async def cancelled() -> None:
        fs = driver(service, asynchronous=True)
        await fs._pipe_file(f"{root}/f", CONTENT)
        monkeypatch.setattr(requests, "write_at", slowly)
        fetching = asyncio.create_task(fs._get_file(f"{root}/f", str(tmp_path / "f")))
        await asyncio.to_thread(writing.wait, 10)
        fetching.cancel()
        asyncio.get_running_loop().call_later(0.2, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert ended == [True]
        await fs._close()

    asyncio.run(cancelled())
    assert not list(tmp_path.iterdir())


def test_many_threads_share_one_connection(service: Service, root: str) -> None:
    fs = driver(service)
    contents = {f"{root}/{number % 7}/{number}": b"%d" % number * 99 for number in range(200)}

    def trip(path: str) -> bool:
        fs.pipe_file(path, contents[path])
        return bool(fs.cat_file(path) == contents[path] and fs.isfile(path))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(trip, contents))
    assert pages(fs, f"{root}/") == sorted(contents)
    fs.close()


def test_coroutines_in_loops_one_after_another(service: Service, root: str) -> None:
    fs = driver(service, asynchronous=True)

    async def trip() -> list[bytes]:
        await asyncio.gather(*(fs._pipe_file(f"{root}/{n}", b"%d" % n) for n in range(50)))
        found = await asyncio.gather(*(fs._cat_file(f"{root}/{n}") for n in range(50)))
        assert len((await fs._list_page(f"{root}/"))[0]) == 50
        await fs._close()
        return found

    for _ in range(2):
        assert asyncio.run(trip()) == [b"%d" % n for n in range(50)]


def test_a_cancelled_write_leaves_nothing(service: Service, root: str) -> None:
    async def cancelled() -> None:
        fs = driver(service, asynchronous=True)
        await fs._pipe_file(f"{root}/f", b"old")
        for turns in range(0, 40, 2):  # at every step of the way
            writing = asyncio.create_task(fs._pipe_file(f"{root}/f", LARGE * 8))
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
        assert await fs._cat_file(f"{root}/f") == b"old"
        await fs._close()

    asyncio.run(cancelled())
    assert not stale_files(service, root)


def _in_child(service: Service, path: str, results: Any) -> None:
    gc.collect()  # what the parent owned goes here, and must not touch the parent's connection
    fs = driver(service)
    results.put(fs.cat_file(path))
    fs.close()


# Python 3.12 warns of any fork beside threads, and fsspec's loop is one.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_harms_nobody(service: Service, root: str) -> None:
    fs = driver(service)
    fs.pipe_file(f"{root}/f", b"x")
    file = fs.open(f"{root}/f", "rb")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(service, f"{root}/f", results))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    assert results.get() == b"x"
    assert file.read() == b"x"
    file.close()
    assert fs.cat_file(f"{root}/f") == b"x"
    fs.close()


def test_a_forgotten_driver_closes_its_connection(sftp_asyncssh: Service) -> None:
    fs = driver(sftp_asyncssh)
    fs.isfile("/f")
    link = fs.requests.connection._link
    assert link is not None
    del fs
    gc.collect()
    future = asyncio.run_coroutine_threadsafe(link.ssh.wait_closed(), link.loop)
    future.result(5)
    assert link.ssh.is_closed()


def test_instances_are_never_shared(sftp_asyncssh: Service) -> None:
    assert driver(sftp_asyncssh) is not driver(sftp_asyncssh)
