"""Keys and layouts: how a key becomes a path under a location's root, and back.

A key is relative and `/`-separated. It is refused when it is empty, holds a NUL, holds an empty,
`.` or `..` segment, or is named like one of our temporary files, so that no key can leave the root
and no two keys have the same path. In the layout `sharded` it is also refused when it is spelled
like the path of another key.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from filestore_fsspec.errors import InvalidKey

if TYPE_CHECKING:
    from collections.abc import Callable

LayoutName = Literal["sharded", "verbatim", "flat"]

_SHARDED_LENGTH = 64
_SHARD_FOLDER = re.compile(r"(?:[^/](?:/[^/]){0,3})?")
_SHARD_DEPTH = 4
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")
_TEMPORARY = re.compile(r"[^/]filestore-[0-9a-f]{32}\.part$")


def parse_key(key: str) -> str:
    """Return `key` without its leading slashes.

    Raises:
        InvalidKey: the key is empty, ends in `/`, holds a NUL, an empty, `.` or `..` segment, or is
            named like a temporary file of ours.
    """
    key = key.lstrip("/")
    if not key or "\0" in key or key[-1] == "/":
        raise InvalidKey(f"key {key!r}: a key is a non-empty name without NUL or a closing '/'")
    if "//" in key:
        raise InvalidKey(f"key {key!r}: no part of a key is empty ('a//b')")
    if "." in key:
        if _DOT_SEGMENT.search(key):
            raise InvalidKey(f"key {key!r}: '.' and '..' are not allowed as parts of a key")
        if _TEMPORARY.search(key):
            raise InvalidKey(f"key {key!r}: this form of name is kept for temporary files")
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError:
            raise InvalidKey(f"key {key!r}: a key is text that UTF-8 can encode") from None
    return key


def is_key(text: str) -> bool:
    """Tell whether `parse_key` takes `text` and leaves it as it is: a listing may say anything."""
    try:
        return parse_key(text) == text
    except InvalidKey:
        return False


def begins_a_key(prefix: str) -> bool:
    """Tell whether any key can start with `prefix`: a listing does not look outside of the root.

    It may end within a segment: `..` begins `..a`, and `../` begins nothing.
    """
    return not prefix or is_key(f"{prefix}_")


def temporary_path(path: str, prefix: str = ".") -> str:
    """Return a new, unguessable name in the folder of `path`, hidden from every listing of ours.

    `prefix` begins the name: some servers forbid names with a leading dot.
    """
    folder, slash, _name = path.rpartition("/")
    return f"{folder}{slash}{prefix}filestore-{secrets.token_hex(16)}.part"


def is_temporary(path: str) -> bool:
    """Tell whether `path` was made by `temporary_path`, with any prefix."""
    return _TEMPORARY.search(path) is not None


@dataclass(frozen=True)
class Layout:
    """How keys are stored: `path(key)` under the root, and `key(path)` back."""

    name: LayoutName
    path: Callable[[str], str]
    """Raises InvalidKey for a key that is spelled like the path of another."""
    key: Callable[[str], str]
    prefixes: Callable[[str], tuple[str, ...]]
    """Path prefixes that together cover every key with a given prefix."""
    may_hold_shards: Callable[[str], bool]
    """Whether keys of the root may be stored below a given folder."""


def _sharded_path(key: str) -> str:
    name = key[-_SHARDED_LENGTH:]
    if len(key) == _SHARDED_LENGTH and "/" not in key:
        return _shard(name)
    if key[-_SHARDED_LENGTH - 1 : -_SHARDED_LENGTH] == "/" and _sharded_key(key) != key:
        raise InvalidKey(f"key {key!r}: this is where the key {name!r} is stored")
    return key


def _sharded_key(path: str) -> str:
    name = path[-_SHARDED_LENGTH:]
    is_sharded = len(name) == _SHARDED_LENGTH and "/" not in name and path == _shard(name)
    return name if is_sharded else path


def _shard(name: str) -> str:
    """Return `name` below folders that have its first characters as names.

    No folder is called `.`: what others, and disks, make of `./a/b/c/.abc` is `a/b/c/.abc`.
    """
    return "/".join((*_shard_folders(name), name))


def _shard_folders(name: str) -> list[str]:
    return [each for each in name[:_SHARD_DEPTH] if each != "."]


def _sharded_prefixes(prefix: str) -> tuple[str, ...]:
    if "/" in prefix:
        return (prefix,)
    known = len(prefix) >= _SHARD_DEPTH
    shard = _shard(prefix) if known else "/".join(_shard_folders(prefix))
    if shard.startswith(prefix):
        return (prefix,)
    return (shard,) if prefix.startswith(shard) else (prefix, shard)


def _may_be_shard(folder: str) -> bool:
    return _SHARD_FOLDER.fullmatch(folder) is not None


def _never(_folder: str) -> bool:
    return False


def _same(text: str) -> str:
    return text


def _last_segment(key: str) -> str:
    return key.rpartition("/")[2]


LAYOUTS: dict[LayoutName, Layout] = {
    "sharded": Layout("sharded", _sharded_path, _sharded_key, _sharded_prefixes, _may_be_shard),
    "verbatim": Layout("verbatim", _same, _same, lambda prefix: (prefix,), _never),
    "flat": Layout("flat", _last_segment, _same, lambda prefix: (_last_segment(prefix),), _never),
}
