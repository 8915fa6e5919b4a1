"""What FTP servers answer when they refuse, as the builtin exception that fits."""

from __future__ import annotations

import errno
import ftplib
import re
import socket
import ssl

from filestore_fsspec.drivers.shared.errors import CertificateError

_SAYS_ABSENT = re.compile(r"no such file or directory\W*$", re.IGNORECASE)
_SAYS_REFUSED = re.compile(r"permission|privilege|denied|not allowed", re.IGNORECASE)
_UNREACHABLE = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,
    errno.ENOTCONN,
}
_BY_CODE: dict[str, tuple[type[OSError], int]] = {
    "430": (PermissionError, errno.EACCES),
    "452": (OSError, errno.ENOSPC),
    "530": (PermissionError, errno.EACCES),
    "532": (PermissionError, errno.EACCES),
    "550": (PermissionError, errno.EACCES),
    "551": (PermissionError, errno.EACCES),
    "552": (OSError, errno.EDQUOT),
    "553": (PermissionError, errno.EACCES),
}
MAY_BE_ABSENT = {"450", "501", "550", "551", "553", "554"}
"""Replies to what is missing, to a folder and to what is forbidden alike."""


def says_absent(refusal: ftplib.Error) -> bool:
    """Tell whether the server said in words that there is nothing."""
    return _SAYS_ABSENT.search(str(refusal)) is not None


def says_refused(refusal: ftplib.Error) -> bool:
    """Tell whether the server said in words that it does not allow it."""
    return _SAYS_REFUSED.search(str(refusal)) is not None


def says_not_empty(refusal: ftplib.Error) -> bool:
    """Tell whether the server said in words that a folder is not empty."""
    return "not empty" in str(refusal).lower()


def as_oserror(error: Exception, path: str | None = None) -> OSError:
    """Return `error` as the OSError that fits; the same object where it is one already."""
    message = str(error) or type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateError(
            f"the server's TLS certificate was not accepted ({error.verify_message}); "
            "ca_bundle names other authorities, verify=false turns the check off"
        )
    if isinstance(error, EOFError):
        return ConnectionError(errno.ECONNRESET, "the server closed the connection", path)
    if isinstance(error, (ssl.SSLError, socket.gaierror)):
        return ConnectionError(message)
    if isinstance(error, OSError):
        return ConnectionError(*error.args) if error.errno in _UNREACHABLE else error
    kind, number = _BY_CODE.get(message[:3], (OSError, errno.EPROTO))
    if isinstance(error, ftplib.error_perm) or kind is not OSError or message[:3] == "452":
        return kind(number, f"the server refused: {message}", path)
    return ConnectionError(errno.EPROTO, f"the server answered: {message}", path)
