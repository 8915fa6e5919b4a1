"""What destroys touches what was listed, and every view agrees: over many sets of locations."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import fsspec
import fsspec.generic
import pytest
from upath import UPath

from filestore_fsspec import InvalidKey, PartialMove, TransportException
from filestore_fsspec.filesystem import FileStoreFileSystem
from tests.services.common import FolderRaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.services.common import Raw, Service

SHA = "abcd" + "0" * 60
SHARD = f"a/b/c/d/{SHA}"
SETS = {
    "file": ["file_service"],
    "verbatim file": ["file_service?layout=verbatim"],
    "memory": ["memory_service"],
    "file+s3": ["file_service", "s3_moto"],
    "s3+file": ["s3_moto", "file_service"],
    "sharded s3+file": ["s3_moto?layout=sharded", "file_service"],
    "azure+file": ["azure_http", "file_service"],
    "file+sftp": ["file_service", "sftp_asyncssh"],
    "file+ftp": ["file_service", "ftp_plain"],
}


class Place(NamedTuple):
    """A location's data, seen behind the library's back."""

    raw: Raw
    root: str

    def write(self, path: str, content: bytes = b"x") -> None:
        self.raw.write(f"{self.root}/{path}", content)

    def paths(self) -> set[str]:
        start = f"{self.root}/"
        return {each.removeprefix(start) for each in self.raw.paths() if each.startswith(start)}


class Composite:
    """A filesystem, called from outside of coroutines or from inside."""

    def __init__(self, urls: list[str], places: list[Place], *, asynchronous: bool) -> None:
        self.places, self.asynchronous = places, asynchronous
        self.fs: Any = FileStoreFileSystem(
            urls, asynchronous=asynchronous, skip_instance_cache=True
        )

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not self.asynchronous or not hasattr(self.fs, f"_{name}"):
            return getattr(self.fs, name)  # type: ignore[no-any-return]

        def call(*args: Any, **kwargs: Any) -> Any:
            async def awaited() -> Any:
                return await getattr(self.fs, f"_{name}")(*args, **kwargs)

            return asyncio.run(awaited())

        return call

    def walk(self, path: str) -> list[Any]:
        async def steps() -> list[Any]:
            return [step async for step in self.fs._walk(path)]

        return asyncio.run(steps()) if self.asynchronous else list(self.fs.walk(path))

    def contents(self) -> list[dict[str, bytes]]:
        """Return what each location holds, by key."""
        return [
            {key: location.get(key) for key in location.list() if "//" not in key}
            for location in self.fs.store.locations
        ]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def make(request: pytest.FixtureRequest, *, asynchronous: bool) -> Iterator[Any]:
    made: list[Composite] = []

    def build(names: list[str]) -> Composite:
        places, urls = [], []
        for name in names:
            fixture, _, option = name.partition("?")
            service: Service = request.getfixturevalue(fixture)
            root = f"tree-{secrets.token_hex(6)}"
            places.append(Place(service.raw, root))
            urls.append(service.url(root, **dict([option.split("=")] if option else [])))
        made.append(Composite(urls, places, asynchronous=asynchronous))
        return made[-1]

    yield build
    for each in made:
        for location in each.fs.store.locations:
            location.close()


@pytest.fixture(params=list(SETS.values()), ids=list(SETS))
def fs(request: pytest.FixtureRequest, make: Callable[[list[str]], Composite]) -> Composite:
    return make(request.param)


def everywhere(fs: Composite, expected: dict[str, bytes]) -> None:
    for found in fs.contents():
        assert found == expected


# Where a copy goes


def test_into_a_folder(fs: Composite, tmp_path: Path) -> None:
    fs.pipe({"v": b"v", "w": b"w", "t/n": b"n", "kk/x": b"x"})
    fs.mv("v", "kk/")
    fs.cp_file("w", "plain")
    fs.copy("w", "new/")
    fs.copy("t/n", "new/")
    fs.copy("w", "kk")
    fs.mv("t/n", "kk")
    (tmp_path / "up").write_bytes(b"up")
    fs.put(str(tmp_path / "up"), "other/")
    fs.put(str(tmp_path / "up"), "kk")
    fs.put(str(tmp_path / "up"), "")
    fs.get("w", f"{tmp_path}/down/")
    fs.get("kk/x", f"{tmp_path}/down")
    assert (tmp_path / "down" / "w").read_bytes() == b"w"
    assert (tmp_path / "down" / "x").read_bytes() == b"x"
    everywhere(
        fs,
        {"w": b"w", "plain": b"w", "new/w": b"w", "new/n": b"n", "up": b"up", "other/up": b"up"}
        | {"kk/x": b"x", "kk/v": b"v", "kk/w": b"w", "kk/n": b"n", "kk/up": b"up"},
    )


def test_trees_into_a_folder(fs: Composite, tmp_path: Path) -> None:
    tree = {"src/a": b"a", "src/sub/b": b"b", f"src/{SHA}": b"s"}
    fs.pipe(tree | {"there/x": b"x"})
    fs.copy("src", "there", recursive=True)
    fs.copy("src/", "there", recursive=True)
    fs.copy("src", "fresh", recursive=True)
    fs.copy("src", "made/", recursive=True)
    fs.get("src", str(tmp_path), recursive=True)
    assert (tmp_path / "src" / "sub" / "b").read_bytes() == b"b"
    copies = {
        f"{dest}/{name.removeprefix('src/')}": content
        for name, content in tree.items()
        for dest in ("there", "there/src", "fresh", "made/src")
    }
    everywhere(fs, tree | copies | {"there/x": b"x"})


# Moving


def test_a_tree_is_moved(fs: Composite) -> None:
    tree = {"t/a": b"a", "t/d/b": b"b", "t/d/e/c": b"c", f"t/d/{SHA}": b"s"}
    fs.pipe(tree | {"beside": b"x", SHA: b"sharded"})
    fs.mv("t", "moved", recursive=True)
    moved = {name.replace("t/", "moved/", 1): content for name, content in tree.items()}
    everywhere(fs, moved | {"beside": b"x", SHA: b"sharded"})
    assert not fs.exists("t")
    fs.mv("moved/*", "up", recursive=True)
    assert sorted(fs.find("up")) == sorted(name.replace("moved/", "up/") for name in moved)


def test_what_only_some_locations_have_is_moved(make: Callable[..., Composite]) -> None:
    fs = make(SETS["s3+file"])
    fs.pipe_file("t/near", b"n", location="near")
    fs.pipe_file("t/far", b"f", location="far")
    fs.mv("t", "u", recursive=True)
    everywhere(fs, {"u/near": b"n", "u/far": b"f"})


@pytest.mark.parametrize("act", ["mv", "rm"])
def test_what_comes_meanwhile_stays(
    fs: Composite, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """A file that another writes after the listing is neither moved nor deleted."""
    fs.pipe({"t/a": b"a", "t/b": b"b"})
    tree = fs.fs._tree
    remove = tree.remove_found

    async def late(*args: Any, **kwargs: Any) -> Any:
        for place in fs.places:
            place.write("t/late", b"late")
        return await remove(*args, **kwargs)

    monkeypatch.setattr(tree, "remove_found", late)
    with pytest.raises(OSError, match="not empty") as caught:
        fs.mv("t", "u", recursive=True) if act == "mv" else fs.rm("t", recursive=True)
    moved = {"u/a": b"a", "u/b": b"b"} if act == "mv" else {}
    everywhere(fs, moved | {"t/late": b"late"})
    if act == "mv":
        assert isinstance(caught.value, PartialMove)
        assert caught.value.moved == ("t/a", "t/b")
        assert "t" in caught.value.stayed


def test_what_cannot_be_copied_stays_and_is_named(
    fs: Composite, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs.pipe({"t/a": b"a", "t/d/b": b"b"})
    copy = fs.fs._copy_file

    async def fail(source: str, *args: Any) -> None:
        if source == "t/d/b":
            raise TransportException("the test's failure")
        await copy(source, *args)

    monkeypatch.setattr(fs.fs, "_copy_file", fail)
    with pytest.raises(PartialMove, match=r"stayed: 't/d/b' \(the test's failure\)") as caught:
        fs.mv("t", "u", recursive=True)
    assert (caught.value.moved, [*caught.value.stayed]) == (("t/a",), ["t/d/b"])
    everywhere(fs, {"u/a": b"a", "t/d/b": b"b"})


def test_no_move_loses_a_file(fs: Composite) -> None:
    tree = {"t/a": b"1", "t/b": b"2", "t/t/a": b"3", "s/a": b"4"}
    fs.pipe(tree)
    for source, dest in (
        ("t", "t/x"),
        ("t", "t/t/x/y"),
        (["t/a", "s/a"], "d"),
        (["t/a", "t/b"], ["t/b", "x"]),
        ("t/t/", "t/t/u"),
    ):
        with pytest.raises(ValueError, match=r"itself|replace another"):
            fs.mv(source, dest, recursive=True)
    for source, dest in (("t", "t"), ("t/a", "t"), ("t/a", "t/"), ("t/t", "t")):
        fs.mv(source, dest, recursive=True)
    everywhere(fs, tree)


def test_a_move_to_what_is_no_key_leaves_everything(make: Callable[..., Composite]) -> None:
    fs = make(["memory_service", "file_service"])
    tree = {SHA: b"1", f"t/{SHA}": b"2", "a/b/c/d/e": b"3"}
    fs.pipe(tree)
    for source in (SHA, f"t/{SHA}"):
        for dest in (SHARD, SHARD.removesuffix(SHA)):
            with pytest.raises(InvalidKey, match="is stored"):
                fs.mv(source, dest)
    everywhere(fs, tree)


def test_the_layout_flat_loses_no_file(make: Callable[..., Composite]) -> None:
    fs = make(["file_service?layout=flat", "s3_moto"])
    fs.pipe_file("x/a", b"a")
    fs.mv("x/a", "y/a")
    assert fs.cat_file("y/a") == b"a"
    assert [sorted(each) for each in fs.contents()] == [["a"], ["y/a"]]


# Deleting


def test_a_tree_is_deleted_and_nothing_else(fs: Composite) -> None:
    kept = {"ta": b"1", "t-x": b"2", "s/t/a": b"3", SHA: b"4", "a/x": b"5"}
    fs.pipe(kept | {"t/a": b"a", "t/d/b": b"b", f"t/{SHA}": b"s"})
    fs.rm("t", recursive=True)
    everywhere(fs, kept)
    assert not fs.exists("t")
    fs.rm("a", recursive=True)  # a shard's folder, which holds a key of the root as well
    del kept["a/x"]
    everywhere(fs, kept)
    fs.rm(["s", "ta"], recursive=True)
    fs.rm("t*", recursive=True)
    everywhere(fs, {SHA: b"4"})
    with pytest.raises(FileNotFoundError):
        fs.rm("t", recursive=True)
    fs.rm("", recursive=True)
    everywhere(fs, {})


@pytest.mark.parametrize("act", ["mv", "rm"])
@pytest.mark.parametrize("name", ["file", "file+s3", "s3+file", "azure+file"])
def test_what_no_listing_shows_stays(make: Callable[..., Composite], act: str, name: str) -> None:
    fs = make(SETS[name])
    fs.pipe({"t/a": b"a", "t/d/b": b"b"})
    for place in fs.places:
        if isinstance(place.raw, FolderRaw):
            hidden = os.fsencode(place.raw.folder / place.root / "t" / "d") + b"/\xff"
            Path(os.fsdecode(hidden)).write_bytes(b"no key")
        else:
            place.write("t/d//no-key", b"no key")
    before = [place.paths() for place in fs.places]
    with pytest.raises(OSError, match="not empty"):
        fs.mv("t", "u", recursive=True) if act == "mv" else fs.rm("t", recursive=True)
    everywhere(fs, {"u/a": b"a", "u/d/b": b"b"} if act == "mv" else {})
    assert fs.ls("t/d") == []
    for place, paths in zip(fs.places, before, strict=True):
        assert place.paths() >= paths - {"t/a", "t/d/b"}


@pytest.mark.parametrize("act", ["mv", "rm"])
@pytest.mark.parametrize("name", ["file", "s3+file", "file+sftp", "file+ftp"])
def test_no_link_is_gone_through(make: Callable[..., Composite], act: str, name: str) -> None:
    fs = make(SETS[name])
    fs.pipe({"t/a": b"a", "kept": b"kept"})
    raw = fs.places[-1].raw
    assert isinstance(raw, FolderRaw)
    root = raw.folder / fs.places[-1].root
    elsewhere = root.with_name(f"{root.name}-elsewhere")
    (elsewhere / "d").mkdir(parents=True)
    for path in (elsewhere / "x", elsewhere / "d" / "y"):
        path.write_bytes(b"elsewhere")
    (root / "t" / "linked").symlink_to(elsewhere)
    (root / "t" / "file").symlink_to(elsewhere / "x")
    assert fs.cat_file("t/linked/d/y") == b"elsewhere"
    if act == "rm":
        fs.rm("t", recursive=True)
        everywhere(fs, {"kept": b"kept"})
    else:
        fs.mv("t", "u", recursive=True)
        assert fs.find("u") == ["u/a", "u/file", "u/linked/d/y", "u/linked/x"]
        assert fs.cat_file("u/linked/d/y") == fs.cat_file("u/file") == b"elsewhere"
    assert not fs.exists("t")
    assert (elsewhere / "d" / "y").read_bytes() == (elsewhere / "x").read_bytes() == b"elsewhere"


def test_a_link_to_a_folder_is_removed_by_its_name(
    make: Callable[..., Composite], tmp_path: Path
) -> None:
    fs = make(SETS["file"])
    (tmp_path / "x").write_bytes(b"elsewhere")
    fs.pipe_file("a", b"a")
    raw = fs.places[0].raw
    assert isinstance(raw, FolderRaw)
    (raw.folder / fs.places[0].root / "link").symlink_to(tmp_path)
    fs.rm("link", recursive=True)
    assert fs.find("") == ["a"]
    assert (tmp_path / "x").exists()


@pytest.mark.parametrize("act", ["mv", "rm"])
@pytest.mark.parametrize("name", ["file", "file+sftp"])
def test_links_that_no_listing_shows_are_deleted_by_rm_alone(
    make: Callable[..., Composite], act: str, name: str
) -> None:
    fs = make(SETS[name])
    fs.pipe({"t/a": b"a", "t/d/b": b"b"})
    for place in fs.places:
        assert isinstance(place.raw, FolderRaw)
        folder = place.raw.folder / place.root / "t" / "d"
        (folder / "dangling").symlink_to("nowhere")
        (folder / "upward").symlink_to("..")
        (folder / "itself").symlink_to("itself")
    assert fs.find("") == ["t/a", "t/d/b"]
    if act == "rm":
        fs.rm("t", recursive=True)
        everywhere(fs, {})
        assert not fs.exists("t")
        return
    with pytest.raises(PartialMove, match="empty"):
        fs.mv("t", "u", recursive=True)
    everywhere(fs, {"u/a": b"a", "u/d/b": b"b"})
    for place in fs.places:
        folder = place.raw.folder / place.root / "t" / "d"  # type: ignore[attr-defined]
        assert {each.name for each in folder.iterdir()} == {"dangling", "itself", "upward"}


def test_what_killed_writers_left_does_not_keep_a_folder(fs: Composite) -> None:
    fs.pipe({"t/a": b"a"})
    for place in fs.places:
        if isinstance(place.raw, FolderRaw):
            place.write(f"t/.filestore-{'0' * 32}.part")
    fs.rm("t", recursive=True)
    assert not fs.exists("t")


# Folders


@pytest.mark.parametrize("folder", ["d", "d/e", "a/b/c", "a/b/c/d/e", "dd", f"{SHA}", f"x/{SHA}"])
def test_what_makedirs_made(make: Callable[..., Composite], folder: str) -> None:
    for name in ("file", "verbatim file", "memory", "file+s3", "file+sftp", "file+ftp"):
        fs = make(SETS[name])
        fs.pipe_file(SHA[::-1], b"x")
        fs.makedirs(folder)
        assert fs.isdir(folder), name
        assert fs.exists(folder)
        assert fs.info(folder)["type"] == "directory"
        assert fs.ls(folder) == []
        top = folder.partition("/")[0]
        assert [i["type"] for i in fs.ls("") if i["name"] == top] == ["directory"]
        with pytest.raises(FileExistsError):
            fs.makedirs(folder)
        fs.makedirs(folder, exist_ok=True)
        fs.rmdir(folder)
        assert not fs.exists(folder), name
        fs.makedirs(folder)
        fs.rm(top, recursive=True)
        assert not fs.exists(top), name
        everywhere(fs, {SHA[::-1]: b"x"})


def test_a_deleted_key_leaves_no_folder(fs: Composite) -> None:
    fs.pipe_file(SHA, b"x")
    fs.rm(SHA)
    assert fs.ls("") == []
    assert not fs.exists("a")


def test_a_folder_named_like_a_key_of_64(make: Callable[..., Composite]) -> None:
    fs = make(["file_service", "memory_service"])
    fs.pipe_file(f"{SHA}/x", b"")
    fs.rm_file(f"{SHA}/x")
    fs.pipe_file(SHA, b"")
    assert {info["type"] for info in fs.ls("")} == {"file", "directory"}
    fs.rmdir(SHA)
    assert [(info["name"], info["type"]) for info in fs.ls("")] == [(SHA, "file")]
    with pytest.raises(NotADirectoryError):
        fs.rmdir(SHA)


# Views


def test_a_file_beside_a_folder(make: Callable[..., Composite], tmp_path: Path) -> None:
    for names in (["s3_moto"], ["memory_service"], SETS["s3+file"]):
        fs = make(names)
        if len(names) == 1:
            fs.pipe({"dd/x": b"x", "dd": b"file"})
        else:
            fs.pipe_file("dd/x", b"x", location="near")
            fs.pipe_file("dd", b"file", location="far")
        entries = [(info["name"], info["type"]) for info in fs.ls("")]
        assert entries == [("dd", "file"), ("dd", "directory")], names
        assert fs.ls("", detail=False) == ["dd"]
        assert [each["name"] for each in fs.ls("dd")] == ["dd/x"]
        assert fs.walk("") == [("", ["dd"], ["dd"]), ("dd", [], ["x"])]
        assert fs.find("") == ["dd", "dd/x"]
        assert fs.glob("*") == ["dd"]
        assert fs.glob("**") == ["dd", "dd/x"]
        assert fs.info("dd")["type"] == fs.find("", detail=True)["dd"]["type"] == "file"
        assert fs.isfile("dd")
        assert fs.isdir("dd")
        assert fs.cat_file("dd") == b"file"
        fs.get("dd/x", str(tmp_path / "x"))
        if len(names) == 1:
            fs.copy("dd", "copy", recursive=True)
            assert fs.cat_file("copy") == b"file"
            assert fs.cat_file("copy/x") == b"x"
            fs.mv("copy", "moved", recursive=True)
            assert fs.find("") == ["dd", "dd/x", "moved", "moved/x"]
            fs.rm("moved", recursive=True)
        fs.rm("dd", recursive=True)
        assert fs.find("") == []


@pytest.mark.parametrize("name", ["s3+file", "azure+file", "sharded s3+file"])
def test_a_file_is_opened_where_it_is_one(
    make: Callable[..., Composite], name: str, tmp_path: Path
) -> None:
    """Near has a folder of that name."""
    fs = make(SETS[name])
    fs.pipe_file("dd/x", b"x", location="near")
    fs.pipe_file("dd", b"file", location="far")
    with fs.fs.open("dd", "rb") as file:
        assert (file.size, file.read()) == (4, b"file")
    assert fs.cat_file("dd") == b"file"
    assert fs.fs.ukey("dd") == hashlib.sha256(b"file").hexdigest()
    fs.get_file("dd", str(tmp_path / "dd"))
    assert (tmp_path / "dd").read_bytes() == b"file"
    with fs.fs.open("dd", "ab") as file:
        file.write(b"+")
    assert fs.contents() == [{"dd": b"file+", "dd/x": b"x"}, {"dd": b"file+"}]


def test_the_root(fs: Composite, tmp_path: Path) -> None:
    fs.pipe({"deep/x": b"x", "top": b"t"})
    root = "filestore://"
    assert fs.ls(root, detail=False) == ["deep", "top"]
    assert fs.fs._strip_protocol(fs.fs.unstrip_protocol("")) == ""
    fs.get("", str(tmp_path / "all"), recursive=True)
    assert (tmp_path / "all" / "deep" / "x").read_bytes() == b"x"


@pytest.mark.parametrize("asynchronous", [False], indirect=True)
def test_the_root_of_other_packages(make: Callable[..., Composite], tmp_path: Path) -> None:
    fs = make(SETS["file+s3"])
    fs.pipe({"deep/x": b"x", "top": b"t"})
    locations = [each.url.reveal() for each in fs.fs.store.locations]
    options = {"inst_kwargs": {"default_method": "options", "storage_options": {}}}
    options["inst_kwargs"]["storage_options"] = {"filestore": {"locations": locations}}
    target = tmp_path / "o" / "backup"
    fsspec.generic.rsync("filestore://", f"file://{target}", **options)
    assert (target / "deep" / "x").read_bytes() == b"x"
    assert {each.name for each in (tmp_path / "o").iterdir()} == {"backup"}
    (target / "deep" / "x").unlink()
    (target / "deep" / "y").write_bytes(b"y")
    fsspec.generic.rsync(f"file://{target}", "filestore://", delete_missing=True, **options)
    everywhere(fs, {"deep/y": b"y", "top": b"t"})
    mapper = fsspec.get_mapper("filestore://", locations=locations)
    assert sorted(mapper) == ["deep/y", "top"]
    assert mapper.dirfs.ls("deep", detail=False) == ["deep/y"]
    assert mapper.dirfs.cat_file("top") == b"t"
    with pytest.warns(UserWarning, match="not explicitly implemented"):
        root = UPath("filestore://", locations=locations)
    assert root.is_dir()
    assert sorted(each.name for each in root.iterdir()) == ["deep", "top"]
    assert (root / "deep" / "y").read_bytes() == b"y"
