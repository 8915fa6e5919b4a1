"""The promises of a store, written once; a subclass names the servers that stand behind it."""

from __future__ import annotations

import asyncio
import io
import pickle
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from fsspec.callbacks import Callback

from filestore_fsspec import (
    AsyncFileStore,
    FileStore,
    InvalidKey,
    Location,
    NotFound,
    PartialWrite,
    ReadOnly,
    TransportException,
)
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.services.common import Service

SHA = "0123456789abcdef" * 4
HIDDEN = (".hidden", f".{SHA[1:]}")
"""Keys whose files some servers leave out of their listings."""
KEYS = [
    "plain",
    "in/a/folder",
    SHA,
    f"in/{SHA}",
    f"0.2.{SHA[4:]}",
    *HIDDEN,
    "with space",
    "per%41cent",
    "ha#sh",
    "quest?ion=1&versionId=2",
    "plus+and=at@",
    "ünï/çødé/漢字",
    "quote'and\"double",
    "tilde~and,comma;semi:colon",
    "brackets[1]{2}(3)",
]


class ReadingContract:
    """What every store promises about reading, whoever wrote the objects."""

    services: ClassVar[tuple[str, ...]]
    """Fixtures of the servers, near first."""
    options: ClassVar[Mapping[str, str]] = {}
    """Options on every URL."""
    keys: ClassVar[Sequence[str]] = KEYS
    """Keys of all kinds that the backend can have."""
    unlisted: ClassVar[frozenset[str]] = frozenset()
    """Keys that the server's own listings leave out."""

    @pytest.fixture
    def root(self) -> str:
        return f"test-{secrets.token_hex(6)}"

    @pytest.fixture
    def places(self, request: pytest.FixtureRequest) -> list[Service]:
        return [request.getfixturevalue(name) for name in self.services]

    @pytest.fixture
    def urls(self, places: list[Service], root: str) -> list[str]:
        return [place.url(root, **self.options) for place in places]

    @pytest.fixture
    def store(self, urls: list[str]) -> Iterator[FileStore]:
        with FileStore(*urls) as store:
            yield store

    @pytest.fixture
    def fill(self, places: list[Service], root: str, store: FileStore) -> Any:
        """Write behind the library's back, to the last location."""

        def write(key: str, content: bytes) -> None:
            layout = store.locations[-1].target.layout
            places[-1].raw.write(f"{root}/{layout.path(key)}", content)

        return write

    def test_what_is_there_is_read(self, store: FileStore, fill: Any, tmp_path: Path) -> None:
        for number, key in enumerate(self.keys):
            fill(key, b"content %d" % number)
        for number, key in enumerate(self.keys):
            assert store.get(key) == b"content %d" % number
            assert store.exists(key) == [store.locations[-1]]
            dest = tmp_path / "new" / str(number)
            assert store.download(key, dest) == [store.locations[-1]]
            assert dest.read_bytes() == b"content %d" % number

    def test_what_is_absent_is_absent(self, store: FileStore, fill: Any, tmp_path: Path) -> None:
        fill("folder/file", b"x")
        dest = tmp_path / "dest"
        dest.write_bytes(b"as it was")
        for key in ("missing", "no/such/folder", SHA, "folder", "folder/file/below"):
            assert store.get(key) is None, key
            assert store.exists(key) == [], key
            assert store.exists(key, "all") == [], key
            with pytest.raises(NotFound, match=key):
                store.download(key, dest)
        assert dest.read_bytes() == b"as it was"
        assert [path.name for path in tmp_path.iterdir()] == ["dest"]

    def test_locate_says_what_is_where(self, store: FileStore, fill: Any) -> None:
        fill("a/b", b"12345")
        *others, last = store.locate("a/b")
        assert (last.state, last.size) == ("present", 5)
        assert all(each.state == "absent" for each in others)
        assert {each.state for each in store.locate("a/c")} == {"absent"}
        assert {each.state for each in store.locate("a")} == {"absent"}

    def test_near_far_and_names_choose(self, store: FileStore, fill: Any) -> None:
        fill("k", b"far")
        assert store.get("k", "far") == b"far"
        assert store.get("k", "near") == (b"far" if len(store.locations) == 1 else None)
        assert store.exists("k", "all") == [store.locations[-1]]
        with pytest.raises(ValueError, match="near, far, all, any"):
            store.get("k", "middle")

    def test_a_large_object_is_read_whole(
        self, store: FileStore, fill: Any, tmp_path: Path
    ) -> None:
        content = secrets.token_bytes(5_000_001)
        fill("large", content)
        assert store.get("large") == content
        store.download("large", tmp_path / "large")
        assert (tmp_path / "large").read_bytes() == content

    def test_empty_content_is_content(self, store: FileStore, fill: Any, tmp_path: Path) -> None:
        fill("empty", b"")
        assert store.get("empty") == b""
        assert store.exists("empty")
        store.download("empty", tmp_path / "empty")
        assert (tmp_path / "empty").read_bytes() == b""

    def test_nothing_is_cached(self, store: FileStore, fill: Any, places: Any, root: str) -> None:
        assert list(store.list()) == []
        assert store.get("k") is None
        fill("k", b"one")
        assert store.get("k") == b"one"
        assert list(store.list()) == ["k"]
        fill("k", b"another")
        assert store.get("k") == b"another"
        assert store.locate("k")[-1].size == 7
        places[-1].raw.delete(f"{root}/k")
        assert store.get("k") is None
        assert store.exists("k") == []
        assert list(store.list()) == []

    def test_a_key_that_could_leave_the_root_is_refused(self, store: FileStore) -> None:
        for key in ("../k", "a/../../k", "", "a\0", "a//b"):
            for function in (store.get, store.exists, store.locate):
                with pytest.raises(InvalidKey):
                    function(key)

    def test_a_range_is_read_by_the_location(self, store: FileStore, fill: Any) -> None:
        fill("r", b"0123456789")
        location = store.locations[-1]
        path = location.fs_path("r")
        assert location.fs.cat_file(path, 2, 5) == b"234"
        assert location.fs.cat_file(path, 8, 100) == b"89"
        assert location.fs.cat_file(path, -3, None) == b"789"
        with location.fs.open(path, "rb") as file:
            file.seek(4)
            assert file.read(3) == b"456"
            file.seek(0)
            assert file.read() == b"0123456789"

    def test_a_store_that_was_closed_connects_anew(self, store: FileStore, fill: Any) -> None:
        fill("k", b"x")
        assert store.get("k") == b"x"
        store.close()
        assert store.get("k") == b"x"

    def test_a_store_travels(self, store: FileStore, fill: Any) -> None:
        fill("k", b"x")
        assert store.get("k") == b"x"
        with pickle.loads(pickle.dumps(store)) as other:  # noqa: S301 - our own
            assert other == store
            assert other.get("k") == b"x"

    def test_a_restart_between_two_calls_is_survived(
        self, store: FileStore, fill: Any, places: list[Service]
    ) -> None:
        fill("k", b"x")
        servers = [place.server for place in places if place.server]
        for _ in range(2):
            assert store.get("k") == b"x"
            for server in servers:
                server.restart()
            fill("k", b"x")  # some servers keep their data in memory
            assert store.exists("k") == [store.locations[-1]]
            assert list(store.list()) == ["k"]

    def test_parent_and_child_of_a_fork_both_go_on(self, urls: list[str], fill: Any) -> None:
        fill("k", b"x" * 1000)
        script = Path(__file__).with_name("fork_script.py")
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", script],
            input="\n".join(urls),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "child: 40\nparent: 40\n")

    def test_many_are_read_in_their_order(
        self, store: FileStore, fill: Any, tmp_path: Path
    ) -> None:
        for number in range(30):
            fill(f"many/{number}", b"%d" % number)
        paths = [f"many/{number % 40}" for number in range(200)]
        expected = [b"%d" % (n % 40) if n % 40 < 30 else None for n in range(200)]
        callback = Callback()
        assert list(store.get_many(iter(paths), callback=callback)) == expected
        assert callback.value == 200
        assert [bool(found) for found in store.exists_many(paths, max_concurrency=3)] == [
            content is not None for content in expected
        ]
        failed = store.download_batch((path, tmp_path / path) for path in paths[:40])
        assert sorted(path for path, _, _ in failed) == sorted(paths[30:40])
        assert (tmp_path / "many/29").read_bytes() == b"29"
        few = store.get_many(paths)
        assert next(few) == b"0"
        with pytest.raises(InvalidKey):
            list(store.get_many(["../x"]))

        async def read() -> list[bytes | None]:
            async with AsyncFileStore(*[location.url for location in store.locations]) as other:
                failed = await other.download_batch([("many/1", tmp_path / "again")])
                assert failed == []
                assert [bool(found) async for found in other.exists_many(paths[:2])] == [True] * 2
                return [content async for content in other.get_many(paths)]

        assert asyncio.run(read()) == expected
        assert (tmp_path / "again").read_bytes() == b"1"

    def test_awaited_reading(self, urls: list[str], fill: Any, tmp_path: Path) -> None:
        fill("a", b"x")

        async def read() -> None:
            async with AsyncFileStore(*urls) as store:
                assert await store.get("a") == b"x"
                assert await store.get("b") is None
                assert await store.exists("a") == [store.locations[-1]]
                assert await store.download("a", tmp_path / "a") == [store.locations[-1]]
                assert [key async for key in store.list()] == ["a"]
                assert [each.state for each in await store.locate("a")][-1] == "present"
                contents = await asyncio.gather(*(store.get("a") for _ in range(50)))
                assert contents == [b"x"] * 50

        asyncio.run(read())
        assert (tmp_path / "a").read_bytes() == b"x"


class ListingContract(ReadingContract):
    """Listing gives keys back, whatever the layout."""

    def test_every_key_is_listed_once(self, store: FileStore, fill: Any) -> None:
        for key in self.keys:
            fill(key, b"")
        assert sorted(store.list()) == sorted(set(self.keys) - self.unlisted)

    @pytest.mark.parametrize("prefix", ["in", "in/", "in/a", "0", "0123456789", "p", "none", "ü"])
    def test_a_prefix_is_a_prefix_of_keys(self, store: FileStore, fill: Any, prefix: str) -> None:
        for key in self.keys:
            fill(key, b"")
        expected = sorted(key for key in self.keys if key.startswith(prefix))
        assert sorted(store.list(prefix)) == expected


class ReadOnlyContract(ListingContract):
    """A location that may not be written says so before it is asked."""

    def test_writing_is_refused(self, store: FileStore, fill: Any, tmp_path: Path) -> None:
        fill("k", b"x")
        (tmp_path / "src").write_bytes(b"y")
        for write in (
            lambda: store.put("k", b"y", force=True),
            lambda: store.upload(tmp_path / "src", "k", force=True),
            lambda: store.upload_batch([(tmp_path / "src", "k")]),
            lambda: store.delete("k"),
            lambda: store.delete_batch(["k"]),
        ):
            with pytest.raises(ReadOnly, match="read-only"):
                write()
        assert store.get("k") == b"x"

    def test_eight_threads_share_a_store(self, store: FileStore, fill: Any) -> None:
        for number in range(20):
            fill(f"k{number}", b"%d" % number * 500)

        def read(number: int) -> bool:
            content = store.get(f"k{number % 25}")
            found = bool(store.exists(f"k{number % 25}"))
            expected = b"%d" % (number % 25) * 500 if number % 25 < 20 else None
            return (content, found) == (expected, expected is not None)

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(read, range(1000)))


class FileStoreContract(ListingContract):
    """What every store promises that may be written."""

    concurrent_keys: ClassVar[int] = 400
    """How many keys eight threads write, read and delete."""
    creates_atomically: ClassVar[bool] = True
    """Whether every backend of the store can create an object only if it is not there."""
    has_folders: ClassVar[bool] = True
    """Whether `a` cannot be stored beside `a/b`."""

    @pytest.fixture
    def everywhere(self, store: FileStore) -> list[Location]:
        return [location for location in store.locations if not location.read_only]

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "source"
        path.write_bytes(b"from a file")
        return path

    def test_what_is_put_is_stored_everywhere(
        self, store: FileStore, places: list[Service], root: str, everywhere: list[Location]
    ) -> None:
        for number, key in enumerate(self.keys):
            assert store.put(key, b"%d" % number) == everywhere
        for place, location in zip(places, everywhere, strict=True):
            path = location.target.layout.path
            stored = {path_ for path_ in place.raw.paths() if path_.startswith(f"{root}/")}
            assert stored == {f"{root}/{path(key)}" for key in self.keys}
            for number, key in enumerate(self.keys):
                assert place.raw.read(f"{root}/{path(key)}") == b"%d" % number
        assert sorted(store.list()) == sorted(self.keys)

    @pytest.mark.parametrize(
        ("content", "stored"),
        [
            ("tëxt", "tëxt".encode()),
            (b"bytes", b"bytes"),
            (bytearray(b"array"), b"array"),
            (memoryview(b"view"), b"view"),
            (b"", b""),
        ],
    )
    def test_kinds_of_content(self, store: FileStore, content: Any, stored: bytes) -> None:
        store.put("k", content)
        assert store.get("k") == stored

    @pytest.mark.parametrize("size", [0, 10, 4 * 2**20, 9_000_001])
    def test_a_file_object_is_read_to_its_end(
        self, store: FileStore, size: int, everywhere: list[Location]
    ) -> None:
        content = secrets.token_bytes(size)
        file = io.BytesIO(b"skipped" + content)
        file.seek(7)
        assert store.put("k", file) == everywhere
        assert store.get("k") == content

    def test_what_is_no_content_is_refused(self, store: FileStore) -> None:
        for wrong in (None, 3, io.StringIO("text")):
            with pytest.raises(TypeError, match="content is"):
                store.put("k", wrong)  # type: ignore[arg-type]
        assert store.exists("k") == []

    def test_what_is_there_is_circuit_open_unless_forced(
        self, store: FileStore, source: Path, everywhere: list[Location]
    ) -> None:
        assert store.put("k", b"first") == everywhere
        assert store.put("k", b"second") == []
        assert store.upload(source, "k") == []
        assert store.get("k") == b"first"
        assert store.put("k", b"third", force=True) == everywhere
        assert store.get("k") == b"third"
        assert store.upload(source, "k", force=True, verify=True) == everywhere
        assert store.get("k") == b"from a file"

    def test_a_location_that_lost_it_gets_it_again(self, store: FileStore) -> None:
        store.put("k", b"x")
        store.delete("k", "far")
        assert store.put("k", b"x") == [store.locations[-1]]

    def test_delete(self, store: FileStore) -> None:
        for key in self.keys:
            store.put(key, b"x")
            store.delete(key)
            assert store.exists(key, "all") == []
            store.delete(key)
        assert list(store.list()) == []

    def test_delete_batch(self, store: FileStore) -> None:
        kept = [f"kept/{number}" for number in range(3)]
        gone = [f"gone/{number}" for number in range(30)]
        for key in (*kept, *gone):
            store.put(key, b"x")
        store.delete_batch([*gone, "never/there"])
        assert sorted(store.list()) == kept
        store.delete_batch([])

    def test_upload_and_download(
        self, store: FileStore, source: Path, tmp_path: Path, everywhere: list[Location]
    ) -> None:
        assert store.upload(str(source), "up/k", verify=True) == everywhere
        for location in ("far", "any", "all"):
            dest = tmp_path / location / "deep" / "dest"
            assert len(store.download("up/k", str(dest), location)) == 1
            assert dest.read_bytes() == b"from a file"

    def test_a_missing_source_is_not_a_missing_object(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        with pytest.raises(NotFound, match="no local file"):
            store.upload(tmp_path / "missing", "k")
        assert list(store.list()) == []

    def test_upload_batch_tries_every_pair(self, store: FileStore, tmp_path: Path) -> None:
        pairs = []
        for number in range(40):
            path = tmp_path / str(number)
            path.write_bytes(b"%d" % number)
            pairs.append((str(path), f"batch/{number}"))
        missing = str(tmp_path / "missing")
        failed = store.upload_batch(
            pair for pair in [(missing, "m"), *pairs, (pairs[0][0], "../x")]
        )
        assert [(src, dest) for src, dest, _ in failed] == [(missing, "m"), (pairs[0][0], "../x")]
        assert "no local file" in failed[0][2]
        assert len(list(store.list("batch/"))) == 40
        assert store.get("batch/7") == b"7"

    def test_no_temporary_file_is_left_or_listed(
        self, store: FileStore, places: list[Service], root: str, source: Path
    ) -> None:
        store.put("a/k", b"x")
        store.put("a/k", b"x")
        store.put("a/k", b"y", force=True)
        store.upload(source, "a/u")
        store.upload(source, "a/u")
        for place in places:
            mine = {path for path in place.raw.paths() if path.startswith(f"{root}/")}
            assert not list(filter(is_temporary, mine))
        hidden = ".filestore-" + "0" * 32 + ".part"
        places[0].raw.write(f"{root}/a/{hidden}", b"left by a writer that was killed")
        assert sorted(store.list()) == ["a/k", "a/u"]

    def test_one_of_many_writers_creates(self, store: FileStore) -> None:
        if not self.creates_atomically:
            assert store.put("race", b"x")
            assert not store.put("race", b"y")
            return

        def create(number: int) -> bool:
            return bool(store.put("race", b"%d" % number, "far"))

        with ThreadPoolExecutor(8) as threads:
            created = list(threads.map(create, range(24)))
        assert sum(created) == 1
        assert store.get("race", "far") == b"%d" % created.index(True)

    @pytest.mark.parametrize("force", [True, False])
    def test_a_folder_in_the_way(self, store: FileStore, *, force: bool) -> None:
        store.put("a/b", b"x")
        if self.has_folders:
            with pytest.raises((TransportException, PartialWrite), match="'a'"):
                store.put("a", b"y", force=force)
            assert store.exists("a", "near") == []
        else:
            assert store.put("a", b"y", force=force) == list(store.locations)
            assert store.get("a") == b"y"
        assert store.get("a/b") == b"x"

    def test_eight_threads_share_a_store(self, store: FileStore) -> None:
        # rclone removes a folder with its last file, and says 404 meanwhile to who looks in it.
        store.put("t/kept", b"")

        def work(number: int) -> list[bool]:
            key, content = f"t/{number}", b"%d," % number * 400
            store.put(key, content)
            seen = [store.get(key) == content, bool(store.exists(key))]
            store.delete(key)
            return [*seen, store.get(key) is None]

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(work, range(self.concurrent_keys)))  # five operations each
        assert {number: each for number, each in enumerate(answers) if not all(each)} == {}
        assert list(store.list()) == ["t/kept"]

    def test_open_writes_nothing_until_it_is_closed(self, store: FileStore) -> None:
        location = store.locations[-1]
        path = location.fs_path("w")
        content = b"0123456789" * 700_000
        with location.fs.open(path, "wb") as file:
            file.write(content)
            assert not location.exists("w")
        assert location.get("w") == content
        with pytest.raises(RuntimeError, match="stop"), location.fs.open(path, "wb") as file:
            file.write(b"half")
            raise RuntimeError("stop")
        assert location.get("w") == content
        assert list(location.list()) == ["w"]

    def test_awaited_writing(self, urls: list[str], source: Path) -> None:
        async def write() -> None:
            async with AsyncFileStore(*urls) as store:
                everywhere = [each for each in store.locations if not each.read_only]
                assert await store.put("a", "x") == everywhere
                assert await store.put("a", b"y") == []
                assert await store.put("f", io.BytesIO(b"z" * 5_000_000)) == everywhere
                assert await store.upload(source, "b", verify=True) == everywhere
                failed = await store.upload_batch([(source, "c"), ("/no/such/file", "d")])
                assert [dest for _, dest, _ in failed] == ["d"]
                assert sorted([key async for key in store.list()]) == ["a", "b", "c", "f"]
                await store.delete("a")
                await store.delete_batch(["b", "c", "f"])
                assert [key async for key in store.list()] == []
                written = await asyncio.gather(*(store.put(f"g/{n}", b"%d" % n) for n in range(50)))
                assert written == [everywhere] * 50

        asyncio.run(write())
