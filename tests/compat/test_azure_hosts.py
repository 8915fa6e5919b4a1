"""Azure behind a domain of one's own, which carries no account."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from filestore_fsspec import FileStore
from filestore_fsspec.compat import assemblyline
from tests.services.common import HOST

if TYPE_CHECKING:
    import pytest

    from tests.services.common import Service

DOMAIN = "devstoreaccount1.files.test"  # azurite takes the account from it


def test_a_domain_of_ones_own_with_a_token(
    azure_token: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def here(host: Any, *args: Any, **kwargs: Any) -> Any:
        return look_up(HOST if host == DOMAIN else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    options = {name: value for name, value in azure_token.options.items() if name != "account"}
    service = replace(azure_token, options={**options, "verify": "false"})
    url = service.url("x").replace(f"localhost:{service.port}", f"{DOMAIN}:{service.port}")
    assert DOMAIN in url
    with FileStore(url) as store:
        store.put("k", b"content", force=True)
        assert store.get("k") == b"content"
        assert list(store.list()) == ["k"]
    with assemblyline.FileStore(url) as theirs:
        assert theirs.get("k") == b"content"
        theirs.delete("k")
        assert theirs.get("k") is None
