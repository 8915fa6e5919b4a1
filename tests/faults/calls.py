"""One call of a store, and what came of it in a form that can leave the process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from filestore_fsspec import FileStoreException, PartialWrite

if TYPE_CHECKING:
    from pathlib import Path

    from filestore_fsspec import FileStore

KEY = "folder/key"
BATCH = ("folder/key", "folder/second", "folder/third")


@dataclass
class Outcome:
    """What a call returned or raised."""

    raised: list[str] = field(default_factory=list)
    """The names of the exception's class and of those above it."""
    message: str = ""
    seconds: float = 0.0
    present: bool = True
    """Of a read: whether it said that the object is there."""
    content: bytes | None = None
    """Of a read: what it brought."""
    wrong: bool = False
    """Whether that is not what the location holds."""
    listed: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    """The names of the locations where a write or a delete was done, by its own account."""
    failed: dict[str, list[str]] = field(default_factory=dict)
    """The names of the others, with the classes of what each failed with."""
    unsent: list[str] = field(default_factory=list)
    """The keys that `upload_batch` returned as failed."""

    def portable(self) -> dict[str, Any]:
        """Return what JSON can hold; content is none of it."""
        return {**asdict(self), "content": None}


def perform(store: FileStore, function: str, source: Path, dest: Path) -> Outcome:
    """Call `function`; `source` is the file to be sent, `dest` where a download goes."""
    try:
        return _call(store, function, source, dest)
    except PartialWrite as error:
        outcome = _raised(error)
        outcome.written = [str(location.name) for location in error.written]
        outcome.failed = {str(each.name): _classes(why) for each, why in error.failed.items()}
        return outcome
    except FileStoreException as error:
        return _raised(error)


def _raised(error: Exception) -> Outcome:
    return Outcome(_classes(error), str(error))


def _classes(error: Exception) -> list[str]:
    return [each.__name__ for each in type(error).__mro__]


def _call(store: FileStore, function: str, source: Path, dest: Path) -> Outcome:
    match function:
        case "get":
            content = store.get(KEY)
            return Outcome(present=content is not None, content=content)
        case "exists":
            return Outcome(present=bool(store.exists(KEY)))
        case "download":
            store.download(KEY, dest)
            return Outcome(content=dest.read_bytes())
        case "list":
            return Outcome(listed=sorted(store.list("folder/")))
        case "put" | "put force":
            written = store.put(KEY, source.read_bytes(), force=function == "put force")
        case "upload":
            written = store.upload(source, KEY, force=True)
        case "upload_batch":
            failed = store.upload_batch((source, key) for key in BATCH)
            return Outcome(
                unsent=[key for _, key, _ in failed], message="; ".join(each[2] for each in failed)
            )
        case _:
            store.delete(KEY)
            written = list(store.locations)
    return Outcome(written=[str(location.name) for location in written])
