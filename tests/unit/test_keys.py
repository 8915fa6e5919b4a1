from __future__ import annotations

import posixpath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from filestore_fsspec.errors import InvalidKey
from filestore_fsspec.keys import (
    LAYOUTS,
    begins_a_key,
    is_temporary,
    parse_key,
    temporary_path,
)

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
        ("verbatim", SHA, SHA),
        ("verbatim", "a/b", "a/b"),
        ("flat", "a/b", "b"),
        ("flat", SHA, SHA),
    ],
)
def test_where_a_key_is_stored(layout: str, key: str, path: str) -> None:
    assert LAYOUTS[layout].path(key) == path  # type: ignore[index]  # parametrized


keys = st.text(st.sampled_from("ab/.0"), min_size=1, max_size=70) | st.text(
    st.sampled_from("ab"), min_size=64, max_size=64
)


@given(keys, st.data())
def test_a_sharded_key_comes_back_and_its_prefixes_cover_it(key: str, data: st.DataObject) -> None:
    try:
        key = parse_key(key)
    except InvalidKey:
        assume(condition=False)
    layout = LAYOUTS["sharded"]
    path = layout.path(key)
    assert layout.key(path) == key
    prefix = key[: data.draw(st.integers(0, len(key)))]
    assert any(path.startswith(start) for start in layout.prefixes(prefix))


@given(keys)
def test_no_path_leaves_the_root(key: str) -> None:
    try:
        key = parse_key(key)
    except InvalidKey:
        return
    for layout in LAYOUTS.values():
        joined = posixpath.normpath(f"/root/{layout.path(key)}")
        assert joined.startswith("/root/")


@pytest.mark.parametrize("prefix", ["../", "a/../", "./", "x\0", "/a", "a/./b"])
def test_what_begins_no_key_is_not_looked_for(prefix: str) -> None:
    assert not begins_a_key(prefix)


@pytest.mark.parametrize("prefix", ["", ".", "..", "a/", "a/..", "a", "a/b/."])
def test_what_may_begin_one_is(prefix: str) -> None:
    assert begins_a_key(prefix)
