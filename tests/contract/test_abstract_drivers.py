"""fsspec's own abstract suites over the drivers."""

from __future__ import annotations

import posixpath
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.tests import abstract

from filestore_fsspec.drivers.sftp.driver import SFTPDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Service


class TestSFTP(
    abstract.AbstractFixtures,  # type: ignore[misc]  # fsspec has no types
    abstract.AbstractCopyTests,  # type: ignore[misc]
    abstract.AbstractGetTests,  # type: ignore[misc]
    abstract.AbstractPutTests,  # type: ignore[misc]
    abstract.AbstractOpenTests,  # type: ignore[misc]
    abstract.AbstractPipeTests,  # type: ignore[misc]
):
    """SFTP."""

    @pytest.fixture
    def fs(self, sftp_asyncssh: Service) -> Iterator[Any]:
        fs = SFTPDriver(
            sftp_asyncssh.host,
            sftp_asyncssh.port,
            sftp_asyncssh.username,
            sftp_asyncssh.password,
            known_hosts=sftp_asyncssh.options["known_hosts"],
        )
        yield fs
        fs.close()

    @pytest.fixture
    def fs_path(self) -> str:
        return f"/abstract-{secrets.token_hex(6)}"

    @pytest.fixture
    def fs_join(self) -> Any:
        return posixpath.join
