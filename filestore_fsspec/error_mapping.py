"""A driver's `OSError` as one of our exceptions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filestore_fsspec.drivers.shared.errors import Absent, ChecksumMismatch, LocalFailure
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    FileStoreException,
    LocationUnavailable,
    NotFound,
    PermissionDenied,
    TransportException,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


def exception_of(error: OSError, doing: str, secrets: Iterable[str]) -> FileStoreException:
    """Return `error` as one of ours; `doing` begins the message, which shows no secret."""
    # fsspec raises its own TimeoutError, without a word, from the driver's.
    reason = str(error) or str(error.__cause__ or "") or type(error).__name__
    for secret in secrets:
        reason = reason.replace(secret, "***")
    message = f"{doing}: {reason}"
    if isinstance(error, ChecksumMismatch):
        return CorruptedFileStoreException(message)
    if isinstance(error, Absent):
        return NotFound(message, error)
    if isinstance(error, PermissionError):
        return PermissionDenied(message, error)
    # A FileNotFoundError of another kind is about a file of this machine: a token, a certificate.
    if isinstance(error, ConnectionError | TimeoutError | FileNotFoundError):
        return LocationUnavailable(message, error)
    return TransportException(message, error)


@contextmanager
def local_errors(local_path: str, numbers: Collection[int] = ()) -> Iterator[None]:
    """Raise as it is what failed because of this machine: no location is to blame.

    Args:
        local_path: the file of this machine that is read or written.
        numbers: error numbers that are about it, too.
    """
    try:
        yield
    except TransportException as error:
        cause = error.cause
        if isinstance(cause, LocalFailure) and cause.__cause__ is not None:
            raise cause.__cause__ from None
        if isinstance(cause, OSError) and (cause.filename == local_path or cause.errno in numbers):
            raise cause from None
        raise


def is_answer(error: OSError) -> bool:
    """Tell whether a location that failed so has answered: another call may succeed."""
    return isinstance(error, ChecksumMismatch) or not isinstance(
        error, ConnectionError | TimeoutError
    )
