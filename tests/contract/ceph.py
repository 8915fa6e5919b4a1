"""`make ceph`: the contract at Ceph's gateway, with either engine and behind a local disk."""

from __future__ import annotations

from tests.contract.suite import FileStoreContract
from tests.contract.test_engine import Engine


class TestS3Ceph(FileStoreContract):
    services = ("s3_ceph",)
    has_folders = False


class TestS3CephFast(Engine, FileStoreContract):
    services = ("s3_ceph",)
    has_folders = False


class TestFileAndS3Ceph(FileStoreContract):
    services = ("file_service", "s3_ceph")
