"""What else than threads there may be: eventlet's are refused, and trio has no loop of asyncio."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import AsyncFileStore, FileStore, FileStoreException

if TYPE_CHECKING:
    from pathlib import Path


def test_eventlet_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Patcher:
        @staticmethod
        def is_monkey_patched(_module: str) -> bool:
            return True

    monkeypatch.setitem(sys.modules, "eventlet.patcher", Patcher)
    with (
        FileStore(f"file://{tmp_path}", f"file://{tmp_path}/far") as store,
        pytest.raises(FileStoreException, match="eventlet is not supported"),
    ):
        store.upload(__file__, "k")


def test_where_no_loop_of_asyncio_runs_it_is_said_what_to_use(tmp_path: Path) -> None:
    with pytest.raises(FileStoreException, match="trio"):
        AsyncFileStore(f"file://{tmp_path}").get("k").send(None)  # as another loop steps it
