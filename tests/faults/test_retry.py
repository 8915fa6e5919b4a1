"""One layer tries again, the location: a driver sends what it is told once."""

from __future__ import annotations

import secrets
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import FileStore, LocationUnavailable
from tests.services.faults import Reset
from tests.services.proxy import FaultProxy, behind

if TYPE_CHECKING:
    from tests.services.common import Service

READS: dict[str, Any] = {
    "get": lambda store: store.get("k"),
    "exists": lambda store: store.exists("k"),
    "list": lambda store: list(store.list()),
}
WRITES: dict[str, Any] = {
    "put": lambda store: store.put("k", b"x"),
    "put force": lambda store: store.put("k", b"x", force=True),
    "delete": lambda store: store.delete("k"),
}


@pytest.mark.parametrize(
    ("server", "engine"),
    [
        ("ftp_plain", ""),
        ("sftp_asyncssh", ""),
        *product(("s3_moto", "azure_http", "http_plain"), ("fsspec", "obstore")),
    ],
)
def test_a_driver_sends_once(server: str, engine: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(server)
    options = {"engine": engine} if engine else {}
    functions = READS if service.scheme == "http" else {**READS, **WRITES}
    for name, function in functions.items():
        with FaultProxy(service.port, service.data_ports) as proxy:
            url = behind(service, proxy).url(f"once-{secrets.token_hex(4)}", **options)
            for attempts in (1, 2):
                with FileStore(url, connection_attempts=attempts) as store:
                    proxy.fault = Reset(0)
                    with pytest.raises(LocationUnavailable):
                        function(store)
                    assert proxy.accepted == attempts, name


@pytest.mark.parametrize("server", ["s3_rclone", "azure_http"])
def test_calls_share_a_connection(server: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(server)
    with FaultProxy(service.port) as proxy:
        with FileStore(behind(service, proxy).url(f"shared-{secrets.token_hex(4)}")) as store:
            for key in ("a", "b", "c"):
                assert store.exists(key) == []
                assert store.put(key, b"x") == store.put(key, b"y", force=True)
                assert store.put(key, b"z") == []
                assert store.get(key) == b"y"
        assert proxy.accepted == 1
