"""The content that goes over an FTP connection's data connections, both ways.

ftplib does not resume the TLS session there, takes a TLS stream that was cut for the end of a file,
and waits for notices that some servers never send.
"""

# ruff: noqa: S321 - FTP is what this is about; TLS is the URL's choice
from __future__ import annotations

import errno
import ftplib
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from filestore_fsspec.drivers.ftp.connection import Connection
from filestore_fsspec.drivers.ftp.errors import Meaning, Refusal
from filestore_fsspec.portability import readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BLOCK_BYTES = 256 * 1024
_EARLY_END_SECONDS = 1.0
_LOOK_SECONDS = 0.2
"""How often a reply is looked for while the server takes no content."""


class DataConnection(Connection):
    """A connection that moves content. A transfer without the server's word of success raises."""

    accepted = False
    """Whether the server has taken the latest upload's name, so that something may be there."""
    _expected_bytes: int | None = None

    @property
    def end_proves_nothing(self) -> bool:
        """Whether a connection that was cut looks like the end of the content latest retrieved."""
        return self._expected_bytes is None and self.settings.tls == "none"

    def retrieve(
        self,
        command: str,
        write: Callable[[bytes], object],
        start: int = 0,
        length: int | None = None,
    ) -> str:
        """Give what `command` sends to `write`, from `start`, all or `length` (not 0) bytes.

        Returns the reply that ends the transfer; empty when it ended before the content did.
        """
        received = 0
        with self._data_connection(command, start) as connection:
            while True:
                wanted = BLOCK_BYTES if length is None else min(BLOCK_BYTES, length - received)
                block = connection.recv(wanted)
                if not block:
                    break
                self.settings.activity.latest = time.monotonic()
                received += len(block)
                write(block)
                if received == length:
                    connection.close()
                    return self._end_early()
            _end(connection, self.settings.read_timeout)
        try:
            reply = self.voidresp()
        except Refusal as refusal:
            if received and refusal.meaning is Meaning.UNCLEAR:
                raise ftplib.error_proto(f"the transfer ended early: {refusal}") from refusal
            raise
        if self._expected_bytes is not None and start + received < self._expected_bytes:
            raise ftplib.error_proto(f"{received} of {self._expected_bytes} bytes came")
        return reply

    def store(self, command: str, blocks: Iterable[bytes | memoryview]) -> int:
        """Send `blocks` as the content of `command`; return how many bytes that were.

        The server's word of success says that the connection ended, not that all of it came.
        """
        self.accepted = False
        sent = 0
        with self._data_connection(command) as connection:
            self.accepted = True
            can_send = readiness(connection, to_write=True)
            try:
                for block in blocks:
                    self._send(connection, can_send, memoryview(block))
                    sent += len(block)
            except (ConnectionError, ssl.SSLError):
                self.voidresp()  # a server that stops listening says why: disk full, quota
                raise
            _end(connection, self.settings.read_timeout)
            self.voidresp()
        return sent

    def _send(
        self, connection: socket.socket, can_send: Callable[[float], bool], left: memoryview
    ) -> None:
        """Send `left`, unless the server says before the end what it makes of the upload."""
        while left:
            quiet_until = time.monotonic() + self.settings.read_timeout
            while not can_send(0) or self.reply_has_come():
                if self.reply_has_come():
                    raise ftplib.error_proto(f"the upload ended early: {self.voidresp()}")
                if time.monotonic() > quiet_until:
                    raise TimeoutError(errno.ETIMEDOUT, "the server takes no more content")
                can_send(_LOOK_SECONDS)
            left = left[connection.send(left) :]
            self.settings.activity.latest = time.monotonic()

    def _data_connection(self, command: str, start: int = 0) -> socket.socket:
        try:
            connection, self._expected_bytes = self.ntransfercmd(command, start or None)
        except Refusal:
            # pyftpdlib 2.2 loses the next data connection, and waits for ever, if PASV comes in
            # the same moment as the end of this one.
            with suppress(Refusal):
                self.voidcmd("NOOP")
            raise
        if self.settings.tls != "none":
            # vsftpd answers 522 unless a data connection resumes the session it knows already.
            session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
            connection = self.encrypted(connection, session)
        connection.settimeout(self.settings.read_timeout)
        self.data = connection
        if self.broken:
            self.interrupt()  # its call has ended meanwhile
        return connection

    def _end_early(self) -> str:
        self.sock.settimeout(min(_EARLY_END_SECONDS, self.settings.read_timeout))
        try:
            self.voidresp()
        except Refusal as refusal:
            # What was wanted is here; it says that the rest could not be sent, no more.
            self.broken = refusal.reply.startswith("421")
        except (ftplib.Error, EOFError, OSError):
            self.broken = True
        self.sock.settimeout(self.settings.read_timeout)
        return ""


def _end(connection: socket.socket, timeout_seconds: float) -> None:
    """Tell the server that no more content comes or is wanted; its reply says what it made of it.

    Over TLS the server's own notice is not waited for: some never send it.
    """
    with suppress(OSError):
        if isinstance(connection, ssl.SSLSocket):
            readiness(connection, to_write=True)(timeout_seconds)
            connection.setblocking(False)  # noqa: FBT003 - socket's own signature
            with suppress(ssl.SSLWantReadError):
                connection.unwrap()
        connection.shutdown(socket.SHUT_WR)
