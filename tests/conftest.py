from __future__ import annotations

import os

import pytest

pytest_plugins = [
    "tests.services.common",
    "tests.services.azure",
    "tests.services.ftp",
    "tests.services.http",
    "tests.services.local",
    "tests.services.s3",
    "tests.services.sftp",
]

if os.environ.get("FILESTORE_SERVICES") == "compose":
    from tests.services.compose import compose_services

    for _name, _service in compose_services().items():
        # In place of the fixture of the same name that starts a server itself.
        globals()[_name] = pytest.fixture(lambda service=_service: service, scope="session")
