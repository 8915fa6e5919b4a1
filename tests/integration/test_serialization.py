"""The composite filesystem travels, is the same for the same locations, and shows no secret."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import dask.dataframe as dd
import fsspec
import pandas as pd
import pytest
from fsspec import AbstractFileSystem

from filestore_fsspec.errors import InvalidURL, LocationUnavailable
from filestore_fsspec.filesystem import FileStoreFileSystem
from tests.services.common import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "s3cret-pässword"
KEY = "c2VjcmV0LWtleQ=="


def secret_sources(port: int = 1) -> list[Any]:
    """One location for each way in which a secret is given."""
    at = f"localhost:{port}"
    return [
        f"ftp://user:{SECRET}@{at}/root?connect_timeout=2",
        f"s3://user:{SECRET}@{at}/root?s3_bucket=bucket&use_ssl=false&aws_region=us-east-1",
        f"azure://{at}/container?account=account&access_key={KEY}&use_ssl=false",
        f"sftp://user@{at}/root?private_key=/none&private_key_pass={SECRET}",
        {
            "name": "host",
            "scheme": "ftp",
            "host": f"{at}/root",
            "username": "user",
            "password": SECRET,
        },
    ]


def shows_secret(text: str) -> bool:
    return any(secret in text for secret in (SECRET, "s3cret", KEY, "c2VjcmV0", "p%C3%A4ssword"))


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    return [(tmp_path / name).as_uri() for name in ("near", "far")]


def test_the_same_locations_are_the_same_instance(folders: list[str]) -> None:
    fs = fsspec.filesystem("filestore", locations=folders)
    for other in (
        fsspec.filesystem("filestore", locations=list(folders)),
        fsspec.filesystem("filestore", locations=tuple(folders)),
        FileStoreFileSystem(folders),
        fsspec.core.url_to_fs("filestore://a/b", locations=folders)[0],
        pickle.loads(pickle.dumps(fs)),  # noqa: S301 - our own
        AbstractFileSystem.from_json(fs.to_json()),
        FileStoreFileSystem(**fs.storage_options),
        FileStoreFileSystem.from_dict(fs.to_dict()),
    ):
        assert other is fs
    for other in (
        fsspec.filesystem("filestore", locations=folders[::-1]),
        fsspec.filesystem("filestore", locations=folders, location="near"),
        fsspec.filesystem("filestore", locations=folders[:1]),
    ):
        assert other != fs
        assert other._fs_token != fs._fs_token
    assert (
        fsspec.filesystem("filestore", locations=folders[0]).store
        == FileStoreFileSystem(folders[:1]).store
    )


def test_another_password_is_another_instance() -> None:
    """What `repr` hides must not be what tells two stores apart."""
    first, second = (
        FileStoreFileSystem([f"ftp://user:{word}@localhost/root"]) for word in ("one", "two")
    )
    assert first != second
    for fs, word in ((first, "one"), (second, "two")):
        for way in (
            lambda fs: pickle.loads(pickle.dumps(fs)),  # noqa: S301 - our own
            lambda fs: AbstractFileSystem.from_json(fs.to_json()),
            lambda fs: FileStoreFileSystem(**fs.storage_options),
        ):
            FileStoreFileSystem.clear_instance_cache()
            copies = [way(first), way(second)]
            assert copies[0] != copies[1]
            copy = copies[fs is second]
            assert copy.store.locations[0].url.password == word


def test_it_travels_to_another_process(folders: list[str]) -> None:
    fs = FileStoreFileSystem(folders, strict=False, min_copies=1, location="far")
    fs.pipe_file("a/b", b"content")
    script = (
        "import pickle, sys; from fsspec import AbstractFileSystem\n"
        "blob, text = pickle.load(sys.stdin.buffer)\n"
        "for fs in pickle.loads(blob), AbstractFileSystem.from_json(text):\n"
        "    print(fs.cat('a/b').decode(), fs.location, fs.store.strict, fs.store.min_copies)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps((pickle.dumps(fs), fs.to_json())),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout) == (b"", b"content far False 1\n" * 2)


def test_open_files_travel(folders: list[str]) -> None:
    with fsspec.open("filestore://a.txt", "w", locations=folders) as file:
        file.write("text")
    opened = fsspec.open("filestore://a.txt", "r", locations=folders)
    with pickle.loads(pickle.dumps(opened)) as file:  # noqa: S301 - our own
        assert file.read() == "text"


def test_secrets_are_not_shown(folders: list[str]) -> None:
    for source in secret_sources():
        for fs in (FileStoreFileSystem([source, *folders]), FileStoreFileSystem([source])):
            fs = pickle.loads(pickle.dumps(fs))  # noqa: PLW2901, S301
            for shown in (
                repr(fs),
                str(fs),
                repr(fs.storage_options),
                str(fs.storage_args),
                repr(fs.store),
                repr(fs.store.locations),
                repr(fsspec.core.OpenFile(fs, "a")),
                repr(fs.get_mapper("a")),
                repr(fs.get_mapper("a").fs),
                fs.to_json(include_password=False),
                repr(fs.to_dict(include_password=False)),
                str(pickle.loads(pickle.dumps(fs.storage_options))),  # noqa: S301
            ):
                assert not shows_secret(shown), shown
            assert json.loads(fs.to_json())["locations"][0] == source


def test_secrets_are_in_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "src").write_bytes(b"x")
    calls: list[Callable[[Any], object]] = [
        lambda fs: fs.cat_file("k"),
        lambda fs: fs.open("k").read(),
        lambda fs: fs.ls(""),
        lambda fs: fs.find("a"),
        lambda fs: fs.info("k"),
        lambda fs: fs.exists("k"),
        lambda fs: fs.pipe_file("k", b"x"),
        lambda fs: fs.open("k", "wb").close(),
        lambda fs: fs.put_file(str(tmp_path / "src"), "k"),
        lambda fs: fs.rm_file("k"),
        lambda fs: fs.mv("k", "l"),
    ]
    for source in secret_sources(free_port()):
        fs = FileStoreFileSystem([source], connection_attempts=1, skip_instance_cache=True)
        for call in calls:
            with pytest.raises(OSError, match="localhost") as raised:
                call(fs)
            text = "".join(traceback.format_exception(raised.value))
            assert not shows_secret(text), text
        fs.store._close()
    assert not shows_secret(caplog.text)


def test_a_bad_location_shows_no_secret() -> None:
    for wrong in (
        f"ftp://user:{SECRET}@localhost/root?no_such_option={SECRET}",
        f"ftp://user:{SECRET}/x@localhost/root",
        {"name": "n", "host": f"user:{SECRET}@", "password": SECRET},
    ):
        with pytest.raises(InvalidURL) as raised:
            FileStoreFileSystem([wrong])
        assert not shows_secret(str(raised.value))


def test_a_dask_graph_of_a_filesystem_shows_no_secret(folders: list[str]) -> None:
    """Dask prints the options that it is given: give it the filesystem, or a store's name."""
    fs = FileStoreFileSystem([*folders, secret_sources()[0]], location="near")
    fs.store.locations[0].put("t/a.parquet", pd.DataFrame({"n": [1, 2]}).to_parquet())
    table = dd.read_parquet("t/a.parquet", filesystem=fs)
    assert list(table["n"].compute()) == [1, 2]
    for shown in (
        repr(table),
        repr(table.expr),
        table.expr.tree_repr(),
        repr(table.dask),
        str(dict(table.dask)),
        repr(table.optimize().expr),
        str(dict(table.optimize().dask)),
    ):
        assert not shows_secret(shown), shown


@pytest.fixture
def archive(folders: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A store of that name in fsspec's own configuration, with a secret in one of its URLs."""
    urls = [*folders, f"ftp://user:{SECRET}@localhost:1/root?read_only=true"]
    monkeypatch.setitem(fsspec.config.conf, "filestore", {"stores": {"archive": urls}})
    yield urls
    FileStoreFileSystem.clear_instance_cache()


def test_a_store_has_a_name_in_the_configuration(archive: list[str]) -> None:
    with fsspec.open("filestore://a.txt", "w", store="archive") as file:
        file.write("text")
    fs = fsspec.filesystem("filestore", store="archive", location="near")
    assert [str(each.url) for each in fs.store.locations[:2]] == archive[:2]
    assert fs.cat_file("a.txt") == b"text"
    for shown in (pickle.dumps(fs).decode("latin-1"), fs.to_json(), repr(fs), str(vars(fs))):
        assert not shows_secret(shown), shown
    assert pickle.loads(pickle.dumps(fs)) is fs  # noqa: S301 - our own
    assert AbstractFileSystem.from_json(fs.to_json()) is fs
    with fsspec.open("simplecache::filestore://a.txt", filestore={"store": "archive"}) as file:
        assert file.read() == b"text"
    with pytest.raises(InvalidURL, match="no store is called 'other'"):
        fsspec.filesystem("filestore", store="other")


def test_what_is_given_goes_before_what_is_configured(
    folders: list[str], archive: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = {"locations": "file:///nowhere", "stores": {"archive": archive}}
    monkeypatch.setitem(fsspec.config.conf, "filestore", conf)
    assert str(fsspec.filesystem("filestore")) == "<FileStoreFileSystem file:///nowhere/>"
    assert len(fsspec.filesystem("filestore", store="archive").store.locations) == 3
    assert len(fsspec.filesystem("filestore", locations=folders).store.locations) == 2
    monkeypatch.setitem(fsspec.config.conf, "filestore", {"store": "archive", **conf})
    with pytest.raises(InvalidURL, match="not both"):
        fsspec.filesystem("filestore")
    assert len(fsspec.filesystem("filestore", locations=folders).store.locations) == 2


def test_a_store_has_a_name_in_the_settings_file(
    folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [*folders, "ftp://user:${ARCHIVE_PASSWORD}@localhost:1/root?read_only=true"]
    config = tmp_path / "config.yml"
    config.write_text(json.dumps({"filestore": {"stores": {"archive": urls}}}))
    monkeypatch.setenv("FILESTORE_CONFIG", str(config))
    monkeypatch.setenv("ARCHIVE_PASSWORD", SECRET)
    fs = fsspec.filesystem("filestore", store="archive", skip_instance_cache=True)
    fs.pipe_file("a", b"content")
    blob = pickle.dumps(fs)
    assert not shows_secret(blob.decode("latin-1"))
    script = (
        "import pickle, sys; fs = pickle.load(sys.stdin.buffer)\n"
        "password = fs.store.locations[2].url.password\n"
        "sys.stdout.buffer.write(fs.cat_file('a') + password.encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=blob, capture_output=True, timeout=60, check=False
    )
    assert (done.stderr, done.stdout) == (b"", b"content" + SECRET.encode())


def test_dask_workers_find_a_named_store(
    folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.yml"
    config.write_text(json.dumps({"filestore": {"stores": {"archive": folders}}}))
    monkeypatch.setenv("FILESTORE_CONFIG", str(config))
    options = {"store": "archive"}
    frame = pd.DataFrame({"n": range(10)})
    frame.to_csv("filestore://n.csv", index=False, storage_options=options)
    table = dd.read_csv("filestore://n.csv", storage_options=options)
    assert table["n"].sum().compute(scheduler="processes") == 45
    FileStoreFileSystem.clear_instance_cache()


def test_no_locations_are_those_of_the_settings(
    folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILESTORE_URLS", json.dumps(folders))
    fs = fsspec.filesystem("filestore", skip_instance_cache=True)
    fs.pipe_file("a", b"x")
    assert [each.get("a") for each in fs.store.locations] == [b"x", b"x"]
    assert not shows_secret(fs.to_json())


async def read_awaited(fs: Any) -> None:
    assert await fs._cat_file("a/b", 2, 5) == b"234"
    assert await fs._cat(["a/b", "a/c"]) == {"a/b": b"0123456789", "a/c": b"c"}
    assert await fs._cat_ranges(["a/b"] * 2, [0, 8], [2, 10]) == [b"01", b"89"]
    assert (await fs._info("a/b"))["size"] == await fs._size("a/b") == 10
    assert await fs._sizes(["a/b", "a/c"]) == [10, 1]
    assert (await fs._exists("a/b"), await fs._exists("a/z")) == (True, False)
    assert (await fs._isfile("a/b"), await fs._isdir("a")) == (True, True)
    contents = await asyncio.gather(*(fs._cat_file("a/b") for _ in range(50)))
    assert contents == [b"0123456789"] * 50


async def list_awaited(fs: Any) -> None:
    assert sorted(await fs._ls("a", detail=False)) == ["a/b", "a/c", "a/d"]
    assert await fs._find("a") == ["a/b", "a/c", "a/d/e"]
    assert await fs._glob("a/*") == ["a/b", "a/c", "a/d"]
    assert await fs._expand_path("a/*") == ["a/b", "a/c", "a/d"]
    assert await fs._du("a") == 12
    steps = [(path, sorted(below), sorted(files)) async for path, below, files in fs._walk("a")]
    assert steps == [("a", ["d"], ["b", "c"]), ("a/d", [], ["e"])]


async def copy_awaited(fs: Any, folder: Path) -> None:
    await fs._cp_file("a/b", "copy/b")
    await fs._copy("a/", "copies/", recursive=True)
    assert await fs._find("copies") == ["copies/b", "copies/c", "copies/d/e"]
    await fs._get_file("a/b", f"{folder}/local")
    await fs._put_file(f"{folder}/local", "put/b")
    assert await fs._cat_file("put/b") == b"0123456789"
    await fs._get("a/", f"{folder}/tree/", recursive=True)
    assert (folder / "tree" / "d" / "e").read_bytes() == b"e"
    await fs._put(f"{folder}/tree/", "tree/", recursive=True)
    assert await fs._find("tree") == ["tree/b", "tree/c", "tree/d/e"]
    await fs._rm_file("put/b")
    with pytest.raises(FileNotFoundError):
        await fs._cat_file("put/b")
    await fs._rm("tree", recursive=True)
    assert not await fs._exists("tree/b")
    await fs._mkdir("new/folder")
    await fs._makedirs("new/folder", exist_ok=True)
    await fs._rmdir("new/folder")


async def open_awaited(fs: Any) -> None:
    async with await fs.open_async("a/b") as file:
        assert await file.read(3) == b"012"
        assert await file.seek(8) == 8
        assert await file.read() == b"89"
    file = await fs.open_async("w", "wb")
    await file.write(b"written")
    assert not await fs._exists("w")
    await file.close()
    assert await fs._cat_file("w") == b"written"
    with pytest.raises(RuntimeError, match="stop"):
        async with await fs.open_async("w", "wb") as file:
            await file.write(b"half")
            raise RuntimeError("stop")
    assert await fs._cat_file("w") == b"written"


def test_awaited_in_a_loop_of_its_own(fs: Any, locations: list[str], tmp_path: Path) -> None:
    async def use() -> None:
        awaited = FileStoreFileSystem(locations, asynchronous=True)
        await awaited._pipe_file("a/b", b"0123456789")
        await awaited._pipe({"a/c": b"c", "a/d/e": b"e"})
        await read_awaited(awaited)
        await list_awaited(awaited)
        await copy_awaited(awaited, tmp_path)
        await open_awaited(awaited)

    async def use_again() -> None:
        await read_awaited(FileStoreFileSystem(locations, asynchronous=True))

    asyncio.run(use())
    asyncio.run(use_again())
    assert [each.get("w") for each in fs.store.locations] == [b"written"] * 2


def test_an_unavailable_near_location_is_said_in_the_loop(folders: list[str]) -> None:
    async def read() -> None:
        down = f"ftp://user:{SECRET}@localhost:{free_port()}/root"
        fs = FileStoreFileSystem([down, folders[0]], asynchronous=True, connection_attempts=1)
        with pytest.raises(LocationUnavailable) as raised:
            await fs._cat_file("none")
        assert not shows_secret("".join(traceback.format_exception(raised.value)))

    asyncio.run(read())
