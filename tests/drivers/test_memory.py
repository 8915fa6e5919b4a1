"""What the memory driver mends in fsspec's `MemoryFileSystem`."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from filestore_fsspec.drivers.memory import MemoryDriver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fs() -> MemoryDriver:
    return MemoryDriver()


@pytest.fixture
def root() -> str:
    return f"/driver-{uuid4().hex}"


def test_the_store_is_fsspecs_own(fs: MemoryDriver, root: str) -> None:
    fs.pipe_file(f"{root}/a", b"x")
    assert MemoryFileSystem().cat_file(f"{root}/a") == b"x"
    MemoryFileSystem().pipe_file(f"{root}/b", b"y")
    assert MemoryDriver().cat_file(f"{root}/b") == b"y"


def test_ranges(fs: MemoryDriver, root: str) -> None:
    fs.pipe_file(f"{root}/a", b"0123456789")
    for start, end in ((2, 5), (None, 3), (-3, None), (8, 100), (5, 2), (2, -2)):
        assert fs.cat_file(f"{root}/a", start, end) == b"0123456789"[start:end]


def test_absent_is_file_not_found(fs: MemoryDriver, root: str, tmp_path: Path) -> None:
    fs.pipe_file(f"{root}/folder/a", b"x")
    for path in (f"{root}/none", f"{root}/folder"):
        for method in (fs.cat_file, fs.rm_file):
            with pytest.raises(FileNotFoundError):
                method(path)
        with pytest.raises(IsADirectoryError if path.endswith("folder") else FileNotFoundError):
            fs.open(path)
        (tmp_path / "a").touch()
        with pytest.raises(FileNotFoundError):
            fs.get_file(path, str(tmp_path / "a"))
        (tmp_path / "a").unlink(missing_ok=True)
        with pytest.raises(FileNotFoundError):
            fs.cp_file(f"{root}/none", f"{root}/b")
        assert not fs.isfile(path)
    for method in (fs.info, fs.ls, fs.rm, fs.rmdir, fs.modified):
        with pytest.raises(FileNotFoundError):
            method(f"{root}/none")
    assert not list(tmp_path.iterdir())


def test_info_says_when(fs: MemoryDriver, root: str) -> None:
    fs.pipe_file(f"{root}/f/a", b"12345")
    info = fs.info(f"{root}/f/a")
    assert (info["name"], info["size"], info["type"]) == (f"{root}/f/a", 5, "file")
    assert datetime.now(UTC) - info["modified"] < timedelta(minutes=1)
    assert fs.info(f"{root}/f")["type"] == "directory"
    assert fs.ls(f"{root}/f") == [info]
    assert fs.ls(f"{root}/f/a") == [info]
    assert fs.ls(root, detail=False) == [f"{root}/f"]


def test_a_file_beside_what_seems_below_it(fs: MemoryDriver, root: str) -> None:
    fs.pipe_file(f"{root}/a", b"x")
    fs.pipe_file(f"{root}/a/b", b"y")
    assert fs.info(f"{root}/a")["type"] == "file"
    assert fs.ls(f"{root}/a", detail=False) == [f"{root}/a/b"]
    assert [info["type"] for info in fs.ls(root)] == ["file", "directory"]
    assert fs.isfile(f"{root}/a")
    assert fs.isdir(f"{root}/a")
    assert sorted(fs.find(root)) == [f"{root}/a", f"{root}/a/b"]


def test_readers_have_a_position_each(fs: MemoryDriver, root: str) -> None:
    fs.pipe_file(f"{root}/a", b"0123456789")
    with fs.open(f"{root}/a", "rb") as one, fs.open(f"{root}/a", "rb") as two:
        assert one.read(4) == b"0123"
        assert two.read(2) == b"01"
        fs.pipe_file(f"{root}/a", b"new")
        assert one.read() == b"456789"


def test_a_written_file_shows_when_it_is_closed(fs: MemoryDriver, root: str) -> None:
    path = f"{root}/a"
    with fs.open(path, "wb") as file:
        file.write(b"whole")
        assert not fs.exists(path)
    assert fs.cat_file(path) == b"whole"
    with pytest.raises(RuntimeError, match="stop"), fs.open(path, "wb") as file:
        file.write(b"half")
        raise RuntimeError("stop")
    forgotten = fs.open(path, "wb")
    forgotten.write(b"half")
    del forgotten
    gc.collect()
    assert fs.cat_file(path) == b"whole"
    with pytest.raises(FileExistsError):
        fs.open(path, "xb")
    with pytest.raises(ValueError, match="rb, wb, xb"):
        fs.open(path, "ab")


def test_a_staged_file_is_shown_or_dropped(fs: MemoryDriver, root: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    for path in (f"{root}/dropped", f"{root}/shown"):
        staged = fs.prepare(str(source), path, "create")
        assert not fs.exists(path)
        if path.endswith("shown"):
            fs.commit(staged)
        else:
            staged.discard()
    assert fs.find(root) == [f"{root}/shown"]
    assert fs.cat_file(f"{root}/shown") == source.read_bytes()


def test_one_of_many_creates(fs: MemoryDriver, root: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"from a file")

    def create(number: int) -> bool:
        try:
            fs.pipe_file(f"{root}/a", b"%d" % number, mode="create")
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(create, range(200)))
    assert sum(created) == 1
    assert fs.cat_file(f"{root}/a") == b"%d" % created.index(True)
    with pytest.raises(FileExistsError):
        fs.put_file(str(source), f"{root}/a", mode="create")
    fs.put_file(str(source), f"{root}/a")
    assert fs.cat_file(f"{root}/a") == b"from a file"
    fs.get_file(f"{root}/a", str(tmp_path / "new" / "a"))
    assert (tmp_path / "new" / "a").read_bytes() == b"from a file"
    with source.open("wb") as file:
        fs.get_file(f"{root}/a", file)
    assert source.read_bytes() == b"from a file"


def test_folders(fs: MemoryDriver, root: str) -> None:
    fs.makedirs(f"{root}/a/b")
    assert fs.isdir(f"{root}/a")
    fs.makedirs(f"{root}/a/b", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{root}/a/b")
    fs.pipe_file(f"{root}/c/d", b"x")
    for path in (f"{root}/a", f"{root}/c"):  # one made, one there for its file alone
        with pytest.raises(OSError, match="not empty"):
            fs.rmdir(path)
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{root}/c/d", exist_ok=True)
    with pytest.raises(NotADirectoryError):
        fs.rmdir(f"{root}/c/d")
    fs.rmdir(f"{root}/a/b")
    assert fs.isdir(f"{root}/a")
    fs.pipe_file(f"{root}/a", b"a file where a folder was made")
    fs.rm(root, recursive=True)
    assert not fs.exists(root)
    with pytest.raises(FileNotFoundError):
        fs.rm(root, recursive=True)
