"""Whoever reads and writes by way of fsspec does so through the composite filesystem.

Each writes, finds what it wrote at both locations, loses the near copy, and reads from far.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dask
import dask.dataframe as dd
import duckdb
import fsspec
import fsspec.generic
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from dask.distributed import Client, LocalCluster
from fsspec.implementations.dirfs import DirFileSystem
from pandas.testing import assert_frame_equal
from upath import UPath
from zarr.storage import FsspecStore

from filestore_fsspec.filesystem import FileStoreFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Options = dict[str, Any]
    Lose = Callable[[], list[str]]

FORMATS = ["csv", "parquet", "feather"]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"number": range(1000), "text": [f"row {n}" for n in range(1000)]})


@pytest.mark.parametrize("kind", FORMATS)
def test_pandas(frame: pd.DataFrame, options: Options, lose_near: Lose, kind: str) -> None:
    url = f"filestore://tables/frame.{kind}"
    extra = {"index": False} if kind == "csv" else {}
    getattr(frame, f"to_{kind}")(url, storage_options=options, **extra)
    assert lose_near() == [f"tables/frame.{kind}"]
    assert_frame_equal(getattr(pd, f"read_{kind}")(url, storage_options=options), frame)


@pytest.mark.parametrize("compression", ["gzip", "zip", "bz2", "xz"])
def test_pandas_compresses(
    frame: pd.DataFrame, options: Options, lose_near: Lose, compression: str
) -> None:
    how = {"storage_options": options, "compression": compression}
    frame.to_csv("filestore://frame.csv", index=False, **how)
    lose_near()
    assert_frame_equal(pd.read_csv("filestore://frame.csv", **how), frame)


def test_pandas_partitions(frame: pd.DataFrame, options: Options, lose_near: Lose) -> None:
    frame["part"] = frame["number"] % 3
    frame.to_parquet("filestore://parts", storage_options=options, partition_cols=["part"])
    assert len(lose_near()) == 3
    found = pd.read_parquet("filestore://parts", storage_options=options)
    assert sorted(found["number"]) == list(range(1000))
    some = pd.read_parquet(
        "filestore://parts", storage_options=options, filters=[("part", "==", 1)]
    )
    assert set(some["number"] % 3) == {1}


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        yield client


@pytest.fixture(params=["threads", "processes"])
def where(request: pytest.FixtureRequest) -> Iterator[None]:
    """Dask's threads, or processes that it spawns."""
    if request.param == "threads":
        with dask.config.set(scheduler="threads"):
            yield
    else:
        with request.getfixturevalue("workers").as_current():
            yield


# dask 2026.8 gives pandas 3.1 an argument that a later pandas will not take.
@pytest.mark.filterwarnings(r"ignore:(.*\n)*.*The inplace keyword in DataFrame.(re)?set_index")
@pytest.mark.usefixtures("where")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_dask(frame: pd.DataFrame, options: Options, lose_near: Lose, kind: str) -> None:
    table = dd.from_pandas(frame, npartitions=4)  # type: ignore[no-untyped-call]
    if kind == "csv":
        table.to_csv("filestore://t/*.csv", index=False, storage_options=options)
        assert lose_near() == [f"t/{n}.csv" for n in range(4)]
        found = dd.read_csv("filestore://t/*.csv", storage_options=options)
    else:
        table.to_parquet("filestore://t", storage_options=options)
        assert len(lose_near()) == 4
        found = dd.read_parquet("filestore://t", storage_options=options)
    assert found.npartitions == 4
    expected = frame.sort_values("number", ignore_index=True)
    read = found.compute().sort_values("number", ignore_index=True)
    assert_frame_equal(read, expected, check_dtype=False)
    assert found["number"].sum().compute() == sum(range(1000))


def test_pyarrow_dataset(fs: Any, lose_near: Lose) -> None:
    table = pa.table({"number": list(range(300)), "part": [n % 3 for n in range(300)]})
    parts = ds.partitioning(pa.schema([("part", pa.int64())]), flavor="hive")
    ds.write_dataset(table, "set", format="parquet", filesystem=fs, partitioning=parts)
    assert len(lose_near()) == 3
    found = ds.dataset("set", format="parquet", filesystem=fs, partitioning=parts)
    assert found.count_rows() == 300
    some = found.to_table(filter=ds.field("part") == 2)
    assert set(some["number"].to_pylist()) == set(range(2, 300, 3))


def test_pyarrow_parquet(fs: Any, lose_near: Lose) -> None:
    table = pa.table({"number": list(range(300))})
    pq.write_table(table, "t/one.parquet", filesystem=fs)
    lose_near()
    assert pq.read_table("t/one.parquet", filesystem=fs).equals(table)
    assert pq.read_table("t", filesystem=fs).equals(table)


def test_polars(fs: Any, lose_near: Lose) -> None:
    frame = pl.DataFrame({"number": range(500), "text": [str(n) for n in range(500)]})
    with fs.open("p/frame.parquet", "wb") as file:
        frame.write_parquet(file)
    with fs.open("p/frame.csv", "wb") as file:
        frame.write_csv(file)
    lose_near()
    with fs.open("p/frame.parquet") as file:
        assert pl.read_parquet(file).equals(frame)
    with fs.open("p/frame.csv") as file:
        assert pl.read_csv(file, schema=frame.schema).equals(frame)
    scanned = pl.scan_pyarrow_dataset(ds.dataset("p/frame.parquet", filesystem=fs))
    assert scanned.filter(pl.col("number") > 490).collect().height == 9


def test_polars_by_url(options: Options, lose_near: Lose) -> None:
    frame = pl.DataFrame({"number": range(500)})
    with fsspec.open("filestore://frame.parquet", "wb", **options) as file:
        frame.write_parquet(file)
    lose_near()
    found = pl.read_parquet("filestore://frame.parquet", use_pyarrow=True, storage_options=options)
    assert found.equals(frame)


def test_duckdb(fs: Any, lose_near: Lose) -> None:
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        connection.execute(
            "COPY (SELECT range AS number FROM range(1000)) TO 'filestore://d/a.parquet'"
        )
        connection.execute(
            "COPY (SELECT range AS number FROM range(1000, 2000)) TO 'filestore://d/b.csv'"
        )
        assert lose_near() == ["d/a.parquet", "d/b.csv"]
        one = connection.execute("SELECT sum(number) FROM 'filestore://d/a.parquet'").fetchone()
        assert one == (sum(range(1000)),)
        both = connection.execute(
            "SELECT sum(number) FROM (SELECT * FROM 'filestore://d/*.parquet' "
            "UNION ALL SELECT * FROM read_csv('filestore://d/*.csv'))"
        ).fetchone()
        assert both == (sum(range(2000)),)


def test_zarr_by_url(options: Options, lose_near: Lose) -> None:
    values = np.arange(10_000).reshape(100, 100)
    root = zarr.open_group("filestore://arrays/g.zarr", mode="w", storage_options=options)
    array = root.create_array("a", shape=(100, 100), chunks=(10, 100), dtype="i8")
    array[:] = values
    array[5:7] = 0
    values[5:7] = 0
    array.attrs["unit"] = "m"
    keys = lose_near()
    assert "arrays/g.zarr/a/zarr.json" in keys
    assert sum("/a/c/" in key for key in keys) == 10
    found: Any = zarr.open_group("filestore://arrays/g.zarr", mode="r", storage_options=options)
    assert list(found.array_keys()) == ["a"]
    assert found["a"].attrs["unit"] == "m"
    assert (found["a"][:] == values).all()
    assert (found["a"][95, 3:5] == values[95, 3:5]).all()


@pytest.mark.parametrize("asynchronous", [True, False])
def test_zarr_by_instance(options: Options, lose_near: Lose, *, asynchronous: bool) -> None:
    fs = FileStoreFileSystem(**options, asynchronous=asynchronous)
    mapper = fs.get_mapper("g.zarr")
    store = FsspecStore(fs, path="g.zarr") if asynchronous else FsspecStore.from_mapper(mapper)
    zarr.create_array(store, name="x", data=np.arange(50), chunks=(10,))
    lose_near()
    found: Any = zarr.open_array(store, path="x", mode="r")
    assert (found[:] == np.arange(50)).all()


# Consolidated metadata is no part of Zarr's format 3, as zarr warns.
def test_xarray(options: Options, fs: Any, lose_near: Lose) -> None:
    data = xr.Dataset(
        {"heat": (("x", "y"), np.random.default_rng(1).random((20, 30)))},
        coords={"x": np.arange(20)},
        attrs={"unit": "K"},
    )
    url = "filestore://cubes/heat.zarr"
    data.to_zarr(url, storage_options=options, consolidated=False)
    more = data.assign_coords(x=np.arange(20, 40))
    more.to_zarr(url, storage_options=options, consolidated=False, append_dim="x")
    lose_near()
    whole = xr.concat([data, more], "x")
    with xr.open_zarr(url, storage_options=options, consolidated=False) as found:
        xr.testing.assert_identical(found.load(), whole)
    with xr.open_zarr(fs.get_mapper("cubes/heat.zarr"), consolidated=False) as found:
        assert float(found.heat.mean()) == pytest.approx(float(whole.heat.mean()))


# universal_pathlib 0.3 says this of every protocol that is not its own.
@pytest.mark.filterwarnings("ignore:UPath 'filestore' filesystem not explicitly implemented")
def test_upath(options: Options, lose_near: Lose) -> None:
    folder = UPath("filestore://docs", **options)
    (folder / "sub" / "a.txt").write_text("älpha")
    (folder / "b.bin").write_bytes(b"beta")
    assert lose_near() == ["docs/b.bin", "docs/sub/a.txt"]
    assert (folder / "sub" / "a.txt").read_text() == "älpha"
    assert (folder / "sub").is_dir()
    assert (folder / "b.bin").stat().st_size == 4
    assert not (folder / "c").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["b.bin", "sub"]
    assert [path.name for path in folder.glob("**/*.txt")] == ["a.txt"]
    assert [str(path) for path in folder.rglob("*.txt")] == ["filestore://docs/sub/a.txt"]
    (folder / "b.bin").rename("filestore://docs/c.bin")
    assert (folder / "c.bin").read_bytes() == b"beta"
    (folder / "c.bin").unlink()
    assert not (folder / "c.bin").exists()
    with pytest.raises(FileNotFoundError):
        (folder / "c.bin").read_bytes()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Any]:
    """Another store of two folders."""
    fs = FileStoreFileSystem([(tmp_path / name).as_uri() for name in ("other-near", "other-far")])
    yield fs
    for location in fs.store.locations:
        location.close()


def copy_both_ways(generic: Any, here: Any, there: Any, lose_near: Lose) -> None:
    """Copy from `filestore://` to `dir://` and back, each time from far."""
    here.pipe({"in/a": b"a" * 1000, "in/sub/b": b"b"})
    assert lose_near() == ["in/a", "in/sub/b"]
    generic.cp("filestore://in/a", "dir://copies/a", on_error="raise")
    assert there.cat("base/copies/a") == b"a" * 1000
    fsspec.generic.rsync("filestore://in", "dir://in", fs=generic)
    assert {key: there.cat(key) for key in there.find("base/in")} == {
        "base/in/a": b"a" * 1000,
        "base/in/sub/b": b"b",
    }
    near, far = there.store.locations
    assert (
        sorted(far.list()) == sorted(near.list()) == ["base/copies/a", "base/in/a", "base/in/sub/b"]
    )
    for key in list(near.list()):
        near.delete(key)
    generic.cp("dir://in/sub/b", "filestore://back/b", on_error="raise")
    assert here.cat("back/b") == b"b"
    with pytest.raises(FileNotFoundError):
        generic.cp("filestore://in/none", "dir://none", on_error="raise")
    assert not there.exists("base/none")


def test_generic_copy_by_url(fs: Any, other: Any, options: Options, lose_near: Lose) -> None:
    """Generic keeps one set of options a protocol; `dir` makes another protocol of the second."""
    second = {
        "target_protocol": "filestore",
        "target_options": other.storage_options,
        "path": "base",
    }
    generic = fsspec.filesystem(
        "generic",
        default_method="options",
        storage_options={"filestore": options, "dir": second},
    )
    copy_both_ways(generic, fs, other, lose_near)


def test_generic_copy_by_instance(
    fs: Any, other: Any, lose_near: Lose, monkeypatch: pytest.MonkeyPatch
) -> None:
    instances = {"filestore": fs, "dir": DirFileSystem(fs=other, path="base")}
    monkeypatch.setattr(fsspec.generic, "_generic_fs", instances)
    generic = fsspec.filesystem("generic", default_method="generic", skip_instance_cache=True)
    copy_both_ways(generic, fs, other, lose_near)


def test_generic_copy_of_one_store_within_itself(
    fs: Any, lose_near: Lose, options: Options
) -> None:
    fs.pipe_file("in/a", b"a" * 1000)
    lose_near()
    generic = fsspec.filesystem(
        "generic", default_method="options", storage_options={"filestore": options}
    )
    generic.cp("filestore://in/a", "filestore://out/a", on_error="raise")
    assert [location.get("out/a") for location in fs.store.locations] == [b"a" * 1000] * 2


def test_generic_copy_operation(fs: Any, other: Any, lose_near: Lose) -> None:
    fs.pipe({"a": b"a", "b": b"b"})
    lose_near()
    asyncio.run(
        fsspec.generic.copy_file_op(fs, ["a", "b"], other, ["x/a", "x/b"], on_error="raise")
    )
    assert other.cat(["x/a", "x/b"]) == {"x/a": b"a", "x/b": b"b"}
