"""A TCP proxy on loopback that dies, as a whole, after so many bytes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from tests.services.common import HOST

_CHUNK_BYTES = 2**16


class Proxy:
    """Hands on what clients and the server say, until it dies: then all connections are reset."""

    def __init__(self, target_port: int) -> None:
        """Listen on a port of its own; `target_port` is the server's."""
        self.target_port = target_port
        self.listener = socket.create_server((HOST, 0))
        self.port: int = self.listener.getsockname()[1]
        self.passed_bytes = 0
        """What the server has said so far."""
        self.dies_after_bytes: int | None = None
        self.dead = threading.Event()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def die(self) -> None:
        """Reset every connection and take no more."""
        with self._lock:
            self.dead.set()
            for sock in (self.listener, *self._sockets):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self.dead.is_set():
                client, _ = self.listener.accept()
                server = socket.create_connection((HOST, self.target_port))
                with self._lock:
                    self._sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._hand_on, args=(one, other), daemon=True).start()

    def _hand_on(self, source: socket.socket, dest: socket.socket) -> None:
        from_server = source.getpeername()[1] == self.target_port
        with suppress(OSError):
            while part := source.recv(_CHUNK_BYTES):
                if from_server:
                    self.passed_bytes += len(part)
                    limit = self.dies_after_bytes
                    if limit is not None and self.passed_bytes > limit:
                        self.die()
                        return
                dest.sendall(part)
        for sock in (source, dest):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
