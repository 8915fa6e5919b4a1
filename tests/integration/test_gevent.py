"""What else than threads there may be: eventlet's are refused, and trio has no loop of asyncio."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import AsyncFileStore, FileStore, FileStoreException

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("loop_runs", [False, True])
def test_eventlet_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, loop_runs: bool
) -> None:
    class Patcher:
        @staticmethod
        def is_monkey_patched(_module: str) -> bool:
            return True

    with FileStore(f"file://{tmp_path}", f"file://{tmp_path}/far") as store:
        if loop_runs:
            store.upload(__file__, "before")
        monkeypatch.setitem(sys.modules, "eventlet.patcher", Patcher)
        with pytest.raises(FileStoreException, match="eventlet is not supported"):
            store.upload(__file__, "k")
    gc.collect()  # a coroutine that nobody awaited would be complained of


def test_where_no_loop_of_asyncio_runs_it_is_said_what_to_use(tmp_path: Path) -> None:
    with pytest.raises(FileStoreException, match="trio"):
        AsyncFileStore(f"file://{tmp_path}").get("k").send(None)  # as another loop steps it
