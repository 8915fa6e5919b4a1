"""fsspec's own abstract suites over the composite filesystem."""

from __future__ import annotations

import posixpath
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from fsspec.tests import abstract

from filestore_fsspec.filesystem import FileStoreFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Service


class CompositeFixtures(abstract.AbstractFixtures):  # type: ignore[misc]  # fsspec has no types
    services: ClassVar[tuple[str, ...]]

    @pytest.fixture
    def locations(self, request: pytest.FixtureRequest) -> list[str]:
        root = f"abstract-{secrets.token_hex(6)}"
        services: list[Service] = [request.getfixturevalue(name) for name in self.services]
        return [service.url(f"{root}-{n}") for n, service in enumerate(services)]

    @pytest.fixture
    def fs(self, locations: list[str]) -> Iterator[Any]:
        fs = FileStoreFileSystem(locations, skip_instance_cache=True)
        yield fs
        for location in fs.store.locations:
            location.close()

    @pytest.fixture
    def fs_path(self) -> str:
        return ""

    @pytest.fixture
    def fs_join(self) -> Any:
        return posixpath.join


class AbstractSuite(
    CompositeFixtures,
    abstract.AbstractCopyTests,  # type: ignore[misc]
    abstract.AbstractGetTests,  # type: ignore[misc]
    abstract.AbstractPutTests,  # type: ignore[misc]
    abstract.AbstractOpenTests,  # type: ignore[misc]
    abstract.AbstractPipeTests,  # type: ignore[misc]
):
    """All suites of fsspec; its module `mv` tests local files alone and cannot be subclassed."""


class TestFileAndS3(AbstractSuite):
    services = ("file_service", "s3_moto")


class TestFileAndSFTP(AbstractSuite):
    services = ("file_service", "sftp_asyncssh")
