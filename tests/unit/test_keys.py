from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from filestore_fsspec import FileStore
from filestore_fsspec.errors import InvalidKey
from filestore_fsspec.keys import (
    LAYOUTS,
    begins_a_key,
    is_temporary,
    parse_key,
    temporary_path,
)
from filestore_fsspec.location import Location

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "///",
        "a\0b",
        ".",
        "..",
        "../a",
        "a/..",
        "a/../b",
        "/..",
        "a/./b",
        "./a",
        "a/",
        "a//b",
        "a///b",
        "\ud800",
    ],
)
def test_a_key_that_could_leave_the_root_is_refused(key: str) -> None:
    with pytest.raises(InvalidKey, match="key "):
        parse_key(key)


@pytest.mark.parametrize(
    "key", ["a", "a.b", "..a", "a..", "a/...", "a b", "%2e%2e/a", "a\\..\\b", "é"]
)
def test_any_other_key_is_taken_as_it_is(key: str) -> None:
    assert parse_key(key) == key


def test_a_leading_slash_is_dropped() -> None:
    assert parse_key("//a/b") == "a/b"


def test_temporary_names_lie_beside_cannot_be_guessed_and_are_no_keys() -> None:
    first, second = temporary_path("a/b"), temporary_path("a/b")
    assert first != second
    assert posixpath.dirname(first) == "a"
    assert is_temporary(first)
    assert is_temporary(temporary_path("b"))
    assert not is_temporary("a/b")
    with pytest.raises(InvalidKey, match="temporary"):
        parse_key(first)


@pytest.mark.parametrize(
    ("layout", "key", "path"),
    [
        ("sharded", SHA, f"0/1/2/3/{SHA}"),
        ("sharded", "short", "short"),
        ("sharded", f"a/{SHA}", f"a/{SHA}"),
        ("sharded", f".{SHA[1:]}", f"1/2/3/.{SHA[1:]}"),
        ("sharded", f"0.2.{SHA[4:]}", f"0/2/0.2.{SHA[4:]}"),
        ("sharded", f"....{SHA[4:]}", f"....{SHA[4:]}"),
        ("sharded", f"0/1/2/3/4/{SHA}", f"0/1/2/3/4/{SHA}"),
        ("sharded", f"0/1/2/{SHA}", f"0/1/2/{SHA}"),
        ("verbatim", f"0/1/2/3/{SHA}", f"0/1/2/3/{SHA}"),
        ("verbatim", SHA, SHA),
        ("verbatim", "a/b", "a/b"),
        ("flat", "a/b", "b"),
        ("flat", SHA, SHA),
    ],
)
def test_where_a_key_is_stored(layout: str, key: str, path: str) -> None:
    assert LAYOUTS[layout].path(key) == path  # type: ignore[index]  # parametrized


@pytest.mark.parametrize(
    "key", [f"0/1/2/3/{SHA}", f"/0/1/2/3/{SHA}", f"1/2/3/.{SHA[1:]}", f"0/2/0.2.{SHA[4:]}"]
)
def test_a_key_spelled_like_anothers_path_is_refused(key: str) -> None:
    location = Location(f"memory://{uuid4().hex}/root?layout=sharded")
    name = key.rpartition("/")[2]
    location.put(name, b"content")
    for act in (
        location.get,
        location.exists,
        location.delete,
        lambda key: location.put(key, b""),
        lambda key: location.delete_batch([key]),
    ):
        with pytest.raises(InvalidKey, match=re.escape(f"where the key {name!r} is stored")):
            act(key)
    assert list(location.list()) == [name]


hidden = st.text(st.sampled_from("ab."), min_size=64, max_size=64)
keys = (
    st.text(st.sampled_from("ab/.0"), min_size=1, max_size=70)
    | hidden
    | st.builds(lambda folders, name: "/".join((*folders, name)), st.text("ab", max_size=5), hidden)
)


def path_of(layout: str, key: str) -> tuple[str, str]:
    """Return a key as it is known, and its path; assume that it is one."""
    try:
        key = parse_key(key)
        return key, LAYOUTS[layout].path(key)  # type: ignore[index]  # parametrized
    except InvalidKey:
        assume(condition=False)
        raise


@pytest.mark.parametrize("layout", ["sharded", "verbatim"])
@given(keys, keys)
def test_no_two_keys_share_a_place(layout: str, first: str, second: str) -> None:
    (key, path), (other, other_path) = path_of(layout, first), path_of(layout, second)
    assert (key == other) == (path == other_path)
    assert posixpath.normpath(path) == path  # so that no server makes another of it


@given(hidden)
def test_what_is_stored_in_a_shard_has_two_names_and_one_key(name: str) -> None:
    layout = LAYOUTS["sharded"]
    path = layout.path(name)
    assert layout.key(path) == name
    if path != name:
        with pytest.raises(InvalidKey):
            layout.path(path)


@pytest.mark.parametrize("prefix", ["", ".", "..", "...", "....", "a", ".a", "a.", "ab.", "ab.c"])
def test_prefixes_do_not_overlap(prefix: str) -> None:
    """What two of them covered would be listed twice."""
    found = LAYOUTS["sharded"].prefixes(prefix)
    assert len(found) == 1 or not any(
        each.startswith(other) for each in found for other in found if each is not other
    )


@given(keys, st.data())
def test_a_sharded_key_comes_back_and_its_prefixes_cover_it(key: str, data: st.DataObject) -> None:
    key, path = path_of("sharded", key)
    layout = LAYOUTS["sharded"]
    assert layout.key(path) == key
    prefix = key[: data.draw(st.integers(0, len(key)))]
    assert any(path.startswith(start) for start in layout.prefixes(prefix))


@given(keys)
def test_no_path_leaves_the_root(key: str) -> None:
    for layout in LAYOUTS:
        joined = posixpath.normpath(f"/root/{path_of(layout, key)[1]}")
        assert joined.startswith("/root/")


@pytest.mark.parametrize("prefix", ["../", "a/../", "./", "x\0", "/a", "a/./b", "a//"])
def test_what_begins_no_key_is_not_looked_for(prefix: str) -> None:
    assert not begins_a_key(prefix)


@pytest.mark.parametrize("prefix", ["", ".", "..", "a/", "a/..", "a", "a/b/."])
def test_what_may_begin_one_is(prefix: str) -> None:
    assert begins_a_key(prefix)


def test_what_one_location_cannot_have_is_written_at_none(tmp_path: Path) -> None:
    name = "abcd" + "0" * 60
    key = f"a/b/c/d/{name}"
    source = tmp_path / "source"
    source.write_bytes(b"content")
    with FileStore(f"memory://{tmp_path.name}", f"file://{tmp_path}/far") as store:
        calls: list[Callable[[], object]] = [
            lambda: store.put(key, b"content", force=True),
            lambda: store.upload(source, key),
            lambda: store.fs.pipe_file(key, b"content"),
            lambda: store.fs.put_file(str(source), key),
            lambda: store.fs.open(key, "wb").close(),
            lambda: store.fs.touch(key),
        ]
        for call in calls:
            with pytest.raises(InvalidKey, match="is stored"):
                call()
        assert list(store.list()) == []
        store.put(key, b"kept", location="near")
        for call in (lambda: store.delete(key), lambda: store.delete_batch([key, name])):
            with pytest.raises(InvalidKey, match="is stored"):
                call()
        assert store.get(key) == b"kept"
        assert [error for *_, error in store.upload_batch([(source, key)])] != []
