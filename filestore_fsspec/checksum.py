"""Content that proves itself: a key of 64 hexadecimal digits is the SHA-256 of what it names."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from filestore_fsspec.errors import CorruptedFileStoreException

if TYPE_CHECKING:
    from filestore_fsspec.bridge import Runner

_SHA256 = re.compile("[0-9A-Fa-f]{64}")
_QUICK_BYTES = 64 * 2**10
"""Up to this size hashing takes less than a change of threads."""


def sha256_named_by(key: str) -> str | None:
    """Return the SHA-256 that `key` says its content has, or None if it says nothing of it."""
    digest = key.lstrip("/")
    return digest.lower() if _SHA256.fullmatch(digest) else None


def sha256_of(content: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of a local file given by its path."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with open(content, "rb") as file:  # noqa: PTH123 - a path as text
        return hashlib.file_digest(file, "sha256").hexdigest()


async def verify_checksum(runner: Runner, key: str, content: bytes | str, doing: str) -> None:
    """Check bytes, or a local file given by its path, against what `key` says of its content.

    Raises:
        CorruptedFileStoreException: they are not what it says; `doing` begins the message.
    """
    expected = sha256_named_by(key)
    if expected is None:
        return
    if isinstance(content, bytes) and len(content) <= _QUICK_BYTES:
        found = sha256_of(content)
    else:
        found = await runner.work(sha256_of, content)
    if found != expected:
        raise mismatch(doing, key, found)


def mismatch(doing: str, key: str, found: str) -> CorruptedFileStoreException:
    """Return the error for content whose SHA-256 is `found`."""
    return CorruptedFileStoreException(f"{doing} {key!r}: the SHA-256 of its content is {found}")
