"""FTP servers of other makers: pure-ftpd, rclone and aioftp."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.common import (
    HOST,
    PASSWORD,
    USERNAME,
    FolderRaw,
    Server,
    Service,
    free_port,
    free_ports,
    need,
    running,
)
from tests.services.ftp import OwnedRaw, system_user

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = Path(__file__).parents[2]
_UNPACKED = _REPOSITORY / ".services" / "ftp"
_DATA_PORTS = 50


def program(name: str) -> str:
    """Return the absolute path of a program that Debian's package has, or skip.

    Debian's FTP servers cannot be installed beside each other: they are unpacked.
    """
    found = next((_UNPACKED / folder / name for folder in ("usr/sbin", "usr/bin")
                  if (_UNPACKED / folder / name).is_file()), None)  # fmt: skip
    return str(found) if found else need(name, "make .services/ftp")


@pytest.fixture(scope="session")
def ftp_pure() -> Iterator[Service]:
    """Pure-ftpd: answers 451 to a refused RNTO, and each failed CWD slows the next one down."""
    pure_ftpd, pure_pw = program("pure-ftpd"), program("pure-pw")
    owner = system_user()
    hashed = subprocess.run(
        [need("openssl", "apt-get install openssl"), "passwd", "-6", PASSWORD],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="filestore-pure-ftpd-"))
    try:
        folder.chmod(0o755)
        data, passwords = folder / "data", folder / "passwords"
        data.mkdir()
        os.chown(data, owner, owner)
        passwords.write_text(f"{USERNAME}:{hashed}:{owner}:{owner}::{data}/./::::::::::::\n")
        passwords.chmod(0o600)
        database = folder / "passwords.pdb"
        subprocess.run([pure_pw, "mkdb", str(database), "-f", str(passwords)], check=True)
        port, data_ports = free_port(), free_ports(_DATA_PORTS)
        command = [
            *(pure_ftpd, "-S", f"{HOST},{port}", "-l", f"puredb:{database}", "-E", "-H", "-A"),
            *(
                "-j",
                "-p",
                f"{data_ports[0]}:{data_ports[-1]}",
                "-g",
                str(folder / "pid"),
                "-u",
                "1",
            ),
        ]
        for server in running(Server(command, port, folder / "server.log")):
            yield Service("ftp", port, OwnedRaw(data, owner), server, data_ports=data_ports)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ftp_rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """rclone: answers 450 to what is absent, 150 before a refusal, SIZE of folders.

    What is written behind its back it shows minutes later.
    """
    beside_python = Path(sys.executable).with_name("rclone")
    rclone = str(beside_python) if beside_python.is_file() else need("rclone", "apt install rclone")
    folder, port, data_ports = (
        tmp_path_factory.mktemp("rclone-ftp"),
        free_port(),
        free_ports(_DATA_PORTS),
    )
    data = folder / "data"
    data.mkdir()
    command = [
        *(rclone, "serve", "ftp", str(data), "--addr", f"{HOST}:{port}", "--config", os.devnull),
        *("--user", USERNAME, "--pass", PASSWORD, "--cache-dir"),
        *(str(folder / "cache"), "--passive-port", f"{data_ports[0]}-{data_ports[-1]}"),
        *("--vfs-cache-mode", "writes", "--vfs-write-wait", "0"),
    ]
    for server in running(Server(command, port, folder / "server.log")):
        yield Service("ftp", port, FolderRaw(data), server, data_ports=data_ports)


@pytest.fixture(scope="session")
def ftp_aioftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """aioftp: knows no FEAT, NOOP, SIZE and MDTM, and its rename does not replace."""
    folder, port = tmp_path_factory.mktemp("aioftp"), free_port()
    data = folder / "data"
    data.mkdir()
    command = [sys.executable, "-m", "tests.services.ftp_aioftp", str(data), str(port)]
    server = Server(command, port, folder / "server.log", env={"PYTHONPATH": str(_REPOSITORY)})
    for started in running(server):
        yield Service("ftp", port, FolderRaw(data), started, options={"replace": "aside"})
