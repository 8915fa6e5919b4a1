"""The running containers, in place of the fixtures of the same names that start a server.

A plugin of its own, loaded last: of two fixtures of one name the later plugin's is taken.
"""

from __future__ import annotations

import pytest

from tests.services.compose import compose_services

for _name, _service in compose_services().items():
    globals()[_name] = pytest.fixture(lambda service=_service: service, scope="session", name=_name)
