"""What holds for any URL of any scheme, and for any key under any layout."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from filestore_fsspec.errors import InvalidKey, InvalidURL
from filestore_fsspec.keys import LAYOUTS, is_key, is_temporary, parse_key
from filestore_fsspec.location import Location
from filestore_fsspec.schemes import SCHEMES, translate
from filestore_fsspec.urls import StorageUrl, parse

SECRET = "QzK7canaryXw"
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""With what cannot be in any text of UTF-8 left out."""
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NAME = TEXT.filter(lambda text: "/" not in text and text not in {"", ".", ".."})
NO_DELIMITER = ANYTHING.filter(lambda text: not set(text) & set("/?#"))

LOGIN = {"http", "https", "ftp", "ftps", "sftp", "s3"}
"""The schemes whose URLs take a user and a password."""
OPTIONS: dict[str, dict[str, str]] = {
    "s3": {"s3_bucket": "bucket"},
    "azure": {"account": "a", "access_key": SECRET},
    "sftp": {"private_key_pass": SECRET},
}
PORT = st.none() | st.integers(1, 65535)
HOSTS = {"file": st.sampled_from(["", ".", "localhost"])}
HOST = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True) | st.sampled_from(
    ["[::1]", "[2001:db8::2]"]
)


@st.composite
def locations(draw: st.DrawFn, scheme: str) -> str:
    """Draw a URL of a scheme that is right in every part."""
    user = f"{quote(draw(NAME), safe='')}:{SECRET}@" if scheme in LOGIN else ""
    port = draw(PORT) if scheme not in {"file", "memory"} else None
    root = "/".join([draw(NAME) for _ in range(draw(st.integers(1, 3)))])
    options = OPTIONS.get(scheme, {}) | {"name": draw(NAME.filter(lambda name: len(name) > 5))}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    host = draw(HOSTS.get(scheme, HOST))
    return f"{scheme}://{user}{host}{f':{port}' if port else ''}/{quote(root)}?{query}"


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_a_location_is_what_it_was_after_print_and_parse(scheme: str, data: st.DataObject) -> None:
    url = parse(data.draw(locations(scheme)))
    assert parse(url.reveal()) == url
    assert translate(parse(url.reveal())) == translate(url)
    shown = parse(url.reveal(secrets=False))
    hidden = {name: value for name, value in url.options.items() if value != SECRET}
    assert shown == replace(url, password="", options=hidden)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_no_text_of_a_location_shows_its_secret(scheme: str, data: st.DataObject) -> None:
    location = Location(data.draw(locations(scheme)))
    state = location.__reduce_ex__(2)  # what a pickle holds, as a log would print it
    for shown in (location, location.url, location.target, location.url.reveal(secrets=False)):
        assert SECRET not in f"{shown} {shown!r}"
    assert SECRET not in repr(state)


@pytest.mark.parametrize("scheme", [*SCHEMES, "fpt", "x"])
@given(before=NO_DELIMITER, between=NO_DELIMITER, after=ANYTHING)
def test_no_error_shows_a_password_whatever_is_around_it(
    scheme: str, before: str, between: str, after: str
) -> None:
    _refused_without(f"{scheme}://{before}:{SECRET}{between}@{after}")


@pytest.mark.parametrize("scheme", [*SCHEMES, "fpt"])
@given(
    before=ANYTHING,
    option=st.sampled_from(["access_key", "client_secret", "private_key_pass", "acces_key"]),
    after=ANYTHING.filter(lambda text: "=" not in text),
)
def test_nor_a_key_or_pass_phrase(scheme: str, before: str, option: str, after: str) -> None:
    _refused_without(f"{scheme}://host/{quote(before)}?{option}={SECRET}{after}")


def _refused_without(url_text: str) -> None:
    """Make a location of a text, and look for the secret in whatever comes of it."""
    shown: list[object] = []
    try:
        location = Location(url_text)
        shown = [location, location.url]
    except InvalidURL as error:
        shown = [error, error.__cause__, error.__context__]
    assert SECRET not in f"{shown!r} {shown[0]}"
    assert not isinstance(shown[0], InvalidURL) or shown[1:] == [None, None]


SEGMENT = st.text(st.sampled_from("ab.\\%2e\r\n\t \u2024\u2025\uff0fé\x7f"), min_size=1, max_size=8)
KEY = (
    st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    | st.text(st.sampled_from("abcdef0123456789."), min_size=64, max_size=64)
)


def _key(text: str) -> str:
    try:
        return parse_key(text)
    except InvalidKey:
        assume(condition=False)
        raise


@given(KEY)
def test_a_key_is_its_own_key_and_stays_below_the_root(text: str) -> None:
    key = _key(text)
    assert is_key(key)
    for layout in LAYOUTS.values():
        path = layout.path(key)
        assert posixpath.normpath(f"/root/{path}").startswith("/root/")
        assert not is_temporary(path)
        assert layout.path(layout.key(path)) == path
        if layout.name != "flat":
            assert layout.key(path) == key


@pytest.mark.parametrize("layout", LAYOUTS)
@given(texts=st.lists(KEY, max_size=5))
def test_list_says_what_put_was_called_with(layout: str, texts: list[str]) -> None:
    keys = {_key(text) for text in texts}
    location = Location(f"memory://{uuid4().hex}/root?layout={layout}")
    for key in keys:
        location.put(key, b"")
    expected = {key.rpartition("/")[2] for key in keys} if layout == "flat" else keys
    assert set(location.list()) == expected
    for key in keys:
        location.delete(key)
    assert not list(location.list())


@given(st.builds(StorageUrl, scheme=st.sampled_from(list(SCHEMES)), host=HOST, password=TEXT))
def test_a_password_alone_is_shown_by_nothing(url: StorageUrl) -> None:
    assume(len(url.password) > 3)
    assume(url.password not in f"{url.scheme}://{url.origin}/")
    assert url.password not in f"{url} {url.reveal(secrets=False)}"
