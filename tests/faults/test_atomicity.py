"""A reader sees the old content or the new, whatever happens to the writer."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore

if TYPE_CHECKING:
    from tests.services.common import Service

WRITER = Path(__file__).with_name("writer_script.py")

servers = pytest.mark.parametrize(
    "server",
    [
        "file_service",
        "ftp_plain",
        "ftp_vsftpd",
        "sftp_asyncssh",
        "sftp_openssh",
        "s3_moto",
        "azure_http",
    ],
)


@servers
def test_a_reader_never_sees_anything_but_old_or_new(
    server: str, request: pytest.FixtureRequest
) -> None:
    service: Service = request.getfixturevalue(server)
    url = service.url(f"atomic-{secrets.token_hex(4)}")
    wrong: list[bytes | None] = []
    ended = threading.Event()

    def read() -> None:
        with FileStore(url) as store:
            while not ended.is_set():
                content = store.get("k")
                if content is None or len(content) != 300_000 or len(set(content)) != 1:
                    wrong.append(content)

    with FileStore(url) as store:
        store.put("k", b"\0" * 300_000)
        reader = threading.Thread(target=read)
        reader.start()
        try:
            for number in range(200):
                store.put("k", bytes([number]) * 300_000, force=True)
        finally:
            ended.set()
            reader.join()
    assert wrong == []
