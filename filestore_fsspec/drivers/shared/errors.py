"""What drivers raise, beyond the builtins that fit."""

from __future__ import annotations

import errno
import time
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class CertificateError(ConnectionError):
    """The server's certificate or host key is not trusted: another attempt would not mend that."""


class RetryAfter(ConnectionError):
    """The server asks for a pause (Retry-After, RFC 9110 section 10.2.3)."""

    retry_after_seconds = 0.0


def temporary_failure(text: str, path: str, retry_after: str | None) -> ConnectionError:
    """Return the error for what another attempt may mend, after the pause that the server asks for.

    `retry_after` is the header's value: seconds, or a date.
    """
    error = RetryAfter(errno.EIO, text, path)
    with suppress(TypeError, ValueError):
        error.retry_after_seconds = _seconds_until(retry_after or "")
        return error
    return ConnectionError(errno.EIO, text, path)


def _seconds_until(retry_after: str) -> float:
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    when = parsedate_to_datetime(retry_after)
    return max(0.0, when.timestamp() - time.time())


class ChecksumMismatch(OSError):
    """What arrived is not what was sent."""


class RetryableMismatch(ChecksumMismatch, ConnectionError):
    """The same, and nothing of it is left: another attempt may mend that."""


def checksum_mismatch(path: str) -> RetryableMismatch:
    """Return the error for what was not stored because it is not what was sent."""
    return RetryableMismatch(errno.EIO, "what arrived is not what was sent", path)


class Absent(FileNotFoundError):
    """A server, or the disk, said that there is nothing at a path (or a folder, for a file).

    Any other FileNotFoundError is not about the object: a certificate or a token file that the
    configuration names is missing.
    """


class LocalFailure(OSError):
    """This machine failed, not the location: a full disk, no temporary folder. See its cause."""


DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The numbers of errors that say so: while reading from a location, it is this machine's disk."""


@contextmanager
def local_failures(local_path: str) -> Iterator[None]:
    """Raise `LocalFailure` where what is inside, which reads from a location, fails to write here.

    `local_path` is the file that is written.
    """
    try:
        yield
    except OSError as error:
        if error.filename == local_path or error.errno in DISK_FULL:
            raise LocalFailure(*error.args) from error
        raise


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Yield a folder of this machine that is removed at the end.

    Raises:
        LocalFailure: there is none to be had.
    """
    try:
        folder = TemporaryDirectory(prefix="filestore-")
    except OSError as error:
        raise LocalFailure(*error.args) from error
    with folder as path:
        yield path


def absent(path: str) -> Absent:
    """Return the error for a path that the server said is not there."""
    return Absent(errno.ENOENT, "no such file", path)


@contextmanager
def absent_in_fsspec(path: object) -> Iterator[None]:
    """Raise `Absent` where fsspec's own code says that what a listing did not show is not there.

    Its FileNotFoundError names `path`, or has no number; one about a file of this machine has.
    """
    try:
        yield
    except FileNotFoundError as error:
        if error.errno is None or error.filename in (path, [path]):
            raise absent(str(path)) from error
        raise


def already_there(path: str) -> FileExistsError:
    """Return the error for creating a path that is there already."""
    return FileExistsError(errno.EEXIST, "the file is there already", path)
