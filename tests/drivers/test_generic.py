"""What the generic driver makes of filesystems that hang, lie, or raise whatever they like."""

from __future__ import annotations

import asyncio
import io
import logging
import pickle
import threading
import traceback
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import fsspec
import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from filestore_fsspec import FileStore, FileStoreException, Location, LocationUnavailable
from filestore_fsspec.errors import NotFound, PermissionDenied, TransportException
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HERE = "/raising/k"
SECRET = "Wr0ng/S3cret+canary"


class Odd(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Does in each method what the test says, with a store of its own."""

    protocol = "odd"
    acts: ClassVar[dict[str, Callable[..., Any]]] = {}
    made: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.made.append(kwargs)
        self._act("made")

    def _act(self, name: str, *args: Any) -> Any:
        act = self.acts.get(name)
        return None if act is None else act(*args)

    def info(self, path: str, **kwargs: Any) -> Any:
        return self._act("info", path) or super().info(path, **kwargs)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 - fsspec's
        return self._act("ls", path) or super().ls(path, detail, **kwargs)

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._act("cat_file", path) or super().cat_file(path, *args, **kwargs)

    def pipe_file(self, path: str, value: Any, *args: Any, **kwargs: Any) -> None:
        self._act("pipe_file", path)
        super().pipe_file(path, value, *args, **kwargs)

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        self._act("cp_file", path1, path2)
        super().cp_file(path1, path2, **kwargs)


class Slow(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Never answers; says when it was cancelled."""

    protocol = "slow"
    cancelled: ClassVar[threading.Event] = threading.Event()

    async def _info(self, _path: str, **_kwargs: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Callable[..., Any]]]:
    for kind in (Odd, Slow):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)
    Odd.made.clear()
    found: dict[str, Callable[..., Any]] = {}
    monkeypatch.setattr(Odd, "acts", found)
    yield found
    for kind in (Odd, Slow):
        _registry.pop(kind.protocol)


@pytest.fixture
def url() -> str:
    return f"fsspec+odd://{uuid4().hex}"


def raising(error: Exception) -> Callable[..., Any]:
    def act(*_args: Any) -> None:
        raise error

    return act


@pytest.mark.parametrize("where", ["made", "info", "cat_file", "pipe_file"])
def test_a_filesystem_that_hangs_does_not_hang_the_call(
    acts: dict[str, Any], url: str, where: str
) -> None:
    let_go = threading.Event()
    location = Location(f"{url}?connect_timeout=0.2&read_timeout=0.2", connection_attempts=1)
    if where == "cat_file":
        location.put("k", b"x")
    acts[where] = lambda *_: let_go.wait(60) and None
    with pytest.raises(LocationUnavailable, match="no answer within"):
        location.put("k", b"x") if where == "pipe_file" else location.get("k")
    let_go.set()
    acts.clear()
    location.put("k", b"y")  # a filesystem made anew
    assert location.get("k") == b"y"
    location.close()


@pytest.mark.usefixtures("acts")
def test_an_asynchronous_call_that_is_given_up_is_cancelled() -> None:
    url = "fsspec+slow://x?read_timeout=0.2"
    with FileStore(url) as store, pytest.raises(LocationUnavailable, match="no answer within"):
        store.get("k")
    assert Slow.cancelled.wait(10)


@pytest.mark.usefixtures("acts")
def test_progress_is_no_silence(url: str, tmp_path: Path) -> None:
    location = Location(f"{url}?read_timeout=1", connection_attempts=1)
    content, arrived = b"x" * 2**20, threading.Event()

    def slowly(_path: str, lpath: str, **_kwargs: Any) -> None:
        with open(lpath, "wb") as file:  # noqa: PTH123 - fsspec's paths are text
            for _ in range(8):
                file.write(content)
                file.flush()
                arrived.wait(0.3)

    location.put("k", content * 8)
    location.fs.requests.fs.get_file = slowly
    location.download("k", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == content * 8


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(HERE), NotFound),
        (FileNotFoundError("The specified key does not exist."), NotFound),
        (FileNotFoundError(2, "no such file", HERE), NotFound),
        (FileNotFoundError(), NotFound),
        (NotADirectoryError(20, "not a directory", HERE), NotFound),
        (FileNotFoundError(2, "no such file", "/var/token"), TransportException),
        (FileNotFoundError("/var/token"), TransportException),
        (PermissionError("no"), PermissionDenied),
        (KeyError("name"), LocationUnavailable),
        (RuntimeError("closed"), LocationUnavailable),
        (OSError("Socket is closed"), LocationUnavailable),
        (NotImplementedError(), TransportException),
    ],
    ids=repr,
)
def test_what_it_raises_is_one_of_ours(
    acts: dict[str, Any], error: Exception, expected: type[Exception]
) -> None:
    acts["info"] = raising(error)
    with FileStore("fsspec+odd://raising", connection_attempts=1) as store:
        (located,) = store.locate("k")
        assert located.state == ("absent" if expected is NotFound else "unknown")
        if expected is NotFound:
            assert store.get("k") is None
            assert store.exists("k") == []
            return
        for call in (store.get, store.exists, store.delete):
            with pytest.raises(FileStoreException) as caught:
                call("k")
            assert type(caught.value) in {expected, LocationUnavailable}


def test_a_lost_connection_is_made_anew(acts: dict[str, Any], url: str) -> None:
    with FileStore(url) as store:
        store.put("k", b"x")
        failures = iter([EOFError("closed")])
        acts["info"] = lambda _path: next(map(raise_, failures), None)
        assert store.get("k") == b"x"
    assert len(Odd.made) == 2


def raise_(error: Exception) -> None:
    raise error


def test_a_constructor_that_refuses_says_so_at_once(acts: dict[str, Any], url: str) -> None:
    acts["made"] = raising(TypeError("unexpected argument"))
    with FileStore(url) as store, pytest.raises(TransportException, match="these options"):
        store.get("k")
    assert len(Odd.made) == 1


def test_options_are_decoded_and_none_is_shown(
    acts: dict[str, Any], url: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = f"token=%22{SECRET}%22&deep=%7B%22a%22:[%22{SECRET}%22]%7D&n=5&on=true&password=5"
    text = f"{url}/Root?{given}&endpoint=http://h&base_url=http://u:{SECRET}@h"
    acts["info"] = raising(RuntimeError(f"login with {SECRET} failed"))
    with (
        caplog.at_level(logging.DEBUG),
        FileStore(text, "memory://x", strict=False) as store,
    ):
        location = store.locations[0]
        assert store.get("k") is None
        with pytest.raises(LocationUnavailable) as caught:
            location.get("k")
        error = caught.value
        seen = [f"{each} {each!r}" for each in (location, location.url, location.target, store)]
        seen += [repr(location.fs), location.fs.to_json(include_password=False)]
        seen += [store.fs.to_json(include_password=False), repr(store.fs.storage_options)]
        seen += [repr(location.__getstate__()), "".join(traceback.format_exception(error))]
        seen += [repr(error.cause), caplog.text]
        again = pickle.loads(pickle.dumps(location))  # noqa: S301 - our own
    assert "canary" not in "\n".join(seen)
    assert Odd.made[0] == {
        "token": SECRET,
        "deep": {"a": [SECRET]},
        "n": 5,
        "on": True,
        "password": "5",
        "endpoint": "http://h",
        "base_url": f"http://u:{SECRET}@h",
    }
    assert str(location) == (
        f"{url}/Root?token=***&deep=***&n=***&on=***&password=***&endpoint=http://h&base_url=***"
        " (as fsspec has it)"
    )
    assert (str(again), again.url) == (str(location), location.url)


@pytest.mark.usefixtures("acts")
def test_a_file_that_is_replaced_while_it_is_read(url: str) -> None:
    location = Location(url)
    location.put("k", b"old" * 10**6)
    with location.fs.open(location.fs_path("k"), "rb", block_size=2**16) as file:
        assert file.read(3) == b"old"
        location.put("k", b"new!" * 10**6)
        file.seek(2 * 10**6)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(10)


def test_a_filesystem_without_ranges_is_cut(acts: dict[str, Any], url: str) -> None:
    location = Location(url)
    location.put("k", b"0123456789")
    acts["cat_file"] = lambda _path: b"0123456789"
    path = location.fs_path("k")
    for start, end in ((2, 5), (None, 3), (-3, None), (8, 100), (5, 2), (None, 0), (-3, 3)):
        assert location.fs.cat_file(path, start, end) == b"0123456789"[start:end]
    acts["cat_file"] = lambda _path: b"01"
    with pytest.raises(ConnectionError, match="no usable answer"):
        location.fs.cat_file(path, 2, 5)


def test_a_listing_of_another_folder_is_none(acts: dict[str, Any], url: str) -> None:
    with FileStore(url, connection_attempts=1) as store:
        store.put("a/b", b"x")
        acts["ls"] = lambda _path: [{"name": "elsewhere/x", "type": "file", "size": 1}]
        with pytest.raises(LocationUnavailable, match="in the listing of"):
            list(store.list())


def test_a_name_that_is_taken_for_another(acts: dict[str, Any], url: str) -> None:
    with FileStore(url) as store:
        store.put("A", b"x")
        known = Location(url)
        other = known.fs.requests.fs.info(known.fs_path("A"))
        acts["info"] = lambda path: other if path.endswith("%41") else None
        for call in (store.get, store.delete, lambda key: store.put(key, b"y", force=True)):
            with pytest.raises(TransportException, match="takes it for"):
                call("%41")
        assert store.get("A") == b"x"


def test_what_half_arrived_is_dropped(acts: dict[str, Any], url: str) -> None:
    location = Location(url, connection_attempts=1)
    root = location.target.root.rstrip("/")

    def half(path: str) -> None:
        if is_temporary(path):
            location.fs.requests.fs.store[path].truncate(1)

    location.put("k", b"old")
    acts["info"] = lambda path: half(path) if path in MemoryFileSystem.store else None
    with pytest.raises(LocationUnavailable, match="1 of 3 bytes arrived"):
        location.put("k", b"new")
    acts.clear()
    assert location.get("k") == b"old"
    assert MemoryFileSystem().find(root) == [f"{root}/k"]


class Breaks(io.BytesIO):
    """A file of the caller's whose end cannot be read."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= len(self.getvalue()) // 2:
            raise ValueError("the caller's own")
        return super().read(min(size or 2**20, 2**20))


@pytest.mark.parametrize("size", [2**20, 2**24])
@pytest.mark.parametrize("scheme", ["odd", "file", "memory", "fsspec+file"])
def test_what_a_callers_file_raises_is_the_callers(
    acts: dict[str, Any], url: str, tmp_path: Path, scheme: str, size: int
) -> None:
    assert not acts
    urls = {
        "odd": url,
        "file": f"file://{tmp_path}",
        "memory": f"memory://{tmp_path.name}",
        "fsspec+file": f"fsspec+file://{tmp_path}",
    }
    location = Location(urls[scheme])
    location.put("kept", b"content")
    with pytest.raises(ValueError, match="the caller's own"):
        location.fs.put_file(Breaks(bytes(size)), location.fs_path("new"))
    assert list(location.list()) == ["kept"]
    location.close()


def test_a_rename_that_does_not_replace(acts: dict[str, Any], url: str) -> None:
    def refuse(_path1: str, path2: str) -> None:
        if path2 in MemoryFileSystem.store:
            raise FileExistsError(path2)

    acts["cp_file"] = refuse
    location = Location(url)
    for content in (b"1", b"2", b"3"):
        location.put("k", content)
        assert location.get("k") == content
    assert list(location.list()) == ["k"]
    assert len(MemoryFileSystem().find(location.target.root.rstrip("/"))) == 1


def test_a_failure_between_the_two_steps_keeps_the_old(acts: dict[str, Any], url: str) -> None:
    location = Location(url)
    location.put("k", b"old")
    acts["cp_file"] = raising(RuntimeError("no copies"))
    with pytest.raises(LocationUnavailable, match="no copies"):
        location.put("k", b"new")
    acts.clear()
    assert location.get("k") == b"old"
    assert list(location.list()) == ["k"]


def test_names_with_magic_are_no_patterns(tmp_path: Path) -> None:
    location = Location(f"fsspec+file://{tmp_path}/a[1]")
    location.put("x[1]", b"x")
    location.put("x1", b"other")
    location.fs.mv(location.fs_path("x[1]"), location.fs_path("y"))
    assert sorted(location.list()) == ["x1", "y"]
    assert (location.get("y"), location.get("x1")) == (b"x", b"other")


def test_a_folder_is_moved_with_all_in_it(tmp_path: Path) -> None:
    location = Location(f"fsspec+file://{tmp_path}/root")
    for key in ("a/b/c", "a/d"):
        location.put(key, key)
    location.fs.mv(location.fs_path("a"), location.fs_path("new/a"), recursive=True)
    assert sorted(location.list()) == ["new/a/b/c", "new/a/d"]
    assert not (tmp_path / "root/a").exists()


def test_links_to_folders_are_left_out_and_nothing_goes_through_them(tmp_path: Path) -> None:
    location = Location(f"fsspec+file://{tmp_path}/root")
    location.put("a/file", b"x")
    location.put("kept/k", b"x")
    (tmp_path / "root/a/up").symlink_to(tmp_path / "root")
    (tmp_path / "root/a/away").symlink_to(tmp_path / "root/kept")
    (tmp_path / "root/a/nowhere").symlink_to("none")
    (tmp_path / "root/a/link").symlink_to("file")
    assert sorted(location.list()) == ["a/file", "a/link", "kept/k"]
    location.fs.rm(location.fs_path("a"), recursive=True)
    assert sorted(location.list()) == ["kept/k"]
    assert not (tmp_path / "root/a").exists()


def test_must_exist(tmp_path: Path) -> None:
    with FileStore(f"fsspec+file://{tmp_path}/not/there?must_exist=true") as store:
        for call in (store.get, lambda key: store.put(key, b"x"), lambda _key: list(store.list())):
            with pytest.raises(FileStoreException, match="must_exist"):
                call("k")
    assert list(tmp_path.iterdir()) == []


def test_in_a_composite_and_under_pandas(tmp_path: Path) -> None:
    urls = [f"fsspec+file://{tmp_path}/near", f"fsspec+memory://{uuid4().hex}"]
    fs = fsspec.filesystem("filestore", locations=urls)
    with fs.open("a/b.txt", "wt") as file:
        file.write("text")
    assert fs.find("") == ["a/b.txt"]
    assert (tmp_path / "near/a/b.txt").read_text() == "text"
    assert isinstance(fs.store.locations[0].fs.requests.fs, LocalFileSystem)
    fs.mv("a", "c", recursive=True)
    assert {str(each.location): each.state for each in FileStore(*urls).locate("c/b.txt")} == {
        f"fsspec+file://{tmp_path}/near (as fsspec has it)": "present",
        f"{urls[1]}/ (as fsspec has it)": "present",
    }
    assert pickle.loads(pickle.dumps(fs)).cat_file("c/b.txt") == b"text"  # noqa: S301 - our own
