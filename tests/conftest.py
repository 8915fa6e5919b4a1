from __future__ import annotations

import os

pytest_plugins = [
    "tests.services.common",
    "tests.services.azure",
    "tests.services.ftp",
    "tests.services.http",
    "tests.services.local",
    "tests.services.memory",
    "tests.services.s3",
    "tests.services.sftp",
]
if os.environ.get("FILESTORE_SERVICES") == "compose":
    pytest_plugins.append("tests.services.compose_fixtures")
