"""One connection to an FTP server: how it is made, and what is said on it.

ftplib reads replies without end and forgets which are due; here they end in time, and are counted.
"""

# ruff: noqa: S321 - FTP is what this is about; TLS is the URL's choice
from __future__ import annotations

import errno
import ftplib
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from filestore_fsspec.portability import readiness

_REPLY_LINES = 1000


def encode(line: str) -> bytes:
    """Return `line` as it is sent.

    Raises:
        OSError: FTP cannot send it: a line break, a NUL, or what UTF-8 has no bytes for.
    """
    if "\r" in line or "\n" in line or "\0" in line:
        raise OSError(errno.EINVAL, "FTP has no way to send a line break or a NUL")
    try:
        return line.encode("utf-8", "surrogateescape") + b"\r\n"
    except UnicodeEncodeError as error:
        raise OSError(errno.EILSEQ, "UTF-8 has no bytes for a part of this name") from error


def tls_context(ca_bundle: str | None, *, verify: bool) -> ssl.SSLContext:
    """Return how to speak TLS.

    Raises:
        OSError: `ca_bundle` cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except FileNotFoundError as error:
        # Not a FileNotFoundError: that would say that an object is missing.
        raise OSError(errno.EINVAL, "ca_bundle: there is no such file", ca_bundle) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass
class Activity:
    """When one of a pool's connections last moved a block of content, as `time.monotonic` says."""

    latest: float = 0.0


@dataclass(frozen=True)
class Settings:
    """Where to connect to, and how. `context` stands where `tls` is not `none`."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: Literal["none", "explicit", "implicit"]
    context: ssl.SSLContext | None
    connect_timeout: float
    read_timeout: float
    activity: Activity = field(default_factory=Activity)


class Connection(ftplib.FTP):
    """A connection that is logged in, its type binary, its data connections private over TLS.

    Its methods raise ftplib's errors, EOFError and OSError.
    """

    sock: socket.socket

    def __init__(self, settings: Settings, features: frozenset[str] | None) -> None:
        super().__init__(timeout=settings.connect_timeout)
        self.settings = settings
        self.broken = False
        self.data: socket.socket | None = None
        """The data connection that is open, if there is one."""
        self._unanswered = 0
        self._unread = b""
        self._deadline = 0.0
        self._secret = ""
        try:
            self._connect()
            self.features = self._ask_features() if features is None else features
            if "UTF8" in self.features:
                with suppress(ftplib.error_perm):  # it speaks UTF-8, and has no switch for it
                    self.voidcmd("OPTS UTF8 ON")
            self.voidcmd("TYPE I")
        except BaseException:
            self.close()
            raise
        self.sock.settimeout(settings.read_timeout)
        self._has_input = readiness(self.sock)

    @property
    def in_step(self) -> bool:
        """Whether every command has had its reply, so that the next reply is the next command's."""
        return not self._unanswered and not self.broken

    def is_quiet(self) -> bool:
        """Tell whether an idle connection has nothing to say: what comes unasked is its end."""
        return not self._unread and not self._has_input(0)

    def interrupt(self) -> None:
        """End what another thread waits for on it."""
        self.broken = True
        for sock in (self.sock, self.data):
            with suppress(OSError):  # it was not connected any more
                if sock is not None:
                    # Not SSLSocket's own, which would have the other thread read in clear text.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _connect(self) -> None:
        want = self.settings
        self.host = want.host
        self.sock = socket.create_connection((want.host, want.port), want.connect_timeout)
        self.af = self.sock.family
        self._unanswered = 1  # the greeting
        if want.tls == "implicit":
            self.sock = self.encrypted(self.sock)
        self.voidresp()
        if want.tls == "explicit":
            self._start_tls()
        self._log_in()
        if want.tls != "none":
            # fsspec 2026.9 sends its content in clear text in implicit mode and after reconnects.
            self.voidcmd("PBSZ 0")
            self.voidcmd("PROT P")

    def _start_tls(self) -> None:
        try:
            self.voidcmd("AUTH TLS")
        except ftplib.error_perm as error:
            message = f"the server offers no explicit TLS: {error}"
            raise OSError(errno.EPROTONOSUPPORT, message) from error
        if self._unread:
            raise ftplib.error_proto("clear text after AUTH TLS")
        self.sock = self.encrypted(self.sock)

    def encrypted(
        self, sock: socket.socket, session: ssl.SSLSession | None = None
    ) -> ssl.SSLSocket:
        """Return `sock` over TLS; `session` is the one to resume."""
        # Without it a small upload waits 40 ms: its last bytes for an acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = self.settings.context or ssl.create_default_context()
        # suppress_ragged_eofs: a stream that somebody cut is not the end of a file.
        return context.wrap_socket(
            sock, server_hostname=self.host, session=session, suppress_ragged_eofs=False
        )

    def _log_in(self) -> None:
        username = self.settings.username or "anonymous"
        self._secret = self.settings.password if self.settings.username else ""
        try:
            reply = self.sendcmd(f"USER {username}")
            if reply[0] == "3":
                reply = self.sendcmd(f"PASS {self._secret or 'anonymous@'}")
        except ftplib.error_perm as error:
            message = f"login as {username!r} refused: {error}"
            raise PermissionError(errno.EACCES, message) from error
        if reply[0] != "2":
            raise ftplib.error_reply(reply)
        self._secret = ""

    def _ask_features(self) -> frozenset[str]:
        try:
            lines = self.sendcmd("FEAT").upper().split("\n")[1:-1]
        except ftplib.error_perm:
            return frozenset()  # a server from before RFC 2389
        return frozenset(line.split()[0] for line in lines if line.strip())

    # What ftplib calls to send and to read, each mended.

    def putline(self, line: str) -> None:
        """Send a command; refuse what would end it early or cannot be written."""
        command = encode(line)
        self._unanswered += 1
        self.sock.sendall(command)

    def getline(self) -> str:
        """Return a line of a reply, within the reply's time."""
        while b"\n" not in self._unread:
            if len(self._unread) > self.maxline:
                raise ftplib.error_proto("a line without end")
            if time.monotonic() > self._deadline:
                raise TimeoutError(errno.ETIMEDOUT, "the server's reply was not complete in time")
            received = self.sock.recv(self.maxline)
            if not received:
                raise EOFError
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def getmultiline(self) -> str:
        """Return a whole reply, its lines parted by newlines, and keep count of replies."""
        self._deadline = time.monotonic() + (self.sock.gettimeout() or 0)
        reply = self.getline()
        if not reply[:3].isdecimal():
            raise ftplib.error_proto(reply)
        if reply[3:4] == "-":
            code, lines = reply[:3], [reply]
            while lines[-1][:3] != code or lines[-1][3:4] == "-":
                if len(lines) > _REPLY_LINES:
                    raise ftplib.error_proto("a reply without end")
                lines.append(self.getline())
            reply = "\n".join(lines)
        if reply[:1] != "1":
            self._unanswered -= 1
            self.broken |= reply[:1] not in {"2", "3", "5"}
        if self._secret:
            return reply[:3] + reply[3:].replace(self._secret, "***")  # some say what they heard
        return reply

    def makepasv(self) -> tuple[str, int]:
        """Return where the server waits for a data connection."""
        try:
            host, port = super().makepasv()
        except (ValueError, IndexError) as error:
            raise ftplib.error_proto("an answer to PASV that names no port") from error
        if not 0 < port < 1 << 16:
            raise ftplib.error_proto(f"an answer to PASV that names port {port}")
        return host, port
