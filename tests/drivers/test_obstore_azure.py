"""The engine obstore keeps what the default Azure driver promises: its tests, over the other."""

from __future__ import annotations

import pytest

from filestore_fsspec.drivers.obstore.azure import AzureObstoreDriver
from tests.drivers import test_azure
from tests.drivers.test_azure import *  # noqa: F403 - whatever there is


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_azure, "AzureDriver", AzureObstoreDriver)
