"""Filesystems of fsspec's own, and of others, as services: `fsspec+PROTO` URLs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest

from tests.services.common import (
    HOST,
    PASSWORD,
    USERNAME,
    FolderRaw,
    Server,
    Service,
    free_port,
    running,
)
from tests.services.memory import MemoryRaw
from tests.services.s3 import BucketRaw, client

if TYPE_CHECKING:
    from collections.abc import Iterator

WEBDAV = """
host: {host}
port: {port}
server: cheroot
provider_mapping:
  "/":
    root: {data}
http_authenticator:
  domain_controller: null
  accept_basic: true
  accept_digest: false
  default_to_digest: false
simple_dc:
  user_mapping:
    "*":
      {user}:
        password: {password!r}
dir_browser:
  enable: true
logging:
  enable: false
verbose: 1
"""


@dataclass(frozen=True)
class GenericService(Service):
    """`before` is all that stands before the root."""

    before: str = ""

    def url(self, root: str = "", **options: str) -> str:
        query = urlencode({**self.options, **options}, quote_via=quote)
        return f"fsspec+{self.scheme}://{self.before}{root}{'?' + query if query else ''}"


@pytest.fixture(scope="session")
def generic_file(tmp_path_factory: pytest.TempPathFactory) -> Service:
    folder = tmp_path_factory.mktemp("generic")
    return GenericService("file", 0, FolderRaw(folder), before=f"{folder}/")


@pytest.fixture(scope="session")
def generic_memory() -> Service:
    name = f"Generic-{uuid4().hex}"
    return GenericService("memory", 0, MemoryRaw(f"/{name}"), before=f"{name}/")


@pytest.fixture(scope="session")
def generic_s3(s3_moto: Service) -> Service:
    bucket = f"generic-{uuid4().hex}"
    return GenericService(
        "s3",
        s3_moto.port,
        BucketRaw(client(s3_moto.port), bucket),
        s3_moto.server,
        before=f"{bucket}/",
        options={
            "endpoint_url": f"http://{HOST}:{s3_moto.port}",
            "key": USERNAME,
            "secret": PASSWORD,
            "client_kwargs": '{"region_name": "us-east-1"}',
        },
    )


@pytest.fixture(scope="session")
def generic_webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder, port = tmp_path_factory.mktemp("webdav"), free_port()
    data, config = folder / "data", folder / "wsgidav.yaml"
    data.mkdir()
    config.write_text(
        WEBDAV.format(host=HOST, port=port, data=data, user=USERNAME, password=PASSWORD)
    )
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(config)]
    service = GenericService(
        "webdav",
        port,
        FolderRaw(data),
        before=f"{USERNAME}:{quote(PASSWORD, safe='')}@/",
        options={"base_url": f"http://{HOST}:{port}"},
    )
    for server in running(Server(command, port, folder / "log")):
        yield replace(service, server=server)
