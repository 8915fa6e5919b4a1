"""What goes wrong gives the contract's exception, in time, and shows no secret."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from filestore_fsspec import FileStore, LocationUnavailable, PermissionDenied
from tests.services.common import HOST, PASSWORD, Certificates, FolderRaw, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.sftp import SFTPKeys

SECRET = "s3cr3t-Wr0ng/Passw0rd+"
AZURE_KEY = "c2VjcmV0LXdyb25nLWtleS1vZi10aGUtYWNjb3VudC0wMTIzNDU2Nzg5MDEyMzQ1Njc4OTAx"
SECRETS = (SECRET, quote(SECRET, safe=""), PASSWORD, quote(PASSWORD, safe=""), AZURE_KEY)


def shown(error: BaseException) -> str:
    """Return what of an exception and its causes can be seen, ours and the drivers'."""
    text, chain = "", [error]
    for each in chain:
        text += f"{each}\n{each!r}\n"
        causes = (each.__cause__, each.__context__)
        chain += [cause for cause in causes if cause and cause not in chain]
    return text + "".join(traceback.format_exception(error))


def check(
    url: str,
    expected: type[Exception],
    words: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
    seconds: float = 5,
) -> None:
    """Every function fails with `expected` within `seconds`, names the location, hides secrets."""
    with FileStore(url) as store, caplog.at_level(logging.DEBUG, "filestore_fsspec"):
        functions: list[Any] = [
            lambda: store.get("some/key"),
            lambda: store.exists("some/key"),
            lambda: list(store.list("some")),
        ]
        if not store.locations[0].read_only:
            functions += [
                lambda: store.put("some/key", b"x"),
                lambda: store.delete("some/key"),
            ]
        for function in functions:
            started = time.monotonic()
            with pytest.raises(expected) as caught:
                function()
            assert time.monotonic() - started < seconds
            text = str(caught.value)
            assert str(store.locations[0]) in text
            assert "some" in text
            for word in words:
                assert word in text
            seen = shown(caught.value) + caplog.text + repr(store) + str(store)
            assert not [secret for secret in SECRETS if secret in seen]
        (located,) = store.locate("some/key")
        assert located.state == "unknown"
        with FileStore(url, strict=False) as lenient:
            assert lenient.get("some/key") is None
            assert lenient.exists("some/key") == []
        assert "some/key" in caplog.text
        assert not [secret for secret in SECRETS if secret in caplog.text]


@pytest.mark.parametrize(
    "server",
    [
        "ftp_plain",
        "ftp_explicit",
        "ftp_implicit",
        "sftp_asyncssh",
        "sftp_openssh",
        "http_basic",
        "https_basic",
        "s3_rclone",
    ],
)
def test_a_wrong_password(
    server: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    service: Service = request.getfixturevalue(server)
    check(replace(service, password=SECRET).url("root"), PermissionDenied, (), caplog)


@pytest.mark.parametrize("server", ["azure_http", "azure_https"])
def test_a_wrong_account_key(
    server: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    service: Service = request.getfixturevalue(server)
    check(service.url("root", access_key=AZURE_KEY), PermissionDenied, (), caplog)


@pytest.mark.parametrize("server", ["sftp_asyncssh", "sftp_openssh"])
def test_sftp_keys_and_host_keys(
    server: str,
    request: pytest.FixtureRequest,
    sftp_keys: SFTPKeys,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    service: Service = replace(request.getfixturevalue(server), password="")
    encrypted = str(sftp_keys.encrypted)
    with_key = replace(service, options={**service.options, "private_key": encrypted})
    for url, expected, words in (
        (service.url("r", private_key=str(sftp_keys.wrong)), PermissionDenied, ()),
        (with_key.url("r", private_key_pass=SECRET), PermissionDenied, ("private_key_pass",)),
        (with_key.url("r"), PermissionDenied, ("private_key_pass",)),
        (service.url("r", private_key=str(tmp_path / "none")), OSError, ("private_key",)),
        (
            service.url("r", known_hosts=str(sftp_keys.wrong_known_hosts)),
            LocationUnavailable,
            ("validate_host=false",),
        ),
        (service.url("r", known_hosts=str(tmp_path / "none")), OSError, ("known_hosts",)),
    ):
        check(url, expected, words, caplog)


@pytest.mark.parametrize(
    "server", ["ftp_explicit", "ftp_implicit", "https_basic", "s3_moto_tls", "azure_https"]
)
def test_an_untrusted_certificate(
    server: str,
    certificates: Certificates,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service: Service = request.getfixturevalue(server)
    url = service.url("root", ca_bundle=str(certificates.other_ca))
    check(url, LocationUnavailable, ("verify=false",), caplog)
    with FileStore(service.url("root", verify="false")) as store:
        assert store.get("missing") is None


SCHEMES = {
    "ftp": {},
    "ftps": {"tls": "implicit", "verify": "false"},
    "sftp": {"validate_host": "false"},
    "http": {},
    "https": {"verify": "false"},
    "s3": {"s3_bucket": "bucket", "use_ssl": "false"},
    "azure": {"account": "dev", "access_key": AZURE_KEY, "use_ssl": "false"},
}


def unreachable(scheme: str, port: int) -> Service:
    username = "" if scheme == "azure" else "user"
    return Service(
        scheme,
        port,
        raw=FolderRaw(Path()),
        username=username,
        host=HOST,
        base="box/",
        options=SCHEMES[scheme],
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_unreachable_port(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    check(unreachable(scheme, free_port()).url("root"), LocationUnavailable, (), caplog)


@dataclass
class Mute:
    """A port that accepts connections and never says a word."""

    port: int


@pytest.fixture
def mute() -> Iterator[Mute]:
    with socket.create_server((HOST, 0)) as server:
        accepted: list[socket.socket] = []
        ended = threading.Event()

        def accept() -> None:
            server.settimeout(0.05)
            while not ended.is_set():
                try:
                    accepted.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield Mute(server.getsockname()[1])
        finally:
            ended.set()
            thread.join()
            for connection in accepted:
                connection.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_mute_port(scheme: str, mute: Mute, caplog: pytest.LogCaptureFixture) -> None:
    url = unreachable(scheme, mute.port).url("root", connect_timeout="0.5", read_timeout="0.5")
    check(url, LocationUnavailable, (), caplog, seconds=3)  # the driver's import among them


@pytest.mark.parametrize("server", ["s3_moto", "s3_rclone"])
def test_a_missing_bucket_is_empty_and_made_by_the_first_write(
    server: str, request: pytest.FixtureRequest
) -> None:
    service: Service = request.getfixturevalue(server)
    with FileStore(service.url("root", s3_bucket=f"new-bucket-{server[3:]}")) as store:
        assert store.get("k") is None
        assert store.exists("k") == []
        assert list(store.list()) == []
        store.delete("k")
        assert store.put("k", b"x") == list(store.locations)
        assert store.get("k") == b"x"


@pytest.mark.parametrize("server", ["azure_http", "azure_https"])
def test_a_missing_container_is_empty_and_made_by_the_first_write(
    server: str, request: pytest.FixtureRequest
) -> None:
    service: Service = replace(request.getfixturevalue(server), base="new-container/")
    with FileStore(service.url("root", initialize_container="false")) as store:
        assert store.get("k") is None
        assert store.exists("k") == []
        assert list(store.list()) == []
        store.delete("k")
        with pytest.raises(OSError, match="container"):
            store.put("k", b"x")
    with FileStore(service.url("root")) as store:
        assert store.put("k", b"x") == list(store.locations)
        assert store.get("k") == b"x"
