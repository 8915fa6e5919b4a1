"""FTP servers: pyftpdlib (lists with MLSD, starts anywhere) and vsftpd (LIST only, needs root)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.common import (
    HOST,
    PASSWORD,
    Certificates,
    FolderRaw,
    Server,
    Service,
    free_port,
    free_ports,
    need,
    running,
    unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = Path(__file__).parents[2]
_DATA_PORTS = 50
_SYSTEM_USER = "filestoretest"

_VSFTPD = """\
listen=YES
listen_address={host}
listen_port={port}
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
local_root={folder}
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir={empty}
pam_service_name=vsftpd
seccomp_sandbox=NO
delay_failed_login=0
"""

_VSFTPD_TLS = """\
ssl_enable=YES
rsa_cert_file={certificate}
rsa_private_key_file={key}
ssl_ciphers=HIGH
force_local_logins_ssl=YES
force_local_data_ssl=YES
require_ssl_reuse=YES
"""


@dataclass(frozen=True)
class OwnedRaw(FolderRaw):
    """A folder whose files belong to the server's user, though root writes them."""

    owner: int

    def write(self, path: str, content: bytes) -> None:
        super().write(path, content)
        target = self.folder / path
        while target != self.folder:
            os.chown(target, self.owner, self.owner)
            target = target.parent


def _pyftpdlib(
    tls: str, certificates: Certificates, folder: Path, scheme: str, options: dict[str, str]
) -> Iterator[Service]:
    data = folder / "data"
    data.mkdir()
    port = free_port()
    program = [sys.executable, "-m", "tests.services.ftp_server", str(data), str(port), tls]
    keys = [str(certificates.server), str(certificates.server_key)]
    data_ports = free_ports(_DATA_PORTS)
    ends = [str(data_ports[0]), str(data_ports[-1])]
    server = Server(
        [*program, *keys, *ends], port, folder / "server.log", env={"PYTHONPATH": str(_REPOSITORY)}
    )
    for started in running(server):
        yield Service(
            scheme, port, FolderRaw(data), started, options=options, data_ports=data_ports
        )


@pytest.fixture(scope="session")
def ftp_plain(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    yield from _pyftpdlib("none", certificates, tmp_path_factory.mktemp("ftp"), "ftp", {})


@pytest.fixture(scope="session")
def ftp_explicit(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    options = {"use_tls": "true", "ca_bundle": str(certificates.ca)}
    folder = tmp_path_factory.mktemp("ftp_explicit")
    yield from _pyftpdlib("explicit", certificates, folder, "ftp", options)


@pytest.fixture(scope="session")
def ftp_implicit(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    options = {"tls": "implicit", "ca_bundle": str(certificates.ca)}
    folder = tmp_path_factory.mktemp("ftp_implicit")
    yield from _pyftpdlib("implicit", certificates, folder, "ftps", options)


def system_user() -> int:
    """Return the id of the user that vsftpd lets in; make the user where it is not there."""
    if os.geteuid() != 0:
        unavailable("vsftpd", "apt-get install vsftpd (and run the tests as root)")
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        useradd = need("useradd", "apt-get install passwd")
        # pam_shells wants a shell of /etc/shells, vsftpd a home that is there.
        subprocess.run(
            [useradd, "--system", "--user-group", "--home-dir", "/", "-s", "/bin/sh", _SYSTEM_USER],
            check=True,
        )
    subprocess.run(
        [need("chpasswd", "apt-get install passwd")],
        input=f"{_SYSTEM_USER}:{PASSWORD}",
        text=True,
        check=True,
    )
    return pwd.getpwnam(_SYSTEM_USER).pw_uid


def _vsftpd(settings: str, options: dict[str, str]) -> Iterator[Service]:
    vsftpd = need("vsftpd", "apt-get install vsftpd")
    owner = system_user()
    # pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="filestore-vsftpd-"))
    try:
        folder.chmod(0o755)
        data, empty = folder / "data", folder / "empty"
        data.mkdir()
        empty.mkdir(mode=0o555)
        os.chown(data, owner, owner)
        port = free_port()
        configuration, log = folder / "vsftpd.conf", folder / "server.log"
        configuration.write_text(
            (_VSFTPD + settings).format(host=HOST, port=port, folder=data, empty=empty)
        )
        # vsftpd writes its errors to descriptor 0, and dies without a word when it cannot.
        command = ["/bin/sh", "-c", 'exec "$0" "$1" 0<>"$2"', vsftpd, str(configuration), str(log)]
        for server in running(Server(command, port, log)):
            raw = OwnedRaw(data, owner)
            yield Service("ftp", port, raw, server, username=_SYSTEM_USER, options=options)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ftp_vsftpd() -> Iterator[Service]:
    yield from _vsftpd("", {})


@pytest.fixture(scope="session")
def ftp_vsftpd_tls(certificates: Certificates) -> Iterator[Service]:
    keys = {"certificate": certificates.server, "key": certificates.server_key}
    settings = "\n".join(line.format(**keys) for line in _VSFTPD_TLS.splitlines())
    options = {"use_tls": "true", "ca_bundle": str(certificates.ca)}
    yield from _vsftpd(settings + "\n", options)
