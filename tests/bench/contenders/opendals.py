"""OpenDAL's Python binding, bare."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import opendal

from tests.bench.contenders.obstores import max_concurrency, read
from tests.bench.works import shard

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = "127.0.0.1"
CHUNK = 8 * 2**20


def _arguments(place: dict[str, Any]) -> dict[str, str]:
    options, address = place["options"], f"{HOST}:{place['port']}"
    match place["scheme"]:
        case "s3":
            return {
                "bucket": options["s3_bucket"],
                "endpoint": f"http://{address}",
                "region": "us-east-1",
                "access_key_id": place["username"],
                "secret_access_key": place["password"],
            }
        case "azure":
            container, _, folder = place["root"].partition("/")
            return {
                "container": container,
                "root": f"/{folder}",
                "endpoint": f"http://{address}/{options['account']}",
                "account_name": options["account"],
                "account_key": options["access_key"],
            }
        case "http":
            return {"endpoint": f"http://{address}", "root": f"/{place['root']}"}
        case "ftp":
            login = {"user": place["username"], "password": place["password"]}
            return {"endpoint": f"ftp://{address}", "root": f"/{place['root']}", **login}
        case _:
            return {"root": f"/{place['root']}"}


class OpenDAL:
    def __init__(self, place: dict[str, Any]) -> None:
        scheme = {"azure": "azblob", "file": "fs"}.get(place["scheme"], place["scheme"])
        arguments = _arguments(place)
        self.operator = opendal.Operator(scheme, **arguments)
        self.many = opendal.AsyncOperator(scheme, **arguments)
        self.path = str if place["scheme"] in ("s3", "azure") else shard

    def close(self) -> None:
        pass

    def get(self, key: str) -> bytes:
        return self.operator.read(self.path(key))

    def put(self, key: str, content: bytes) -> None:
        self.operator.write(self.path(key), content)

    def exists(self, key: str) -> bool:
        return self.operator.exists(self.path(key))

    def upload_batch(self, pairs: Iterable[tuple[str, str]]) -> None:
        async def upload(pair: tuple[str, str]) -> None:
            await self.many.write(self.path(pair[1]), read(pair[0]))

        asyncio.run(max_concurrency(upload, pairs))

    def get_many(self, keys: Iterable[str]) -> int:
        async def get(key: str) -> int:
            return len(await self.many.read(self.path(key)))

        return sum(asyncio.run(max_concurrency(get, keys)))

    def upload(self, source: str, key: str) -> None:
        with Path(source).open("rb") as file, self.operator.open(self.path(key), "wb") as target:
            while chunk := file.read(CHUNK):
                target.write(chunk)

    def download(self, key: str, dest: str) -> None:
        with Path(dest).open("wb") as file, self.operator.open(self.path(key), "rb") as source:
            while chunk := source.read(CHUNK):
                file.write(chunk)
