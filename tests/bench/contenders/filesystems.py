"""fsspec's filesystems as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsspec

from tests.bench.works import shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOST = "127.0.0.1"


class _FileSystem:
    protocol: str

    def __init__(self, place: dict[str, Any]) -> None:
        self.root = place["root"]
        options = self.storage_options(place)
        self.fs = fsspec.filesystem(self.protocol, skip_instance_cache=True, **options)

    def storage_options(self, place: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def path(self, key: str) -> str:
        return f"{self.root}/{shard(key)}"

    def close(self) -> None:
        pass

    def get(self, key: str) -> bytes:
        content: bytes = self.fs.cat_file(self.path(key))
        return content

    def put(self, key: str, content: bytes) -> None:
        self.fs.pipe_file(self.path(key), content)

    def exists(self, key: str) -> bool:
        return bool(self.fs.exists(self.path(key)))

    def upload_batch(self, pairs: Iterable[tuple[str, str]]) -> None:
        sources, keys = zip(*pairs, strict=True)
        self.fs.put(list(sources), [self.path(key) for key in keys])

    def get_many(self, keys: Iterable[str]) -> int:
        return sum(map(len, self.fs.cat([self.path(key) for key in keys]).values()))

    def delete_batch(self, keys: Sequence[str]) -> None:
        self.fs.rm([self.path(key) for key in keys])

    def upload(self, source: str, key: str) -> None:
        self.fs.put_file(source, self.path(key))

    def download(self, key: str, dest: str) -> None:
        self.fs.get_file(self.path(key), dest)


class Plain(_FileSystem):
    """The one of fsspec's own that the scheme has."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.protocol = place["scheme"]
        super().__init__(place)
        if self.protocol == "http":
            self.root = f"http://{HOST}:{place['port']}/{self.root}"
        else:
            self.root = f"/{self.root}"

    def storage_options(self, place: dict[str, Any]) -> dict[str, Any]:
        if place["scheme"] == "ftp":
            login = {"username": place["username"], "password": place["password"]}
            return {"host": HOST, "port": place["port"], **login}
        return {}


class SSH(_FileSystem):
    protocol = "sftp"

    def storage_options(self, place: dict[str, Any]) -> dict[str, Any]:
        self.root = f"/{self.root}"
        login = {"username": place["username"], "password": place["password"]}
        return {"host": HOST, "port": place["port"], **login, "known_hosts": None}


class _Objects(_FileSystem):
    def path(self, key: str) -> str:
        return f"{self.root}/{key}"


class S3(_Objects):
    protocol = "s3"

    def storage_options(self, place: dict[str, Any]) -> dict[str, Any]:
        self.root = place["options"]["s3_bucket"]
        return {
            "key": place["username"],
            "secret": place["password"],
            "endpoint_url": f"http://{HOST}:{place['port']}",
        }


class Azure(_Objects):
    protocol = "abfs"

    def storage_options(self, place: dict[str, Any]) -> dict[str, Any]:
        account, key = place["options"]["account"], place["options"]["access_key"]
        endpoint = f"http://{HOST}:{place['port']}/{account}"
        parts = f"AccountName={account};AccountKey={key};BlobEndpoint={endpoint};"
        return {"connection_string": f"DefaultEndpointsProtocol=http;{parts}"}
