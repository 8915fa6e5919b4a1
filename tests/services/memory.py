"""This process's memory as a service, seen behind the library's back by fsspec's own class."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from tests.services.common import Service


@dataclass(frozen=True)
class MemoryRaw:
    """The files below one folder of fsspec's `memory` filesystem."""

    folder: str

    def write(self, path: str, content: bytes) -> None:
        # Not through fsspec's class, which refuses `a` beside `a/b`.
        path = f"{self.folder}/{path}"
        MemoryFileSystem.store[path] = MemoryFile(MemoryFileSystem(), path, content)

    def read(self, path: str) -> bytes | None:
        fs = MemoryFileSystem()
        path = f"{self.folder}/{path}"
        content: bytes | None = fs.cat_file(path) if fs.isfile(path) else None
        return content

    def delete(self, path: str) -> None:
        MemoryFileSystem().rm_file(f"{self.folder}/{path}")

    def paths(self) -> set[str]:
        start = f"{self.folder}/"
        return {path.removeprefix(start) for path in MemoryFileSystem().find(self.folder)}


class MemoryService(Service):
    """Its URLs name no port."""

    def url(self, root: str = "", **options: str) -> str:
        return super().url(root, **options).replace(f"{self.host}:{self.port}", self.host)


@pytest.fixture(scope="session")
def memory_service() -> Service:
    name = f"memory-{uuid4().hex}"
    return MemoryService("memory", 0, MemoryRaw(f"/{name}"), username="", password="", host=name)
