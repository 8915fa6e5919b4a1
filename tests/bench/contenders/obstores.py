"""obstore: Rust's object_store, bare."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.store import AzureStore, HTTPStore, LocalStore, S3Store

from tests.bench.works import shard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from obstore.store import ObjectStore

HOST = "127.0.0.1"
AT_ONCE = 64


async def max_concurrency(work: Callable[[Any], Awaitable[Any]], items: Iterable[Any]) -> list[Any]:
    """Await `work` on every item, a bounded number at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def guarded(item: Any) -> Any:
        async with gate:
            return await work(item)

    return await asyncio.gather(*map(guarded, items))


def read(source: str) -> bytes:
    return Path(source).read_bytes()


def _s3(place: dict[str, Any]) -> S3Store:
    return S3Store(
        place["options"]["s3_bucket"],
        endpoint=f"http://{HOST}:{place['port']}",
        access_key_id=place["username"],
        secret_access_key=place["password"],
        region="us-east-1",
        client_options={"allow_http": True},
    )


def _azure(place: dict[str, Any]) -> AzureStore:
    container, _, folder = place["root"].partition("/")
    return AzureStore(
        container,
        prefix=folder,
        account_name=place["options"]["account"],
        account_key=place["options"]["access_key"],
        endpoint=f"http://{HOST}:{place['port']}/{place['options']['account']}",
        client_options={"allow_http": True},
    )


def _http(place: dict[str, Any]) -> HTTPStore:
    url = f"http://{HOST}:{place['port']}/{place['root']}"
    return HTTPStore.from_url(url, client_options={"allow_http": True})


def _file(place: dict[str, Any]) -> LocalStore:
    return LocalStore(f"/{place['root']}")


STORES: dict[str, Callable[[dict[str, Any]], ObjectStore]] = {
    "s3": _s3,
    "azure": _azure,
    "http": _http,
    "file": _file,
}


class Obstore:
    def __init__(self, place: dict[str, Any]) -> None:
        self.store = STORES[place["scheme"]](place)
        self.path = str if place["scheme"] in ("s3", "azure") else shard

    def close(self) -> None:
        pass

    def get(self, key: str) -> bytes:
        return bytes(obstore.get(self.store, self.path(key)).bytes())

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self.store, self.path(key), content)

    def exists(self, key: str) -> bool:
        try:
            obstore.head(self.store, self.path(key))
        except FileNotFoundError:
            return False
        return True

    def upload_batch(self, pairs: Iterable[tuple[str, str]]) -> None:
        async def upload(pair: tuple[str, str]) -> None:
            await obstore.put_async(self.store, self.path(pair[1]), read(pair[0]))

        asyncio.run(max_concurrency(upload, pairs))

    def get_many(self, keys: Iterable[str]) -> int:
        async def get(key: str) -> int:
            answer = await obstore.get_async(self.store, self.path(key))
            return len(bytes(await answer.bytes_async()))

        return sum(asyncio.run(max_concurrency(get, keys)))

    def delete_batch(self, keys: Sequence[str]) -> None:
        obstore.delete(self.store, [self.path(key) for key in keys])

    def upload(self, source: str, key: str) -> None:
        obstore.put(self.store, self.path(key), Path(source))

    def download(self, key: str, dest: str) -> None:
        with Path(dest).open("wb") as file:
            file.writelines(obstore.get(self.store, self.path(key)).stream())
