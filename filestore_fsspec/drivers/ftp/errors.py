"""What FTP servers mean by a refusal, and the builtin exception that fits.

The codes alone say little: 550 is missing, a folder, or forbidden, some servers say 450 or 451
instead, and the words differ. `Refusal.meaning` judges by code and words; where it is `UNCLEAR`,
`Client.look` looks.
"""

from __future__ import annotations

import errno
import ftplib
import re
import socket
import ssl
from enum import Enum, auto

from filestore_fsspec.drivers.shared.errors import CertificateError


class Meaning(Enum):
    """What a refusal says."""

    ABSENT = auto()
    DENIED = auto()
    FOLDER = auto()
    """It is no file."""
    NOT_EMPTY = auto()
    FULL = auto()
    UNKNOWN = auto()
    """The server does not know the command."""
    TROUBLE = auto()
    """The connection or the server, not the path."""
    UNCLEAR = auto()


_WORDS = {
    Meaning.NOT_EMPTY: re.compile(r"not empty|enotempty", re.IGNORECASE),
    Meaning.ABSENT: re.compile(
        r"no such (file|dir|path|obj)|not found|(not|n't) exist|(can ?not|can't|could not) find"
        r"|enoent",
        re.IGNORECASE,
    ),
    Meaning.DENIED: re.compile(
        r"permission|privilege|denied|not (allowed|permitted)|forbidden|prohibited|eacces|eperm"
        r"|read-only|erofs",
        re.IGNORECASE,
    ),
    Meaning.FOLDER: re.compile(
        r"is a (dir|fold)|not a (plain |regular )?file|regular file|read a dir|eisdir",
        re.IGNORECASE,
    ),
}
_ABOUT_PATHS = {
    *("SIZE", "MDTM", "MLST", "MLSD", "LIST", "CWD", "RETR", "STOR", "DELE", "RMD", "MKD"),
    *("RNFR", "RNTO"),
}
_TROUBLE = {"421", "425", "426"}
_BY_CODE = {
    **dict.fromkeys(("430", "530", "532"), Meaning.DENIED),
    **dict.fromkeys(("452", "552"), Meaning.FULL),
    **dict.fromkeys(("502", "504"), Meaning.UNKNOWN),
    **dict.fromkeys(_TROUBLE, Meaning.TROUBLE),
}
_OSERRORS: dict[str, tuple[type[OSError], int]] = {
    "450": (OSError, errno.EBUSY),
    "451": (OSError, errno.EIO),
    "452": (OSError, errno.ENOSPC),
    "550": (PermissionError, errno.EACCES),
    "551": (PermissionError, errno.EACCES),
    "552": (OSError, errno.EDQUOT),
    "553": (PermissionError, errno.EACCES),
}
_UNREACHABLE = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,
    errno.ENOTCONN,
}


class Refusal(ftplib.Error):
    """A reply that begins with 4 or 5."""

    def __init__(self, verb: str, path: str, reply: str) -> None:
        """Keep what was asked, as `verb` and `path`, and the reply."""
        super().__init__(reply)
        self.verb, self.path, self.reply = verb, path, reply

    @property
    def meaning(self) -> Meaning:
        """What the server means by it."""
        code = self.reply[:3]
        if code in _BY_CODE:
            return _BY_CODE[code]
        if code[0] == "4" and self.verb not in _ABOUT_PATHS:
            return Meaning.TROUBLE
        said = self.reply[3:]
        for echoed in (self.path, self.path.rpartition("/")[2]):
            if any(words.search(echoed) for words in _WORDS.values()):
                said = said.replace(echoed, "")
        if code == "500" and "command" in said.lower():
            return Meaning.UNKNOWN
        found = [meaning for meaning, words in _WORDS.items() if words.search(said)]
        if Meaning.ABSENT in found and Meaning.DENIED in found:
            return Meaning.UNCLEAR  # "no such file, or permission denied"
        if found:
            return found[0]
        return Meaning.UNKNOWN if code == "500" else Meaning.UNCLEAR


def ends_connection(reply: str) -> bool:
    """Tell whether what a reply says leaves nothing to be asked over its connection."""
    return reply[:1] not in {"1", "2", "3", "4", "5"} or reply[:3] in _TROUBLE


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
    if not isinstance(error, Refusal) or error.meaning is Meaning.TROUBLE:
        return ConnectionError(errno.EPROTO, f"the server answered: {message}", path)
    kind, number = _OSERRORS.get(message[:3], (OSError, errno.EPROTO))
    if error.meaning is Meaning.DENIED:
        kind, number = PermissionError, errno.EACCES
    return kind(number, f"the server refused: {message}", path)
