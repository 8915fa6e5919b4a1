"""Two SFTP servers: OpenSSH's sshd (as root, a real user) and asyncssh's own (anywhere)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam
from typing import TYPE_CHECKING

import asyncssh
import psutil
import pytest

from tests.services.common import (
    HOST,
    PASSWORD,
    FolderRaw,
    Server,
    Service,
    free_port,
    need,
    running,
    unavailable,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_USER = "filestoretest"
"""The operating system's user that sshd lets in."""

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
PidFile none
UsePAM no
PasswordAuthentication yes
PubkeyAuthentication yes
AuthorizedKeysFile {authorized_keys}
StrictModes no
MaxStartups 200
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class SFTPKeys:
    """Keys that both servers know, as files, and one that neither does."""

    folder: Path
    plain: Path
    encrypted: Path
    """In OpenSSH's own format, protected by `passphrase`."""
    encrypted_pem: Path
    """In PEM, protected by `passphrase`."""
    passphrase: str
    wrong: Path
    """A key that the servers do not know."""
    wrong_known_hosts: Path
    """The test servers' names with another server's key."""
    host: Path
    """The servers' own private key."""
    authorized: Path


class _Sshd(Server):
    """sshd; ending it ends its sessions too, which sshd itself lets live on."""

    def stop(self) -> None:
        sessions = psutil.Process(self.process.pid).children(recursive=True) if self.process else []
        super().stop()
        for session in sessions:
            try:
                session.kill()
            except psutil.NoSuchProcess:
                continue


@dataclass(frozen=True)
class _OwnedRaw(FolderRaw):
    """A folder whose files belong to the user that logs in, whoever wrote them."""

    uid: int

    def write(self, path: str, content: bytes) -> None:
        super().write(path, content)
        target = self.folder / path
        while target != self.folder:
            os.chown(target, self.uid, -1)
            target = target.parent


def known_hosts(path: Path, port: int, host_key: Path) -> Path:
    """Write a known_hosts file that trusts `host_key` on `port` of this machine."""
    public = asyncssh.read_private_key(host_key).export_public_key().decode().strip()
    path.write_text("".join(f"[{name}]:{port} {public}\n" for name in ("localhost", HOST)))
    return path


@pytest.fixture(scope="session")
def sftp_keys(tmp_path_factory: pytest.TempPathFactory) -> SFTPKeys:
    folder = tmp_path_factory.mktemp("sftp_keys")
    passphrase = "a pass phrase/with?signs"
    ed25519, wrong, host, wrong_host = (
        asyncssh.generate_private_key("ssh-ed25519") for _ in range(4)
    )
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    found = SFTPKeys(
        folder,
        plain=folder / "plain",
        encrypted=folder / "encrypted",
        encrypted_pem=folder / "encrypted.pem",
        passphrase=passphrase,
        wrong=folder / "wrong",
        wrong_known_hosts=folder / "wrong_known_hosts",
        host=folder / "host",
        authorized=folder / "authorized",
    )
    found.plain.write_bytes(ed25519.export_private_key())
    found.encrypted.write_bytes(
        ed25519.export_private_key("openssh", passphrase=passphrase, rounds=50)  # 128 take 2 s
    )
    found.encrypted_pem.write_bytes(rsa.export_private_key("pkcs1-pem", passphrase=passphrase))
    found.wrong.write_bytes(wrong.export_private_key())
    found.host.write_bytes(host.export_private_key())
    found.authorized.write_bytes(ed25519.export_public_key() + rsa.export_public_key())
    public = wrong_host.export_public_key().decode().strip()
    found.wrong_known_hosts.write_text(f"localhost,{HOST} {public}\n")
    for private in (found.plain, found.encrypted, found.encrypted_pem, found.wrong, found.host):
        private.chmod(0o600)
    return found


def make_system_user() -> int:
    """Make the system's user with our password, if it is not there; return its number."""
    useradd = need("useradd", "apt-get install passwd")
    chpasswd = need("chpasswd", "apt-get install passwd")

    def made() -> bool:
        # Another test session may be at it: useradd then finds its lock taken, or the user made.
        done = subprocess.run(
            [useradd, "--no-create-home", "--shell", "/bin/sh", SYSTEM_USER],
            check=False,
            capture_output=True,
        )
        return done.returncode in (0, 9)

    wait_until(made, f"user {SYSTEM_USER}", 10)
    line = f"{SYSTEM_USER}:{PASSWORD}\n".encode()
    wait_until(
        lambda: subprocess.run([chpasswd], input=line, check=False).returncode == 0,
        f"the password of {SYSTEM_USER}",
        10,
    )
    return getpwnam(SYSTEM_USER).pw_uid


@pytest.fixture(scope="session")
def sftp_openssh(sftp_keys: SFTPKeys) -> Iterator[Service]:
    sshd = need("sshd", "apt-get install openssh-server")
    if os.geteuid() != 0:
        unavailable("sshd with passwords", "running the tests as root")
    uid = make_system_user()
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    # pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="filestore-sshd-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    os.chown(data, uid, -1)
    authorized = folder / "authorized"
    authorized.write_bytes(sftp_keys.authorized.read_bytes())
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        SSHD_CONFIG.format(port=port, host_key=sftp_keys.host, authorized_keys=authorized)
    )
    try:
        for server in running(_Sshd([sshd, "-D", "-e", "-f", str(config)], port, folder / "log")):
            yield Service(
                "sftp",
                port,
                _OwnedRaw(data, uid),
                server,
                username=SYSTEM_USER,
                base=f"{str(data).lstrip('/')}/",
                options={"known_hosts": _trusted(folder, port, sftp_keys)},
            )
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def sftp_asyncssh(
    sftp_keys: SFTPKeys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sftp_asyncssh")
    data = folder / "data"
    data.mkdir()
    port = free_port()
    program = str(Path(__file__).with_name("sftp_server.py"))
    arguments = [str(port), str(data), str(sftp_keys.host), str(sftp_keys.authorized)]
    command = [sys.executable, program, *arguments]
    for server in running(Server(command, port, folder / "log", {"SFTP_PASSWORD": PASSWORD})):
        yield Service(
            "sftp",
            port,
            FolderRaw(data),
            server,
            options={"known_hosts": _trusted(folder, port, sftp_keys)},
        )


def _trusted(folder: Path, port: int, keys: SFTPKeys) -> str:
    return str(known_hosts(folder / "known_hosts", port, keys.host))
