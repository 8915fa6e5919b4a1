"""Azure: azurite, over http with the account's key, over https with it, or with tokens."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import jwt
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from tests.services.common import (
    HOST,
    Certificates,
    Server,
    Service,
    free_port,
    running,
    unavailable,
)
from tests.services.disk import SmallDisk, small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (  # azurite's own, known to everybody
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
TENANT = "b9b5c8a7-1d55-4b09-9b9d-8a6a4a5f7f11"
CLIENT = "0a6b1d4a-6a0f-4c9a-9a5e-6a6f2f6f2c33"
CLIENT_SECRET = "client/Secret+of~tests"
_SMALL_BYTES = 64 * 2**20


def token(audience: str = "https://storage.azure.com", lifetime_seconds: int = 3600) -> str:
    """Return a token that azurite takes: it looks at the claims, not at the signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": now - 10,
        "nbf": now - 10,
        "exp": now + lifetime_seconds,
    }
    return jwt.encode(claims, secrets.token_hex(32), algorithm="HS256")


class FakeCredential:
    """What gives tokens without asking anybody."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(self.text, int(time.time()) + 3600)


@dataclass(frozen=True)
class ContainerRaw:
    """The blobs of a container, seen through the SDK."""

    client: ContainerClient

    def write(self, path: str, content: bytes) -> None:
        if not self.client.exists():
            self.client.create_container()
        self.client.upload_blob(path, content, overwrite=True)

    def read(self, path: str) -> bytes | None:
        try:
            content: bytes = self.client.download_blob(path).readall()
        except ResourceNotFoundError:
            return None
        return content

    def delete(self, path: str) -> None:
        self.client.delete_blob(path)

    def paths(self) -> set[str]:
        try:
            return {str(name) for name in self.client.list_blob_names()}
        except ResourceNotFoundError:
            return set()


def _azurite(folder: Path, *options: str) -> Server:
    local = Path(__file__).parents[2] / ".services/node_modules/.bin/azurite-blob"
    program = shutil.which("azurite-blob") or shutil.which(local)
    if program is None:
        unavailable("azurite", "npm install --prefix .services azurite")
    port = free_port()
    command = [program, "--blobHost", HOST, "--blobPort", str(port), "--location", str(folder)]
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    # Node itself may be the one that lies beside Python.
    path = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    return Server([*command, *options], port, folder / "log", env={"PATH": path})


def _service(server: Server, certificate: Path | None = None, **options: str) -> Service:
    container = f"box-{uuid4().hex}"
    client = ContainerClient(
        f"{'https' if certificate else 'http'}://{HOST}:{server.port}/{ACCOUNT}",
        container,
        credential=ACCOUNT_KEY,
        connection_verify=str(certificate) if certificate else True,
    )
    return Service(
        "azure",
        server.port,
        ContainerRaw(client),
        server,
        username="",
        password="",
        base=f"{container}/",
        options={"account": ACCOUNT, **options},
    )


@pytest.fixture(scope="session")
def azure_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for server in running(_azurite(tmp_path_factory.mktemp("azurite"))):
        yield _service(server, access_key=ACCOUNT_KEY, use_ssl="false")


@pytest.fixture(scope="session")
def azure_small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, SmallDisk]]:
    """Yield a service, and the disk that it has to itself."""
    folder = tmp_path_factory.mktemp("azurite-small") / "disk"
    with small_disk(folder, _SMALL_BYTES) as disk:
        for server in running(_azurite(folder)):
            yield _service(server, access_key=ACCOUNT_KEY, use_ssl="false"), disk


@pytest.fixture(scope="session")
def _azurite_tls(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Server]:
    files = ("--cert", str(certificates.server), "--key", str(certificates.server_key))
    yield from running(_azurite(tmp_path_factory.mktemp("azurite-tls"), "--oauth", "basic", *files))


@pytest.fixture(scope="session")
def azure_https(_azurite_tls: Server, certificates: Certificates) -> Service:
    ca = certificates.ca
    return _service(_azurite_tls, ca, access_key=ACCOUNT_KEY, ca_bundle=str(ca))


@pytest.fixture(scope="session")
def azure_token(
    _azurite_tls: Server, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield a service whose tokens come from an authority of our own, which AZURE_* names."""
    port, ca = free_port(), certificates.ca
    script = Path(__file__).with_name("azure_authority.py")
    command = [sys.executable, "-P", str(script), str(port)]  # -P: a neighbour is called http
    command += [str(certificates.server), str(certificates.server_key), token()]
    command += [CLIENT, CLIENT_SECRET]
    authority = Server(command, port, tmp_path_factory.mktemp("authority") / "log")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AZURE_AUTHORITY_HOST", f"https://localhost:{port}")
        options: dict[str, Any] = {"tenant_id": TENANT, "client_id": CLIENT}
        options |= {"client_secret": CLIENT_SECRET, "ca_bundle": str(ca)}
        for _ in running(authority):
            yield _service(_azurite_tls, ca, **options)
