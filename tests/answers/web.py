"""A web server that answers what it is told, byte by byte: for HTTP, S3 and Azure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.services.common import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

Answer = bytes | Iterable[bytes]
"""All that is sent, or piece by piece."""


@dataclass(frozen=True)
class Request:
    """What a client asks."""

    method: str
    target: str
    """Path and query, as they came."""
    headers: Message
    body: bytes


def reply(status: int = 200, body: bytes = b"", *lines: str, reason: str | None = None) -> bytes:
    """Return an answer after which the connection ends.

    Its length is told unless one of `lines`, more headers, is about that.
    """
    if reason is None:
        reason = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Other"
    names = {line.partition(":")[0].lower() for line in lines}
    if not names & {"content-length", "transfer-encoding"}:
        lines = (*lines, f"Content-Length: {len(body)}")
    head = [f"HTTP/1.1 {status} {reason}", *lines, "Connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


@dataclass
class Liar:
    """A server that answers with what `answer` returns for a request; None is silence."""

    port: int
    answer: Callable[[Request], Answer | None]
    over: threading.Event = field(default_factory=threading.Event)


def _refuse(_request: Request) -> bytes:
    return reply(500)


@contextmanager
def lying() -> Iterator[Liar]:
    """Run such a server; whoever asks for it sets its `answer`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args: Any) -> None:
            pass

        def do_GET(self) -> None:
            answer = liar.answer(Request(self.command, self.path, self.headers, self.body()))
            if answer is None:
                liar.over.wait(60)
                return
            for piece in [answer] if isinstance(answer, bytes) else answer:
                self.wfile.write(piece)
            is_whole = isinstance(answer, bytes) and b"\r\n\r\n" in answer
            self.close_connection = not is_whole or b"\r\nConnection: close" in answer

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

        def body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: Any) -> None:
            """Clients leave in mid-answer."""

    with Quiet((HOST, 0), Handler) as server:
        liar = Liar(server.server_port, _refuse)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield liar
        finally:
            liar.over.set()
            server.shutdown()
            thread.join()
