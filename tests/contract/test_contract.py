"""The contract over every scheme and over stores of two locations: a few lines each."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import pytest

from tests.contract.suite import HIDDEN, KEYS, FileStoreContract, ReadOnlyContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Service


class TestFile(FileStoreContract):
    services = ("file_service",)


class TestMemory(FileStoreContract):
    services = ("memory_service",)
    has_folders = False
    # The test's processes are new ones, with a memory of their own.
    test_parent_and_child_of_a_fork_both_go_on = None  # type: ignore[assignment]


class TestFTP(FileStoreContract):
    services = ("ftp_plain",)
    creates_atomically = False  # FTP has no rename that refuses to overwrite


class TestFTPExplicitTLS(FileStoreContract):
    services = ("ftp_explicit",)
    creates_atomically = False


class TestFTPImplicitTLS(FileStoreContract):
    services = ("ftp_implicit",)
    creates_atomically = False


class TestFTPListOnly(FileStoreContract):
    services = ("ftp_vsftpd",)
    creates_atomically = False


class TestFTPSessionReuse(FileStoreContract):
    services = ("ftp_vsftpd_tls",)
    creates_atomically = False


class TestSFTPOpenSSH(FileStoreContract):
    services = ("sftp_openssh",)


class TestSFTPAsyncSSH(FileStoreContract):
    services = ("sftp_asyncssh",)


class TestHTTP(ReadOnlyContract):
    services = ("http_plain",)
    unlisted = frozenset(HIDDEN)  # nginx lists no dot files


class TestHTTPSBasicAuth(ReadOnlyContract):
    services = ("https_basic",)
    unlisted = frozenset(HIDDEN)  # nginx lists no dot files


class TestHTTPSClientCertificate(ReadOnlyContract):
    services = ("https_pki",)
    unlisted = frozenset(HIDDEN)  # nginx lists no dot files


class TestS3Moto(FileStoreContract):
    services = ("s3_moto",)
    has_folders = False


class TestS3Rclone(FileStoreContract):
    services = ("s3_rclone",)
    creates_atomically = False  # this server ignores If-None-Match
    test_a_folder_in_the_way = None  # type: ignore[assignment]  # and keeps objects as files, losing a/b when a is put


class TestAzureKeyOverHTTP(FileStoreContract):
    services = ("azure_http",)
    has_folders = False


class TestAzureKeyOverHTTPS(FileStoreContract):
    services = ("azure_https",)
    has_folders = False


class GenericContract(FileStoreContract):
    """At fsspec's guarantees: what is created is looked for first."""

    creates_atomically = False


class TestGenericFile(GenericContract):
    services = ("generic_file",)


class TestGenericMemory(GenericContract):
    services = ("generic_memory",)
    # The test's processes are new ones, with a memory of their own.
    test_parent_and_child_of_a_fork_both_go_on = None  # type: ignore[assignment]


class TestGenericS3(GenericContract):
    services = ("generic_s3",)
    concurrent_keys = 40  # each takes some twenty requests


@pytest.fixture(scope="class")
def what_webdav4_left_open_is_closed() -> Iterator[None]:
    yield
    with warnings.catch_warnings():  # here, not in whichever test comes next
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("what_webdav4_left_open_is_closed")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # webdav4 closes none
class TestGenericWebDAV(GenericContract):
    services = ("generic_webdav",)
    concurrent_keys = 100
    keys = tuple(key for key in KEYS if not set(key) & set("%?#;"))  # see docs/backends


class TestFileAndS3(FileStoreContract):
    services = ("file_service", "s3_moto")


class TestFileAndSFTP(FileStoreContract):
    services = ("file_service", "sftp_asyncssh")


class TestReadOnlyNearAndFile(FileStoreContract):
    services = ("file_service",)

    @pytest.fixture
    def urls(self, places: list[Service], root: str, http_plain: Service) -> list[str]:
        return [http_plain.url(root), *(place.url(root) for place in places)]
