"""A caller's iterators, callbacks and files may use a store, wait, and belong to one thread."""

from __future__ import annotations

import asyncio
import queue
import secrets
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.callbacks import Callback

from filestore_fsspec import AsyncFileStore, FileStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.services.common import Service

KEYS = [f"a/{number}" for number in range(3)]
SCHEMES = [
    "file_service",
    "memory_service",
    "ftp_plain",
    "sftp_asyncssh",
    "s3_moto",
    "azure_http",
    "s3_obstore",
    "file_and_s3",
]


@pytest.fixture(params=SCHEMES)
def urls(request: pytest.FixtureRequest) -> list[str]:
    kind: str = request.param
    root = f"composed-{secrets.token_hex(4)}"

    def url(name: str, **options: str) -> str:
        service: Service = request.getfixturevalue(name)
        return service.url(root, **options)

    if kind == "s3_obstore":
        pytest.importorskip("obstore")
        return [url("s3_moto", engine="obstore")]
    if kind == "file_and_s3":
        return [url("file_service"), url("s3_moto")]
    return [url(kind)]


def from_a_thread(items: list[Any]) -> Iterator[Any]:
    """Give what another thread puts into a queue, which comes to an end after a while."""
    waiting: queue.Queue[Any] = queue.Queue(1)

    def fill() -> None:
        for item in (*items, None):
            waiting.put(item)

    threading.Thread(target=fill, daemon=True).start()
    return iter(waiting.get, None)


def in_one_thread(items: list[Any], told: set[int]) -> Iterator[Any]:
    for item in items:
        told.add(threading.get_ident())
        yield item


class Asks(Callback):  # type: ignore[misc]  # fsspec has no types
    """A callback that calls the store."""

    def __init__(self, store: FileStore) -> None:
        super().__init__()
        self.store = store
        self.threads: set[int] = set()

    def relative_update(self, inc: int = 1) -> None:
        super().relative_update(inc)
        assert self.store.exists(KEYS[0])
        self.threads.add(threading.get_ident())


def generators(store: FileStore, other: FileStore) -> dict[str, Callable[[], Iterator[str]]]:
    """Return what gives the keys, all of them a caller's."""
    return {
        "list": lambda: store.list("a/"),
        "another store's list": lambda: other.list("a/"),
        "get_many": lambda: (
            key for key, got in zip(KEYS, store.get_many(KEYS), strict=True) if got is not None
        ),
        "exists_many": lambda: (
            key for key, got in zip(KEYS, store.exists_many(KEYS), strict=True) if got
        ),
        "each asks": lambda: (key for key in KEYS if store.get(key) is not None),
        "a location's list": lambda: store.locations[-1].list("a/"),
        "the filesystem's find": lambda: iter(store.fs.find("a")),
        "a queue": lambda: from_a_thread(KEYS),
    }


def check_all(store: FileStore, other: FileStore, folder: Path) -> None:
    """Feed each bulk function by each generator."""
    source = folder / "source"
    source.write_bytes(b"x")
    for name, make in generators(store, other).items():
        assert list(store.get_many(make())) == [b"x"] * 3, name
        assert all(store.exists_many(make())), name
        assert store.download_batch((key, folder / "got" / key) for key in make()) == [], name
        assert store.upload_batch(((source, key) for key in make()), force=True) == [], name
    for name, make in generators(store, other).items():
        store.delete_batch(make())
        assert not any(store.exists_many(KEYS)), name
        assert store.upload_batch((source, key) for key in KEYS) == [], name

    threads: set[int] = set()
    callback = Asks(store)
    pairs = in_one_thread([(source, key) for key in KEYS], threads)
    assert store.upload_batch(pairs, force=True, callback=callback) == []
    assert len(list(store.get_many(in_one_thread(KEYS, threads), callback=callback))) == 3
    assert threads == callback.threads == {threading.get_ident()}
    assert callback.value == 6


def test_each_bulk_function_takes_each_generator(urls: list[str], tmp_path: Path) -> None:
    with FileStore(*urls) as store, FileStore("memory://x/other") as other:
        for key in KEYS:
            assert store.put(key, b"x")
            assert other.put(key, b"x", force=True) is not None
        check_all(store, other, tmp_path)

        async def inside() -> None:
            check_all(store, other, tmp_path)

        asyncio.run(inside())


async def check_all_async(
    store: AsyncFileStore, blocking: FileStore, other: FileStore, folder: Path
) -> None:
    source = folder / "source"
    source.write_bytes(b"x")

    async def awaited(items: list[Any]) -> AsyncIterator[Any]:
        for item in items:
            assert await store.exists(KEYS[0])
            yield item

    async def through(store: AsyncFileStore) -> AsyncIterator[str]:
        number = 0
        async for content in store.get_many(KEYS):
            assert content is not None
            yield KEYS[number]
            number += 1

    blocking_kinds = generators(blocking, other)
    kinds: dict[str, Callable[[], Any]] = {
        **{name: blocking_kinds[name] for name in ("list", "get_many", "each asks", "a queue")},
        "its own list": lambda: store.list("a/"),
        "its own get_many": lambda: through(store),
        "an async generator that asks": lambda: awaited(KEYS),
    }

    async def pairs(keys: Any) -> AsyncIterator[Any]:
        if hasattr(keys, "__aiter__"):
            async for key in keys:
                yield source, key
            return
        for key in keys:
            yield source, key

    for name, make in kinds.items():
        assert [each async for each in store.get_many(make())] == [b"x"] * 3, name
        assert all([each async for each in store.exists_many(make())]), name
        assert await store.upload_batch(pairs(make()), force=True) == [], name
        await store.delete_batch(make())
        assert not any([each async for each in store.exists_many(KEYS)]), name
        assert await store.upload_batch((source, key) for key in KEYS) == [], name
        got = ((key, folder / "got" / key) for key in KEYS)
        assert await store.download_batch(got) == [], name

    threads: set[int] = set()
    callback = Asks(blocking)
    taken = in_one_thread([(source, key) for key in KEYS], threads)
    assert await store.upload_batch(taken, force=True, callback=callback) == []
    assert threads == callback.threads
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_so_does_the_async_store(urls: list[str], tmp_path: Path) -> None:
    async def inside() -> None:
        with FileStore(*urls) as blocking, FileStore("memory://x/other") as other:
            async with AsyncFileStore(*urls) as store:
                for key in KEYS:
                    assert await store.put(key, b"x")
                    other.put(key, b"x", force=True)
                await check_all_async(store, blocking, other, tmp_path)

    asyncio.run(inside())


def test_a_file_that_asks_the_store_is_stored(urls: list[str]) -> None:
    with FileStore(*urls) as store:
        store.put("a", b"part")

        class Asking:
            left = 3

            def read(self, _size: int = -1) -> bytes:
                self.left -= 1
                return (store.get("a") or b"") if self.left >= 0 else b""

        assert store.put("b", Asking())  # type: ignore[arg-type]  # as much of a file as is needed
        assert store.get("b") == b"part" * 3

        async def inside() -> None:
            async with AsyncFileStore(*urls) as awaited:
                assert await awaited.put("c", Asking())  # type: ignore[arg-type]
                assert await awaited.get("c") == b"part" * 3

        asyncio.run(inside())


def test_a_generator_that_raises_ends_the_call_with_it(urls: list[str], tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield from KEYS[:2]
        raise LookupError("mine")

    async def inside() -> None:
        async with AsyncFileStore(*urls) as awaited:
            with pytest.raises(LookupError, match="mine"):
                await awaited.download_batch((key, tmp_path / key) for key in broken())
            with pytest.raises(LookupError, match="mine"):
                _ = [each async for each in awaited.get_many(broken())]

    with FileStore(*urls) as store, pytest.raises(LookupError, match="mine"):
        list(store.get_many(broken()))
    asyncio.run(inside())
