"""The engine obstore keeps what the default S3 driver promises: its tests, over the other."""

from __future__ import annotations

import pytest

from filestore_fsspec.drivers.obstore.s3 import S3ObstoreDriver
from tests.drivers import test_s3
from tests.drivers.test_s3 import *  # noqa: F403 - whatever there is


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_s3, "S3Driver", S3ObstoreDriver)
