"""What the command exits with."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from filestore_fsspec.errors import (
    FileStoreException,
    LocationUnavailable,
    PartialWrite,
    PermissionDenied,
    ReadOnly,
    TransportException,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Exit(IntEnum):
    """Exit codes; "absent", "unknown" and "failed" are never the same."""

    OK = 0
    FAILED = 1
    USAGE = 2
    ABSENT = 3
    UNKNOWN = 4
    REFUSED = 5
    INTERRUPTED = 130


_WORST_FIRST = (Exit.INTERRUPTED, Exit.USAGE, Exit.REFUSED, Exit.UNKNOWN, Exit.FAILED, Exit.ABSENT)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the code that counts if several things ended differently."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), Exit.OK)


def code_of(error: Exception) -> Exit:
    """Return what the command exits with after `error`."""
    if isinstance(error, PartialWrite):
        return worst(map(code_of, error.failed.values())) or Exit.FAILED
    if isinstance(error, PermissionDenied | ReadOnly | PermissionError):
        return Exit.REFUSED
    if isinstance(error, FileNotFoundError):
        return Exit.ABSENT
    if isinstance(error, LocationUnavailable | TransportException):
        return Exit.UNKNOWN
    if isinstance(error, ValueError | NotImplementedError):
        return Exit.USAGE
    if isinstance(error, FileStoreException | OSError):
        return Exit.FAILED
    raise error
