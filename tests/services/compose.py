"""The servers of docker-compose.yml, for `FILESTORE_SERVICES=compose`.

`python -m tests.services.compose` writes what they need; do that before they are started.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncssh
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from tests.services.common import (
    HOST,
    PASSWORD,
    USERNAME,
    FolderRaw,
    Service,
    certificates_in,
    issue_certificates,
)
from tests.services.s3 import BucketRaw, client
from tests.services.sftp import known_hosts

FOLDER = Path(__file__).parents[2] / ".services" / "compose"
PORTS = {
    "minio": [19000],
    "azurite": [19100],
    "azurite-tls": [19101],
    "openssh": [19022],
    "vsftpd-explicit": [19021, *range(19200, 19250)],
    "vsftpd-implicit": [19990, *range(19250, 19300)],
    "nginx": [19080, 19443, 19444],
}
"""Every published port, those of the passive FTP connections too."""
DATA = ("openssh", "vsftpd-explicit", "vsftpd-implicit", "nginx")
"""The services that keep their data in a folder of their name under `data/`."""
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Azurite's own, the same everywhere."""
OWNER = os.getuid() or 1000
"""Who the servers write as; none of them lets root in."""


@dataclass(frozen=True)
class OwnedRaw(FolderRaw):
    """A folder whose files belong to the servers' user, also when root writes them."""

    def write(self, path: str, content: bytes) -> None:
        super().write(path, content)
        target = self.folder / path
        while target != self.folder:
            os.chown(target, OWNER, -1)
            target = target.parent


@dataclass(frozen=True)
class ContainerRaw:
    """The blobs of a container, seen through Azure's own client."""

    container: ContainerClient

    def write(self, path: str, content: bytes) -> None:
        if not self.container.exists():
            self.container.create_container()
        self.container.upload_blob(path, content, overwrite=True)

    def read(self, path: str) -> bytes | None:
        try:
            content: bytes = self.container.download_blob(path).readall()
        except ResourceNotFoundError:
            return None
        return content

    def delete(self, path: str) -> None:
        self.container.delete_blob(path)

    def paths(self) -> set[str]:
        return set(self.container.list_blob_names()) if self.container.exists() else set()


def prepare(folder: Path = FOLDER) -> None:
    """Write certificates, keys, passwords and data folders, where they are not there yet."""
    for name in DATA:
        data = folder / "data" / name
        data.mkdir(parents=True, exist_ok=True)
        os.chown(data, OWNER, -1)
    (folder / "owner.env").write_text(f"OWNER={OWNER}\n")
    (folder / "passwords").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}\n")
    if not (folder / "ssh_host_key").exists():
        issue_certificates(folder)
        user, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        for name, key in (("ssh_user_key", user), ("ssh_host_key", host)):
            (folder / name).touch(mode=0o600)
            (folder / name).write_bytes(key.export_private_key())
        (folder / "authorized_keys").write_bytes(user.export_public_key())


def compose_services(folder: Path = FOLDER) -> dict[str, Service]:
    """Return the running services by the name of the fixture that each stands in for."""
    certificates = certificates_in(folder)
    ca = {"ca_bundle": str(certificates.ca)}
    name = f"compose-{uuid4().hex}"
    owned = {service: OwnedRaw(folder / "data" / service) for service in DATA}
    http, https, https_pki = PORTS["nginx"]
    ssh, ftp, ftps = (PORTS[service][0] for service in DATA[:3])
    hosts = known_hosts(folder / "known_hosts", ssh, folder / "ssh_host_key")
    pages = owned["nginx"]
    return {
        "s3_moto": _minio(name),
        "azure_http": _azurite(name, "azurite", use_ssl="false"),
        "azure_https": _azurite(name, "azurite-tls", **ca),
        "sftp_openssh": Service(
            "sftp", ssh, owned["openssh"], base="data/", options={"known_hosts": str(hosts)}
        ),
        "ftp_explicit": Service(
            "ftp", ftp, owned["vsftpd-explicit"], options={"use_tls": "true", **ca}
        ),
        "ftp_implicit": Service(
            "ftps", ftps, owned["vsftpd-implicit"], options={"tls": "implicit", **ca}
        ),
        "http_basic": Service("http", http, pages),
        "https_basic": Service("https", https, pages, options=ca),
        "https_pki": Service(
            "https",
            https_pki,
            pages,
            username="",
            password="",
            options={"pki": str(certificates.client), **ca},
        ),
    }


def _minio(bucket: str) -> Service:
    (port,) = PORTS["minio"]
    options = {"s3_bucket": bucket, "aws_region": "us-east-1", "use_ssl": "false"}
    return Service("s3", port, BucketRaw(client(port), bucket), options=options)


def _azurite(container: str, service: str, **options: str) -> Service:
    (port,) = PORTS[service]
    ca = options.get("ca_bundle")
    blobs = ContainerClient(
        f"{'https' if ca else 'http'}://{HOST}:{port}/{ACCOUNT}",
        container,
        credential=ACCOUNT_KEY,
        connection_verify=ca or True,
    )
    return Service(
        "azure",
        port,
        ContainerRaw(blobs),
        username="",
        password="",
        base=f"{container}/",
        options={"account": ACCOUNT, "access_key": ACCOUNT_KEY, **options},
    )


if __name__ == "__main__":
    prepare()
