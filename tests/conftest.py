from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = [
    "tests.services.common",
    "tests.services.azure",
    "tests.services.ftp",
    "tests.services.ftp_foreign",
    "tests.services.http",
    "tests.services.local",
    "tests.services.memory",
    "tests.services.s3",
    "tests.services.ceph",
    "tests.services.sftp",
    "tests.services.generic",
]
if os.environ.get("FILESTORE_SERVICES") == "compose":
    pytest_plugins.append("tests.services.compose_fixtures")


def pytest_sessionstart() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # Imported here: pytest has yet to rewrite its asserts.
        from tests.services.disk import unmount_leftovers  # noqa: PLC0415

        unmount_leftovers()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have SIGINT raise KeyboardInterrupt; a shell's background jobs are started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# How long a machine with other work takes says nothing of what is tested. The examples are the same
# in each run, so that a failure is the change's; `make explore` draws others, and more of them.
EXPLORE = int(os.environ.get("FILESTORE_EXPLORE", "0"))
settings.register_profile(
    "tests",
    deadline=None,
    derandomize=not EXPLORE,
    max_examples=100 * max(EXPLORE, 1),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")
