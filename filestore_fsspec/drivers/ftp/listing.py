"""What FTP servers write about their files, read: MLST and MLSD facts, and `ls -l` lines."""

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
# The name starts one blank after the date: it may itself start or end with blanks.
_UNIX_LINE = re.compile(
    r"([-dlbcps])[-rwxsStT]{9}\S?\s+\d+\s+\S+\s+\S+\s+(?:\d+,\s*)?([0-9]{1,18})\s+"
    r"\w{3}\s+\d{1,2}\s+(?:\d{1,2}:\d{2}|\d{4}) (.+)"
)
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
    if kind == "directory" and pairs.get("unique"):
        info["identity"] = pairs["unique"]
    return info


def parse_unix(line: str) -> Info | None:
    """Return the info in a line of `ls -l`, or None if that is not what the line is.

    Its time is left out: it has no zone, and minutes or days at most.
    """
    found = _UNIX_LINE.fullmatch(line)
    if not found:
        return None
    letter, size, name = found.groups()
    if letter == "l":
        name = name.partition(" -> ")[0]
    return describe(name, _TYPES.get(letter, letter), int(size) if letter == "-" else None)


def parse_listing(
    folder: str, lines: Iterable[str], parse: Callable[[str], Info | None]
) -> list[Info]:
    """Return the infos of what is in `folder`, their names being whole paths.

    Raises:
        ftplib.error_proto: the first line is not what `parse` knows.
    """
    found: list[Info] = []
    for number, line in enumerate(lines):
        info = parse(line)
        if info:
            found.append(info)
        elif found:
            found[-1]["name"] += "\n" + line  # servers send a line break in a name as it is
        elif number or not line.startswith("total "):
            raise ftplib.error_proto(f"a listing that cannot be read begins with {line!r}")
    found = [info for info in found if info["type"] not in _NOT_OURS and is_name(info["name"])]
    below = folder.rstrip("/") + "/"
    for info in found:
        info["name"] = below + info["name"]
    return found
