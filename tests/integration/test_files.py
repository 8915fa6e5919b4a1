"""File objects of the composite filesystem: modes, what is published when, and who goes on reading.

Published is what was closed; not what a `with` body left on an exception, however it is wrapped.
"""

from __future__ import annotations

import csv
import gc
import gzip
import hashlib
import json
import os
import pickle
import random
import secrets
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.dataframe as dd
import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filestore_fsspec.deadline import end_in, until
from filestore_fsspec.errors import CorruptedFileStoreException, LocationUnavailable
from filestore_fsspec.filesystem import FileStoreFileSystem
from tests.services.common import FolderRaw
from tests.services.faults import Die
from tests.services.proxy import FaultProxy, behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.services.common import Service

    Options = dict[str, Any]

STOP = RuntimeError("stop")


def both(fs: Any, key: str) -> list[bytes | None]:
    """Return what each location has under `key`, None for nothing."""
    return [each.get(key) if each.exists(key) else None for each in fs.store.locations]


# Modes


def test_modes(fs: Any) -> None:
    with fs.open("m", "wb") as file:
        assert (file.writable(), file.seekable(), file.tell()) == (True, True, 0)
        file.write(b"one")
        assert both(fs, "m") == [None, None]
    assert both(fs, "m") == [b"one"] * 2
    with fs.open("m", "ab") as file:
        assert file.tell() == 3
        file.write(b" two")
        assert both(fs, "m") == [b"one"] * 2
    assert both(fs, "m") == [b"one two"] * 2
    with fs.open("m", "r+b") as file:
        assert file.read(3) == b"one"
        file.seek(0)
        file.write(b"ONE")
    assert both(fs, "m") == [b"ONE two"] * 2
    with fs.open("m", "rb") as file:
        assert (file.readable(), file.writable(), file.size) == (True, False, 7)
        file.seek(-3, 2)
        assert file.read() == b"two"
    with pytest.raises(FileExistsError, match="'m'"):
        fs.open("m", "xb")
    with fs.open("x", "xb") as file:
        file.write(b"x")
    with fs.open("a/new", "ab") as file:
        file.write(b"new")
    assert both(fs, "x") == [b"x"] * 2
    assert both(fs, "a/new") == [b"new"] * 2
    for mode in ("rb", "r", "r+b"):
        with pytest.raises(FileNotFoundError, match="'none'"):
            fs.open("none", mode)
    with pytest.raises(ValueError, match="rb, wb, xb, ab, r"):
        fs.open("m", "qb")


def test_exclusive_where_another_was_faster(fs: Any) -> None:
    with pytest.raises(FileExistsError), fs.open("k", "xb") as file:
        file.write(b"late")
        fs.store.locations[0].put("k", b"early")
    assert both(fs, "k") == [b"early", None]


def test_text_modes(fs: Any) -> None:
    with fs.open("t", "w", encoding="utf-16", newline="\r\n") as file:
        file.write("ä\n")
    assert fs.cat_file("t").decode("utf-16") == "ä\r\n"
    with fs.open("t", "a", encoding="utf-16-le") as file:
        file.write("b")
    with fs.open("t", "r", encoding="utf-16") as file:
        assert file.read() == "ä\nb"
    with fs.open("x", "x") as file:
        file.write("x")
    assert fs.read_text("x") == "x"
    with pytest.raises(FileExistsError):
        fs.open("x", "xt")


def test_lines(fs: Any) -> None:
    with fs.open("table.csv", "w", newline="") as file:
        csv.writer(file).writerows([n, n * n] for n in range(5000))
    with fs.open("table.csv", "r", newline="") as file:
        assert [int(row[1]) for row in csv.reader(file)] == [n * n for n in range(5000)]
    with fs.open("table.csv", "rb") as file:
        assert file.readline() == b"0,0\r\n"
        assert len(file.readlines()) == 4999


# What is published


def writers(fs: Any, options: Options) -> dict[str, Callable[[], Any]]:
    def opened(mode: str, **more: Any) -> Callable[[], Any]:
        return lambda: fsspec.open("filestore://w", mode, **more, **options)

    return {
        "wb": lambda: fs.open("w", "wb"),
        "w": lambda: fs.open("w", "w"),
        "xb": lambda: fs.open("w", "xb"),
        "ab": lambda: fs.open("w", "ab"),
        "a": lambda: fs.open("w", "a"),
        "gzip": lambda: fs.open("w", "wb", compression="gzip"),
        "text gzip": lambda: fs.open("w", "w", compression="gzip"),
        "fsspec wb": opened("wb"),
        "fsspec w": opened("w"),
        "fsspec gzip": opened("wb", compression="gzip"),
        "fsspec text gzip": opened("wt", compression="gzip"),
        "fsspec text bz2": opened("wt", compression="bz2"),
        "fsspec text xz": opened("wt", compression="xz"),
    }


@pytest.mark.parametrize("how", writers(None, {}))
def test_published_when_closed_and_not_when_the_body_raised(
    fs: Any, options: Options, how: str
) -> None:
    opener, part = writers(fs, options)[how], "x" if how.endswith(("w", "a")) else b"x"
    if "text" in how:
        part = "x"
    for size in (1, 100_000):
        with pytest.raises(RuntimeError, match="stop"), opener() as file:
            file.write(part * size)
            raise STOP
        assert both(fs, "w") == [None, None]
        try:
            raise ValueError("another error, under way")  # noqa: TRY301
        except ValueError:
            with pytest.raises(RuntimeError, match="stop"), opener() as file:
                file.write(part * size)
                raise STOP from None
    assert both(fs, "w") == [None, None]
    try:
        raise ValueError("handled")  # noqa: TRY301
    except ValueError:
        with opener() as file:
            file.write(part * 1000)
    compression = next((name for name in ("gzip", "bz2", "xz") if name in how), None)
    with fs.open("w", "rb", compression=compression) as file:
        assert file.read() == b"x" * 1000
    assert len(set(both(fs, "w"))) == 1


def test_nothing_of_a_writer_that_fails(fs: Any, options: Options) -> None:
    class Unwritable:
        def __str__(self) -> str:
            raise STOP

    frame = pd.DataFrame({"n": [*range(1000), Unwritable()]})
    with pytest.raises(RuntimeError, match="stop"):
        frame.to_csv("filestore://w", storage_options=options)
    assert both(fs, "w") == [None, None]
    with pytest.raises(pa.ArrowException):
        frame.to_parquet("filestore://w", storage_options=options)
    assert both(fs, "w") == [None, None]
    with pytest.raises(TypeError), fs.open("w", "w") as file:
        json.dump({"a": 1, "b": object()}, file)
    assert both(fs, "w") == [None, None]


def test_closed_by_hand_and_forgotten(fs: Any) -> None:
    file = fs.open("hand", "wb")
    file.write(b"x")
    file.close()
    file.close()
    assert both(fs, "hand") == [b"x"] * 2
    with gzip.open(fs.open("g", "wb"), "wb") as packed:
        packed.write(b"x")
        inner = packed.fileobj
    assert both(fs, "g") == [None, None]
    inner.close()
    assert gzip.decompress(fs.cat_file("g")) == b"x"
    file = fs.open("forgotten", "wb")
    file.write(b"x")
    del file
    assert both(fs, "forgotten") == [None, None]


def test_all_or_none(locations: list[str]) -> None:
    """What one location refuses shows at no other."""
    down = f"ftp://user:password@localhost:{1}/root?connect_timeout=1"
    fs = FileStoreFileSystem([*locations, down], connection_attempts=1, skip_instance_cache=True)
    with pytest.raises(Exception, match=r"refused|circuit is open"), fs.open("k", "wb") as file:
        file.write(b"x")
    assert [each.exists("k") for each in fs.store.locations[:2]] == [False, False]


# Transactions


def test_transactions(fs: Any) -> None:
    fs.pipe_file("plus", b"one")
    with fs.transaction:
        with fs.open("b", "wb") as file:
            file.write(b"b")
        with fs.open("t", "w") as file:
            file.write("t")
        with fs.open("z", "wb", compression="gzip") as file:
            file.write(b"z")
        with fs.open("plus", "r+b") as file:
            file.write(b"ONE")
        for key in ("b", "t", "z"):
            assert both(fs, key) == [None, None]
        assert both(fs, "plus") == [b"one"] * 2
    assert [both(fs, key) for key in ("b", "t", "plus")] == [[b"b"] * 2, [b"t"] * 2, [b"ONE"] * 2]
    assert gzip.decompress(fs.cat_file("z")) == b"z"
    with fs.open("after", "wb") as file:
        file.write(b"x")
    assert both(fs, "after") == [b"x"] * 2


def test_a_transaction_that_fails_shows_nothing(fs: Any) -> None:
    fs.pipe_file("plus", b"one")
    with pytest.raises(RuntimeError, match="stop"), fs.transaction:
        with fs.open("b", "wb") as file:
            file.write(b"b")
        with fs.open("plus", "r+b") as file:
            file.write(b"ONE")
        raise STOP
    assert both(fs, "b") == [None, None]
    assert both(fs, "plus") == [b"one"] * 2
    fs.pipe_file("c", b"c")
    with fs.open("c", "wb") as file:
        file.write(b"C")
    assert both(fs, "c") == [b"C"] * 2


def test_a_transaction_commits_neither_half_a_file_nor_a_discarded_one(fs: Any) -> None:
    with fs.transaction:
        left_open = fs.open("open", "wb")
        left_open.write(b"all of it")
        with pytest.raises(RuntimeError, match="stop"), fs.open("gone", "wb") as file:
            file.write(b"half")
            raise STOP
    assert both(fs, "open") == [b"all of it"] * 2
    assert both(fs, "gone") == [None, None]


# Reading on at the next location


@pytest.fixture
def through(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Make a store whose near location stands behind a proxy, with content at both."""
    proxies: list[FaultProxy] = []
    stores: list[Any] = []

    def make(name: str, near: bytes | None, far: bytes | None) -> tuple[Any, FaultProxy]:
        service: Service = request.getfixturevalue(name)
        root = secrets.token_hex(6)
        proxy = FaultProxy(service.port, service.data_ports)
        proxies.append(proxy)
        url = behind(service, proxy).url(root)
        fs = FileStoreFileSystem([url, (tmp_path / "far").as_uri()], skip_instance_cache=True)
        stores.append(fs)
        layout = fs.store.locations[0].target.layout
        if near is not None:
            path = f"{root}/{layout.path('k')}"
            service.raw.write(path, near)
            if isinstance(service.raw, FolderRaw):
                # What has just been written is read from one answer over HTTP.
                os.utime(service.raw.folder / path, (0, 0))
        if far is not None:
            fs.store.locations[1].put("k", far)
        return fs, proxy

    yield make
    for fs in stores:
        for location in fs.store.locations:
            location.close()
    for proxy in proxies:
        proxy.close()


NEARS = ["http_plain", "s3_moto", "azure_http", "sftp_asyncssh", "ftp_plain"]
SIZE = 24 * 2**20


def numbered(size: int) -> bytes:
    return b"".join(b"%07d\n" % number for number in range(size // 8))


@pytest.mark.parametrize("near", NEARS)
def test_reading_goes_on_at_the_same_byte(
    through: Any, near: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = numbered(SIZE)
    fs, proxy = through(near, content, content)
    chosen = random.Random(near)  # noqa: S311 - no secret
    proxy.fault = Die(SIZE // 3)
    parts, position = [], 0
    with fs.open("k", "rb", block_size=2**20) as file:
        assert file.location == fs.store.locations[0]
        while part := file.read(chosen.randrange(1, 2**20)):
            parts.append(part)
            position += len(part)
            assert file.tell() == position
        assert proxy.struck.wait(5)
        assert file.location == fs.store.locations[1]
        file.seek(8 * 1000)
        assert file.read(8) == b"0001000\n"
    assert b"".join(parts) == content
    gc.collect()
    assert "never retrieved" not in caplog.text


@pytest.mark.parametrize("near", ["http_plain", "s3_moto"])
@pytest.mark.parametrize("how", ["longer", "shorter", "another"])
def test_another_file_is_not_read_on(through: Any, near: str, how: str) -> None:
    content = numbered(SIZE)
    far = {"longer": content + b"x", "shorter": content[:-1], "another": b"x" * SIZE}[how]
    fs, proxy = through(near, content, far)
    proxy.fault = Die(SIZE // 3)
    with (
        fs.open("k", "rb", block_size=2**20) as file,
        pytest.raises(CorruptedFileStoreException, match="broke off at byte"),
    ):
        while file.read(2**20):
            pass


def test_nobody_left_to_read_on(through: Any) -> None:
    content = numbered(SIZE)
    fs, proxy = through("http_plain", content, None)
    proxy.fault = Die(SIZE // 3)
    with (
        fs.open("k", "rb", block_size=2**20) as file,
        pytest.raises(LocationUnavailable, match="broke off at byte"),
    ):
        while file.read(2**20):
            pass


@pytest.mark.parametrize("near", ["http_plain", "s3_moto"])
def test_whole_reads_fall_through(through: Any, near: str, tmp_path: Path) -> None:
    content = numbered(SIZE)
    reads: list[Callable[[Any], object]] = [
        lambda fs: fs.cat_file("k"),
        lambda fs: fs.read_block("k", 0, SIZE),
        lambda fs: fs.cat_ranges(["k"], [0], [SIZE])[0],
        lambda fs: fs.get_file("k", str(tmp_path / "got")) or (tmp_path / "got").read_bytes(),
        lambda fs: fs.open("k").read(),
    ]
    for read in reads:
        fs, proxy = through(near, content, content)
        proxy.fault = Die(SIZE // 3)
        assert read(fs) == content
        assert proxy.struck.wait(5)


# dask 2026.8 gives pandas 3.1 an argument that a later pandas will not take.
@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index")
@pytest.mark.timeout(110)
@pytest.mark.parametrize("near", ["http_plain", "s3_moto"])
def test_dask_reads_on_when_near_dies(through: Any, near: str, tmp_path: Path) -> None:
    """256 MiB of Parquet in dask's threads, whose near location dies after a third of it."""
    rows = 2**25
    numbers = np.random.default_rng(7).integers(0, 2**62, rows)
    whole = tmp_path / "whole.parquet"
    pq.write_table(
        pa.table({"n": numbers}),
        whole,
        row_group_size=rows // 16,
        compression="none",
        use_dictionary=False,
    )
    content = whole.read_bytes()
    assert len(content) > 2**28
    fs, proxy = through(near, content, content)
    proxy.fault = Die(len(content) // 3)
    table = dd.read_parquet("k", filesystem=fs, split_row_groups=1)
    with dask.config.set(scheduler="threads", num_workers=4):
        digests = table["n"].map_partitions(
            lambda part: pd.Series([hashlib.sha256(part.to_numpy().tobytes()).hexdigest()]),
            meta=pd.Series(dtype=object),
        )
        found = list(digests.compute())
    assert proxy.struck.wait(5)
    expected = [hashlib.sha256(part.tobytes()).hexdigest() for part in np.split(numbers, 16)]
    assert found == expected


def test_a_file_opens_where_a_deadline_is_in_force(s3_moto: Service) -> None:
    fs = FileStoreFileSystem([s3_moto.url(secrets.token_hex(8))], deadline_seconds=30)
    fs.pipe_file("k", b"content")
    with until(end_in(30)), fs.open("k") as file:
        assert file.read() == b"content"


def test_the_attributes_of_fsspecs_files(fs: Any) -> None:
    fs.pipe_file("d/a", b"first\nsecond\nthird")
    with fs.open("d/a", "rb", block_size=2**20) as file:
        assert (file.mode, file.name, file.path, file.full_name) == ("rb", "d/a", "d/a", "d/a")
        assert (file.fs, file.size, file.blocksize, file.loc) == (fs, 18, 2**20, 0)
        assert file.details == file.info() == fs.info("d/a")
        assert file.readline() == b"first\n"
        assert file.readuntil(b"o") == b"seco"
        assert file.readuntil(b"\n", blocks=2) == b"nd\n"
        assert (file.loc, file.readuntil(b"none"), file.read()) == (13, b"third", b"")
    with fs.open("d/a", blocksize=2**16) as file:
        assert (file.blocksize, file.read()) == (2**16, b"first\nsecond\nthird")
    for mode in ("wb", "xb", "ab", "w+b", "x+b", "a+b", "r+b"):
        key = mode if "x" in mode else "d/a"
        with fs.open(key, mode) as file:
            assert (file.mode, file.name, file.fs, file.full_name) == (mode, key, fs, key)
            assert file.readable() is ("+" in mode)
            assert file.writable()


@pytest.mark.parametrize("kept", [{}, {"verify_content": True}])
def test_a_file_is_pickled(options: Options, kept: Options) -> None:
    fs = FileStoreFileSystem(**options, **kept)
    content = bytes(range(256)) * 1200
    key = hashlib.sha256(content).hexdigest()
    fs.pipe_file(key, content)
    with fs.open(key, "rb", location="far", block_size=2**16) as file:
        file.seek(1000)
        copy = pickle.loads(pickle.dumps(file))  # noqa: S301 - our own
        assert type(copy) is type(file)
        assert (copy.tell(), copy.blocksize, copy.location) == (1000, 2**16, file.location)
        assert copy.read() == file.read() == content[1000:]
        copy.close()


def test_modes_that_read_and_write(fs: Any) -> None:
    with fs.open("k", "w+b") as file:
        file.write(b"0123456789")
        file.seek(2)
        assert file.read(3) == b"234"
    with fs.open("k", "a+b") as file:
        file.seek(1)
        assert file.read(2) == b"12"
        file.write(b"end")
    assert both(fs, "k") == [b"0123456789end"] * 2
    with fs.open("k", "rb+") as file:
        assert file.read(1) == b"0"
        file.write(b"X")
    assert both(fs, "k") == [b"0X23456789end"] * 2
    with pytest.raises(FileExistsError):
        fs.open("k", "x+b")
    with fs.open("t", "w+") as file:
        file.write("ä\nb")
        file.seek(0)
        assert file.readlines() == ["ä\n", "b"]
    with fs.open("t", "a+t") as file:
        file.write("c")
    with fs.open("t", "rt+") as file:
        assert file.read() == "ä\nbc"
    with fs.open("n", "bx+") as file:
        file.write(b"new")
    assert both(fs, "n") == [b"new"] * 2


def test_files_in_the_files_of_others(fs: Any) -> None:
    with fs.open("a.gz", "wb") as file, gzip.GzipFile(fileobj=file, mode="wb") as packed:
        packed.write(b"packed")
    with fs.open("a.gz", "rb") as file, gzip.GzipFile(fileobj=file) as packed:
        assert packed.read() == b"packed"
    with fs.open("t.parquet", "wb") as file, pa.PythonFile(file) as sink:
        pq.write_table(pa.table({"n": [1, 2, 3]}), sink)
    with fs.open("t.parquet", "rb") as file, pa.PythonFile(file) as source:
        assert pq.read_table(source).to_pydict() == {"n": [1, 2, 3]}
    with fs.open("z.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", "in it")
    with fs.open("z.zip", "r+b") as file, zipfile.ZipFile(file, "a") as archive:
        archive.writestr("y", "added")
    with fs.open("z.zip", "rb") as file, zipfile.ZipFile(file) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [b"in it", b"added"]


def test_a_folder_is_not_opened(fs: Any) -> None:
    fs.pipe_file("d/x", b"x")
    fs.makedirs("e", exist_ok=True)
    before = fs.find("", withdirs=True)
    for folder in ("d", "e", "filestore://d/"):
        for mode in ("rb", "r", "wb", "w", "ab", "r+b", "w+b", "a+b"):
            with pytest.raises(IsADirectoryError):
                fs.open(folder, mode)
        with pytest.raises(OSError, match=r"directory|there already"):
            fs.open(folder, "xb")
    assert fs.find("", withdirs=True) == before


@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
@pytest.mark.parametrize("order", [1, -1])
def test_dask_counts_rows(locations: list[str], order: int) -> None:
    options = {"locations": locations[::order]}
    fs = fsspec.filesystem("filestore", **options)
    for part in range(3):
        with fs.open(f"ds/{part}.parquet", "wb") as file:
            pq.write_table(pa.table({"n": list(range(10))}), file)
    with dask.config.set(scheduler="sync"):
        assert len(dd.read_parquet("filestore://ds", storage_options=options)) == 30


def test_infos_agree(fs: Any) -> None:
    fs.pipe({"i/a": b"12345", "i/d/b": b"1"})
    found = fs.find("i", detail=True)
    for name, info in found.items():
        for other in (fs.info(name), fs.find(name, detail=True)[name]):
            for known in ("name", "type", "size", "modified", "mtime"):
                assert info[known] == other[known], known
        assert info["mtime"] == info["modified"] == fs.modified(name)
    assert fs.find("i/a", maxdepth=1, detail=True)["i/a"]["size"] == 5
    folders = fs.find("i", withdirs=True, detail=True)
    assert {name: info["type"] for name, info in folders.items()} == {
        "i": "directory",
        "i/a": "file",
        "i/d": "directory",
        "i/d/b": "file",
    }
    for act in (fs.created, fs.modified):
        with pytest.raises(FileNotFoundError):
            act("none")
    assert fs.exists(Path("i/a"))
    assert fs.isdir(Path("i"))
