"""Where a cell takes place: the server, how the store reaches it, and how the fault is made."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from pwd import getpwnam
from typing import TYPE_CHECKING, Any

from filestore_fsspec.keys import is_temporary
from tests.services.common import FolderRaw, Service
from tests.services.disk import SmallDisk, folder_of, small_disk, without_rights
from tests.services.local import file_service_in
from tests.services.proxy import FaultProxy, behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pytest

    from tests.faults.matrix import Cell

_PLAIN = {
    "file": "file",
    "ftp": "ftp_plain",
    "ftps": "ftp_implicit",
    "sftp": "sftp_asyncssh",
    "s3": "s3_moto",
    "azure": "azure_http",
    "http": "http_plain",
}
_SECURE = {
    **_PLAIN,
    "ftp": "ftp_explicit",
    "s3": "s3_moto_tls",
    "azure": "azure_https",
    "http": "https_basic",
}
_ON_DISK = {**_PLAIN, "s3": "s3_rclone"}
"""moto keeps its objects in memory."""
_WITH_RIGHTS = {"file": "file", "ftp": "ftp_vsftpd", "sftp": "sftp_openssh"}
"""These servers act as a user of the system."""
DISK_BYTES = 4 * 2**20
BETWEEN_BYTES = 210_000
"""More than the old content, less than the new."""


@dataclass
class Site:
    """A place for one cell."""

    service: Service
    """As it is, for looking behind."""
    reached: Service
    """As the store reaches it."""
    root: str
    proxy: FaultProxy | None = None
    struck: Callable[[], AbstractContextManager[object]] = nullcontext
    """The fault holds inside of what this returns, unless the proxy makes it."""

    def write(self, key: str, content: bytes) -> None:
        self.service.raw.write(f"{self.root}/{key}", content)

    def read(self, key: str) -> bytes | None:
        return self.service.raw.read(f"{self.root}/{key}")

    def shown(self) -> set[str]:
        """Return every key that is there, temporary names aside."""
        start = f"{self.root}/"
        paths = self.service.raw.paths()
        return {
            path.removeprefix(start)
            for path in paths
            if path.startswith(start) and not is_temporary(path)
        }

    def clear(self) -> None:
        """Take away what the cell has left."""
        if isinstance(self.service.raw, FolderRaw):
            shutil.rmtree(self.service.raw.folder / self.root, ignore_errors=True)
        else:
            for path in self.service.raw.paths():
                if path.startswith(f"{self.root}/"):
                    self.service.raw.delete(path)


class Bench:
    """All servers, each started when it is first needed, and a proxy before each."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._proxies: dict[str, FaultProxy] = {}
        # Open to everybody, as pytest's own folders are not.
        self.folder = Path(tempfile.mkdtemp(prefix="filestore-faults-"))
        self.folder.chmod(0o777)

    def close(self) -> None:
        for proxy in self._proxies.values():
            proxy.close()
        shutil.rmtree(self.folder)

    def _service(self, name: str) -> Service:
        if name == "file":
            return file_service_in(self.local("faulty"))
        found: Service = self._request.getfixturevalue(name)
        return found

    def local(self, name: str) -> Path:
        """Return a folder of this machine that everybody may use, made on first use."""
        folder = self.folder / name
        folder.mkdir(mode=0o777, exist_ok=True)
        folder.chmod(0o777)
        return folder

    @contextmanager
    def site(self, cell: Cell) -> Iterator[Site]:
        """Yield a place for `cell`, with nothing in it."""
        root = f"cell-{secrets.token_hex(6)}"
        make: Any = {
            "disk": self._disk,
            "rights": self._rights,
            "server": self._restart,
            "host": self._no_host,
        }.get(cell.trouble.family, self._network)
        with make(cell, root) as site:
            yield site
            site.clear()

    @contextmanager
    def _network(self, cell: Cell, root: str) -> Iterator[Site]:
        name = (_SECURE if cell.trouble.secure else _PLAIN)[cell.scheme]
        service = self._service(name)
        if cell.scheme == "file":
            yield Site(service, service, root)
            return
        if name not in self._proxies:
            self._proxies[name] = FaultProxy(service.port, service.data_ports)
        proxy = self._proxies[name]
        yield Site(service, behind(service, proxy), root, proxy)

    @contextmanager
    def _no_host(self, cell: Cell, root: str) -> Iterator[Site]:
        service = self._service(_PLAIN[cell.scheme])
        yield Site(service, replace(service, host="host.invalid"), root)

    @contextmanager
    def _restart(self, cell: Cell, root: str) -> Iterator[Site]:
        service = self._service(_ON_DISK[cell.scheme])

        @contextmanager
        def restarted() -> Iterator[None]:
            if service.server is None:
                raise TypeError(f"{service.scheme} has no server to restart")
            service.server.restart()
            yield

        yield Site(service, service, root, struck=restarted)

    @contextmanager
    def _rights(self, cell: Cell, root: str) -> Iterator[Site]:
        service = self._service(_WITH_RIGHTS[cell.scheme])
        on_disk = cell.scheme == "file"
        owner = os.geteuid() if on_disk else getpwnam(service.username).pw_uid
        mode = 0o555 if cell.trouble.name == "read-only folder" else 0o000
        folder = folder_of(service) / root

        @contextmanager
        def closed() -> Iterator[None]:
            inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
            for path in inside:
                os.chown(path, os.geteuid(), -1)
                path.chmod(mode)
            try:
                with without_rights() if on_disk else nullcontext():
                    yield
            finally:
                for path in inside:
                    path.chmod(0o755)
                    os.chown(path, owner, -1)

        # Not empty, so that there is something to be closed before the first write.
        service.raw.write(f"{root}/.kept", b"")
        yield Site(service, service, root, struck=closed)

    @contextmanager
    def _disk(self, cell: Cell, root: str) -> Iterator[Site]:
        if cell.scheme == "azure":
            service, disk = self._request.getfixturevalue("azure_small")
            yield _on(service, disk, root)
            return
        service = self._service(_ON_DISK[cell.scheme])
        with small_disk(folder_of(service) / root, DISK_BYTES) as disk:
            yield _on(service, disk, f"{root}/inside")


def _on(service: Service, disk: SmallDisk, root: str) -> Site:
    process = service.server.process if service.server else None
    pid = process.pid if process else 0
    return Site(service, service, root, struck=lambda: disk.full(pid, BETWEEN_BYTES))
