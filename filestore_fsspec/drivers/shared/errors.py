"""What drivers raise, beyond the builtins that fit."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime


class CertificateError(ConnectionError):
    """The server's certificate or host key is not trusted: another attempt would not mend that."""


class RetryAfter(ConnectionError):
    """The server asks to be left alone for a while (Retry-After, RFC 9110 section 10.2.3)."""

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


def absent(path: str) -> Absent:
    """Return the error for a path that the server said is not there."""
    return Absent(errno.ENOENT, "no such file", path)


def already_there(path: str) -> FileExistsError:
    """Return the error for creating a path that is there already."""
    return FileExistsError(errno.EEXIST, "the file is there already", path)
