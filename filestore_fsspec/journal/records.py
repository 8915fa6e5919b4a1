"""`Journal`: what a store has begun and does not know to be done.

A leg is one action, put or delete, on one key at one location. It is recorded before the action
goes out and forgotten when it has succeeded: a killed process leaves the legs whose outcome nobody
knows, a failure those that failed. Legs of the same key at the same location lie on each other. A
delete, and a put that is done, clear what lies below them; a put that never happened anywhere
uncovers it, so that it does not bring back what was deleted before.

`replaying` marks a leg that a replay may be writing at this moment: what comes later at its place
stays recorded even when it is done, for the replay's write may end last.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from filestore_fsspec.errors import CorruptedFileStoreException
from filestore_fsspec.fork_safety import watch_forks
from filestore_fsspec.journal.file import JournalFile
from filestore_fsspec.journal.pending import PendingWrites, identity, printable, slot_of

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Mapping, Sequence

    from filestore_fsspec.journal.pending import PendingWrite
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

ReplayEnding = Literal["done", "dropped", "failed"]
"""Done: it was carried out, and what lies below it is forgotten too. Dropped: it never happened,
and what lies below it remains. Failed: it remains, with the error."""
Outcome = bool | Exception
"""Done, left alone, or failed."""
_THREADS = 4


@dataclass(frozen=True)
class Recorded:
    """The legs of one action, as they were recorded."""

    seqs: Mapping[tuple[Location, str], int]
    """Of each location and key."""
    deleted: frozenset[Location] = frozenset()
    """Where the object was to be deleted and may still be there."""
    expected: frozenset[Location] = frozenset()
    """Where another content is still to come from another location: nothing is to be created."""


class Journal:
    """The legs in a file. Threads and processes may share it.

    It is called through a `bridge.Runner`, as a location's filesystem is, where it writes;
    `pending` is what it has written.
    """

    async_impl: ClassVar[bool] = False
    direct: ClassVar[frozenset[str]] = frozenset()
    may_wait: ClassVar[bool] = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file at `path`, or make it and its folder.

        Raises:
            CorruptedFileStoreException: it is there and is no journal that this version reads.
            FileStoreException: it cannot be opened.
        """
        self._start(JournalFile(path))
        self.file.make()

    def _start(self, file: JournalFile) -> None:
        self.file = file
        self.pending = PendingWrites(file)
        watch_forks(self, in_child=Journal._forked)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(JournalFile(state["path"]))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    @property
    def path(self) -> str:
        """Of its file."""
        return self.file.path

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """The threads for callers that await. Transactions go one by one, digests side by side."""
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="filestore-journal")

    def close(self) -> None:
        """Close the file and let the threads end. The next call begins anew."""
        threads: ThreadPoolExecutor | None = vars(self).pop("threads", None)
        if threads is not None:
            threads.shutdown(wait=False)
        self.file.close()

    def _forked(self) -> None:
        vars(self).pop("threads", None)  # a child has none of its parent's

    def record_put(
        self, locations: Locations, key: str, source: bytes | str, *, overwrite: bool
    ) -> Recorded:
        """Record a put of `source`, bytes or a local file's path, before it goes out."""
        sha256, size = digest(source)
        slots = {location: slot_of(location, key) for location in locations}
        among = "\n".join(sorted({identity(location) for location in locations}))
        now, owner = time.time(), self.file.owner
        seqs, deleted, expected = {}, set(), set()
        with self.file.transaction(durable=True) as connection:
            seq = _last(connection)
            for location, slot in slots.items():
                place = (identity(location), slot)
                below = connection.execute(
                    "SELECT max(action = 'delete'), max(replaying),"
                    " max(held AND action = 'put' AND sha256 <> ?)"
                    " FROM legs WHERE location = ? AND slot = ?",
                    (sha256, *place),
                ).fetchone()
                if below[2] and not overwrite:
                    expected.add(location)
                    continue
                if below[0]:
                    deleted.add(location)
                seq += 1
                # What is to be deleted there does not count as being there already.
                replaces = overwrite or bool(below[0])
                connection.execute(
                    "INSERT INTO legs VALUES (?, ?, ?, ?, 'put', ?, ?, ?, ?, ?, '', ?, ?, 0)",
                    (
                        *(seq, *place, key, sha256, size, replaces, among, now),
                        *(below[1] or 0, owner),
                    ),
                )
                seqs[location, key] = seq
        return Recorded(seqs, frozenset(deleted), frozenset(expected))

    def record_delete(self, locations: Locations, keys: Sequence[str]) -> Recorded:
        """Record deletes before they go out. They take the place of what lies there."""
        legs = [
            (each, place, slot_of(each, key), key)
            for each, place in zip(locations, map(identity, locations), strict=True)
            for key in keys
        ]
        now, owner = time.time(), self.file.owner
        with self.file.transaction(durable=True) as connection:
            last = _last(connection)
            connection.executemany(
                "INSERT INTO legs SELECT ?, ?, ?, ?, 'delete', '', 0, 0, '', ?, '',"
                " coalesce((SELECT max(replaying) FROM legs WHERE location = ? AND slot = ?), 0),"
                " ?, 0",
                (
                    (last + number, place, slot, key, now, place, slot, owner)
                    for number, (_, place, slot, key) in enumerate(legs, 1)
                ),
            )
            connection.executemany(
                "DELETE FROM legs WHERE location = ? AND slot = ? AND seq <= ?",
                ((place, slot, last) for _, place, slot, _ in legs),
            )
        numbered = enumerate(legs, last + 1)
        return Recorded({(leg[0], leg[3]): seq for seq, leg in numbered})

    def settle(self, recorded: Recorded, outcomes: Mapping[tuple[Location, str], Outcome]) -> None:
        """Forget the legs that are done or were left alone; keep the others, with the error."""
        held = any(outcome is True for outcome in outcomes.values())
        with self.file.transaction(durable=False) as connection:
            connection.executemany(
                "UPDATE legs SET owner = 0 WHERE seq = ?",
                ((seq,) for leg, seq in recorded.seqs.items() if outcomes.get(leg) is not False),
            )
            for (location, key), outcome in outcomes.items():
                seq = recorded.seqs[location, key]
                place = (identity(location), slot_of(location, key))
                if outcome is False:
                    connection.execute("DELETE FROM legs WHERE seq = ?", (seq,))
                elif outcome is True:
                    _done(connection, place, seq)
                else:
                    _failed(connection, place, seq, outcome, held=held)

    def begin_replay(self, leg: PendingWrite) -> bool:
        """Mark a leg before it is carried out; return False if it is no longer the latest."""
        return self._end(leg, "UPDATE legs SET replaying = 1 WHERE seq = ?", leg.seq)

    def end_replay(
        self, leg: PendingWrite, ending: ReplayEnding, error: Exception | None = None
    ) -> bool:
        """Record how a replay ended, unless a later leg came; return False if one did."""
        if ending == "done":
            statement = "DELETE FROM legs WHERE location = ? AND slot = ? AND seq <= ?"
            return self._end(leg, statement, leg.location, leg.slot, leg.seq)
        if ending == "dropped":
            return self._end(leg, "DELETE FROM legs WHERE seq = ?", leg.seq)
        statement = "UPDATE legs SET error = ?, replaying = 0 WHERE seq = ?"
        return self._end(leg, statement, printable(error), leg.seq)

    def _end(self, leg: PendingWrite, statement: str, *values: object) -> bool:
        with self.file.transaction(durable=False) as connection:
            (latest,) = connection.execute(
                "SELECT max(seq) FROM legs WHERE location = ? AND slot = ?",
                (leg.location, leg.slot),
            ).fetchone()
            if latest == leg.seq:
                connection.execute(statement, values)
            return bool(latest == leg.seq)


def digest(source: bytes | str) -> tuple[str, int]:
    """Return the SHA-256 and the size of bytes, or of the local file at a path."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest(), len(source)
    with Path(source).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return sha256, file.tell()


def _last(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'legs'").fetchone()
    return int(row[0]) if row else 0


def _done(connection: sqlite3.Connection, place: tuple[str, str], seq: int) -> None:
    connection.execute(
        "DELETE FROM legs WHERE location = ? AND slot = ?"
        " AND (seq < ? OR (seq = ? AND NOT replaying))",
        (*place, seq, seq),
    )


def _failed(
    connection: sqlite3.Connection,
    place: tuple[str, str],
    seq: int,
    error: Exception,
    *,
    held: bool,
) -> None:
    connection.execute(
        "UPDATE legs SET error = ?, overwrite = overwrite OR ?, held = ? WHERE seq = ?",
        (printable(error), isinstance(error, CorruptedFileStoreException), held, seq),
    )
    # What is at another location will be here, and what was to be put before will not.
    connection.execute(
        "DELETE FROM legs WHERE location = ? AND slot = ? AND seq < ? AND action = 'put' AND (? OR"
        " (sha256, 1) = (SELECT sha256, overwrite >= legs.overwrite FROM legs AS own"
        " WHERE own.seq = ?))",
        (*place, seq, held, seq),
    )
