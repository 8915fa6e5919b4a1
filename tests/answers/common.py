"""Calls at a location whose server answers wrongly, and what the contract allows of each.

A module per protocol starts a server that holds `OBJECTS` below the location's root, has it answer
one kind of request wrongly, and asks `judge` for each call that sends such a request, `far` for
each of `FALLS_THROUGH`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from filestore_fsspec import FileStore, FileStoreException, Location, NotFound
from filestore_fsspec.bridge import SYNC, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "folder/object"
CONTENT = bytes(range(256)) * 8
OBJECTS = {KEY: CONTENT, "folder/deeper/third": b"third", "second": b"second"}
"""What lies on the server, and all that lies there."""
PART = (5, 20)
SECONDS = 30
"""No call at a server of this machine takes longer, with `read_timeout=2` and one attempt."""


class Call(NamedTuple):
    """One function, and what it gives where the server answers as it should."""

    act: Callable[[Location, Path], Any]
    right: Any


def _downloaded(location: Location, folder: Path) -> bytes:
    location.download(KEY, folder / "downloaded")
    return (folder / "downloaded").read_bytes()


def _opened(location: Location, _folder: Path) -> bytes:
    with location.fs.open(location.fs_path(KEY), "rb") as file:
        content: bytes = file.read()
    return content


def _found(location: Location, _folder: Path) -> list[str]:
    return sorted(map(location.key, location.fs.find(location.target.root.rstrip("/"))))


def _uploaded(location: Location, folder: Path) -> bool:
    (folder / "uploaded").write_bytes(b"new")
    return run(location.send(SYNC, KEY, str(folder / "uploaded"), overwrite=True))


def _read(start: int | None, end: int | None) -> Call:
    def act(location: Location, _folder: Path) -> bytes:
        return run(location.read(SYNC, KEY, start, end))

    return Call(act, CONTENT[start:end])


CALLS = {
    "get": _read(None, None),
    "get part": _read(*PART),
    "get tail": _read(-7, None),
    "exists": Call(lambda location, _: location.exists(KEY), right=True),
    "info": Call(lambda location, _: location.fs.info(location.fs_path(KEY))["size"], len(CONTENT)),
    "download": Call(_downloaded, CONTENT),
    "open": Call(_opened, CONTENT),
    "list": Call(lambda location, _: sorted(location.list()), sorted(OBJECTS)),
    "find": Call(_found, sorted(OBJECTS)),
    "put": Call(
        lambda location, _: run(location.write(SYNC, "new", b"new", overwrite=False)), right=True
    ),
    "put force": Call(
        lambda location, _: run(location.write(SYNC, KEY, b"new", overwrite=True)), right=True
    ),
    "upload": Call(_uploaded, right=True),
    "delete": Call(lambda location, _: location.delete(KEY), None),
    "delete batch": Call(lambda location, _: location.delete_batch([KEY, "second"]), None),
}
FALLS_THROUGH = ("get", "exists", "download")
"""What a store asks of the next location where one is unknown."""


def judge(url: str, name: str, folder: Path, *, may_be_right: bool = False) -> list[str]:
    """Return what the contract does not allow of a call; `folder` is empty and of this machine.

    What the location has is unknown: neither an answer nor "absent" may come of it, and no
    exception but ours. `may_be_right` allows the right answer as well: of what a client can see
    through, and of what it need not look at.
    """
    location, call = Location(url, connection_attempts=1), CALLS[name]
    start, problems = time.monotonic(), []
    try:
        answer = call.act(location, folder)
        if not (may_be_right and answer == call.right):
            problems.append(f"{name}: answered {_short(answer)}")
    except (FileStoreException, OSError) as error:
        # A driver's own errors are builtins.
        if isinstance(error, NotFound | FileNotFoundError | FileExistsError):
            problems.append(f"{name}: {error!r}")
    except Exception as error:  # noqa: BLE001 - which they are is what is asked
        problems.append(f"{name}: let {error!r} out")
    finally:
        location.close()
    if time.monotonic() - start > SECONDS:
        problems.append(f"{name}: took {time.monotonic() - start:.0f} s")
    if name == "download" and problems == [] and not may_be_right:
        problems += [f"{name}: left {each.name}" for each in folder.iterdir()]
    return problems


def far(url: str, name: str, folder: Path) -> list[str]:
    """Return what is wrong where a second location, a disk, holds the object."""
    (folder / "far" / "folder").mkdir(parents=True)
    (folder / "far" / KEY).write_bytes(CONTENT)
    store = FileStore(url, f"file://{folder}/far", connection_attempts=1)
    try:
        match name:
            case "get":
                found: Any = store.get(KEY)
            case "download":
                store.download(KEY, str(folder / "from far"))
                found = (folder / "from far").read_bytes()
            case _:
                # The first location may have the object: what it says of that may be right.
                found = CONTENT if store.exists(KEY) else None
    finally:
        store.close()
    return [] if found == CONTENT else [f"far, {name}: {_short(found)}"]


def _short(answer: Any) -> str:
    return repr(answer)[:200]
