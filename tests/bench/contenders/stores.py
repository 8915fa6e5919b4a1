"""The two file stores, which have the same functions, and what a near read is held against."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.works import shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ENGINES = ("s3", "azure", "http", "https")
"""The schemes that have the option `engine`."""


class _Store:
    package: str

    def __init__(self, place: dict[str, Any]) -> None:
        self.store = importlib.import_module(self.package).FileStore(*map(self.url, place["urls"]))
        self.close = self.store.close
        self.get = self.store.get

    def url(self, url: str) -> str:
        return url

    def put(self, key: str, content: bytes) -> None:
        if len(self.store.put(key, content)) != len(self.store.transports):
            raise ValueError(f"{key} was there already")

    def exists(self, key: str) -> bool:
        return bool(self.store.exists(key))

    def upload_batch(self, pairs: Iterable[tuple[str, str]]) -> None:
        if failed := self.store.upload_batch(pairs):
            raise ValueError(failed[0])

    def get_many(self, keys: Iterable[str]) -> int:
        return sum(len(self.store.get(key)) for key in keys)

    def delete_batch(self, keys: Sequence[str]) -> None:
        self.store.delete_batch(keys)

    def upload(self, source: str, key: str) -> None:
        self.store.upload(source, key)

    def download(self, key: str, dest: str) -> None:
        self.store.download(key, dest)


class Predecessor(_Store):
    package = "assemblyline.filestore"

    def __init__(self, place: dict[str, Any]) -> None:
        if place["scheme"] == "azure":
            _let_it_reach_azurite(place)
        super().__init__(place)


class Ours(_Store):
    package = "filestore_fsspec"

    def __init__(self, place: dict[str, Any]) -> None:
        super().__init__(place)
        for location in self.store.locations:
            _ = location.fs  # its driver is imported on first use: an import, not the work's memory

    def get_many(self, keys: Iterable[str]) -> int:
        return sum(map(len, self.store.get_many(keys)))

    def list_keys(self) -> int:
        return sum(1 for _ in self.store.list())


class Fast(Ours):
    """With the engine obstore."""

    def url(self, url: str) -> str:
        joint = "&" if "?" in url else "?"
        return f"{url}{joint}engine=obstore" if url.startswith(ENGINES) else url


class Open:
    """No store at all: a file that is opened and read."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.root = Path("/", place["root"])

    def get(self, key: str) -> bytes:
        with open(f"{self.root}/{shard(key)}", "rb") as file:  # noqa: PTH123 - as its name says
            return file.read()

    def close(self) -> None:
        pass


def _let_it_reach_azurite(place: dict[str, Any]) -> None:
    """It knows https and hosts of accounts only; the emulator here has neither."""
    module = importlib.import_module("assemblyline.filestore.transport.azure")
    account_url = f"http://127.0.0.1:{place['port']}/{place['options']['account']}"
    made = functools.partial(
        importlib.import_module("azure.storage.blob").BlobServiceClient, account_url
    )
    vars(module)["BlobServiceClient"] = lambda account_url, **options: made(**options)  # noqa: ARG005
