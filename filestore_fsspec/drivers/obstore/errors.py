"""What obstore says, taken apart: its exceptions tell little else than their text."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import Literal

from obstore.exceptions import BaseError

from filestore_fsspec.drivers.shared.errors import CertificateError

TROUBLE = (BaseError, OSError, ValueError)
"""What obstore raises: its own, FileNotFoundError, and ValueError for a name it cannot take."""

Kind = Literal["status", "refused", "timeout", "untrusted", "connection", "redirect", "unclear"]

# Rust's Debug text: inside quotes it escapes line ends, so no name or body can look like it.
_STATUS = re.compile(r"\n +status: (\d{3}),\n")
_BODY = re.compile(r'\n +body: Some\(\n +"(.*)",\n')
_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>")
_CONNECTION = re.compile(r"\n +kind: (?:Connect|Request|Interrupted),\n")
_TIMEOUT = re.compile(r"\n +kind: Timeout,\n|\n +(?:source: )?TimedOut,\n")


@dataclass(frozen=True)
class Failure:
    """One exception of obstore's."""

    kind: Kind
    """`status`: the server answered; `refused`: nothing was sent; `unclear`: anything else."""
    text: str
    status: int = 0
    code: str = ""
    """What the server's XML calls it (`NoSuchBucket`), or nothing."""


def failure_of(error: Exception) -> Failure:
    """Take an exception of obstore's apart."""
    if not isinstance(error, BaseError | FileNotFoundError):
        return Failure("refused", str(error))
    words, _, debug = str(error).rpartition("\n\nDebug source:\n")
    if status := _STATUS.search(debug):
        body = _BODY.search(debug)
        code = body and _CODE.search(body[1])
        message = body and _MESSAGE.search(body[1])
        text = message[1] if message else f"HTTP status {status[1]}"
        kind: Kind = "redirect" if status[1].startswith("3") else "status"
        return Failure(kind, text, int(status[1]), code[1] if code else "")
    return Failure(_kind_of(debug), words)


def _kind_of(debug: str) -> Kind:
    if "External A" in debug.partition(",\n")[0]:
        return "refused"  # by what gives credentials: nothing was sent
    if "BareRedirect" in debug:
        return "redirect"
    if "InvalidCertificate(" in debug:
        return "untrusted"
    if _TIMEOUT.search(debug):
        return "timeout"
    return "connection" if _CONNECTION.search(debug) else "unclear"


def client_said(failure: Failure, path: str) -> OSError:
    """Return the builtin that fits what went wrong without an answer of the server."""
    if failure.kind == "untrusted":
        text = (
            "the server's certificate is not trusted (ca_bundle names another authority, "
            f"verify=false turns the check off): {failure.text}"
        )
        return CertificateError(errno.EIO, text, path)
    if failure.kind == "timeout":
        return TimeoutError(errno.ETIMEDOUT, failure.text, path)
    return ConnectionError(errno.EIO, failure.text, path)
