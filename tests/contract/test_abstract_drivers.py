"""fsspec's own abstract suites over the bare drivers."""

from __future__ import annotations

import posixpath
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.tests import abstract

from filestore_fsspec import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.services.common import Service


class DriverFixtures(abstract.AbstractFixtures):  # type: ignore[misc]  # fsspec has no types
    service: ClassVar[str]
    options: ClassVar[Mapping[str, str]] = {}
    has_empty_folders: ClassVar[bool] = True

    @pytest.fixture
    def location(self, request: pytest.FixtureRequest) -> Iterator[Location]:
        service: Service = request.getfixturevalue(self.service)
        location = Location(service.url(f"abstract-{secrets.token_hex(6)}", **self.options))
        yield location
        location.close()

    @pytest.fixture
    def fs(self, location: Location) -> Any:
        fs = location.fs
        fs.pipe_file(f"{location.target.root}made", b"")  # the bucket, too
        fs.rm_file(f"{location.target.root}made")
        return fs

    @pytest.fixture
    def fs_path(self, location: Location) -> str:
        return location.target.root.rstrip("/")

    @pytest.fixture
    def fs_join(self) -> Any:
        return posixpath.join

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return self.has_empty_folders


class DriverSuite(
    DriverFixtures,
    abstract.AbstractCopyTests,  # type: ignore[misc]
    abstract.AbstractGetTests,  # type: ignore[misc]
    abstract.AbstractPutTests,  # type: ignore[misc]
    abstract.AbstractOpenTests,  # type: ignore[misc]
    abstract.AbstractPipeTests,  # type: ignore[misc]
):
    """All suites of fsspec; its module `mv` tests local files alone and cannot be subclassed."""


class TestS3(DriverSuite):
    service = "s3_moto"
    has_empty_folders = False


class TestS3Obstore(DriverSuite):
    service = "s3_moto"
    options: ClassVar[Mapping[str, str]] = {"engine": "obstore"}
    has_empty_folders = False


class TestAzure(DriverSuite):
    service = "azure_http"
    has_empty_folders = False


class TestAzureObstore(DriverSuite):
    service = "azure_http"
    options: ClassVar[Mapping[str, str]] = {"engine": "obstore"}
    has_empty_folders = False


class TestSFTP(DriverSuite):
    service = "sftp_asyncssh"


class TestGenericFile(DriverSuite):
    service = "generic_file"


class TestHTTP(DriverFixtures, abstract.AbstractGetTests):  # type: ignore[misc]
    """What is read: the files are laid on the server's disk."""

    service = "http_plain"
    test_get_directory_recursive = None  # it makes folders by `fs`

    @pytest.fixture
    def fs(self, location: Location) -> Any:
        return location.fs

    @pytest.fixture
    def lay(self, request: pytest.FixtureRequest, fs_path: str) -> Callable[[Any], str]:
        service: Service = request.getfixturevalue(self.service)
        data: Any = service.raw
        disk = f"{data.folder}/{posixpath.basename(fs_path)}"

        def lay(scenario: Any) -> str:
            made = scenario(LocalFileSystem(auto_mkdir=True), posixpath.join, disk)
            return posixpath.join(fs_path, posixpath.relpath(made, disk))

        return lay

    @pytest.fixture
    def fs_bulk_operations_scenario_0(self, lay: Callable[[Any], str]) -> str:
        return lay(self._bulk_operations_scenario_0)

    @pytest.fixture
    def fs_glob_edge_cases_files(self, lay: Callable[[Any], str]) -> str:
        return lay(self._glob_edge_cases_files)

    @pytest.fixture
    def fs_dir_and_file_with_same_name_prefix(self, lay: Callable[[Any], str]) -> str:
        return lay(self._dir_and_file_with_same_name_prefix)

    @pytest.fixture
    def fs_10_files_with_hashed_names(self, lay: Callable[[Any], str]) -> str:
        return lay(self._10_files_with_hashed_names)
