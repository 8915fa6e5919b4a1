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

from filestore_fsspec.drivers.ftp.errors import Meaning, Refusal, ends_connection
from filestore_fsspec.portability import readiness

_REPLY_LINES = 1000
_SILENCE_SECONDS = 3.0
"""How long a connection that lay idle may leave its first command unanswered."""
_IDLE_SECONDS = 1.0
_REPEATABLE = {"PASV", "EPSV", "SIZE", "MLST", "MDTM", "CWD", "PWD", "NOOP"}
"""Commands that may be sent again where it is unknown whether the server has had them."""


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


@dataclass
class Abilities:
    """What a server can do, as its answers have shown; of all connections to it."""

    features: frozenset[str] | None = None
    """The words of its answer to FEAT; None before it was asked."""
    lacking: set[str] = field(default_factory=set)
    """Commands that it does not know."""
    size_proves_file: bool | None = None
    """Whether it refuses SIZE of a folder; None before it was asked."""
    dots_listed: bool | None = None
    """Whether it takes `LIST -a` for what it is; None before that was seen."""

    def have(self, verb: str) -> bool:
        """Tell whether a command is worth sending."""
        optional = verb in {"MLST", "MLSD"} and "MLST" not in (self.features or ())
        return verb not in self.lacking and not optional


class Connection(ftplib.FTP):
    """A connection that is logged in, its type binary, its data connections private over TLS.

    Its methods raise `Refusal`, ftplib's other errors, EOFError and OSError.
    """

    sock: socket.socket

    def __init__(self, settings: Settings, abilities: Abilities) -> None:
        super().__init__(timeout=settings.connect_timeout)
        self.settings, self.abilities = settings, abilities
        self.idle_since: float | None = None
        """When it was put aside, as `time.monotonic` says; None once it has answered again."""
        self.was_silent = False
        """Whether it was made anew because it had been dropped in silence."""
        self._begin()

    def _begin(self) -> None:
        self.broken = False
        self.data: socket.socket | None = None
        """The data connection that is open, if there is one."""
        self._unanswered = 0
        self._unread = b""
        self._deadline = 0.0
        self._secret = ""
        self._asked = ("", "")
        try:
            self._connect()
            if self.abilities.features is None:
                self.abilities.features = self._ask_features()
            if "UTF8" in self.abilities.features:
                with suppress(Refusal):  # it speaks UTF-8, and has no switch for it
                    self.voidcmd("OPTS UTF8 ON")
            self.voidcmd("TYPE I")
        except BaseException:
            self.close()
            raise
        self.sock.settimeout(self.settings.read_timeout)
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
        except Refusal as error:
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
        except Refusal as error:
            if error.meaning is Meaning.TROUBLE:
                raise
            message = f"login as {username!r} refused: {error}"
            raise PermissionError(errno.EACCES, message) from error
        if reply[0] != "2":
            raise ftplib.error_reply(reply)
        self._secret = ""

    def _ask_features(self) -> frozenset[str]:
        try:
            lines = self.sendcmd("FEAT").upper().split("\n")[1:-1]
        except Refusal:
            return frozenset({"MLST"})  # which one that knows no FEAT may know all the same
        return frozenset(line.split()[0] for line in lines if line.strip())

    # What ftplib calls to send and to read, each mended.

    def putline(self, line: str) -> None:
        """Send a command; refuse what would end it early or cannot be written."""
        command = encode(line)
        verb, _, path = line.partition(" ")
        self._asked = verb, "" if self._secret else path
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
            self.broken |= ends_connection(reply)
        if self._secret:
            return reply[:3] + reply[3:].replace(self._secret, "***")  # some say what they heard
        return reply

    def getresp(self) -> str:
        """Return a reply that is no refusal."""
        reply = self.getmultiline()
        if reply[:1] in {"4", "5"}:
            raise Refusal(*self._asked, reply)
        if ends_connection(reply):
            raise ftplib.error_proto(reply)
        return reply

    def sendcmd(self, cmd: str) -> str:
        """Send a command and return the reply, over a new connection if this one was dropped.

        A firewall may drop what lies idle in silence: the first command afterwards is not waited
        for as long as others.
        """
        idle_since, self.idle_since = self.idle_since, None
        if idle_since is None:
            return super().sendcmd(cmd)
        if cmd.partition(" ")[0] not in _REPEATABLE:
            if time.monotonic() - idle_since > _IDLE_SECONDS:
                self.idle_since = idle_since
                with suppress(Refusal):
                    self.sendcmd("NOOP")
            return super().sendcmd(cmd)
        self.sock.settimeout(min(_SILENCE_SECONDS, self.settings.read_timeout))
        try:
            reply = super().sendcmd(cmd)
        except (TimeoutError, ConnectionError, EOFError):
            if self.broken:
                raise  # its call has ended
            self.was_silent = True
            self.close()
            self._begin()
            return super().sendcmd(cmd)
        finally:
            if self.sock is not None:
                self.sock.settimeout(self.settings.read_timeout)
        return reply

    def voidcmd(self, cmd: str) -> str:
        """Send a command and return the reply, which has to be one of success."""
        reply = self.sendcmd(cmd)
        if reply[:1] != "2":
            raise ftplib.error_reply(reply)
        return reply

    def reply_has_come(self) -> bool:
        """Tell whether a reply, or a part of one, can be read without waiting."""
        if not self._unread and self._has_input(0):
            timeout_seconds = self.sock.gettimeout()
            self.sock.setblocking(False)  # noqa: FBT003 - socket's own signature
            try:
                received = self.sock.recv(self.maxline)
            except (BlockingIOError, ssl.SSLWantReadError):
                return False  # of TLS itself
            finally:
                self.sock.settimeout(timeout_seconds)
            if not received:
                raise EOFError
            self._unread = received
        return bool(self._unread)

    def makepasv(self) -> tuple[str, int]:
        """Return where the server waits for a data connection."""
        try:
            host, port = super().makepasv()
        except (ValueError, IndexError) as error:
            raise ftplib.error_proto("an answer to PASV that names no port") from error
        if not 0 < port < 1 << 16:
            raise ftplib.error_proto(f"an answer to PASV that names port {port}")
        return host, port
