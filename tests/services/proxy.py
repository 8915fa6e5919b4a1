"""A TCP proxy on loopback that does to connections what networks and servers do.

>>> with FaultProxy(server_port) as proxy:                                  # doctest: +SKIP
...     proxy.fault = Reset(after_bytes=100, direction="up")
...     store = FileStore(behind(service, proxy).url(root))
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from tests.services.common import HOST, PROXY_HOST
from tests.services.faults import (
    AtByte,
    Connection,
    Corrupt,
    Die,
    Mute,
    Refuse,
    Reset,
    Slow,
    Status,
    Truncate,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from tests.services.common import Service
    from tests.services.faults import Direction, Fault, Script

_CHUNK_BYTES = 2**16
_LAST_WORDS_SECONDS = 0.5
_BEAT_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)


class _ResetError(Exception):
    """The connection is reset here."""


class _EndError(Exception):
    """The connection ends in order here."""


class FaultProxy:
    """Hands on what clients and the server say, but for the fault that is set.

    A fault holds for new connections, and from the next byte on for those that are open.
    """

    def __init__(self, target_port: int, data_ports: Sequence[int] = ()) -> None:
        """Listen at `host` on a port of its own, `port`; and on `data_ports`, as the server does.

        Args:
            target_port: the server's.
            data_ports: where an FTP server has its data connections made.
        """
        self.host = PROXY_HOST
        # Bound and not listening: it keeps the port, where connections are refused meanwhile.
        self._kept = _bound(0, shared=True)
        self.port: int = self._kept.getsockname()[1]
        self.passed: Counter[Direction] = Counter()
        """Bytes on all connections, since the fault was set."""
        self.struck = threading.Event()
        """Set as soon as the fault has done something to a connection."""
        self.accepted = 0
        """Connections, since the fault was set."""
        self._targets = {self.port: target_port, **{port: port for port in data_ports}}
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._age = 0
        self._script: Script = None
        self._changed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.fault = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def fault(self) -> Script:
        """What befalls connections; None hands everything on. Setting it starts all counts anew."""
        return self._script

    @fault.setter
    def fault(self, script: Script) -> None:
        asyncio.run_coroutine_threadsafe(self._set(script), self._loop).result(10)

    def close(self) -> None:
        """Reset every connection and give the ports back."""
        if not self._loop.is_closed():
            self.fault = Refuse()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._kept.close()

    async def _set(self, script: Script) -> None:
        self._script = script
        self._age += 1
        self.accepted = 0
        self.passed.clear()
        self.struck.clear()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if isinstance(script, Refuse):
            await self._stop()
        elif not self._listeners:
            for port in self._targets:
                listener = _bound(port, shared=port == self.port)
                listener.listen(128)
                self._listeners.append(listener)
                self._loop.add_reader(listener, self._accept, listener, port)

    async def _stop(self) -> None:
        while self._listeners:
            listener = self._listeners.pop()
            self._loop.remove_reader(listener)
            listener.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _die(self) -> None:
        await self._set(Refuse())
        self.struck.set()

    def _start(self, step: Coroutine[Any, Any, None], sock: socket.socket) -> None:
        task = self._loop.create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not by the coroutine itself: one that is cancelled at once does not run at all.
        task.add_done_callback(lambda _task: sock.close())

    def _accept(self, listener: socket.socket, port: int) -> None:
        # Not loop.sock_accept: a task that is cancelled in that moment loses the connection.
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return  # who came has gone again
        client.setblocking(False)
        connection = Connection(self.accepted, port != self.port)
        self.accepted += 1
        self._start(self._serve(connection, client, self._targets[port]), client)

    async def _serve(self, connection: Connection, client: socket.socket, target_port: int) -> None:
        orderly = False
        with _socket() as server:
            try:
                await self._meet(connection, client)
                await self._loop.sock_connect(server, (HOST, target_port))
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(connection, client, server, "up"))
                    pumps.create_task(self._pump(connection, server, client, "down"))
                orderly = True
            except* _EndError:
                orderly = True
            except* (OSError, _ResetError):
                pass
            finally:
                if orderly:
                    await self._part(client, server)
                else:
                    for sock in (client, server):
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def _part(self, *socks: socket.socket) -> None:
        """Say that this is the end, and listen a while to what is still said."""
        for sock in socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                for sock in socks:
                    while await self._loop.sock_recv(sock, _CHUNK_BYTES):
                        pass

    async def _meet(self, connection: Connection, client: socket.socket) -> None:
        """Do what a fault does before the server is asked."""
        fault = self._fault_of(connection)
        while isinstance(fault, Mute):
            self.struck.set()
            await self._changed.wait()
            fault = self._fault_of(connection)
        if isinstance(fault, Refuse):
            self.struck.set()
            raise _ResetError
        if isinstance(fault, Status):
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += await self._loop.sock_recv(client, _CHUNK_BYTES) or _ended()
            self.struck.set()
            await self._loop.sock_sendall(client, fault.answer())
            raise _EndError

    async def _pump(
        self, connection: Connection, source: socket.socket, dest: socket.socket, way: Direction
    ) -> None:
        while rest := await self._loop.sock_recv(source, _CHUNK_BYTES):
            while rest:
                part, rest = await self._next(connection, rest, way)
                connection.passed[way] += len(part)
                self.passed[way] += len(part)
                await self._loop.sock_sendall(dest, part)
        dest.shutdown(socket.SHUT_WR)

    def _fault_of(self, connection: Connection) -> Fault | None:
        if connection.age != self._age:
            connection.age = self._age
            connection.passed.clear()
            script = self._script
            connection.fault = script(connection) if callable(script) else script
        return connection.fault

    async def _next(
        self, connection: Connection, rest: bytes, way: Direction
    ) -> tuple[bytes, bytes]:
        """Return what passes of `rest` now, and what is left of it."""
        match self._fault_of(connection):
            case Slow(bytes_per_second):
                self.struck.set()
                part = rest[: max(1, int(bytes_per_second * _BEAT_SECONDS))]
                await asyncio.sleep(len(part) / bytes_per_second)
                return part, rest[len(part) :]
            case Die(after_bytes) if way == "down":
                if size := max(0, after_bytes - self.passed[way]):
                    return rest[:size], rest[size:]
                self._death = self._loop.create_task(self._die())
                raise _ResetError
            case Mute():
                self.struck.set()
                await self._changed.wait()
                return b"", rest
            case AtByte(after_bytes, direction) as fault if direction == way:
                size = after_bytes - connection.passed[way]
                if size > 0:
                    return rest[:size], rest[size:]
                if size == 0:
                    return await self._strike(fault, rest)
        return rest, b""

    async def _strike(self, fault: AtByte, rest: bytes) -> tuple[bytes, bytes]:
        self.struck.set()
        match fault:
            case Reset():
                raise _ResetError
            case Truncate():
                raise _EndError
            case Corrupt():
                return bytes([rest[0] ^ 1]), rest[1:]
        await self._changed.wait()
        return b"", rest


def behind(service: Service, proxy: FaultProxy) -> Service:
    """Return `service` as it is reached through `proxy`."""
    options = dict(service.options)
    if service.scheme == "sftp":
        # The host's key is known under the server's own name and port.
        options = {"validate_host": "false"}
    return replace(service, host=proxy.host, port=proxy.port, options=options)


def _ended() -> bytes:
    raise _EndError


def _socket() -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    return sock


def _bound(port: int, *, shared: bool) -> socket.socket:
    sock = _socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((PROXY_HOST, port))
    except OSError:
        sock.close()
        raise
    return sock
