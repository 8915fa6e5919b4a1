"""Where asyncssh 2.24 does more than a small request needs; it has no switches for any of it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from asyncssh.constants import MSG_IGNORE
from asyncssh.logging import SSHLogger

if TYPE_CHECKING:
    import asyncssh
    from asyncssh.packet import SSHPacketLogger

_LARGE_BYTES = 2**15
"""From here on joining costs more than a packet of its own."""


def apply_patches(ssh: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
    """Take them all, for one connection and its SFTP channel."""
    _send_no_fillers(ssh)
    handler: Any = sftp._handler  # noqa: SLF001
    handler._writer.write = _Together(handler._writer).write  # noqa: SLF001
    if not logging.getLogger("asyncssh").isEnabledFor(logging.DEBUG):
        _log_nothing_of_packets(ssh, handler)


def _send_no_fillers(ssh: asyncssh.SSHClientConnection) -> None:
    """Keep asyncssh from sending an empty message ahead of each packet.

    It is a guard for ciphers in CBC mode (RFC 4251, 9.3.1), of which asyncssh offers none unless
    told to, and twice the packets: without it a small call takes an eighth less.
    """
    send = ssh.send_packet

    def send_packet(pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        if pkttype != MSG_IGNORE:
            send(pkttype, *args, handler=handler)

    ssh.send_packet = send_packet  # type: ignore[method-assign]  # one connection's


class _Together:
    """Sends what is asked in one turn of the event loop in one packet, after the first of them.

    asyncssh encrypts and sends each request by itself. Many at once take a third less this way,
    and one alone waits for nothing.
    """

    def __init__(self, writer: asyncssh.SSHWriter[bytes]) -> None:
        self._channel = writer.channel
        self._write = writer.write
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._in_turn = False

    def write(self, data: bytes) -> None:
        """Take a request."""
        if not self._in_turn:
            self._in_turn = True
            self._loop.call_soon(self._end_turn)
            self._write(data)
        elif len(data) < _LARGE_BYTES:
            self._held.append(data)
        else:
            self._send_held()
            self._write(data)

    def _end_turn(self) -> None:
        self._in_turn = False
        if not self._channel.is_closing():
            self._send_held()

    def _send_held(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._write(data)


class _Logger(SSHLogger):
    """Puts no words together that nobody reads."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        if self.isEnabledFor(level):
            super().log(level, msg, *args, **kwargs)


def _log_nothing_of_packets(ssh: asyncssh.SSHClientConnection, handler: Any) -> None:
    """Keep asyncssh from wording what it would log of each packet: a tenth of a request's time."""

    def nothing(*_args: object) -> None:
        pass

    logger = handler.logger
    handler._logger = _Logger(logger.logger, context=logger._context)  # noqa: SLF001
    each: Any
    for each in (ssh, handler._writer.channel, handler):  # noqa: SLF001
        each.log_sent_packet = each.log_received_packet = nothing
