from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec.drivers.local import atomic
from filestore_fsspec.drivers.local.driver import LocalDriver
from filestore_fsspec.keys import temporary_path

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def fs() -> LocalDriver:
    return LocalDriver()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def every_path(fs: LocalDriver, prefix: str) -> list[str]:
    found: list[str] = []
    token = None
    for _page in range(100):
        infos, token = fs.list_page(prefix, token)
        found += [info["name"] for info in infos]
        if token is None:
            return found
    raise AssertionError("a listing without end")


@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (0, 4), (3, None), (None, 5), (-4, None), (-6, -2), (2, -1), (8, 99), (50, 60)],
)
def test_reads_what_a_slice_of_the_content_would(
    fs: LocalDriver, tmp_path: Path, start: int | None, end: int | None
) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    assert fs.cat_file(f"{tmp_path}/x", start, end) == b"0123456789"[start:end]


def test_reads_files_that_give_no_size_and_empty_ones(fs: LocalDriver, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert fs.cat_file(f"{tmp_path}/empty") == b""
    assert fs.cat_file("/proc/self/status") != b""


def test_a_folder_a_pipe_and_what_lies_under_a_file_are_absent(
    fs: LocalDriver, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe", "file/under", "nothing", "n" * 300):
        path = f"{tmp_path}/{name}"
        assert not fs.isfile(path)
        with pytest.raises(FileNotFoundError):
            fs.cat_file(path)
        (tmp_path / "copy").touch()
        with pytest.raises(FileNotFoundError):
            fs.get_file(path, f"{tmp_path}/copy")
        (tmp_path / "copy").unlink(missing_ok=True)
    for name in ("folder", "file/under", "nothing"):
        with pytest.raises(FileNotFoundError):
            fs.rm_file(f"{tmp_path}/{name}")
        with pytest.raises(IsADirectoryError if name == "folder" else FileNotFoundError):
            fs.open(f"{tmp_path}/{name}", "rb")
    assert not (tmp_path / "copy").exists()
    assert not fs.exists(f"{tmp_path}/file/under")


def test_writes_make_parents_and_follow_the_umask(fs: LocalDriver, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b 100%" / "c#?"
    before = os.umask(0o027)
    try:
        fs.pipe_file(str(path), memoryview(b"content"))
    finally:
        os.umask(before)
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(path.parent) == ["c#?"]


def test_create_leaves_alone_what_is_there(fs: LocalDriver, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{tmp_path}/x", b"new", mode="create")
    with pytest.raises(FileExistsError):
        fs.put_file(f"{tmp_path}/source", f"{tmp_path}/x", mode="create")
    with pytest.raises(FileExistsError):
        fs.open(f"{tmp_path}/x", "xb")
    assert (tmp_path / "x").read_bytes() == b"old"
    fs.put_file(f"{tmp_path}/source", f"{tmp_path}/y", mode="create")
    assert (tmp_path / "y").read_bytes() == b"new"
    assert names(tmp_path) == ["source", "x", "y"]


@pytest.mark.parametrize("hard_links", [True, False])
def test_one_of_many_creators_wins(
    fs: LocalDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hard_links: bool
) -> None:
    path = str(tmp_path / "x")
    if hard_links:
        # Every writer passes the look-ahead, so that the link has to decide.
        monkeypatch.setattr(atomic, "_refuse_existing", lambda _path, _mode: None)
        writers = 8
    else:

        def refuse(_source: str, _target: str) -> None:
            raise PermissionError(1, "no links on this disk")

        monkeypatch.setattr(atomic.os, "link", refuse)  # type: ignore[attr-defined]  # a disk without links
        writers = 1
    barrier = threading.Barrier(writers)
    won: list[int] = []

    def create(number: int) -> None:
        barrier.wait()
        try:
            fs.pipe_file(path, b"%d" % number, mode="create")
        except FileExistsError:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert fs.cat_file(path) == b"%d" % won[0]
    assert names(tmp_path) == ["x"]
    with pytest.raises(FileExistsError):
        fs.pipe_file(path, b"late", mode="create")


def test_a_folder_that_cannot_be_made_is_not_taken_for_an_existing_file(
    fs: LocalDriver, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for parent in ("link", "file"):
        with pytest.raises(NotADirectoryError):
            fs.pipe_file(f"{tmp_path}/{parent}/x", b"", mode="create")


def test_an_interrupted_write_leaves_the_old_content_and_nothing_else(
    fs: LocalDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fs.pipe_file(str(path), b"new")
    with pytest.raises(FileNotFoundError):
        fs.put_file(f"{tmp_path}/missing", str(path))
    (tmp_path / "folder").mkdir()
    for mode in ("overwrite", "create"):
        with pytest.raises(IsADirectoryError):
            fs.pipe_file(f"{tmp_path}/folder", b"new", mode=mode)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["folder", "x"]


def test_readers_see_the_old_content_or_the_new(fs: LocalDriver, tmp_path: Path) -> None:
    path = f"{tmp_path}/x"
    old, new = b"o" * 300_000, b"n" * 300_000
    fs.pipe_file(path, old)
    seen: set[bytes] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.add(fs.cat_file(path))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        fs.pipe_file(path, new if number % 2 else old)
    ended.set()
    reader.join()
    assert seen <= {old, new}


class Broken(Exception):
    pass


def test_a_written_file_shows_when_it_is_closed_and_only_then(
    fs: LocalDriver, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "x"
    with fs.open(str(path), "wb") as file:
        file.write(b"content")
        file.flush()
        assert not path.exists()
        assert every_path(fs, f"{tmp_path}/") == []
    assert path.read_bytes() == b"content"

    def fail() -> None:
        with fs.open(str(path), "wb") as file:
            file.write(b"half")
            raise Broken

    with pytest.raises(Broken):
        fail()
    forgotten = fs.open(str(path), "wb")
    forgotten.write(b"half")
    del forgotten
    assert path.read_bytes() == b"content"
    assert names(path.parent) == ["x"]


def test_a_transaction_shows_all_or_nothing(fs: LocalDriver, tmp_path: Path) -> None:
    def fail() -> None:
        with fs.transaction, fs.open(f"{tmp_path}/x", "wb") as file:
            file.write(b"x")
            raise Broken

    with pytest.raises(Broken):
        fail()
    assert names(tmp_path) == []
    with fs.transaction:
        with fs.open(f"{tmp_path}/x", "wb") as file:
            file.write(b"x")
        assert not fs.exists(f"{tmp_path}/x")
    assert names(tmp_path) == ["x"]


def test_info_tells_size_type_and_time(fs: LocalDriver, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("x")
    for name in ("x", "link"):
        info = fs.info(f"{tmp_path}/{name}")
        assert (info["name"], info["size"], info["type"]) == (f"{tmp_path}/{name}", 5, "file")
        assert info["modified"].timestamp() == pytest.approx((tmp_path / "x").stat().st_mtime)
        assert info["modified"].tzinfo is not None
    assert fs.info(str(tmp_path))["type"] == "directory"
    assert {entry["type"] for entry in fs.ls(str(tmp_path), detail=True)} == {"file"}
    with pytest.raises(FileNotFoundError):
        fs.info(f"{tmp_path}/x/y")


def test_lists_below_a_prefix_sorted_and_without_temporary_files(
    fs: LocalDriver, tmp_path: Path
) -> None:
    for name in ("b", "a%20b", "ab/c", "ab/d/e", "other/f", temporary_path("ab/c")):
        fs.pipe_file(f"{tmp_path}/{name}", b"1")
    assert every_path(fs, f"{tmp_path}/a") == [
        f"{tmp_path}/{name}" for name in ("a%20b", "ab/c", "ab/d/e")
    ]
    assert every_path(fs, f"{tmp_path}/ab/d") == [f"{tmp_path}/ab/d/e"]
    assert every_path(fs, f"{tmp_path}/none/x") == []
    assert every_path(fs, f"{tmp_path}/b/x") == []
    (info,), _token = fs.list_page(f"{tmp_path}/ab/c")
    assert (info["size"], info["type"]) == (1, "file")


def test_linked_folders_are_listed_and_loops_end(fs: LocalDriver, tmp_path: Path) -> None:
    root = tmp_path / "root"
    fs.pipe_file(f"{root}/a/x", b"")
    fs.pipe_file(f"{tmp_path}/outside/y", b"")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "dangling").symlink_to("nowhere")
    (root / "itself").symlink_to("itself")
    (root / "a" / "up").symlink_to(root)
    (tmp_path / "outside" / "back").symlink_to(root / "a")
    assert every_path(fs, f"{root}/") == [f"{root}/{p}" for p in ("a/x", "out/y", "out/back/x")]


def test_links_are_refused_when_they_are_not_to_be_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "x").write_bytes(b"secret")
    root = f"{tmp_path}/root"
    fs = LocalDriver(follow_symlinks=False, root=root)
    fs.pipe_file(f"{root}/folder/x", b"ours")
    assert fs.cat_file(f"{root}/folder/x") == b"ours"
    Path(root, "link").symlink_to(secret)
    Path(root, "file").symlink_to(secret / "x")
    for path in (f"{root}/link/x", f"{root}/file"):
        for call in (
            fs.cat_file,
            fs.isfile,
            fs.info,
            fs.rm_file,
            lambda path: fs.pipe_file(path, b"new"),
            lambda path: fs.get_file(path, f"{tmp_path}/copy"),
            lambda path: fs.put_file(f"{secret}/x", path),
            lambda path: fs.open(path, "rb"),
        ):
            with pytest.raises(PermissionError, match="follow_symlinks"):
                call(path)
    assert every_path(fs, f"{root}/") == [f"{root}/folder/x"]
    assert (secret / "x").read_bytes() == b"secret"


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that this process may not look into, whoever it runs as; it holds `x`."""
    folder = Path(tempfile.mkdtemp())
    (folder / "x").touch()
    folder.chmod(0)
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(NOBODY)
    yield folder
    if privileged:
        os.seteuid(0)
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_refused_rights_are_not_absence(fs: LocalDriver, closed: Path) -> None:
    for call in (fs.cat_file, fs.isfile, fs.exists, fs.isdir, fs.info, fs.rm_file):
        with pytest.raises(PermissionError):
            call(f"{closed}/x")
    with pytest.raises(PermissionError):
        fs.list_page(f"{closed}/")
    with pytest.raises(PermissionError):
        fs.pipe_file(f"{closed}/y", b"")


def test_copies_and_moves(fs: LocalDriver, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    fs.cp_file(f"{tmp_path}/x", f"{tmp_path}/new/y")
    fs.get_file(f"{tmp_path}/new/y", f"{tmp_path}/down/z")
    with (tmp_path / "w").open("wb") as file:
        fs.get_file(f"{tmp_path}/x", file)
    fs.mv(f"{tmp_path}/new/y", f"{tmp_path}/moved/y")
    for name in ("down/z", "w", "moved/y"):
        assert (tmp_path / name).read_bytes() == b"content"
    assert not fs.exists(f"{tmp_path}/new/y")
    failed = fs.rm_files([f"{tmp_path}/x", f"{tmp_path}/nothing"])
    assert failed == {}
    assert not (tmp_path / "x").exists()


def test_a_driver_is_never_shared() -> None:
    assert LocalDriver() is not LocalDriver()
