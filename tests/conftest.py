from __future__ import annotations

pytest_plugins = [
    "tests.services.common",
    "tests.services.ftp",
    "tests.services.local",
    "tests.services.sftp",
]
