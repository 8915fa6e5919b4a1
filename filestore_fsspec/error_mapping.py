"""A driver's `OSError` as one of our exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filestore_fsspec.drivers.shared.errors import ChecksumMismatch
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    FileStoreException,
    LocationUnavailable,
    NotFound,
    PermissionDenied,
    TransportException,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def exception_of(error: OSError, doing: str, secrets: Iterable[str]) -> FileStoreException:
    """Return `error` as one of ours; `doing` begins the message, which shows no secret."""
    # fsspec raises its own TimeoutError, without a word, from the driver's.
    reason = str(error) or str(error.__cause__ or "") or type(error).__name__
    for secret in secrets:
        reason = reason.replace(secret, "***")
    message = f"{doing}: {reason}"
    if isinstance(error, ChecksumMismatch):
        return CorruptedFileStoreException(message)
    if isinstance(error, FileNotFoundError):
        return NotFound(message, error)
    if isinstance(error, PermissionError):
        return PermissionDenied(message, error)
    if isinstance(error, ConnectionError | TimeoutError):
        return LocationUnavailable(message, error)
    return TransportException(message, error)


def is_answer(error: OSError) -> bool:
    """Tell whether a location that failed so has answered: another call may succeed."""
    return isinstance(error, ChecksumMismatch) or not isinstance(
        error, ConnectionError | TimeoutError
    )
