"""What FTP servers write about their files, read: facts (RFC 3659), `ls -l` and MS-DOS lines."""

# ruff: noqa: S321 - FTP is what this is about; TLS is the URL's choice
from __future__ import annotations

import ftplib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filestore_fsspec.drivers.shared.driver import is_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from filestore_fsspec.drivers.shared.driver import Info

_TYPES = {"file": "file", "dir": "directory", "-": "file", "d": "directory", "l": "link"}
_NOT_OURS = {"cdir", "pdir", "b", "c", "p", "s"}  # the folder itself, devices, pipes, sockets
_MONTH = r"[^\W\d_]{1,9}\.?"
_DATES = (
    rf"{_MONTH}\s+\d{{1,2}}\s+(?:\d{{1,2}}:\d{{2}}|\d{{4}})",
    rf"\d{{1,2}}\.?\s+{_MONTH}\s+(?:\d{{1,2}}:\d{{2}}|\d{{4}})",
    r"\d{4}-\d\d-\d\d(?:[ T]+\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: [-+]\d{4})?)?",
)
# Owner and group may hold blanks, or be left out. The name starts one blank after the date: it may
# itself start or end with blanks.
_UNIX_LINE = re.compile(
    r"([-dlbcps])[-rwxsStTlL]{9}\S?\s(?:.{0,200}?\s)?(?:\d+,\s*)?([0-9]{1,18})\s+"
    rf"(?:{'|'.join(_DATES)}) (.+)"
)
_DOS_LINE = re.compile(
    r"(?:\d\d-\d\d-\d\d(?:\d\d)?|\d{4}-\d\d-\d\d)\s+\d\d:\d\d\s*(?:[AP]M)?\s+"
    r"(?:<([A-Z]+)>(?: {10}|\s+)|([0-9]{1,18}) )(.+)",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"[^\W\d_]+:? \d+")
_SIZE = re.compile(r"[0-9]{1,18}")  # int() refuses what is thousands of digits long
_TIME = re.compile(r"\d{14}(?=\.\d+$|$)")


def describe(path: str, kind: str, size: int | None, modified: datetime | None = None) -> Info:
    """Return an info; what a `link` leads to is left to the server."""
    return {"name": path, "type": kind, "size": size, "modified": modified}


def parse_time(text: str) -> datetime | None:
    """Return what `YYYYMMDDHHMMSS[.fraction]` means, which is UTC in FTP; None if it is no time."""
    found = _TIME.match(text)
    try:
        return datetime.strptime(found[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def parse_facts(line: str) -> Info | None:
    """Return the info in `size=1;type=file; name`, or None if that is not what the line is."""
    facts, _, name = line.partition(" ")
    pairs = dict(fact.partition("=")[::2] for fact in facts.lower().split(";"))
    if "type" not in pairs:
        return None
    kind = pairs["type"] if pairs["type"] in _NOT_OURS else _TYPES.get(pairs["type"], "link")
    size = pairs.get("size", "")
    size_bytes = int(size) if kind == "file" and _SIZE.fullmatch(size) else None
    info = describe(name, kind, size_bytes, parse_time(pairs.get("modify", "")))
    if pairs.get("unique"):
        info["identity"] = pairs["unique"]
    return info


def parse_list(line: str) -> Info | None:
    """Return the info in a line of `ls -l` or of MS-DOS, or None if that is not what the line is.

    Its time is left out: it has no zone, and minutes or days at most.
    """
    if found := _UNIX_LINE.fullmatch(line):
        letter, size, name = found.groups()
        if letter == "l":
            name = name.partition(" -> ")[0]
        return describe(name, _TYPES.get(letter, letter), int(size) if letter == "-" else None)
    if found := _DOS_LINE.fullmatch(line):
        kind, size, name = found.groups()
        if kind is None:
            return describe(name, "file", int(size))
        return describe(name, "directory" if kind.upper() == "DIR" else "link", None)
    return None


def parse_listing(
    folder: str,
    lines: Iterable[str],
    parse: Callable[[str], Info | None],
    is_there: Callable[[str], bool] = lambda _path: True,
) -> list[Info]:
    """Return the infos of what is in `folder`, their names being whole paths.

    A line that `parse` does not know may belong to a name with a line break, which servers send as
    it is. Then the path that the line before it ends in is that of no file, as `is_there` tells,
    and the entry is left out: no command could name it.

    Raises:
        ftplib.error_proto: a line is neither.
    """
    below = folder.rstrip("/") + "/"
    found: list[Info] = []
    torn = False
    for number, line in enumerate(lines):
        info = parse(line)
        if info:
            found.append(info)
            torn = False
        elif torn or (number == 0 and _TOTAL.fullmatch(line)):
            continue
        elif found and not is_there(below + found[-1]["name"]):
            found.pop()
            torn = True
        else:
            raise ftplib.error_proto(f"a listing with a line that cannot be read: {line!r}")
    found = [info for info in found if info["type"] not in _NOT_OURS and is_name(info["name"])]
    for info in found:
        info["name"] = below + info["name"]
    return found
