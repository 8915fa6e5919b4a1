"""Content that is not what its key says is noticed, passed over, and never taken in."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import pickle
import re
import secrets
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import fsspec
import pytest

from filestore_fsspec import (
    AsyncFileStore,
    CorruptedFileStoreException,
    FileStore,
    NotFound,
)
from tests.services.common import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.common import Service

RIGHT = bytes(range(250)) * 1200  # the same in every worker, for it names the tests
KEY = hashlib.sha256(RIGHT).hexdigest()
WRONG = RIGHT[:150_000] + bytes([RIGHT[150_000] ^ 1]) + RIGHT[150_001:]
EMPTY_KEY = hashlib.sha256(b"").hexdigest()


@dataclass
class Place:
    """A location of a test, and the way behind the library's back."""

    service: Service
    root: str
    options: dict[str, str]

    @property
    def url(self) -> str:
        return self.service.url(self.root, **self.options)

    def write(self, content: bytes, key: str = KEY) -> None:
        self.service.raw.write(f"{self.root}/{self._path(key)}", content)

    def read(self, key: str = KEY) -> bytes | None:
        return self.service.raw.read(f"{self.root}/{self._path(key)}")

    def _path(self, key: str) -> str:
        with FileStore(self.url) as store:
            return store.locations[0].target.layout.path(key)


def place(request: pytest.FixtureRequest, name: str) -> Place:
    service, _, engine = name.partition("+")
    options = {"engine": engine} if engine else {}
    return Place(request.getfixturevalue(service), f"proof-{secrets.token_hex(6)}", options)


WRITABLE = [
    "file_service",
    "memory_service",
    "ftp_plain",
    "ftp_vsftpd",
    "sftp_asyncssh",
    "sftp_openssh",
    "s3_moto",
    "s3_rclone",
    "azure_http",
    "s3_moto+obstore",
    "s3_rclone+obstore",
    "azure_http+obstore",
]
EVERY = [*WRITABLE, "http_plain", "https_basic", "http_plain+obstore"]


@pytest.fixture(params=EVERY)
def near(request: pytest.FixtureRequest) -> Place:
    return place(request, request.param)


@pytest.fixture
def far(request: pytest.FixtureRequest) -> Place:
    return place(request, "file_service")


@pytest.fixture
def store(near: Place, far: Place) -> Iterator[FileStore]:
    with FileStore(near.url, far.url, verify_content=True) as store:
        yield store


@pytest.fixture
def local(tmp_path: Path) -> Iterator[FileStore]:
    """A store of two folders."""
    urls = [(tmp_path / name).as_uri() for name in ("near", "far")]
    with FileStore(*urls, verify_content=True) as store:
        yield store


def fill(store: FileStore, *contents: bytes, key: str = KEY) -> None:
    """Write to the locations, near first, without a check."""
    for location, content in zip(store.locations, contents, strict=True):
        location.put(key, content)


def warned(caplog: pytest.LogCaptureFixture, location: object) -> None:
    """Check that one warning names the location and the key; forget it."""
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(location) in record.message
    assert KEY in record.message
    caplog.clear()


def test_every_scheme_passes_over_a_wrong_content(
    store: FileStore, near: Place, far: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    near.write(WRONG)
    far.write(RIGHT)
    first, last = store.locations
    dest = tmp_path / "dest"
    assert store.get(KEY) == RIGHT
    warned(caplog, first)
    assert store.download(KEY, dest) == [last]
    assert dest.read_bytes() == RIGHT
    warned(caplog, first)
    assert list(store.get_many([KEY])) == [RIGHT]
    warned(caplog, first)
    assert store.download_batch([(KEY, tmp_path / "batch")]) == []
    assert (tmp_path / "batch").read_bytes() == RIGHT
    warned(caplog, first)
    assert store.fs.cat_file(KEY) == RIGHT
    warned(caplog, first)
    store.fs.get_file(KEY, tmp_path / "fs")
    assert (tmp_path / "fs").read_bytes() == RIGHT
    warned(caplog, first)
    with store.fs.open(KEY) as file:
        assert file.read() == RIGHT
        assert file.location == last
    warned(caplog, first)


def test_every_scheme_raises_when_all_are_wrong(
    store: FileStore, near: Place, far: Place, tmp_path: Path
) -> None:
    near.write(WRONG)
    far.write(WRONG[:-1])
    dest = tmp_path / "dest"
    dest.write_bytes(b"as it was")
    for read in (
        lambda: store.get(KEY),
        lambda: store.download(KEY, dest),
        lambda: list(store.get_many([KEY])),
        lambda: store.fs.cat_file(KEY),
        lambda: store.fs.get_file(KEY, dest),
        lambda: store.fs.open(KEY).read(),
    ):
        with pytest.raises(CorruptedFileStoreException) as caught:
            read()
        text = str(caught.value)
        assert KEY in text
        assert all(str(location) in text for location in store.locations)
    ((_, _, error),) = store.download_batch([(KEY, dest)])
    assert "wrong content at 2 of the locations" in error
    assert dest.read_bytes() == b"as it was"
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_awaited(near: Place, far: Place, tmp_path: Path) -> None:
    near.write(WRONG)
    far.write(RIGHT)

    async def check() -> None:
        async with AsyncFileStore(near.url, far.url, verify_content=True) as store:
            dest = tmp_path / "dest"
            assert await store.get(KEY) == RIGHT
            assert [each async for each in store.get_many([KEY])] == [RIGHT]
            assert await store.download(KEY, dest) == [store.locations[1]]
            assert dest.read_bytes() == RIGHT
            with pytest.raises(
                CorruptedFileStoreException, match=re.escape(str(store.locations[0]))
            ):
                await store.get(KEY, "near")
            with pytest.raises(CorruptedFileStoreException, match="cannot put"):
                await store.put(KEY, WRONG)
            with pytest.raises(CorruptedFileStoreException, match="cannot upload"):
                await store.upload(__file__, KEY)

    asyncio.run(check())


def test_a_location_by_name(far: Place) -> None:
    far.write(WRONG)
    with FileStore(far.service.url(far.root, name="a"), verify_content=True) as store:
        for name in ("near", "far", "all", "any", "a"):
            with pytest.raises(CorruptedFileStoreException, match=f"cannot get '{KEY}'"):
                store.get(KEY, name)


def test_without_the_option_nothing_is_checked(far: Place) -> None:
    with FileStore(far.url) as store:
        store.put(KEY, WRONG)
        assert store.get(KEY) == WRONG
        assert store.fs.open(KEY).read() == WRONG


@pytest.mark.parametrize("key", [KEY[:-1], f"x/{KEY}", f"{KEY}.json", "g" * 64, f"{KEY}0"])
def test_other_keys_say_nothing_of_their_content(local: FileStore, key: str) -> None:
    local.put(key, WRONG)
    assert local.get(key) == WRONG
    assert local.fs.open(key).read() == WRONG


@pytest.mark.parametrize("key", [KEY, KEY.upper(), f"/{KEY}"])
def test_a_digest_in_either_case(local: FileStore, key: str) -> None:
    local.put(key, RIGHT)
    assert local.get(key) == RIGHT
    with pytest.raises(CorruptedFileStoreException):
        local.put(key, WRONG, force=True)
    assert local.get(key) == RIGHT


def test_what_others_could_not_say_is_said_too(tmp_path: Path) -> None:
    down = f"ftp://localhost:{free_port()}/root?connect_timeout=2"
    folder = tmp_path.as_uri()
    with FileStore(folder, down, verify_content=True) as store:
        store.locations[0].put(KEY, WRONG)
        for read in (lambda: store.get(KEY), lambda: store.fs.open(KEY).read()):
            with pytest.raises(CorruptedFileStoreException) as caught:
                read()
            text = str(caught.value)
            assert "wrong content at 1 of the locations and unknown at 1" in text
            assert all(str(location) in text for location in store.locations)
    with FileStore(down, folder, verify_content=True) as store:
        store.locations[1].put(KEY, RIGHT)
        assert store.get(KEY) == RIGHT


def test_absent_elsewhere_is_no_right_content(local: FileStore) -> None:
    local.locations[0].put(KEY, WRONG)
    for read in (lambda: local.get(KEY), lambda: local.fs.open(KEY).read()):
        with pytest.raises(CorruptedFileStoreException, match="cannot"):
            read()
    local.delete(KEY)
    assert local.get(KEY) is None


def test_it_is_no_outage(tmp_path: Path) -> None:
    """`strict=False` takes unknown for absent, not wrong for absent."""
    with FileStore(tmp_path.as_uri(), strict=False, verify_content=True) as store:
        store.locations[0].put(KEY, WRONG)
        with pytest.raises(CorruptedFileStoreException):
            store.get(KEY)


# Writing


@pytest.mark.parametrize("name", WRITABLE)
def test_what_is_not_what_its_key_says_is_not_sent(
    name: str, request: pytest.FixtureRequest, far: Place, tmp_path: Path
) -> None:
    near = place(request, name)
    near.write(b"there", "other")
    source = tmp_path / "source"
    source.write_bytes(WRONG)
    with FileStore(near.url, far.url, verify_content=True) as store:
        fs = store.fs

        def write_file() -> None:
            with fs.open(KEY, "wb") as file:
                file.write(WRONG)

        for write in (
            lambda: store.put(KEY, WRONG),
            lambda: store.put(KEY, io.BytesIO(WRONG)),
            lambda: store.put(KEY, io.BytesIO(WRONG * 20)),
            lambda: store.put(KEY, b""),
            lambda: store.upload(source, KEY),
            lambda: fs.pipe_file(KEY, WRONG),
            lambda: fs.put_file(str(source), KEY),
            write_file,
        ):
            with pytest.raises(CorruptedFileStoreException, match=KEY):
                write()
        ((_, _, error),) = store.upload_batch([(source, KEY)])
        assert "the SHA-256 of its content is" in error
        assert set(store.list()) == {"other"}
        source.write_bytes(RIGHT)
        assert store.put(KEY, io.BytesIO(RIGHT)) == [*store.locations]
        assert store.upload(source, KEY, force=True) == [*store.locations]
        fs.pipe_file(KEY, RIGHT)
        fs.put_file(str(source), KEY)
        with fs.open(KEY, "wb") as file:
            file.write(RIGHT)
        assert store.put(EMPTY_KEY, b"") == [*store.locations]
        assert store.get(EMPTY_KEY) == b""
    assert near.read() == far.read() == RIGHT


# Open files


def test_a_file_read_in_pieces_raises_at_its_end(local: FileStore) -> None:
    fill(local, WRONG, RIGHT)
    with local.fs.open(KEY) as file:
        pieces = [file.read(100_000), file.read(100_000)]
        assert b"".join(pieces) == WRONG[:200_000]  # handed out: it cannot be taken back
        with pytest.raises(CorruptedFileStoreException, match=re.escape(str(local.locations[0]))):
            file.read(100_000)
        with pytest.raises(CorruptedFileStoreException):
            file.read(1)
    fill(local, RIGHT, RIGHT)
    with local.fs.open(KEY) as file:
        assert b"".join(iter(lambda: file.read(70_000), b"")) == RIGHT
        assert file.read() == b""


def test_a_look_at_the_end_first_does_not_keep_it_from_being_checked(local: FileStore) -> None:
    fill(local, WRONG, RIGHT)
    with local.fs.open(KEY) as file:
        file.seek(-10, 2)
        assert file.read() == WRONG[-10:]
        file.seek(0)
        assert file.read(100_000) == WRONG[:100_000]
        with pytest.raises(CorruptedFileStoreException):
            file.read()


def test_a_part_is_not_checked(local: FileStore) -> None:
    fill(local, WRONG, RIGHT)
    assert local.fs.cat_file(KEY, 10, 20) == WRONG[10:20]
    assert local.fs.cat_file(KEY, start=0) == WRONG
    assert local.fs.cat_ranges([KEY], [5], [9]) == [WRONG[5:9]]
    with local.fs.open(KEY) as file:
        file.seek(1)
        assert file.read() == WRONG[1:]


@pytest.mark.parametrize("cut", [RIGHT[:1000], RIGHT[:-1], RIGHT + b"x", b""])
def test_a_file_of_another_size(local: FileStore, cut: bytes) -> None:
    fill(local, cut, RIGHT)
    assert local.get(KEY) == RIGHT
    with local.fs.open(KEY) as file:
        assert file.read() == RIGHT
        assert file.size == len(RIGHT)
    fill(local, cut, cut)
    with local.fs.open(KEY) as file, pytest.raises(CorruptedFileStoreException):
        file.read()


def test_a_small_file_is_read_elsewhere_before_any_of_it_is_handed_out(local: FileStore) -> None:
    key = hashlib.sha256(b"small").hexdigest()
    fill(local, b"Small", b"small", key=key)
    with local.fs.open(key, "rt") as file:
        assert file.read(2) == "sm"
        assert file.read() == "all"


def test_an_empty_file(local: FileStore) -> None:
    fill(local, b"", b"", key=EMPTY_KEY)
    assert local.get(EMPTY_KEY) == local.fs.open(EMPTY_KEY).read() == b""


@pytest.mark.filterwarnings("ignore:unclosed file <_io.BufferedRandom:ResourceWarning")
def test_a_block_cache_keeps_no_wrong_block(local: FileStore, tmp_path: Path) -> None:
    options = {
        "locations": [location.url.reveal() for location in local.locations],
        "verify_content": True,
    }
    cache = {"cache_storage": str(tmp_path / "cache"), "check_files": False}

    def read() -> bytes:
        with fsspec.open(
            f"blockcache::filestore://{KEY}", filestore=options, blockcache=cache, block_size=2**16
        ) as file:
            return b"".join(iter(lambda: file.read(50_000), b""))

    fill(local, WRONG, RIGHT)
    with pytest.raises(CorruptedFileStoreException):
        read()
    fill(local, RIGHT, RIGHT)
    assert read() == RIGHT


@pytest.mark.filterwarnings("ignore:unclosed file <_io.BufferedRandom:ResourceWarning")
def test_chains_see_no_wrong_content(local: FileStore, tmp_path: Path) -> None:
    fill(local, WRONG, RIGHT)
    options = {
        "locations": [location.url.reveal() for location in local.locations],
        "verify_content": True,
    }
    for number, kind in enumerate(("simplecache", "filecache", "blockcache")):
        cache = {"cache_storage": str(tmp_path / str(number))}
        with fsspec.open(f"{kind}::filestore://{KEY}", filestore=options, **{kind: cache}) as file:
            assert file.read() == RIGHT
    assert local.fs.ukey(KEY) == KEY
    with pytest.raises(NotFound):
        local.fs.ukey(EMPTY_KEY)


def test_an_awaited_file(local: FileStore) -> None:
    fill(local, WRONG, WRONG)

    async def check() -> None:
        async with await local.fs.open_async(KEY) as file:
            with pytest.raises(CorruptedFileStoreException):
                await file.read()

    asyncio.run(check())


def test_it_travels(local: FileStore) -> None:
    fs = fsspec.filesystem(
        "filestore", locations=[location.url.reveal() for location in local.locations]
    )
    assert not fs.store.verify_content
    options = {**fs.storage_options, "verify_content": True}
    proven = fsspec.filesystem("filestore", **options)
    assert proven is not fs
    for copy in (
        proven,
        pickle.loads(pickle.dumps(proven)),  # noqa: S301 - our own
        fsspec.AbstractFileSystem.from_json(proven.to_json()),
        local.fs,
    ):
        assert copy.store.verify_content
        assert copy.storage_options["verify_content"] is True
    assert json.loads(proven.to_json())["verify_content"] is True
    fill(local, WRONG, WRONG)
    with closing(pickle.loads(pickle.dumps(local))) as store:  # noqa: S301 - our own
        with pytest.raises(CorruptedFileStoreException):
            store.get(KEY)
        with pytest.raises(NotFound):
            store.download("absent", "nowhere")
