"""Odd trees behind web servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.foreign.suite import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping


class TestHTTP(Reading):
    service = "http_plain"
    families = ("NAMES", "FOLDERS", "LINKS", "BYTES", "SHARDED")
    cannot = frozenset({"dot"})  # nginx lists no dot files


class TestHTTPObstore(Reading):
    service = "http_plain"
    options: ClassVar[Mapping[str, str]] = {"engine": "obstore"}
    families = ("NAMES", "FOLDERS")
    cannot = frozenset({"dot"})  # as above
