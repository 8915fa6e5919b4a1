"""What goes over the wire, and what does not: certificates, TLS versions, redirects, proxies."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from filestore_fsspec import FileStore, LocationUnavailable, TransportException
from filestore_fsspec.drivers.shared.errors import CertificateError
from filestore_fsspec.location import Location
from tests.services.azure import ACCOUNT_KEY
from tests.services.common import HOST, PASSWORD, USERNAME, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


TLS_SCHEMES = ["https", "https+obstore", "ftps", "ftp", "s3", "s3+obstore", "azure"]


def url_of(scheme: str, port: int, ca_bundle: Path | str) -> str:
    """Return a location's URL that uses TLS at `port`."""
    scheme, _, engine = scheme.partition("+")
    options = {
        "s3": "s3_bucket=bucket&aws_region=us-east-1&",
        "azure": f"account=dev&access_key={ACCOUNT_KEY.replace('/', '%2F')}&",
        "ftps": "tls=implicit&",
        "ftp": "use_tls=true&",
    }.get(scheme, "")
    user = "" if scheme == "azure" else f"{USERNAME}:{PASSWORD}@"
    last = f"&engine={engine}" if engine else ""
    return f"{scheme}://{user}localhost:{port}/box/x?{options}ca_bundle={ca_bundle}{last}"


class Listener:
    """Takes connections, one after the other, and keeps what clients say in clear text."""

    def __init__(self, talk: Callable[[Listener, socket.socket], None]) -> None:
        self.socket = socket.create_server((HOST, 0))
        self.port: int = self.socket.getsockname()[1]
        self.heard = b""
        self.versions: list[str | None] = []
        self._talk = talk
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            with sock, suppress(OSError, EOFError):
                sock.settimeout(10)
                self._talk(self, sock)

    def line(self, sock: socket.socket) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            part = sock.recv(1)
            if not part:
                raise EOFError
            line += part
        self.heard += line
        return line.strip()

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join(10)


def speaks_tls(context: ssl.SSLContext, scheme: str) -> Callable[[Listener, socket.socket], None]:
    """Return what shakes hands, after AUTH TLS where that is asked for, and then hangs up."""

    def talk(listener: Listener, sock: socket.socket) -> None:
        if scheme == "ftp":
            sock.sendall(b"220 hello\r\n")
            assert listener.line(sock) == b"AUTH TLS"
            sock.sendall(b"234 go on\r\n")
        with context.wrap_socket(sock, server_side=True) as secured:
            listener.versions.append(secured.version())

    return talk


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority, path


def context_of(authority: trustme.CA, *names: str, **options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)
    return context


YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
LAST_YEAR = YESTERDAY - dt.timedelta(days=365)


@pytest.mark.parametrize("scheme", TLS_SCHEMES)
@pytest.mark.parametrize("wrong", ["host", "expired", "signer"])
def test_a_certificate_that_is_wrong_is_refused(
    scheme: str, wrong: str, authority: tuple[trustme.CA, Path]
) -> None:
    signer, ca_bundle = authority
    context = {
        "host": lambda: context_of(signer, "elsewhere.example"),
        "expired": lambda: context_of(
            signer, "localhost", not_before=LAST_YEAR, not_after=YESTERDAY
        ),
        "signer": lambda: context_of(trustme.CA(), "localhost"),
    }[wrong]()
    with closing(Listener(speaks_tls(context, scheme))) as listener:
        with (
            closing(Location(url_of(scheme, listener.port, ca_bundle))) as location,
            pytest.raises(LocationUnavailable, match="verify=false") as caught,
        ):
            location.get("x")
        assert isinstance(caught.value.cause, CertificateError)
        assert PASSWORD.encode() not in listener.heard


@pytest.mark.parametrize("scheme", TLS_SCHEMES)
def test_tls_1_1_is_refused(scheme: str, authority: tuple[trustme.CA, Path]) -> None:
    signer, ca_bundle = authority
    context = context_of(signer, "localhost")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with closing(Listener(speaks_tls(context, scheme))) as listener:
        with (
            closing(Location(url_of(scheme, listener.port, ca_bundle), 1)) as location,
            pytest.raises(LocationUnavailable),
        ):
            location.get("x")
        assert listener.versions == []
        if scheme != "ftp":
            # The server does speak it, with whoever is content with that.
            content = ssl.create_default_context(cafile=str(ca_bundle))
            content.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                content.minimum_version = ssl.TLSVersion.TLSv1_1
            with (
                socket.create_connection((HOST, listener.port)) as sock,
                content.wrap_socket(sock, server_hostname="localhost") as secured,
            ):
                assert secured.version() == "TLSv1.1"


# FTP: no step back from TLS


def test_a_server_that_refuses_auth_tls_hears_no_password() -> None:
    def talk(listener: Listener, sock: socket.socket) -> None:
        sock.sendall(b"220 hello\r\n")
        while listener.line(sock):
            sock.sendall(b"502 I do not know that\r\n")

    with closing(Listener(talk)) as listener:
        for scheme, options in (("ftp", "use_tls=true"), ("ftps", "tls=explicit")):
            url = f"{scheme}://{USERNAME}:{PASSWORD}@localhost:{listener.port}/x?{options}"
            with (
                closing(Location(url)) as location,
                pytest.raises(TransportException, match="no explicit TLS"),
            ):
                location.get("x")
        assert listener.heard.split() == [b"AUTH", b"TLS"] * 2


def test_a_server_that_refuses_prot_p_gets_and_gives_no_content(
    authority: tuple[trustme.CA, Path],
) -> None:
    signer, ca_bundle = authority
    context = context_of(signer, "localhost")
    answers = {b"USER": b"331 and?", b"PASS": b"230 in", b"PBSZ": b"200 ok", b"AUTH": b"234 go on"}

    def talk(listener: Listener, sock: socket.socket) -> None:
        sock.sendall(b"220 hello\r\n")
        listener.line(sock)
        sock.sendall(b"234 go on\r\n")
        with context.wrap_socket(sock, server_side=True) as secured:
            while line := listener.line(secured):
                secured.sendall(answers.get(line[:4], b"536 in clear text alone") + b"\r\n")

    with closing(Listener(talk)) as listener:
        with (
            closing(Location(url_of("ftp", listener.port, ca_bundle))) as location,
            pytest.raises(TransportException, match="536"),
        ):
            location.put("x", b"content")
        said = [line.split()[0] for line in listener.heard.splitlines()]
        assert said == [b"AUTH", b"USER", b"PASS", b"PBSZ", b"PROT"]


@pytest.mark.parametrize("server", ["ftp_explicit", "ftp_implicit", "ftp_vsftpd_tls"])
def test_every_data_connection_is_private(server: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(server)
    with closing(Location(service.url("x"))) as location:
        location.put("x", b"x")
        pool = location.fs.requests.pool
        for _ in range(2):
            with pool.lease() as client, closing(client._data_connection("LIST /")) as data:
                for sock in (client.sock, data):
                    assert isinstance(sock, ssl.SSLSocket)
                    assert sock.version() in {"TLSv1.2", "TLSv1.3"}
                client.broken = True  # the next one connects anew, and does so again


# Redirects and proxies


@pytest.fixture
def sent() -> Iterator[tuple[list[tuple[str, str, dict[str, str]]], int, int]]:
    """Yield what two servers were asked, and their ports: the first sends all to the second."""
    asked: list[tuple[str, str, dict[str, str]]] = []
    with _http(asked, None) as other:
        with _http(asked, other.server_port) as first:
            yield asked, first.server_port, other.server_port
            first.shutdown()
        other.shutdown()


def _http(asked: list[tuple[str, str, dict[str, str]]], to: int | None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((str(self.server.server_port), self.path, dict(self.headers)))  # type: ignore[attr-defined]
            self.send_response(307 if to else 404)
            if to:
                self.send_header("Location", f"http://127.0.0.1:{to}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_PUT = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def clear(scheme: str, port: int) -> str:
    """Return a location's URL that uses no TLS at `port`."""
    plain, _, engine = scheme.partition("+")
    url = url_of(plain, port, "").replace("ca_bundle=", "").replace("localhost", HOST)
    option = "" if plain == "http" else "use_ssl=false&"
    return f"{url}{option}engine={engine or 'fsspec'}"


@pytest.mark.parametrize("scheme", ["s3", "s3+obstore", "azure", "azure+obstore", "http+obstore"])
def test_signed_requests_go_nowhere_else(scheme: str, sent: Any) -> None:
    asked, port, _ = sent
    with closing(Location(clear(scheme, port), 1)) as location:
        with pytest.raises(TransportException):
            location.get("x")
        if not scheme.startswith("http"):
            with pytest.raises(TransportException):
                location.put("x", b"x")
    assert 1 <= len(asked) <= 8
    assert any(each == str(port) for each, *_ in asked)
    for each, _path, headers in asked:
        names = {name.lower() for name in headers}
        # obstore follows, and leaves the signature behind.
        assert each == str(port) or scheme.endswith("obstore")
        assert ("authorization" in names) == (each == str(port))


BY_PROXY = {"http": 0, "s3": 1, "azure": 1, "s3+obstore": 1, "azure+obstore": 1, "http+obstore": 1}


@pytest.mark.parametrize("scheme", BY_PROXY)
def test_whose_requests_go_by_the_environments_proxy(
    scheme: str, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _, proxy_port = sent
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy_port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with closing(Location(clear(scheme, free_port()), 1)) as location, suppress(TransportException):
        location.get("x")
    assert bool(asked) == bool(BY_PROXY[scheme])
    assert all(PASSWORD not in repr(each) and ACCOUNT_KEY not in repr(each) for each in asked)


def test_a_url_of_clear_text_gets_nothing_from_a_server_of_tls(https_basic: Service) -> None:
    url = https_basic.url("x").replace("https://", "http://")
    with FileStore(url, connection_attempts=1) as store, pytest.raises(OSError, match="get"):
        store.get("x")
