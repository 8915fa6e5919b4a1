"""What is fuzzed, as functions of bytes that raise AssertionError where a promise is broken."""

from __future__ import annotations

import ftplib
import pickle
from typing import TYPE_CHECKING

from filestore_fsspec.drivers.ftp.listing import parse_facts, parse_list, parse_listing
from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes import translate
from filestore_fsspec.urls import parse

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "QzK7canaryXw"
"""Stands where the input has a byte of 1, and may not be seen again."""
_FOLDER = "/the/folder"
_TYPES = {"file", "directory", "link"}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def check_url(data: bytes) -> None:
    """A URL is taken or refused; it comes back from its text; no text shows a password of it.

    Up to the first of `/?#` the byte 1 stands for a secret: what is there behind the first `:` and
    before the last `@` is the password.
    """
    text = _text(data)
    scheme, mark, rest = text.partition("://")
    secret = scheme + mark + rest.replace("\1", SECRET)
    head = rest.replace("/", "?").replace("#", "?").partition("?")[0]
    inside = head.rpartition("@")[0].partition(":")[2]
    hidden = "\1" in inside and rest.count("\1") == inside.count("\1")
    try:
        url = parse(secret)
    except InvalidURL as error:
        _check_shown(hidden, error)
        return
    assert parse(url.reveal()) == url
    assert parse(str(url)).root == url.root
    assert pickle.loads(pickle.dumps(url)) == url  # noqa: S301 - our own
    _check_shown(hidden, url)
    _check_shown(hidden, url.reveal(secrets=False))
    assert not set(url.root.split("/")) & {".", ".."}
    try:
        _check_shown(hidden, translate(url))
    except InvalidURL as error:
        _check_shown(hidden, error)


def _check_shown(hidden: bool, shown: object) -> None:  # noqa: FBT001 - one file's own
    """Tell that no text of `shown`, or of what an exception came from, shows what is hidden."""
    came_from = [getattr(shown, "__cause__", None), getattr(shown, "__context__", None)]
    assert not hidden or SECRET not in f"{shown} {shown!r} {came_from!r}"


def check_listing(data: bytes) -> None:
    """A listing is read or refused; every entry lies right in the folder."""
    which, text = data[:1], _text(data[1:])
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    try:
        found = parse_listing(_FOLDER, lines, parse_list if which == b"u" else parse_facts)
    except ftplib.error_proto:
        return
    for info in found:
        folder, _, name = info["name"].rpartition("/")
        assert folder == _FOLDER
        assert name not in {"", ".", ".."}
        assert "\0" not in name
        assert info["type"] in _TYPES
        assert info["size"] is None or 0 <= info["size"] < 2**63


TARGETS: dict[str, Callable[[bytes], None]] = {"urls": check_url, "listing": check_listing}
