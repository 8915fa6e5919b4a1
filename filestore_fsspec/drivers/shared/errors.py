"""What drivers raise, beyond the builtins that fit."""

from __future__ import annotations

import errno
import inspect
import os
import re
import time
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from functools import wraps
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


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
    with suppress(TypeError, ValueError, OverflowError):
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
        folder = mkdtemp(prefix="filestore-")
    except OSError as error:
        raise LocalFailure(*error.args) from error
    try:
        yield folder
    finally:
        # Not by shutil.rmtree: gevent 26.9's os.close of a folder fails between two threads' hubs.
        for each in os.listdir(folder):
            os.unlink(f"{folder}/{each}")
        os.rmdir(folder)


def absent(path: str) -> Absent:
    """Return the error for a path that the server said is not there."""
    return Absent(errno.ENOENT, "no such file", path)


def already_there(path: str) -> FileExistsError:
    """Return the error for creating a path that is there already."""
    return FileExistsError(errno.EEXIST, "the file is there already", path)


_GONE = {404, 410}
_REFUSED = {401, 403, 407}
_PRECONDITION_FAILED, _NOT_IMPLEMENTED = 412, 501
_PASSING = {408, 429}
_SERVER_ERROR = 500
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def status_error(status: int, text: str, path: str, retry_after: str | None = None) -> OSError:
    """Return the builtin that fits an HTTP status of 300 and more, where its protocol knows none.

    `retry_after` is the header's value.
    """
    if status in _GONE:
        return absent(path)
    if status in _REFUSED:
        return PermissionError(errno.EACCES, text, path)
    if status == _PRECONDITION_FAILED:
        return OSError(errno.EBUSY, "the object was changed while it was read", path)
    if status == _NOT_IMPLEMENTED:
        return OSError(errno.ENOSYS, text, path)
    if status in _PASSING or status >= _SERVER_ERROR:
        return temporary_failure(text, path, retry_after)
    return OSError(errno.EIO, text, path)


def unusable_answer(text: str, path: str) -> ConnectionError:
    """Return the error for an answer that is not what a request of its kind is answered with."""
    return ConnectionError(errno.EIO, f"no usable answer: {text}", path)


def range_of(
    content: bytes, content_range: str | None, start: int, end: int | None, path: str
) -> bytes:
    """Return `[start:end]` of a file from an answer that may hold more, or another part.

    `content_range` is the answer's header: None where all of the file came.

    Raises:
        ConnectionError: not all that was asked for is in it.
    """
    if content_range is None:
        return content[start:end]
    found = _RANGE.fullmatch(content_range.strip())
    if found is None:
        raise unusable_answer(f"Content-Range: {content_range}", path)
    first, last, size = map(int, found.groups())
    wanted = range(size)[start:end]
    missing = wanted.start < first or wanted.stop > last + 1
    if missing or len(content) != last + 1 - first:
        raise unusable_answer(f"another part of the file: {content_range}", path)
    return content[wanted.start - first : wanted.stop - first]


R = TypeVar("R", bound=type)


def only_os_errors(requests: R) -> R:
    """Have the coroutines of a class raise nothing but `OSError`, for all that goes wrong.

    A server's answer may provoke any exception in what reads it. Where a file that the
    configuration names is missing, nothing is known of the object: no FileNotFoundError but
    `Absent` passes. The first arguments of the coroutines name what the error is about.
    """
    for name, method in list(vars(requests).items()):
        if inspect.iscoroutinefunction(method) and not name.startswith("_"):
            setattr(requests, name, _guarded(method))
    return requests


def _guarded(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    @wraps(method)
    async def call(requests: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(requests, *args, **kwargs)
        except Absent:
            raise
        except FileNotFoundError as error:
            text = f"{error.strerror or error}: {error.filename}"
            raise OSError(errno.EINVAL, f"the configuration names a file: {text}") from error
        except OSError:
            raise
        except Exception as error:
            if any(getattr(each, "failure", None) is error for each in args):
                raise  # of the content that is sent, which is the caller's
            path = "/".join(each for each in args[:2] if isinstance(each, str))
            raise unusable_answer(f"{type(error).__name__}: {error}", path) from error

    return call
