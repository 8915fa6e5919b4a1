"""The composite filesystem below fsspec's chains, and configured from the environment."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from fsspec.implementations.dirfs import DirFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable

    Options = dict[str, Any]
    Lose = Callable[[], list[str]]

CONTENT = b"".join(b"%07d\n" % number for number in range(150_000))


@pytest.mark.parametrize("cache", ["simplecache", "filecache", "blockcache"])
# fsspec's block cache leaves its own local file to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file <_io.BufferedRandom:ResourceWarning")
def test_caches(cache: str, fs: Any, options: Options, lose_near: Lose, tmp_path: Path) -> None:
    fs.pipe_file("a/b.bin", CONTENT)
    lose_near()
    chain = {"filestore": options, cache: {"cache_storage": str(tmp_path)}}
    url = f"{cache}::filestore://a/b.bin"
    for _ in range(2):
        with fsspec.open(url, **chain) as file:
            file.seek(8 * 140_000)
            assert file.read(8) == b"0140000\n"
            file.seek(0)
            assert file.read() == CONTENT
    fs.rm("a/b.bin")
    if cache != "blockcache":  # which opens the file all the same
        with fsspec.open(url, **chain) as file:
            assert file.read(8) == b"0000000\n"
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed file <_io.BufferedRandom:ResourceWarning")
def test_blockcache_keeps_blocks(
    fs: Any, options: Options, lose_near: Lose, tmp_path: Path
) -> None:
    fs.pipe_file("a", CONTENT)
    lose_near()
    cached = fsspec.filesystem(
        "blockcache",
        target_protocol="filestore",
        target_options=options,
        cache_storage=str(tmp_path),
    )
    with cached.open("a", block_size=2**16) as file:
        file.seek(8 * 140_000)
        assert file.read(8) == b"0140000\n"
    fs.store.locations[1].put("a", b"x" * len(CONTENT))
    with cached.open("a", block_size=2**16) as file:
        assert file.read(8) == b"xxxxxxxx"
        file.seek(8 * 140_000)
        assert file.read(8) == b"0140000\n"
    gc.collect()


def test_filecache_sees_a_change(
    fs: Any, options: Options, lose_near: Lose, tmp_path: Path
) -> None:
    chain = {
        "filestore": options,
        "filecache": {"cache_storage": str(tmp_path), "check_files": True},
    }
    fs.pipe_file("a", b"old")
    lose_near()
    with fsspec.open("filecache::filestore://a", **chain) as file:
        assert file.read() == b"old"
    fs.store.locations[1].put("a", b"newer")
    with fsspec.open("filecache::filestore://a", **chain) as file:
        assert file.read() == b"newer"


@pytest.mark.parametrize("cache", ["simplecache", "filecache"])
def test_caches_write_through(
    cache: str, options: Options, lose_near: Lose, fs: Any, tmp_path: Path
) -> None:
    chain = {"filestore": options, cache: {"cache_storage": str(tmp_path)}}
    with fsspec.open(f"{cache}::filestore://a/b", "wb", **chain) as file:
        file.write(CONTENT)
    assert lose_near() == ["a/b"]
    assert fs.cat_file("a/b") == CONTENT


def test_a_local_copy_of_many(fs: Any, options: Options, lose_near: Lose, tmp_path: Path) -> None:
    fs.pipe({"a/1": b"one", "a/2": b"two"})
    lose_near()
    paths = fsspec.open_local(
        "simplecache::filestore://a/*",
        filestore=options,
        simplecache={"cache_storage": str(tmp_path)},
    )
    assert sorted(Path(path).read_text() for path in paths) == ["one", "two"]


def packed(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("in/x.txt", "in the archive")
            archive.writestr("in/y.bin", CONTENT)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz" if kind == "tar.gz" else "w") as tar:
            for name, content in (("in/x.txt", b"in the archive"), ("in/y.bin", CONTENT)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives(kind: str, fs: Any, options: Options, lose_near: Lose) -> None:
    fs.pipe_file(f"p/a.{kind}", packed(kind))
    lose_near()
    protocol = kind.partition(".")[0]
    with fsspec.open(
        f"{protocol}://in/x.txt::filestore://p/a.{kind}", "r", filestore=options
    ) as file:
        assert file.read() == "in the archive"
    archive = fsspec.filesystem(
        protocol, fo=f"p/a.{kind}", target_protocol="filestore", target_options=options
    )
    assert archive.find("") == ["in/x.txt", "in/y.bin"]
    assert archive.cat("in/y.bin") == CONTENT
    if kind == "zip":
        archive.close()


def test_a_zip_is_written(fs: Any, options: Options, lose_near: Lose) -> None:
    target = {"target_protocol": "filestore", "target_options": options}
    archive = fsspec.filesystem("zip", fo="z/new.zip", mode="w", **target)
    with archive.open("x.txt", "wb") as file:
        file.write(b"zipped")
    assert not fs.exists("z/new.zip")
    del archive  # fsspec closes the file that it wrote when the filesystem goes
    assert lose_near() == ["z/new.zip"]
    with fsspec.open("zip://x.txt::filestore://z/new.zip", filestore=options) as file:
        assert file.read() == b"zipped"


def test_an_archive_in_a_cache(fs: Any, options: Options, lose_near: Lose, tmp_path: Path) -> None:
    fs.pipe_file("a.zip", packed("zip"))
    lose_near()
    with fsspec.open(
        "zip://in/x.txt::simplecache::filestore://a.zip",
        filestore=options,
        simplecache={"cache_storage": str(tmp_path)},
    ) as file:
        assert file.read() == b"in the archive"


def test_dir(fs: Any, options: Options, lose_near: Lose) -> None:
    folder, _ = fsspec.core.url_to_fs("dir::filestore://base/x", filestore=options)
    assert isinstance(folder, DirFileSystem)
    folder.pipe({"a": b"a", "sub/b": b"b"})
    assert lose_near() == ["base/x/a", "base/x/sub/b"]
    assert folder.cat("sub/b") == b"b"
    assert folder.find("") == ["a", "sub/b"]
    assert [info["name"] for info in folder.ls("")] == ["a", "sub"]
    assert fs.cat("base/x/a") == b"a"
    with folder.open("w", "wb") as file:
        file.write(b"w")
    folder.mv("w", "moved")
    folder.rm("sub", recursive=True)
    assert fs.find("base") == ["base/x/a", "base/x/moved"]


def test_reference(fs: Any, options: Options, lose_near: Lose) -> None:
    fs.pipe_file("data.bin", CONTENT)
    lose_near()
    references = {
        "inline": "text",
        "whole": ["filestore://data.bin"],
        "part": ["filestore://data.bin", 8, 16],
    }
    found = fsspec.filesystem(
        "reference", fo=references, remote_protocol="filestore", remote_options=options
    )
    assert found.cat("whole") == CONTENT
    assert found.cat(["part", "inline"]) == {
        "part": b"0000001\n0000002\n",
        "inline": b"text",
    }
    with found.open("part") as file:
        assert file.read(3) == b"000"


def test_references_stored_there_too(fs: Any, options: Options, lose_near: Lose) -> None:
    """A Zarr array of chunks that lie in one file, as kerchunk describes them."""
    values = np.arange(100, dtype="<i4")
    memory = zarr.storage.MemoryStore()
    zarr.create_array(
        memory, name="v", shape=(100,), chunks=(50,), dtype="<i4", compressors=None, filters=None,
        dimension_names=["x"], zarr_format=3,
    )  # fmt: skip
    fs.pipe_file("raw.bin", b"header.." + values.tobytes())
    metadata = {
        name: asyncio.run(memory.get(name, zarr.core.buffer.default_buffer_prototype()))
        for name in ("zarr.json", "v/zarr.json")
    }
    references: dict[str, Any] = {
        name: found.to_bytes().decode() for name, found in metadata.items() if found
    }
    references.setdefault("zarr.json", json.dumps({"zarr_format": 3, "node_type": "group"}))
    references["v/c/0"] = ["filestore://raw.bin", 8, 200]
    references["v/c/1"] = ["filestore://raw.bin", 208, 200]
    fs.pipe_file("refs.json", json.dumps({"version": 1, "refs": references}).encode())
    lose_near()
    with xr.open_zarr(
        "reference://",
        storage_options={
            "fo": "filestore://refs.json",
            "target_options": options,
            "remote_protocol": "filestore",
            "remote_options": {**options, "asynchronous": True},
        },
        consolidated=False,
    ) as found:
        assert (found["v"].to_numpy() == values).all()


@pytest.mark.parametrize("compression", ["gzip", "bz2", "xz", "lzma"])
def test_compression(compression: str, fs: Any, options: Options, lose_near: Lose) -> None:
    url = "filestore://c/file"
    with fsspec.open(url, "wb", compression=compression, **options) as file:
        file.write(CONTENT)
        assert not fs.exists("c/file")
    lose_near()
    assert fs.info("c/file")["size"] < len(CONTENT) / 2
    with fsspec.open(url, "rb", compression=compression, **options) as file:
        assert file.read() == CONTENT
    with fsspec.open(url, "rt", compression=compression, **options) as file:
        assert file.readline() == "0000000\n"
    with fs.open("c/file", "r", compression=compression) as file:
        assert file.readline() == "0000000\n"


def test_compression_by_name(options: Options, lose_near: Lose, fs: Any) -> None:
    with fsspec.open("filestore://a.txt.gz", "wt", compression="infer", **options) as file:
        file.write("tëxt")
    lose_near()
    assert fs.cat_file("a.txt.gz")[:2] == b"\x1f\x8b"
    with fsspec.open("filestore://a.txt.gz", "rt", compression="infer", **options) as file:
        assert file.read() == "tëxt"


def test_many_files(options: Options, lose_near: Lose, fs: Any) -> None:
    files = fsspec.open_files("filestore://m/*.txt", "w", num=3, **options)
    with files as opened:
        for number, file in enumerate(opened):
            file.write(f"{number}")
    assert lose_near() == ["m/0.txt", "m/1.txt", "m/2.txt"]
    with fsspec.open_files("filestore://m/*.txt", "r", **options) as opened:
        assert [file.read() for file in opened] == ["0", "1", "2"]
    mapper = fsspec.get_mapper("filestore://m", **options)
    assert dict(mapper) == {f"{number}.txt": b"%d" % number for number in range(3)}
    mapper["3.txt"] = b"3"
    del mapper["0.txt"]
    assert fs.find("m") == ["m/1.txt", "m/2.txt", "m/3.txt"]


def test_the_environment_configures(fs: Any, options: Options, lose_near: Lose) -> None:
    fs.pipe_file("e/a.txt", b"from the environment")
    lose_near()
    script = (
        "import fsspec\n"
        "print(fsspec.open('filestore://e/a.txt', 'r').open().read())\n"
        "print(fsspec.filesystem('filestore').ls('e', detail=False))\n"
        "print(fsspec.open('simplecache::filestore://e/a.txt').open().read())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "FSSPEC_FILESTORE": json.dumps(options)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    expected = "from the environment\n['e/a.txt']\nb'from the environment'\n"
    assert (done.stderr, done.stdout) == ("", expected)


def test_one_variable_configures_one_location(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    script = "import fsspec; print(fsspec.filesystem('filestore').cat_file('a'))"
    for value in (tmp_path.as_uri(), json.dumps([tmp_path.as_uri()])):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "FSSPEC_FILESTORE_LOCATIONS": value},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stderr, done.stdout) == ("", "b'x'\n")
