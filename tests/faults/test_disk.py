"""A full disk, by a small one and by a limit where none can be mounted."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore, TransportException
from tests.services.disk import folder_of, small_disk

if TYPE_CHECKING:
    from tests.services.common import Service

LIMIT_BYTES = 200_000


@pytest.mark.parametrize("mount", [True, False])
@pytest.mark.parametrize("server", ["file_service", "ftp_plain", "sftp_asyncssh"])
def test_what_has_no_room_is_not_shown(
    server: str, request: pytest.FixtureRequest, *, mount: bool
) -> None:
    service: Service = request.getfixturevalue(server)
    process = service.server.process if service.server else None
    root = f"small-{secrets.token_hex(4)}"
    with (
        small_disk(folder_of(service) / root, 2**20, mount=mount) as disk,
        FileStore(service.url(f"{root}/inside", read_timeout="2")) as store,
    ):
        store.put("k", b"old" * 1000)
        with disk.full(process.pid if process else 0, LIMIT_BYTES):
            for key in ("k", "new"):
                with pytest.raises(TransportException):
                    store.put(key, b"n" * (LIMIT_BYTES + 1), force=True)
                with pytest.raises(OSError, match=r"\w"), store.fs.open(key, "wb") as file:
                    file.write(b"n" * (LIMIT_BYTES + 1))
            assert store.get("k") == b"old" * 1000
            assert store.get("new") is None
        assert list(store.list()) == ["k"]
        store.put("k", b"n" * (LIMIT_BYTES + 1), force=True)
        assert store.get("k") == b"n" * (LIMIT_BYTES + 1)
