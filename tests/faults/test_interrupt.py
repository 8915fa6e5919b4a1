"""Ctrl-C in the middle of an upload."""

from __future__ import annotations

import secrets
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore
from tests.services.faults import Slow
from tests.services.proxy import FaultProxy, behind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.common import Service

MEBIBYTE = 2**20


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("server", ["s3_moto", "azure_http", "sftp_asyncssh", "sftp_openssh"])
def test_an_interrupted_upload_leaves_nothing(
    server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    service: Service = request.getfixturevalue(server)
    root = f"interrupt-{secrets.token_hex(4)}"
    source = tmp_path / "source"
    source.write_bytes(bytes(40 * MEBIBYTE))
    main = threading.main_thread().ident or 0
    there = service.raw.paths()

    with FaultProxy(service.port) as proxy, FileStore(behind(service, proxy).url(root)) as store:
        assert not store.exists("k")

        def interrupt() -> None:
            while proxy.passed["up"] < 2 * MEBIBYTE and not ended.wait(0.01):
                pass
            signal.pthread_kill(main, signal.SIGINT)

        ended = threading.Event()
        proxy.fault = Slow(8 * MEBIBYTE)
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                store.upload(source, "k")
        finally:
            ended.set()
            thread.join()
        proxy.fault = None
        assert service.raw.paths() == there
        assert store.cleanup(older_than_seconds=0) == []
        assert store.upload(source, "k")
