"""The contract with other releases of what the project depends on: `make lowest`, `make newest`."""

from __future__ import annotations

from tests.contract import test_engine
from tests.contract.test_contract import (
    TestAzureKeyOverHTTP,
    TestFile,
    TestFileAndS3,
    TestFTP,
    TestHTTP,
    TestMemory,
    TestS3Moto,
    TestSFTPAsyncSSH,
)

__all__ = [
    "TestAzureKeyOverHTTP",
    "TestFTP",
    "TestFile",
    "TestFileAndS3",
    "TestHTTP",
    "TestMemory",
    "TestS3Moto",
    "TestSFTPAsyncSSH",
]


class TestFastS3(test_engine.TestS3Moto):
    pass


class TestFastAzure(test_engine.TestAzureKeyOverHTTP):
    pass


class TestFastHTTP(test_engine.TestHTTP):
    pass
