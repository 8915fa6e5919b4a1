"""Web servers: nginx without and with passwords and certificates, and one that misbehaves."""

from __future__ import annotations

import os
import ssl
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.common import (
    HOST,
    PASSWORD,
    USERNAME,
    FolderRaw,
    Server,
    Service,
    free_port,
    need,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.common import Certificates

CONFIG = """
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log stderr warn; {user}
events {{ worker_connections 512; }}
http {{
    access_log {work}/access.log;
    client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi; uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
    default_type application/octet-stream; types {{ text/html html; }}
    server {{
        listen {host}:{port} {ssl};
        root {data}; autoindex on; keepalive_requests 100000;
        {settings}
    }}
}}
"""
BASIC = "auth_basic filestore; auth_basic_user_file {work}/passwords;"
TLS = "ssl_certificate {certificates.server}; ssl_certificate_key {certificates.server_key};"
CLIENT = "ssl_client_certificate {certificates.ca}; ssl_verify_client on;"


def nginx(
    folder: Path, scheme: str, settings: str, certificates: Certificates | None = None
) -> Iterator[Service]:
    program = need("nginx", "apt-get install nginx-light")
    port = free_port()
    data = folder / "data"
    data.mkdir()
    (folder / "passwords").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}\n")
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            work=folder,
            data=data,
            host=HOST,
            port=port,
            ssl="ssl" if certificates else "",
            user="user root;" if os.geteuid() == 0 else "",
            settings=settings.format(work=folder, certificates=certificates),
        )
    )
    log = folder / "nginx.log"
    server = Server([program, "-e", str(log), "-c", str(config)], port, log)
    basic = settings.startswith(BASIC)
    for _running in running(server):
        yield Service(
            scheme,
            port,
            FolderRaw(data),
            server,
            username=USERNAME if basic else "",
            password=PASSWORD if basic else "",
            options={"ca_bundle": str(certificates.ca)} if certificates else {},
        )


@pytest.fixture(scope="session")
def http_plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from nginx(tmp_path_factory.mktemp("http"), "http", "")


@pytest.fixture(scope="session")
def http_basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from nginx(tmp_path_factory.mktemp("http_basic"), "http", BASIC)


@pytest.fixture(scope="session")
def https_basic(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("https_basic")
    yield from nginx(folder, "https", BASIC + TLS, certificates)


@pytest.fixture(scope="session")
def https_pki(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("https_pki")
    for service in nginx(folder, "https", TLS + CLIENT, certificates):
        yield replace(service, options={**service.options, "pki": str(certificates.client)})


@dataclass
class Faults:
    """A server whose first path segment says what it does; the query is no part of it.

    `status/503/x` answers so. `to/URL` redirects there. `slow/SECONDS/x` answers late, `mute` not
    at all. `short` ends in mid-body, `chunked/short` so without a length. `no-head/x` refuses
    HEAD, `no-range/x` ignores ranges, `gzip/x` says that its content is compressed,
    `unsized/x` gives no length, `loop` redirects to itself. Each answers with `content`.
    """

    port: int
    scheme: str = "http"
    content: bytes = b"0123456789" * 100
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of every request."""
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = HOST) -> str:
        return f"{self.scheme}://{host}:{self.port}/{path}"


class FaultHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: Faults

    def log_message(self, *_args: Any) -> None:
        pass

    def do_GET(self) -> None:  # noqa: C901 - one case a fault
        self.faults.seen.append((self.command, self.path, dict(self.headers)))
        what, _, rest = self.path.lstrip("/").partition("/")
        content = self.faults.content
        match what:
            case "status":
                self.answer(int(rest.partition("/")[0] or 404), b"")
            case "to":
                self.answer(302, b"", Location=rest)
            case "loop":
                self.answer(302, b"", Location=self.path)
            case "mute":
                self.faults.over.wait(60)
            case "slow":
                self.faults.over.wait(float(rest.partition("/")[0]))
                self.answer(200, content)
            case "short":
                self.close_connection = True
                self.answer(200, content[:10], **{"Content-Length": str(len(content))})
            case "chunked":
                self.close_connection = True
                self.answer(200, b"5\r\n01234\r\n", **{"Transfer-Encoding": "chunked"})
            case "no-head" if self.command == "HEAD":
                self.answer(405, b"")
            case "gzip":
                self.answer(200, content, **{"Content-Encoding": "gzip"})
            case "unsized":
                self.close_connection = True
                self.answer(200, content, Connection="close")
            case _:
                self.answer(200, content)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        if not {"Content-Length", "Transfer-Encoding", "Connection"} & headers.keys():
            headers["Content-Length"] = str(len(content))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def misbehaving(certificates: Certificates | None = None) -> Iterator[Faults]:
    class Handler(FaultHandler):
        pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        Handler.faults = faults = Faults(server.server_port)
        if certificates:
            faults.scheme = "https"
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificates.server, certificates.server_key)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield faults
        finally:
            faults.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def http_faults() -> Iterator[Faults]:
    yield from misbehaving()


@pytest.fixture
def other_faults() -> Iterator[Faults]:
    """The same once more: another origin."""
    yield from misbehaving()


@pytest.fixture
def https_faults(certificates: Certificates) -> Iterator[Faults]:
    yield from misbehaving(certificates)
