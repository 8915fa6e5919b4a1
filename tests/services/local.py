"""A folder of this machine as a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from tests.services.common import FolderRaw, Service

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class FileService(Service):
    """Its URLs name no host and no user; `base` is the absolute folder."""

    def url(self, root: str = "", **options: str) -> str:
        query = urlencode({**self.options, **options}, quote_via=quote)
        return f"file:///{self.base}{root}{'?' + query if query else ''}"


def file_service_in(folder: Path) -> FileService:
    """Return `folder` as a service."""
    base = folder.as_posix().lstrip("/") + "/"
    return FileService("file", 0, FolderRaw(folder), None, "", "", "", base)


@pytest.fixture(scope="session")
def file_service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    folder: Path = tmp_path_factory.mktemp("file")
    return file_service_in(folder)
