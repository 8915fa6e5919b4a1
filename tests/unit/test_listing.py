from __future__ import annotations

import ftplib

import pytest

from filestore_fsspec.drivers.ftp.listing import parse_facts, parse_list, parse_listing
from filestore_fsspec.drivers.shared.driver import is_name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0", "a/../../x"])
def test_a_name_that_leads_elsewhere_is_none(name: str) -> None:
    assert not is_name(name)
    good = "type=file;size=1; good"
    found = parse_listing("/f", [good, f"type=file;size=1; {name}"], parse_facts)
    assert [info["name"] for info in found] == ["/f/good"]


def test_nor_does_a_line_break_hide_it() -> None:
    lines = ["type=file; a", "/../../../x", "type=file; b", "c", "d", "type=file; e"]
    with pytest.raises(ftplib.error_proto):
        parse_listing("/f", lines, parse_facts)
    there = {"/f/e"}
    found = parse_listing("/f", lines, parse_facts, there.__contains__)
    assert [info["name"] for info in found] == ["/f/e"]
    with pytest.raises(ftplib.error_proto):
        parse_listing("/f", [*lines, "g"], parse_facts, there.__contains__)
    with pytest.raises(ftplib.error_proto):
        parse_listing("/f", ["what", "total 8"], parse_list)


@pytest.mark.parametrize(
    ("line", "name", "kind", "size"),
    [
        ("-rw-r--r-- 1 root root 5 Nov 22 16:48 a b", "a b", "file", 5),
        ("-rw-r--r--   1 bob  domain users  12 Nov 22  2025 x", "x", "file", 12),
        ("-rw-r--r--+ 1 CORP\\bob CORP\\domain users 12 Nov 22 16:48  x ", " x ", "file", 12),
        ("-rw-r--r-- 1 bob 12 Nov 22 16:48 no group", "no group", "file", 12),
        ("-rw-r--r-- 12 Nov 22 16:48 neither", "neither", "file", 12),
        ("-rw-r--r-- 1 a a 12 2025-11-22 16:48 iso", "iso", "file", 12),
        ("-rw-r--r-- 1 a a 12 2025-11-22 16:48:01.000000000 +0000 full", "full", "file", 12),
        ("drwxr-xr-x 2 a a 4096 22 Nov 16:48 day first", "day first", "directory", None),
        ("drwxr-xr-x 2 a a 4096 22. Nov.  2025 d", "d", "directory", None),
        ("-rw-r--r-- 1 1000 100 7 Nov 22 16:48 5 Nov 22 16:48 y", "5 Nov 22 16:48 y", "file", 7),
        ("lrwxrwxrwx 1 a a 3 Nov 22 16:48 l -> t", "l", "link", None),
        ("02-10-26  11:12AM       <DIR>          a folder", "a folder", "directory", None),
        ("02-10-2026  11:12PM                12345 a file", "a file", "file", 12345),
        ("2026-02-10  23:12                    0  x", " x", "file", 0),
        ("02-10-26  11:12AM       <JUNCTION>     j", "j", "link", None),
    ],
)
def test_a_line_of_a_listing(line: str, name: str, kind: str, size: int | None) -> None:
    (found,) = parse_listing("/f", [line], parse_list)
    assert (found["name"], found["type"], found["size"]) == (f"/f/{name}", kind, size)


def test_a_size_without_end_is_no_size() -> None:
    # int() raises ValueError beyond 4300 digits, which no caller expects of a server.
    size = "9" * 5000
    found = parse_listing("/f", [f"type=file;size={size}; a"], parse_facts)
    assert found[0]["size"] is None
    with pytest.raises(ftplib.error_proto):
        parse_listing("/f", [f"-rw-r--r-- 1 r r {size} Nov 22 21:44 a"], parse_list)
