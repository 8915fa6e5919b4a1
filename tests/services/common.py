"""What every test server has in common: start, wait until it answers, restart, end by pid."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol
from urllib.parse import quote, urlencode

import pytest
import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
PROXY_HOST = "127.0.0.2"
"""Not the servers' own, so that FTP's data ports can have the same numbers there."""
USERNAME = "filestore"
PASSWORD = "Ch@ngeTh!sPa33w0rd"
"""The user and the password of every test server that takes any."""


def unavailable(what: str, install: str) -> NoReturn:
    """Skip, saying what to install; fail where `FILESTORE_SERVICES=required`."""
    message = f"{what} cannot be started here; install it with: {install}"
    if os.environ.get("FILESTORE_SERVICES") == "required":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def need(program: str, install: str) -> str:
    """Return the absolute path of a program, or skip."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        unavailable(program, install)
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def free_ports(count: int) -> range:
    """Return ports in a row that are free, below those that the system hands out by itself."""
    for first in random.sample(range(20_000, 32_000, count), 100):
        ports = range(first, first + count)
        if not any(map(answers, ports)):
            return ports
    raise RuntimeError(f"no {count} ports in a row are free")


def answers(port: int) -> bool:
    """Tell whether something accepts connections on `port`."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Poll `condition` until it holds; raise TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


@dataclass
class Server:
    """A server process on one port of loopback."""

    command: Sequence[str]
    port: int
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
            )

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{self.command[0]} ended: {self.log.read_text()[-2000:]}")
            return answers(self.port)

        wait_until(ready, f"{self.command[0]} on port {self.port}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process = None

    def restart(self) -> None:
        """Stop, and start again on the same port with the same data."""
        self.stop()
        wait_until(lambda: not answers(self.port), f"port {self.port} to be free")
        self.start()


class Raw(Protocol):
    """A server's data, seen behind the library's back. Paths are below the server's root."""

    def write(self, path: str, content: bytes) -> None: ...
    def read(self, path: str) -> bytes | None: ...
    def delete(self, path: str) -> None: ...
    def paths(self) -> set[str]:
        """Return every path there is, temporary ones too."""
        ...


@dataclass(frozen=True)
class FolderRaw:
    """The data of a server that keeps it in a folder of this machine."""

    folder: Path

    def write(self, path: str, content: bytes) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def read(self, path: str) -> bytes | None:
        target = self.folder / path
        return target.read_bytes() if target.is_file() else None

    def delete(self, path: str) -> None:
        (self.folder / path).unlink()

    def paths(self) -> set[str]:
        return {
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


@dataclass(frozen=True)
class Service:
    """A server that a location can use.

    `url(root)` is a complete location URL for the folder `root` (no slash at either end) below the
    server's root; `options` are set on every URL, the caller's own come on top.
    """

    scheme: str
    port: int
    raw: Raw
    server: Server | None = None
    username: str = USERNAME
    password: str = PASSWORD
    host: str = "localhost"
    base: str = ""
    """The URL's path of the server's root: empty, or `folder/` (with the slash)."""
    options: Mapping[str, str] = field(default_factory=dict)
    data_ports: Sequence[int] = ()
    """Where an FTP server has its data connections made, if that is known."""
    folder: Path | None = None
    """Where the server keeps its data on this machine, if that is known."""

    def url(self, root: str = "", **options: str) -> str:
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"
        query = urlencode({**self.options, **options}, quote_via=quote)
        return (
            f"{self.scheme}://{user if self.username else ''}{self.host}:{self.port}"
            f"/{self.base}{root}{'?' + query if query else ''}"
        )


@dataclass(frozen=True)
class Certificates:
    """A certificate authority of our own and what it signed, as PEM files in `folder`."""

    folder: Path
    ca: Path
    server: Path
    """Certificate chain of `localhost`, `127.0.0.1` and `127.0.0.2`."""
    server_key: Path
    client: Path
    """Certificate and key of a client, in one file."""
    other_ca: Path
    """An authority that signed none of these."""


def certificates_in(folder: Path) -> Certificates:
    """Return the names of the certificates in `folder`, whether they are there yet or not."""
    names = ("ca", "server", "server_key", "client", "other_ca")
    return Certificates(folder, *(folder / f"{name}.pem" for name in names))


def issue_certificates(folder: Path) -> Certificates:
    """Write new certificates to `folder`."""
    authority = trustme.CA()
    found = certificates_in(folder)
    authority.cert_pem.write_to_path(found.ca)
    server = authority.issue_cert("localhost", HOST, PROXY_HOST)
    for number, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(found.server, append=number > 0)
    server.private_key_pem.write_to_path(found.server_key)
    authority.issue_cert(f"{USERNAME}@localhost").private_key_and_cert_chain_pem.write_to_path(
        found.client
    )
    trustme.CA().cert_pem.write_to_path(found.other_ca)
    return found


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue_certificates(tmp_path_factory.mktemp("certificates"))


def running(server: Server) -> Iterator[Server]:
    """Start `server`, yield it, and stop it: `yield from` this in a fixture's helper."""
    server.start()
    try:
        yield server
    finally:
        server.stop()
