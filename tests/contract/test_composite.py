"""Every method of the composite filesystem, over two disks, and over a disk and a bucket."""

from __future__ import annotations

import asyncio
import secrets
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from fsspec.callbacks import Callback

from filestore_fsspec import LocationUnavailable, NotFound, PartialWrite, TransportException
from filestore_fsspec.filesystem import FileStoreFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.services.common import Service

NAMES = ("near", "far")
TREE = {"t/a": b"0123456789", "t/b/c": b"cc", "t/b/d/e": b"eee", "top": b"t"}


class Methods:
    services: ClassVar[tuple[str, str]]

    @pytest.fixture
    def urls(self, request: pytest.FixtureRequest) -> list[str]:
        root = f"composite-{secrets.token_hex(6)}"
        places: list[Service] = [request.getfixturevalue(name) for name in self.services]
        return [
            place.url(f"{root}-{name}", name=f"the-{name}")
            for place, name in zip(places, NAMES, strict=True)
        ]

    @pytest.fixture
    def make(self, urls: list[str]) -> Iterator[Callable[..., Any]]:
        """Return a filesystem over `urls`, with options."""
        made: list[Any] = []

        def build(*locations: str, **options: Any) -> Any:
            fs = FileStoreFileSystem(
                list(locations or urls),
                skip_instance_cache=True,
                connection_attempts=1,
                **options,
            )
            made.append(fs)
            return fs

        yield build
        for fs in made:
            for location in fs.store.locations:
                location.close()

    @pytest.fixture
    def fs(self, make: Callable[..., Any]) -> Any:
        return make()

    @pytest.fixture
    def tree(self, fs: Any) -> Any:
        """Return the filesystem with `TREE`, the near location holding only half of it."""
        fs.pipe(TREE)
        near = fs.store.locations[0]
        near.delete("t/a")
        near.delete("t/b/d/e")
        return fs

    @pytest.fixture
    def far_down(self, urls: list[str]) -> list[str]:
        return [urls[0], "ftp://localhost:9/x?connect_timeout=2&name=the-far"]

    @pytest.fixture
    def near_down(self, urls: list[str]) -> list[str]:
        return ["ftp://localhost:9/x?connect_timeout=2&name=the-near", urls[1]]

    # Looking

    def test_info(self, tree: Any) -> None:
        info = tree.info("t/a")
        assert (info["name"], info["type"], info["size"]) == ("t/a", "file", 10)
        assert datetime.now(UTC) - info["modified"] < timedelta(minutes=5)
        folder = tree.info("filestore://t/b/")
        assert (folder["name"], folder["type"]) == ("t/b", "directory")
        assert tree.info("")["type"] == "directory"
        for path in ("none", "t/a/below", "t/b/none"):
            with pytest.raises(FileNotFoundError):
                tree.info(path)
        assert tree.size("t/a") == 10
        assert tree.sizes(["t/a", "t/b/c"]) == [10, 2]

    def test_ls(self, tree: Any) -> None:
        assert tree.ls("t", detail=False) == ["t/a", "t/b"]
        assert [(i["name"], i["type"]) for i in tree.ls("t")] == [
            ("t/a", "file"),
            ("t/b", "directory"),
        ]
        assert tree.ls("", detail=False) == ["t", "top"]
        assert tree.ls("t/a") == [tree.info("t/a")]
        assert tree.listdir("t/b/d", detail=False) == ["t/b/d/e"]
        with pytest.raises(FileNotFoundError):
            tree.ls("none")

    def test_find(self, tree: Any) -> None:
        assert tree.find("") == sorted(TREE)
        assert tree.find("t/b") == ["t/b/c", "t/b/d/e"]
        assert tree.find("t", maxdepth=1) == ["t/a"]
        assert tree.find("t/b", withdirs=True) == ["t/b", "t/b/c", "t/b/d", "t/b/d/e"]
        assert {name: info["size"] for name, info in tree.find("t", detail=True).items()} == {
            name: len(content) for name, content in TREE.items() if name != "top"
        }
        assert tree.find("t/a") == ["t/a"]
        assert tree.find("none") == []

    def test_walk(self, tree: Any) -> None:
        steps = [("t", ["b"], ["a"]), ("t/b", ["d"], ["c"]), ("t/b/d", [], ["e"])]
        assert list(tree.walk("t")) == steps
        assert list(tree.walk("t", topdown=False)) == steps[::-1]
        assert list(tree.walk("t", maxdepth=1)) == steps[:1]
        assert list(tree.walk("none")) == [("none", [], [])]
        with pytest.raises(FileNotFoundError):
            list(tree.walk("none", on_error="raise"))
        _, folders, files = next(iter(tree.walk("t", detail=True)))
        assert (folders["b"]["type"], files["a"]["size"]) == ("directory", 10)

    def test_glob(self, tree: Any) -> None:
        assert tree.glob("t/*") == ["t/a", "t/b"]
        assert tree.glob("**/e") == ["t/b/d/e"]
        assert tree.glob("*") == ["t", "top"]
        assert tree.glob("t/**") == ["t", "t/a", "t/b", "t/b/c", "t/b/d", "t/b/d/e"]
        assert tree.glob("none/*") == []
        assert tree.glob("t/*", detail=True)["t/a"]["size"] == 10

    def test_du(self, tree: Any) -> None:
        assert tree.du("t") == 15
        assert tree.du("t", total=False) == {"t/a": 10, "t/b/c": 2, "t/b/d/e": 3}
        assert tree.disk_usage("t/a") == 10

    def test_exists_isfile_isdir(self, tree: Any) -> None:
        for path, exists, is_file in (
            ("t/a", True, True),
            ("t/b", True, False),
            ("", True, False),
            ("none", False, False),
            ("t/a/none", False, False),
        ):
            assert tree.exists(path) == exists, path
            assert tree.isfile(path) == is_file, path
            assert tree.isdir(path) == (exists and not is_file), path
            assert tree.lexists(path) == exists, path

    # Reading

    def test_cat(self, tree: Any) -> None:
        assert tree.cat("t/a") == b"0123456789"
        assert tree.cat(["t/a", "t/b/c"]) == {"t/a": b"0123456789", "t/b/c": b"cc"}
        assert tree.cat("t", recursive=True) == {n: c for n, c in TREE.items() if n != "top"}
        assert tree.cat("t/b/c*") == {"t/b/c": b"cc"}
        assert tree.cat("t/a", recursive=True) == b"0123456789"
        with pytest.raises(FileNotFoundError):
            tree.cat("none")
        assert tree.cat(["t/a", "none"], on_error="omit") == {"t/a": b"0123456789"}
        found = tree.cat(["t/a", "none"], on_error="return")
        assert isinstance(found["none"], FileNotFoundError)
        assert tree.read_bytes("top") == b"t"
        assert tree.read_text("top") == "t"
        assert tree.head("t/a", 3) == b"012"
        assert tree.tail("t/a", 3) == b"789"
        assert tree.read_block("t/a", 2, 4) == b"2345"

    @pytest.mark.parametrize("bounds", [(2, 5), (None, 3), (-3, None), (8, 100), (5, 5), (0, -1)])
    def test_cat_file_ranges(self, tree: Any, bounds: tuple[int | None, int | None]) -> None:
        start, end = bounds
        for key in ("t/a", "top"):
            assert tree.cat_file(key, start=start, end=end) == TREE[key][start:end]

    def test_cat_ranges(self, tree: Any) -> None:
        found = tree.cat_ranges(["t/a", "t/a", "t/b/c"], [0, 5, 1], [2, 8, 2])
        assert found == [b"01", b"567", b"c"]
        assert tree.cat_ranges(["t/a"] * 2, 1, 3) == [b"12"] * 2
        found = tree.cat_ranges(["none", "t/a"], 0, 1)
        assert isinstance(found[0], FileNotFoundError)
        assert found[1] == b"0"

    def test_get(self, tree: Any, tmp_path: Path) -> None:
        callback = Callback()
        tree.get("t", str(tmp_path / "new"), recursive=True, callback=callback)
        for name, content in TREE.items():
            if name != "top":
                assert (tmp_path / "new" / name.removeprefix("t/")).read_bytes() == content
        assert callback.size == callback.value
        assert callback.value >= 3
        (tmp_path / "there").mkdir()
        for name in ("t/b/c", "top"):
            tree.get(name, str(tmp_path / "there"))
            assert (tmp_path / "there" / Path(name).name).read_bytes() == TREE[name]
        tree.get(["t/a", "top"], str(tmp_path / "there"))
        assert (tmp_path / "there" / "a").read_bytes() == TREE["t/a"]
        tree.download("t/a", str(tmp_path / "down"))
        assert (tmp_path / "down").read_bytes() == TREE["t/a"]
        with pytest.raises(FileNotFoundError):
            tree.get_file("none", str(tmp_path / "none"))
        assert not (tmp_path / "none").exists()

    def test_get_file_tells_its_callback(self, tree: Any, tmp_path: Path) -> None:
        callback = Callback()
        tree.get_file("t/a", str(tmp_path / "a"), callback=callback)
        assert (callback.size, callback.value) == (10, 10)
        tree.put_file(str(tmp_path / "a"), "up", callback=(callback := Callback()))
        assert (callback.size, callback.value) == (10, 10)

    def test_a_file_object(self, tree: Any) -> None:
        with tree.open("t/a", "rb") as file:
            assert file.size == 10
            assert (file.read(2), file.tell(), file.seek(-2, 2)) == (b"01", 2, 8)
            assert file.read() == b"89"
        with tree.open("t/a", "r") as file:
            assert file.read() == "0123456789"
        with pytest.raises(FileNotFoundError):
            tree.open("none", "rb")
        for mode in ("", "b", "zb", "rwb", "r++b", "rbt"):
            with pytest.raises(ValueError, match="rb, wb, xb, ab, r"):
                tree.open("t/a", mode)

    # What tells contents apart

    def test_ukey_and_checksum_are_those_of_the_content(self, fs: Any) -> None:
        fs.pipe_file("a", b"same")
        before = fs.ukey("a"), fs.checksum("a")
        fs.store.locations[0].delete("a")
        assert (fs.ukey("a"), fs.checksum("a")) == before
        fs.pipe_file("b", b"same")
        fs.pipe_file("c", b"other")
        assert fs.ukey("b") == before[0]
        assert fs.ukey("c") != before[0]

    def test_times(self, tree: Any) -> None:
        for key in ("t/a", "top"):
            assert datetime.now(UTC) - tree.modified(key) < timedelta(minutes=5)
        assert datetime.now(UTC) - tree.created("top") < timedelta(minutes=5)
        with pytest.raises(FileNotFoundError):
            tree.modified("none")

    def test_names(self, fs: Any) -> None:
        assert fs.unstrip_protocol("a/b") == "filestore:///a/b"
        assert fs.unstrip_protocol("filestore://a/b") == "filestore:///a/b"
        assert fs.unstrip_protocol("") == fs.unstrip_protocol("filestore://") == "filestore://"
        assert fs._strip_protocol(fs.unstrip_protocol("a/b")) == "a/b"
        assert fs._strip_protocol("filestore://a/b/") == "a/b"
        assert fs._strip_protocol(["filestore://a", "/b"]) == ["a", "b"]
        assert fs._strip_protocol(Path("a/b")) == "a/b"
        assert fs._parent("a/b") == "a"
        fs.invalidate_cache()
        fs.invalidate_cache("a")

    # Writing

    def everywhere(self, fs: Any, key: str) -> set[bytes | None]:
        return {
            location.get(key) if location.exists(key) else None for location in fs.store.locations
        }

    def test_pipe(self, fs: Any) -> None:
        fs.pipe("a", b"1")
        fs.pipe({"b/c": b"2", "b/d": b"3"})
        fs.write_bytes("e", b"4")
        fs.write_text("f", "ü")
        for key, content in {"a": b"1", "b/c": b"2", "e": b"4", "f": "ü".encode()}.items():
            assert self.everywhere(fs, key) == {content}
        fs.pipe_file("a", b"over")
        with pytest.raises(FileExistsError):
            fs.pipe_file("a", b"again", mode="create")
        assert self.everywhere(fs, "a") == {b"over"}
        fs.pipe_file("new", b"created", mode="create")
        assert self.everywhere(fs, "new") == {b"created"}
        for kind in (bytearray, memoryview):
            fs.pipe_file("a", kind(b"kind"))
            assert self.everywhere(fs, "a") == {b"kind"}

    def test_put(self, fs: Any, tmp_path: Path) -> None:
        for name, content in TREE.items():
            path = tmp_path / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        callback = Callback()
        fs.put(str(tmp_path / "src"), "up", recursive=True, callback=callback)
        assert fs.find("up") == sorted(f"up/{name}" for name in TREE)
        assert callback.size == callback.value
        for name, content in TREE.items():
            assert self.everywhere(fs, f"up/{name}") == {content}
        fs.put(str(tmp_path / "src" / "top"), "up/t/")
        assert fs.cat("up/t/top") == b"t"
        fs.put([str(tmp_path / "src" / "top")], ["listed"])
        fs.upload(str(tmp_path / "src" / "top"), "uploaded")
        assert fs.cat(["listed", "uploaded"]) == {"listed": b"t", "uploaded": b"t"}
        with pytest.raises(FileExistsError):
            fs.put_file(str(tmp_path / "src" / "top"), "listed", mode="create")
        with pytest.raises(FileNotFoundError):
            fs.put_file(str(tmp_path / "none"), "none")

    def test_copy_and_move(self, tree: Any) -> None:
        tree.cp_file("t/a", "copied/a")
        assert self.everywhere(tree, "copied/a") == {TREE["t/a"]}
        tree.copy("top", "t")
        assert self.everywhere(tree, "t/top") == {b"t"}
        tree.mv("t/a", "moved")
        assert self.everywhere(tree, "moved") == {TREE["t/a"]}
        assert self.everywhere(tree, "t/a") == {None}
        tree.mv("t/b", "tree", recursive=True)
        assert tree.find("tree") == ["tree/c", "tree/d/e"]
        assert tree.find("t/b") == []
        tree.move("moved", "renamed")
        tree.rename("renamed", "again")
        assert tree.cat("again") == TREE["t/a"]
        for lost in ("none", "none/x"):
            with pytest.raises(FileNotFoundError):
                tree.mv(lost, "there")
            with pytest.raises(FileNotFoundError):
                tree.cp_file(lost, "there")

    def test_what_moves_nowhere_stays(self, tree: Any) -> None:
        tree.mv("filestore://t/a", "t/a")
        tree.mv("t/a", "t")
        tree.mv("/top", "top")
        assert tree.cat("t/a") == TREE["t/a"]
        assert tree.cat("top") == b"t"
        with pytest.raises(ValueError, match="into itself"):
            tree.mv("t", "t/b/x", recursive=True)
        with pytest.raises(FileNotFoundError):
            tree.mv("t/none", "t")
        assert tree.find("") == sorted(TREE)

    def test_rm(self, tree: Any) -> None:
        tree.rm("t/a")
        tree.rm_file("top")
        assert self.everywhere(tree, "t/a") == {None}
        for path in ("t/a", "none", "t/b"):
            with pytest.raises(FileNotFoundError):
                tree.rm(path)
        tree.pipe({"x": b"", "y": b"", "z/1": b""})
        tree.rm(["x", "y"])
        assert tree.find("") == ["t/b/c", "t/b/d/e", "z/1"]
        tree.rm("t", recursive=True)
        assert tree.find("") == ["z/1"]
        assert not tree.exists("t")
        tree.rm("z/*")
        assert tree.find("") == []
        with pytest.raises(FileNotFoundError):
            tree.rm("none", recursive=True)

    def test_folders(self, fs: Any) -> None:
        fs.mkdir("new/folder")
        assert fs.isdir("new/folder")
        with pytest.raises(FileExistsError):
            fs.mkdir("new/folder")
        with pytest.raises(FileNotFoundError):
            fs.mkdir("no/such/parent", create_parents=False)
        fs.makedirs("new/folder", exist_ok=True)
        with pytest.raises(FileExistsError):
            fs.makedirs("new/folder")
        fs.pipe_file("new/file", b"")
        with pytest.raises(FileExistsError):
            fs.makedirs("new/file", exist_ok=True)
        with pytest.raises(OSError, match="not empty"):
            fs.rmdir("new")
        with pytest.raises(NotADirectoryError):
            fs.rmdir("new/file")
        with pytest.raises(FileNotFoundError):
            fs.rmdir("none")
        fs.rmdir("new/folder")
        assert fs.ls("new", detail=False) == ["new/file"]

    def test_touch(self, fs: Any) -> None:
        fs.touch("a")
        assert self.everywhere(fs, "a") == {b""}
        fs.pipe_file("a", b"x")
        with pytest.raises(NotImplementedError):
            fs.touch("a", truncate=False)
        assert fs.cat("a") == b"x"
        fs.touch("b", truncate=False)
        fs.touch("a")
        assert fs.cat(["a", "b"]) == {"a": b"", "b": b""}

    def test_written_file_objects(self, fs: Any) -> None:
        with fs.open("a", "wb") as file:
            file.write(b"one")
            assert self.everywhere(fs, "a") == {None}
        with fs.open("a", "ab") as file:
            file.write(b"two")
        assert self.everywhere(fs, "a") == {b"onetwo"}
        with fs.open("a", "r+b") as file:
            assert file.read(3) == b"one"
            file.seek(0)
            file.write(b"ONE")
        assert self.everywhere(fs, "a") == {b"ONEtwo"}
        with pytest.raises(FileExistsError):
            fs.open("a", "xb")
        with pytest.raises(FileNotFoundError):
            fs.open("none", "r+b")
        with fs.open("x", "x") as file:
            file.write("text")
        with fs.open("n", "ab") as file:
            file.write(b"new")
        assert fs.cat(["x", "n"]) == {"x": b"text", "n": b"new"}

    def test_a_body_that_raises_writes_nothing(self, fs: Any) -> None:
        fs.pipe_file("a", b"as it was")

        def write(mode: str) -> None:
            with fs.open("a", mode) as file:
                file.write("half" if mode == "w" else b"half")
                raise RuntimeError(mode)

        for mode in ("wb", "ab", "r+b", "w"):
            with pytest.raises(RuntimeError):
                write(mode)
        assert self.everywhere(fs, "a") == {b"as it was"}
        assert fs.find("") == ["a"]

    def test_a_writer_that_loses_the_race_changes_nothing(self, fs: Any) -> None:
        def write() -> None:
            with fs.open("a", "xb") as file:
                file.write(b"late")
                fs.pipe_file("a", b"early")

        with pytest.raises(FileExistsError):
            write()
        assert self.everywhere(fs, "a") == {b"early"}

    @pytest.mark.parametrize("mode", ["wb", "xb", "w"])
    def test_on_all_or_on_none(
        self, make: Callable[..., Any], urls: list[str], tmp_path: Path, mode: str
    ) -> None:
        (tmp_path / "full").write_bytes(b"a file where the far location's folder should be")
        fs = make(urls[0], f"file://{tmp_path}/full/root")

        def write() -> None:
            with fs.open("folder/a", mode) as file:
                file.write("x" if mode == "w" else b"x")

        with pytest.raises(PartialWrite, match="done at none") as caught:
            write()
        assert caught.value.written == ()
        assert list(caught.value.failed) == [fs.store.locations[1]]
        assert not fs.store.locations[0].exists("folder/a")
        assert list(fs.store.locations[0].list()) == []

    def test_a_folder_in_the_way_leaves_all_as_it_was(
        self, make: Callable[..., Any], urls: list[str], tmp_path: Path
    ) -> None:
        fs = make(urls[0], f"file://{tmp_path}")
        (tmp_path / "taken" / "below").mkdir(parents=True)
        with pytest.raises(IsADirectoryError):
            fs.open("taken", "wb")
        assert not fs.store.locations[0].exists("taken")
        assert [path.name for path in tmp_path.iterdir()] == ["taken"]

    def test_temporary_files_are_hidden(self, tree: Any) -> None:
        location = tree.store.locations[0]
        hidden = "t/.filestore-" + "0" * 32 + ".part"
        location.fs.pipe_file(location.target.root + hidden, b"left by a writer that was killed")
        assert tree.ls("t", detail=False) == ["t/a", "t/b"]
        assert tree.find("t") == ["t/a", "t/b/c", "t/b/d/e"]
        assert tree.glob("t/*") == ["t/a", "t/b"]
        assert [files for _, _, files in tree.walk("t")] == [["a"], ["c"], ["e"]]

    # Choosing locations

    @pytest.mark.parametrize("name", ["near", "far", "the-near", "the-far"])
    def test_a_location_for_each_call(self, fs: Any, tmp_path: Path, name: str) -> None:
        chosen = fs.store.locations[name.endswith("far")]
        other = fs.store.locations[not name.endswith("far")]
        at: dict[str, Any] = {"location": name}
        source = tmp_path / "source"
        source.write_bytes(b"put")
        fs.pipe_file("d/piped", b"x", **at)
        fs.pipe({"d/many": b"y"}, **at)
        fs.put_file(str(source), "d/put", **at)
        fs.put(str(source), "d/put2", **at)
        fs.touch("d/touched", **at)
        fs.cp_file("d/piped", "d/copied", **at)
        fs.copy("d/piped", "d/copied2", **at)
        with fs.open("d/opened", "wb", **at) as file:
            file.write(b"z")
        with fs.open("d/opened", "ab", **at) as file:
            file.write(b"z")
        keys = ["copied", "copied2", "many", "opened", "piped", "put", "put2", "touched"]
        assert list(chosen.list("d/")) == [f"d/{key}" for key in keys]
        assert list(other.list()) == []
        other.put("d/elsewhere", b"e")
        other.put("d/piped", b"not this")
        assert fs.cat_file("d/piped", **at) == b"x"
        assert fs.cat("d/piped", **at) == b"x"
        assert fs.cat_ranges(["d/piped"], 0, 1, **at) == [b"x"]
        assert fs.open("d/piped", "rb", **at).read() == b"x"
        assert fs.info("d/piped", **at)["size"] == 1
        assert fs.ls("d", detail=False, **at) == [f"d/{key}" for key in keys]
        assert fs.find("d", **at) == [f"d/{key}" for key in keys]
        assert fs.glob("d/e*", **at) == []
        assert [files for _, _, files in fs.walk("d", **at)] == [keys]
        assert fs.du("d/piped", **at) == 1
        for look in (fs.exists, fs.isfile):
            assert look("d/piped", **at)
            assert not look("d/elsewhere", **at)
        fs.get_file("d/piped", str(tmp_path / "got"), **at)
        assert (tmp_path / "got").read_bytes() == b"x"
        for absent in (fs.cat_file, fs.info, fs.rm_file, fs.rm):
            with pytest.raises(FileNotFoundError):
                absent("d/elsewhere", **at)
        fs.pipe_file("d/elsewhere", b"here too", mode="create", **at)
        fs.rm_file("d/piped", **at)
        fs.rm("d/many", **at)
        assert other.get("d/piped") == b"not this"
        assert not chosen.exists("d/many")
        fs.rm("d", recursive=True, **at)
        assert list(chosen.list()) == []
        assert sorted(other.list()) == ["d/elsewhere", "d/piped"]
        with pytest.raises(ValueError, match="the-near, the-far"):
            fs.info("d", location="middle")

    def test_a_location_for_folders(self, fs: Any) -> None:
        fs.makedirs("ff/gg", location="near")
        assert fs.isdir("ff/gg", location="near")
        assert not fs.isdir("ff/gg", location="far")
        fs.mkdir("ff/gg", location="far")
        fs.rmdir("ff/gg", location="near")
        assert not fs.isdir("ff/gg", location="near")

    def test_a_location_for_all_calls(self, make: Callable[..., Any]) -> None:
        far = make(location="far")
        far.pipe_file("k", b"far only")
        near, both = make(location="the-near"), make()
        assert not near.exists("k")
        assert near.find("") == []
        assert both.cat("k") == b"far only"
        with near.open("k", "xb") as file:
            file.write(b"near")
        assert (near.cat("k"), far.cat("k"), both.cat("k")) == (b"near", b"far only", b"near")
        near.rm("k")
        assert both.cat("k") == b"far only"

    # Locations that cannot say

    def test_reading_goes_on_where_it_can(
        self, fs: Any, make: Callable[..., Any], near_down: list[str], tmp_path: Path
    ) -> None:
        fs.pipe_file("k", b"x")
        down = make(*near_down)
        assert down.cat("k") == b"x"
        assert down.info("k")["size"] == 1
        assert down.isfile("k")
        assert down.open("k").read() == b"x"
        assert down.cat_ranges(["k"], 0, 1) == [b"x"]
        down.get("k", str(tmp_path / "k"))
        assert (tmp_path / "k").read_bytes() == b"x"
        assert down.ukey("k") == fs.ukey("k")

    def test_unknown_is_not_absent(
        self, fs: Any, make: Callable[..., Any], near_down: list[str], far_down: list[str]
    ) -> None:
        fs.pipe_file("k", b"x")
        for down in (make(*near_down), make(*far_down)):
            looks = (down.exists, down.isfile, down.isdir, down.info, down.cat_file, down.open)
            for call in (*looks, down.rm, down.ls):
                with pytest.raises(LocationUnavailable):
                    call("none")
            for listing in (down.ls, down.find, down.glob, down.du):
                with pytest.raises(LocationUnavailable):
                    listing("*" if listing == down.glob else "")
            with pytest.raises(LocationUnavailable):
                list(down.walk(""))
            with pytest.raises(LocationUnavailable):
                down.pipe_file("new", b"y", mode="create")
            with pytest.raises(PartialWrite):
                down.rm("k")
            fs.pipe_file("k", b"x")

    def test_not_strict_takes_unknown_for_absent(
        self,
        fs: Any,
        make: Callable[..., Any],
        near_down: list[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        fs.pipe({"k": b"x", "t/k": b"y"})
        down = make(*near_down, strict=False)
        assert down.find("") == ["k", "t/k"]
        assert down.ls("", detail=False) == ["k", "t"]
        assert [files for _, _, files in down.walk("")] == [["k"], ["k"]]
        assert not down.exists("none")
        with pytest.raises(NotFound):
            down.cat_file("none")
        with pytest.raises(NotFound):
            down.open("none")
        assert "the-near" in caplog.text or "localhost:9" in caplog.text

    def test_enough_copies(self, make: Callable[..., Any], far_down: list[str]) -> None:
        one, both = make(*far_down, min_copies=1), make(*far_down)
        one.pipe_file("k", b"x")
        with one.open("o", "wb") as file:
            file.write(b"y")
        assert one.cat(["k", "o"]) == {"k": b"x", "o": b"y"}
        with pytest.raises(PartialWrite) as caught:
            both.pipe_file("k", b"z")
        assert caught.value.written == both.store.locations[:1]
        assert one.cat("k") == b"z"

    def test_an_only_location_raises_its_own_error(
        self, make: Callable[..., Any], far_down: list[str]
    ) -> None:
        down = make(far_down[1])
        with pytest.raises(TransportException):
            down.pipe_file("k", b"x")
        with pytest.raises(TransportException), down.open("k", "wb") as file:
            file.write(b"x")

    # Awaited

    def test_awaited(self, make: Callable[..., Any], tree: Any, tmp_path: Path) -> None:
        async def use() -> None:
            fs = make(asynchronous=True)
            await fs._pipe_file("w", b"12345")
            assert await fs._cat_file("w", 1, 3) == b"23"
            assert (await fs._info("t/a"))["size"] == 10
            assert await fs._find("t") == ["t/a", "t/b/c", "t/b/d/e"]
            assert [step async for step in fs._walk("t/b/d")] == [("t/b/d", [], ["e"])]
            assert await fs._exists("t/b")
            assert not await fs._isfile("t/b")
            await fs._cp_file("w", "v")
            await fs._get_file("v", str(tmp_path / "v"))
            await fs._put_file(str(tmp_path / "v"), "u")
            await fs._mkdir("folder")
            await fs._rmdir("folder")
            await fs._rm(["w", "v"])
            contents = await asyncio.gather(*(fs._cat_file("u") for _ in range(20)))
            assert contents == [b"12345"] * 20
            async with await fs.open_async("o", "wb") as file:
                await file.write(b"opened")
            async with await fs.open_async("o", "rb") as file:
                assert await file.read() == b"opened"

        asyncio.run(use())
        assert tree.find("") == sorted([*TREE, "o", "u"])


class TestTwoFiles(Methods):
    services = ("file_service", "file_service")

    def test_nothing_signs(self, tree: Any) -> None:
        with pytest.raises(NotImplementedError, match="signs"):
            tree.sign("t/a")


class TestFileAndS3(Methods):
    services = ("file_service", "s3_moto")

    def test_the_location_that_can_signs(self, tree: Any) -> None:
        for key in ("t/a", "top"):
            with urllib.request.urlopen(tree.sign(key)) as answer:  # noqa: S310 - http, of moto
                assert answer.read() == TREE[key]
        with pytest.raises(FileNotFoundError):
            tree.sign("none")


@pytest.mark.parametrize("name", ["sftp_asyncssh", "sftp_openssh", "ftp_plain", "ftp_vsftpd"])
def test_a_folder_in_the_way_of_a_server(
    request: pytest.FixtureRequest, file_service: Service, name: str
) -> None:
    service: Service = request.getfixturevalue(name)
    root = f"composite-{secrets.token_hex(6)}"
    urls = [file_service.url(f"{root}-near"), service.url(root)]
    fs = FileStoreFileSystem(urls, skip_instance_cache=True)
    try:
        with pytest.raises(PartialWrite, match="done at none"), fs.open("taken", "wb"):
            fs.pipe_file("taken/below", b"x", location="far")
        assert not fs.exists("taken", location="near")
        assert fs.find("") == ["taken/below"]
        there = {path for path in service.raw.paths() if path.startswith(f"{root}/")}
        assert there == {f"{root}/taken/below"}
    finally:
        for location in fs.store.locations:
            location.close()
