from __future__ import annotations

import ftplib

import pytest

from filestore_fsspec.drivers.ftp.listing import parse_facts, parse_listing, parse_unix
from filestore_fsspec.drivers.shared.driver import is_name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0", "a/../../x"])
def test_a_name_that_leads_elsewhere_is_none(name: str) -> None:
    assert not is_name(name)
    good = "type=file;size=1; good"
    found = parse_listing("/f", [good, f"type=file;size=1; {name}"], parse_facts)
    assert [info["name"] for info in found] == ["/f/good"]


def test_nor_does_a_line_break_hide_it() -> None:
    lines = ["type=file; a", "/../../../x", "type=file; b", "c"]
    assert [info["name"] for info in parse_listing("/f", lines, parse_facts)] == ["/f/b\nc"]


def test_a_size_without_end_is_no_size() -> None:
    # int() raises ValueError beyond 4300 digits, which no caller expects of a server.
    size = "9" * 5000
    found = parse_listing("/f", [f"type=file;size={size}; a"], parse_facts)
    assert found[0]["size"] is None
    with pytest.raises(ftplib.error_proto):
        parse_listing("/f", [f"-rw-r--r-- 1 r r {size} Nov 22 21:44 a"], parse_unix)
