"""The proxy does what the other tests of this folder take for granted."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.services.common import HOST, PROXY_HOST
from tests.services.faults import (
    Corrupt,
    Die,
    Hold,
    Mute,
    Refuse,
    Reset,
    Slow,
    Status,
    Truncate,
)
from tests.services.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.faults import Direction


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while part := self.request.recv(2**16):
                self.request.sendall(part)
        except ConnectionError:
            return


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with socketserver.ThreadingTCPServer((HOST, 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with FaultProxy(server.server_address[1]) as made:
            yield made
        server.shutdown()
        thread.join()


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((PROXY_HOST, proxy.port), timeout=2)


def echoed(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (part := sock.recv(size - len(found))):
        found += part
    return found


def works(proxy: FaultProxy) -> bool:
    with connect(proxy) as sock:
        sock.sendall(b"x" * 300_000)
        return echoed(sock, 300_000) == b"x" * 300_000


def test_without_a_fault_everything_passes(proxy: FaultProxy) -> None:
    assert works(proxy)
    assert proxy.passed == {"up": 300_000, "down": 300_000}
    assert proxy.accepted == 1
    assert not proxy.struck.is_set()


def test_refusing_and_listening_again(proxy: FaultProxy) -> None:
    with connect(proxy) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        proxy.fault = Refuse()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.fault = None
    assert works(proxy)


def test_mute_and_held_connections_go_on_later(proxy: FaultProxy) -> None:
    for fault, passing in ((Mute(), b""), (Hold(3), b"012"), (Hold(3, "up"), b"012")):
        proxy.fault = fault
        with connect(proxy) as sock:
            sock.sendall(b"0123456789")
            assert proxy.struck.wait(2)
            assert echoed(sock, len(passing)) == passing
            sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.settimeout(2)
            proxy.fault = None
            assert echoed(sock, 10 - len(passing)) == b"0123456789"[len(passing) :]


@pytest.mark.parametrize("direction", ["up", "down"])
def test_resets_and_ends_after_so_many_bytes(proxy: FaultProxy, direction: Direction) -> None:
    for after_bytes in (0, 100_000):
        proxy.fault = Reset(after_bytes, direction)
        with connect(proxy) as sock, pytest.raises(ConnectionError):
            sock.sendall(b"x" * 300_000)
            echoed(sock, 300_000)
        assert proxy.passed[direction] == after_bytes
        proxy.fault = Truncate(after_bytes, direction)
        with connect(proxy) as sock:
            sender = threading.Thread(target=sock.sendall, args=(b"x" * 200_000,))
            sender.start()
            assert echoed(sock, 200_000) == b"x" * proxy.passed["down"]
            sender.join()
        assert proxy.passed[direction] == after_bytes
        assert proxy.struck.is_set()


def test_one_bit_is_turned(proxy: FaultProxy) -> None:
    for fault in (Corrupt(5), Corrupt(5, "up")):
        proxy.fault = fault
        with connect(proxy) as sock:
            sock.sendall(b"0123456789")
            assert echoed(sock, 10) == b"0123446789"


def test_slow(proxy: FaultProxy) -> None:
    proxy.fault = Slow(10_000)
    with connect(proxy) as sock:
        started = time.monotonic()
        sock.sendall(b"x" * 3_000)
        assert echoed(sock, 3_000) == b"x" * 3_000
    assert 0.2 < time.monotonic() - started < 2


def test_an_answer_of_its_own(proxy: FaultProxy) -> None:
    proxy.fault = Status(503, retry_after=7)
    with connect(proxy) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert echoed(sock, 2**16) == (
            b"HTTP/1.1 503 Service Unavailable\r\n"
            b"Retry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    assert proxy.passed == {}


def test_dying_as_a_whole(proxy: FaultProxy) -> None:
    proxy.fault = Die(100_000)
    with connect(proxy) as other:
        other.sendall(b"x" * 60_000)
        assert echoed(other, 60_000) == b"x" * 60_000
        with connect(proxy) as sock, pytest.raises(ConnectionError):
            sock.sendall(b"x" * 60_000)
            echoed(sock, 60_000)
        with pytest.raises(ConnectionError):
            other.recv(1)
    assert proxy.struck.wait(2)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)


def test_a_fault_of_its_own_for_each_connection(proxy: FaultProxy) -> None:
    proxy.fault = lambda connection: Reset() if connection.number == 0 else None
    with connect(proxy) as sock, pytest.raises(ConnectionError):
        sock.sendall(b"x")
        sock.recv(1)
    assert works(proxy)
