from __future__ import annotations

pytest_plugins = [
    "tests.services.common",
    "tests.services.azure",
    "tests.services.ftp",
    "tests.services.http",
    "tests.services.local",
    "tests.services.s3",
    "tests.services.sftp",
]
