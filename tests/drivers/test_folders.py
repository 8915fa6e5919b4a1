"""What every driver for folders makes of odd trees, laid on the server's own disk."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import Location
from filestore_fsspec.keys import is_temporary, temporary_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Service

SERVERS = ["file_service", "ftp_plain", "ftp_vsftpd", "sftp_openssh", "sftp_asyncssh"]


class Tree:
    """A folder on a server's disk, and the filesystem that shows it."""

    def __init__(self, service: Service, kind: str, **options: str) -> None:
        name = f"odd-{secrets.token_hex(6)}"
        self.folder: Path = service.raw.folder / name  # type: ignore[attr-defined]  # of a folder
        self.folder.mkdir(mode=0o777)
        self.folder.chmod(0o777)
        self.location = Location(service.url(name, **options))
        # pyftpdlib lists no dangling link, a pipe as a file, and other bytes for a name.
        self.tells_all = kind != "ftp_plain"
        self.fs: Any = self.location.fs

    def lay(self, **files: str) -> None:
        for name, content in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(0o777)
            path.write_text(content)

    def path(self, name: str = "") -> str:
        root = self.location.target.root.rstrip("/")
        return f"{root}/{name}" if name else root

    def below(self, paths: Any) -> list[str]:
        start = self.path() + "/"
        return sorted(str(path).removeprefix(start) for path in paths)


@pytest.fixture(params=SERVERS)
def tree(request: pytest.FixtureRequest) -> Iterator[Tree]:
    tree = Tree(request.getfixturevalue(request.param), request.param)
    yield tree
    tree.location.close()


def views(tree: Tree, folder: str = "") -> dict[str, list[str]]:
    """Return the files below a folder, as each function shows them."""
    fs, path = tree.fs, tree.path(folder)
    walked = [f"{found}/{name}" for found, _folders, files in fs.walk(path) for name in files]
    listed: list[str] = []
    left = [path]
    while left:
        for info in fs.ls(left.pop(), detail=True):
            (left if info["type"] == "directory" else listed).append(info["name"])
    keys = tree.location.list(f"{folder}/" if folder else "")
    return {
        "walk": tree.below(walked),
        "find": tree.below(fs.find(path)),
        "glob": tree.below(each for each in fs.glob(f"{path}/**") if fs.isfile(each)),
        "ls": tree.below(listed),
        "list": sorted(keys),
        "du": tree.below(fs.du(path, total=False)),
    }


def all_same(found: dict[str, list[str]]) -> list[str]:
    first = next(iter(found.values()))
    assert {view: each for view, each in found.items() if each != first} == {}
    return first


def test_links_that_lead_nowhere_or_back_are_left_out(tree: Tree) -> None:
    tree.lay(a__file="x", keep__kept="y")
    for link, target in {
        "dangling": "nowhere",
        "itself": "itself",
        "upward": "..",
        "sideways": "../keep",
        "file_link": "file",
    }.items():
        (tree.folder / "a" / link).symlink_to(target)
    (tree.folder / "keep" / "back").symlink_to("../a")

    expected = ["a/file", "a/file_link", "a/sideways/kept", "keep/back/file"]
    expected += ["keep/back/file_link", "keep/kept"]
    assert all_same(views(tree)) == sorted(expected)
    assert tree.fs.cat_file(tree.path("a/sideways/kept")) == b"y"


def test_a_link_that_leads_upward_is_absent_by_name(tree: Tree) -> None:
    tree.lay(a__file="x", keep__kept="y")
    for link, target in {"upward": "..", "here": ".", "sideways": "../keep"}.items():
        (tree.folder / "a" / link).symlink_to(target)
    for name in ("upward", "here"):
        path = tree.path(f"a/{name}")
        assert not tree.fs.exists(path)
        assert not tree.fs.isdir(path)
        for call in (tree.fs.info, tree.fs.ls, tree.fs.open):
            with pytest.raises(FileNotFoundError):
                call(path)
    assert tree.fs.isdir(tree.path("a/sideways"))
    assert tree.below(tree.fs.ls(tree.path("a/sideways"), detail=False)) == ["a/sideways/kept"]


def test_a_link_to_where_we_may_not_look_hides_nothing_else(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.lay(a__file="x", a__other="y")
    (tree.folder / "a" / "forbidden").symlink_to("file")
    stat = tree.fs.requests.stat

    async def refused(path: str) -> Any:
        if path.endswith("forbidden"):
            raise PermissionError(errno.EACCES, "forbidden", path)
        return await stat(path)

    monkeypatch.setattr(tree.fs.requests, "stat", refused)
    if tree.tells_all:
        assert all_same(views(tree)) == ["a/file", "a/other"]


def test_a_name_that_is_too_long_is_absent_and_refused(tree: Tree) -> None:
    tree.lay(a__file="x")
    assert tree.fs.exists(tree.path("a/file"))
    for path in (tree.path("a/" + "n" * 300), tree.path("a/" + "n" * 300 + "/below")):
        assert not tree.fs.exists(path)
        assert not tree.fs.isfile(path)
        for call in (tree.fs.info, tree.fs.cat_file, tree.fs.open, tree.fs.rm_file):
            with pytest.raises(FileNotFoundError):
                call(path)
        for mode in ("overwrite", "create"):
            with pytest.raises(OSError, match=r"(?i)long|refus|not be|No such|550") as caught:
                tree.fs.pipe_file(path, b"new", mode=mode)
            assert not isinstance(caught.value, FileNotFoundError | FileExistsError)
    assert [each.name for each in (tree.folder / "a").iterdir()] == ["file"]


def test_a_recursive_delete_goes_through_no_link(tree: Tree) -> None:
    tree.lay(keep__kept="y", keep__deep__kept="z", sub__file="x", sub__deep__file="x")
    (tree.folder / "sub" / "link").symlink_to("../keep")
    (tree.folder / "sub" / "deep" / "up").symlink_to("../..")
    (tree.folder / "sub" / "file_link").symlink_to("../keep/kept")
    if tree.tells_all:
        (tree.folder / "sub" / "dangling").symlink_to("nowhere")
    (tree.folder / "sub" / temporary_path("x")).write_text("left by a writer that was killed")

    tree.fs.rm(tree.path("sub"), recursive=True)

    assert [path.name for path in tree.folder.iterdir()] == ["keep"]
    assert all_same(views(tree)) == ["keep/deep/kept", "keep/kept"]


def test_names_that_are_no_utf8_are_shown_by_none_and_deleted_by_none(tree: Tree) -> None:
    tree.lay(a__file="x")
    (tree.folder / "a" / os.fsdecode(b"odd-\xff\xfe")).write_text("another's")

    if tree.tells_all:
        assert all_same(views(tree)) == ["a/file"]
    with pytest.raises(OSError, match="empty"):
        tree.fs.rm(tree.path("a"), recursive=True)
    assert [os.fsencode(path.name) for path in (tree.folder / "a").iterdir()] == [b"odd-\xff\xfe"]


def test_what_is_neither_file_nor_folder_is_shown_by_none(tree: Tree) -> None:
    tree.lay(file="x")
    if tree.tells_all:
        os.mkfifo(tree.folder / "pipe")
    (tree.folder / "folder").mkdir()
    assert all_same(views(tree)) == ["file"]


def test_what_is_no_file_is_absent_by_name(tree: Tree, tmp_path: Path) -> None:
    if not tree.tells_all:
        return  # pyftpdlib calls a pipe a file
    os.mkfifo(tree.folder / "pipe")
    os.mknod(tree.folder / "socket", stat.S_IFSOCK | 0o666)
    (tree.folder / "null").symlink_to("/dev/null")
    for name in ("pipe", "socket", "null"):
        path = tree.path(name)
        assert not tree.fs.exists(path)
        for call in (tree.fs.info, tree.fs.cat_file, tree.fs.open):
            with pytest.raises(FileNotFoundError):
                call(path)
        with pytest.raises(FileNotFoundError):
            tree.fs.get_file(path, str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_a_folder_is_brought_to_this_machine(tree: Tree, tmp_path: Path) -> None:
    tree.lay(a__b__file="x", a__other="y")
    (tree.folder / "a" / "empty").mkdir()
    (tree.folder / "a" / "itself").symlink_to("itself")
    tree.fs.get(tree.path("a"), str(tmp_path / "copy"), recursive=True)
    found = {
        path.relative_to(tmp_path / "copy").as_posix()
        for path in tmp_path.rglob("*")
        if path != tmp_path / "copy"
    }
    assert found == {"b", "b/file", "other", "empty"}
    assert (tmp_path / "copy" / "b" / "file").read_text() == "x"


def test_a_folder_opened_is_a_directory(tree: Tree) -> None:
    tree.lay(a__file="x")
    for mode in ("rb", "wb", "xb"):
        with pytest.raises(IsADirectoryError):
            tree.fs.open(tree.path("a"), mode)
    with pytest.raises(FileNotFoundError):
        tree.fs.open(tree.path("none"))


def test_find_knows_what_info_knows(tree: Tree) -> None:
    tree.lay(a__file="12345")
    found = tree.fs.find(tree.path(), detail=True)
    (info,) = found.values()
    assert info["size"] == 5
    assert info["type"] == "file"
    assert tree.fs.info(Path(info["name"]))["size"] == 5


@pytest.fixture(params=["ftp_plain", "ftp_vsftpd", "sftp_asyncssh"])
def aside(request: pytest.FixtureRequest) -> Iterator[Tree]:
    options = {"replace": "aside", "temporary_prefix": "tmp-"}
    tree = Tree(request.getfixturevalue(request.param), request.param, **options)
    yield tree
    tree.location.close()


def test_what_is_replaced_is_renamed_out_of_the_way(
    aside: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, renamed = aside.fs.requests.rename, []

    async def rename(source: str, path: str, *, replace: bool) -> None:
        assert not replace  # by which this server's own rename is meant
        renamed.append((source, path))
        await real(source, path, replace=False)

    monkeypatch.setattr(aside.fs.requests, "rename", rename)
    path = aside.path("x")
    for content in (b"one", b"two"):
        aside.fs.pipe_file(path, content)
        assert aside.fs.cat_file(path) == content
    aside.fs.pipe_file(aside.path("y"), b"three")
    aside.fs.mv(aside.path("y"), path)
    assert [each.name for each in aside.folder.iterdir()] == ["x"]
    assert (aside.folder / "x").read_bytes() == b"three"
    temporary = {name.rpartition("/")[2] for pair in renamed for name in pair} - {"x", "y"}
    assert len(temporary) == 5
    assert all(name.startswith("tmp-") and is_temporary(name) for name in temporary)
    (aside.folder / "folder").mkdir(mode=0o777)
    with pytest.raises(IsADirectoryError):
        aside.fs.pipe_file(aside.path("folder"), b"four")
    assert sorted(each.name for each in aside.folder.iterdir()) == ["folder", "x"]


def test_what_could_not_be_replaced_is_as_it_was(
    aside: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, others = aside.path("x"), aside.fs.requests.rename, 0
    aside.fs.pipe_file(path, b"old")
    set_aside = []

    async def rename(source: str, target: str, *, replace: bool) -> None:
        if source == path:
            set_aside.append(target)
        elif source not in set_aside:
            raise PermissionError("refused")
        await real(source, target, replace=replace)

    monkeypatch.setattr(aside.fs.requests, "rename", rename)
    with pytest.raises(PermissionError):
        aside.fs.pipe_file(path, b"new")
    assert aside.fs.cat_file(path) == b"old"
    assert [each.name for each in aside.folder.iterdir()] == ["x"]

    async def be_slow(source: str, target: str, *, replace: bool) -> None:
        nonlocal others
        if target == path and others < 2:
            others += 1
            (aside.folder / "x").write_bytes(b"another's")
            (aside.folder / "x").chmod(0o666)
        await real(source, target, replace=replace)

    monkeypatch.setattr(aside.fs.requests, "rename", be_slow)
    aside.fs.pipe_file(path, b"new")
    assert (aside.folder / "x").read_bytes() == b"new"
    assert [each.name for each in aside.folder.iterdir()] == ["x"]
