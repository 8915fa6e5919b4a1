"""A server that asks for a pause gets it."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore

if TYPE_CHECKING:
    from collections.abc import Iterator

AZURE_KEY = "c2VjcmV0LXdyb25nLWtleS1vZi10aGUtYWNjb3VudC0wMTIzNDU2Nzg5MDEyMzQ1Njc4OTAx"
URLS = {
    "http": "http://127.0.0.1:{port}/root",
    "s3": "s3://user:password@127.0.0.1:{port}/?s3_bucket=bucket&aws_region=us-east-1&use_ssl=false",
    "azure": f"azure://127.0.0.1:{{port}}/container?access_key={AZURE_KEY}&account=a&use_ssl=false",
}


class BusyServer(ThreadingHTTPServer):
    """Says once that it is busy, then gives a file of one byte."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked_at: list[float] = []
        self.status = 503


class Handler(BaseHTTPRequestHandler):
    server: BusyServer

    def do_GET(self) -> None:
        self.server.asked_at.append(time.monotonic())
        if len(self.server.asked_at) == 1:
            self.send_response(self.server.status)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
        else:
            self.send_response(200)
            self.send_header("x-ms-request-id", "1")  # what tells Azure from a gateway
            self.send_header("ETag", '"1"')  # and S3
            self.send_header("Content-Length", "1")
        self.end_headers()
        if len(self.server.asked_at) > 1:
            self.wfile.write(b"x")

    def log_message(self, *_args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[BusyServer]:
    with BusyServer() as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.mark.parametrize("scheme", URLS)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept(server: BusyServer, scheme: str, status: int) -> None:
    server.status = status
    with FileStore(URLS[scheme].format(port=server.server_port)) as store:
        assert store.get("k") == b"x"
    first, second = server.asked_at
    assert second - first >= 1
