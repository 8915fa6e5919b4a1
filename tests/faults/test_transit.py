"""Content that is changed on its way: uploads are proven, downloads prove themselves."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import (
    AsyncFileStore,
    CorruptedFileStoreException,
    FileStore,
    FileStoreException,
    LocationUnavailable,
    PartialWrite,
    TransportException,
)
from filestore_fsspec.drivers.s3 import requests as s3_requests
from filestore_fsspec.keys import is_temporary
from tests.services.common import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from filestore_fsspec.drivers.shared.bucket_requests import Body
    from tests.services.common import Service

MARK, CHANGED = b"<as it was sent>", b"<as it WAS sent>"
SMALL, MEDIUM, LARGE = (MARK * count for count in (10, 40_000, 1_100_000))
"""In one request of either engine, of the default one alone, and in pieces."""


@dataclass
class Relay:
    """Hands on what clients and a server say, and changes what clients send, or are sent."""

    target_port: int
    up: bool = True
    """Whether what clients send is changed, else what the server answers."""
    times: int = 10**9
    """How often something is changed, at most."""
    listener: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((HOST, self.target_port))
                self.sockets += [client, server]
                for ends in ((client, server, self.up), (server, client, not self.up)):
                    threading.Thread(target=self.hand_on, args=ends, daemon=True).start()

    def hand_on(self, source: socket.socket, dest: socket.socket, changes: bool) -> None:  # noqa: FBT001 - of a thread
        with suppress(OSError):
            while part := source.recv(2**16):
                if changes and self.times and MARK in part:
                    self.times -= 1
                    part = part.replace(MARK, CHANGED, 1)
                dest.sendall(part)
            dest.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        for sock in (self.listener, *self.sockets):
            sock.close()


@pytest.fixture
def root() -> str:
    return f"transit-{secrets.token_hex(6)}"


def served(request: pytest.FixtureRequest, name: str) -> tuple[Service, dict[str, str]]:
    fixture, _, engine = name.partition("+")
    return request.getfixturevalue(fixture), {"engine": engine} if engine else {}


@pytest.fixture
def relays() -> Iterator[list[Relay]]:
    running: list[Relay] = []
    yield running
    for relay in running:
        relay.close()


def behind(service: Service, relays: list[Relay], **settings: Any) -> Service:
    """Return the service as it is reached through a relay, which is added to `relays`."""
    relay = Relay(service.port, **settings)
    threading.Thread(target=relay.accept, daemon=True).start()
    relays.append(relay)
    return replace(service, port=relay.port)


CHECKED = ["s3_rclone", "azure_http", "s3_rclone+obstore", "azure_http+obstore"]
"""Servers that refuse what is not what its MD5 says; moto takes everything."""
SERVERS = [*CHECKED, "s3_moto", "s3_moto+obstore"]
REFUSED = "not what was|NoSuchUpload"
"""rclone ends an upload when it refuses a part; the answer to another part may come first."""
sizes = pytest.mark.parametrize("content", [SMALL, MEDIUM, LARGE], ids=["small", "medium", "large"])


def refusal(name: str, content: bytes) -> tuple[type[FileStoreException], ...]:
    ended = name.startswith("s3_rclone") and content is LARGE
    return (CorruptedFileStoreException, *([LocationUnavailable] if ended else []))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@sizes
@pytest.mark.parametrize("name", SERVERS)
def test_a_proven_upload(
    name: str,
    content: bytes,
    request: pytest.FixtureRequest,
    relays: list[Relay],
    root: str,
    source: Path,
) -> None:
    """What is changed each time is refused, what is changed once is sent again."""
    service, options = served(request, name)
    source.write_bytes(content)
    with FileStore(behind(service, relays).url(root, **options)) as store:
        with pytest.raises(refusal(name, content), match=rf"cannot upload 'k'.*({REFUSED})"):
            store.upload(source, "k", verify=True)
        assert service.raw.read(f"{root}/k") is None
        relays[0].times = 1
        assert store.upload(source, "k", verify=True) == [*store.locations]
        assert relays[0].times == 0
        assert service.raw.read(f"{root}/k") == content
        assert store.upload(source, "k", verify=True) == []


@sizes
@pytest.mark.parametrize("name", CHECKED)
def test_what_is_refused_leaves_what_was_there(
    name: str,
    content: bytes,
    request: pytest.FixtureRequest,
    relays: list[Relay],
    root: str,
    source: Path,
) -> None:
    service, options = served(request, name)
    service.raw.write(f"{root}/k", b"as it was")
    source.write_bytes(content)
    with FileStore(behind(service, relays).url(root, **options)) as store:
        with pytest.raises(refusal(name, content), match=REFUSED):
            store.upload(source, "k", verify=True, force=True)
        assert service.raw.read(f"{root}/k") == b"as it was"


@pytest.mark.parametrize("name", SERVERS)
def test_awaited(
    name: str, request: pytest.FixtureRequest, relays: list[Relay], root: str, source: Path
) -> None:
    service, options = served(request, name)
    source.write_bytes(MEDIUM)

    async def check() -> None:
        async with AsyncFileStore(behind(service, relays).url(root, **options)) as store:
            with pytest.raises(CorruptedFileStoreException):
                await store.upload(source, "k", verify=True)
            relays[0].times = 1
            assert await store.upload(source, "k", verify=True) == [*store.locations]

    asyncio.run(check())
    assert service.raw.read(f"{root}/k") == MEDIUM


def test_one_of_two(
    s3_moto: Service,
    file_service: Service,
    relays: list[Relay],
    root: str,
    source: Path,
) -> None:
    source.write_bytes(MEDIUM)
    with FileStore(file_service.url(root), behind(s3_moto, relays).url(root)) as store:
        near, far = store.locations
        with pytest.raises(PartialWrite) as caught:
            store.upload(source, "k", verify=True)
        assert caught.value.written == (near,)
        assert isinstance(caught.value.failed[far], CorruptedFileStoreException)
        assert store.exists("k", "all") == [near]


@sizes
def test_an_etag_that_is_no_md5(
    content: bytes,
    s3_moto: Service,
    root: str,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with a key of AWS's key service: the object is read again."""
    read: list[str] = []

    def differs(etag: str, _expected: str) -> bool:
        read.append(etag)
        return False

    monkeypatch.setattr(s3_requests, "same_md5", differs)
    source.write_bytes(content)
    with FileStore(s3_moto.url(root)) as store:
        assert store.upload(source, "k", verify=True) == [*store.locations]
    assert len(read) == 1
    assert s3_moto.raw.read(f"{root}/k") == content


@pytest.fixture(params=["s3_moto", "azure_http"])
def read_again(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A server whose answers prove nothing of a large object; what azurite says of blocks."""
    if request.param == "s3_moto":
        monkeypatch.setattr(s3_requests, "same_md5", lambda _etag, _expected: False)
    found: Service = request.getfixturevalue(request.param)
    return found


def changing(requests: Any) -> Any:
    """Return what changes the content of the objects that are read from now on."""
    begin = requests.open

    @asynccontextmanager
    async def changed(*args: str) -> AsyncIterator[Body]:
        async with begin(*args) as body:

            async def read(size: int) -> bytes:
                content: bytes = await body.read(size)
                return content.replace(MARK, CHANGED)

            yield body._replace(read=read)

    return changed


def test_what_is_read_again_and_is_not_right_is_removed(
    read_again: Service, root: str, source: Path
) -> None:
    source.write_bytes(LARGE)
    with FileStore(read_again.url(root)) as store:
        requests = store.locations[0].fs.requests
        begin = requests.open
        requests.open = changing(requests)
        with pytest.raises(CorruptedFileStoreException, match="cannot upload 'k'"):
            store.upload(source, "k", verify=True)
        assert read_again.raw.read(f"{root}/k") is None
        requests.open = begin
        assert store.upload(source, "k", verify=True) == [*store.locations]
    assert read_again.raw.read(f"{root}/k") == LARGE


def test_another_object_is_not_read_in_place_of_ours(
    read_again: Service, root: str, source: Path
) -> None:
    source.write_bytes(LARGE)
    with FileStore(read_again.url(root)) as store:
        requests = store.locations[0].fs.requests
        begin = requests.open

        @asynccontextmanager
        async def overtaken(*args: str) -> AsyncIterator[Body]:
            await asyncio.to_thread(read_again.raw.write, f"{root}/k", b"another's")
            async with begin(*args) as body:
                yield body

        requests.open = overtaken
        with pytest.raises(TransportException, match="changed while it was read"):
            store.upload(source, "k", verify=True)
    assert read_again.raw.read(f"{root}/k") == b"another's"


def test_another_object_is_not_removed_in_place_of_ours(
    read_again: Service, root: str, source: Path
) -> None:
    source.write_bytes(LARGE)
    with FileStore(read_again.url(root)) as store:
        requests = store.locations[0].fs.requests
        remove = requests.remove

        async def overtaken(*args: str) -> None:
            await asyncio.to_thread(read_again.raw.write, f"{root}/k", b"another's")
            await remove(*args)

        requests.open, requests.remove = changing(requests), overtaken
        assert store.upload(source, "k", verify=True) == []  # the next attempt finds the other
    assert read_again.raw.read(f"{root}/k") == b"another's"


def test_what_cannot_be_removed_is_told(
    s3_moto: Service, relays: list[Relay], root: str, source: Path
) -> None:
    source.write_bytes(SMALL)
    with FileStore(behind(s3_moto, relays).url(root)) as store:

        async def refuse(*_args: str) -> None:
            raise PermissionError("no right to delete")

        store.locations[0].fs.requests.remove = refuse
        with pytest.raises(CorruptedFileStoreException, match="still there: no right to delete"):
            store.upload(source, "k", verify=True)


@pytest.mark.parametrize(
    "name",
    ["file_service", "ftp_plain", "ftp_vsftpd", "ftp_explicit", "sftp_asyncssh", "sftp_openssh"],
)
def test_what_is_read_again_before_it_is_shown(
    name: str, request: pytest.FixtureRequest, root: str, source: Path
) -> None:
    """Where there are no checksums; the change is made on the server's disk."""
    service, _ = served(request, name)
    service.raw.write(f"{root}/old", b"as it was")
    source.write_bytes(MEDIUM)

    def left_behind() -> list[str]:
        paths = service.raw.paths()
        return [path for path in paths if path.startswith(root) and is_temporary(path)]

    with FileStore(service.url(root)) as store:
        fs, times = store.locations[0].fs, 3
        prepare = fs._prepare

        async def checksum_mismatch(*args: str) -> Any:
            nonlocal times
            file = await prepare(*args)
            (temporary,) = left_behind()
            if times:
                times -= 1
                service.raw.write(temporary, MEDIUM[:-1] + b"?")
            return file

        fs._prepare = checksum_mismatch
        for key, force in (("new", False), ("old", True)):
            times = 3
            with pytest.raises(CorruptedFileStoreException, match=f"cannot upload '{key}'"):
                store.upload(source, key, force=force, verify=True)
        assert set(store.list()) == {"old"}
        assert store.get("old") == b"as it was"
        assert store.upload(source, "old", verify=True) == []
        times = 1
        assert store.upload(source, "new", verify=True) == [*store.locations]
        assert store.upload(source, "old", force=True, verify=True) == [*store.locations]
        assert store.get("new") == store.get("old") == MEDIUM
    assert left_behind() == []


@pytest.mark.parametrize(
    "name", ["http_plain", "http_plain+obstore", "s3_moto", "azure_http", "s3_moto+obstore"]
)
def test_a_garbled_answer(
    name: str,
    request: pytest.FixtureRequest,
    file_service: Service,
    relays: list[Relay],
    root: str,
    tmp_path: Path,
) -> None:
    service, options = served(request, name)
    key = hashlib.sha256(MEDIUM).hexdigest()
    near = behind(service, relays, up=False).url(root, layout="verbatim", **options)
    service.raw.write(f"{root}/{key}", MEDIUM)
    with FileStore(near, file_service.url(root), verify_content=True) as store:
        with pytest.raises(CorruptedFileStoreException, match="cannot get"):
            store.get(key)
        store.locations[1].put(key, MEDIUM)
        assert store.get(key) == MEDIUM
        assert store.download(key, tmp_path / "dest") == [store.locations[1]]
        assert (tmp_path / "dest").read_bytes() == store.fs.open(key).read() == MEDIUM
        relays[0].times = 0
        assert store.get(key, "near") == MEDIUM
