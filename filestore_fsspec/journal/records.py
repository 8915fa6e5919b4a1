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
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filestore_fsspec.errors import CorruptedFileStoreException
from filestore_fsspec.journal.file import BUSY_SECONDS, JournalFile
from filestore_fsspec.journal.owned import Owned
from filestore_fsspec.journal.pending import PendingWrites, identity, printable, slot_of
from filestore_fsspec.journal.worker import Job, finished

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.journal.pending import PendingWrite
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

ReplayEnding = Literal["done", "dropped", "failed"]
"""Done: it was carried out, and what lies below it is forgotten too. Dropped: it never happened,
and what lies below it remains. Failed: it remains, with the error."""
Outcome = bool | Exception
"""Done, kept, or failed."""


@dataclass(frozen=True)
class Recorded:
    """The legs of one action, as they were recorded."""

    seqs: Mapping[tuple[Location, str], int]
    """Of each location and key."""
    deleted: frozenset[Location] = frozenset()
    """Where the object was to be deleted and may still be there."""
    expected: frozenset[Location] = frozenset()
    """Where another content is still to come from another location: nothing is to be created."""


class Outcomes:
    """What has become of an action so far."""

    def __init__(self) -> None:
        self.begun = False
        """Whether anything may have changed at a location."""
        self.of_legs: dict[tuple[Location, str], Outcome] = {}


class Journal:
    """The legs in a file. Threads and processes may share it."""

    def __init__(self, path: str | os.PathLike[str], log: logging.Logger) -> None:
        """Open the file at `path`, or make it and its folder.

        Raises:
            JournalError: it is there and is no journal that this version reads, or cannot be
                opened.
        """
        self._start(JournalFile(path, log))
        self.file.make()

    def _start(self, file: JournalFile) -> None:
        self.file = file
        self.pending = PendingWrites(file)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "logger": self.file.log.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(JournalFile(state["path"], logging.getLogger(state["logger"])))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    @property
    def path(self) -> str:
        """Of its file."""
        return self.file.path

    def close(self) -> None:
        """Close the file and let its thread end. The next call begins anew."""
        self.file.close()

    def put(
        self,
        locations: Locations,
        key: str,
        content: tuple[str, int],
        outcomes: Outcomes,
        *,
        overwrite: bool,
    ) -> Owned[Recorded]:
        """Return a put of `content`, a digest and a size, to be begun before it goes out.

        When it ends, the legs that are done, or kept what was there, are forgotten; the others
        stay, with the error.
        """
        sha256, size = content
        slots = {location: slot_of(location, key) for location in locations}
        among = "\n".join(sorted({identity(location) for location in locations}))

        def begin(connection: sqlite3.Connection, owner: int, nested: bool) -> Recorded:  # noqa: FBT001 - as `Owned` calls it
            now, seq = time.time(), _last(connection)
            seqs, deleted, expected = {}, set(), set()
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
                        *(nested or below[1] or 0, owner),
                    ),
                )
                seqs[location, key] = seq
            return Recorded(seqs, frozenset(deleted), frozenset(expected))

        places = {(identity(location), slot) for location, slot in slots.items()}
        return Owned(self.file, places, begin, _ending(outcomes), f"put {key!r}")

    def delete(
        self, locations: Locations, keys: Sequence[str], outcomes: Outcomes
    ) -> Owned[Recorded]:
        """Return a delete, to be begun before it goes out; otherwise like `put`."""
        legs = [
            (each, place, slot_of(each, key), key)
            for each, place in zip(locations, map(identity, locations), strict=True)
            for key in keys
        ]

        def begin(connection: sqlite3.Connection, owner: int, nested: bool) -> Recorded:  # noqa: FBT001 - as `Owned` calls it
            now, last = time.time(), _last(connection)
            connection.executemany(
                "INSERT INTO legs SELECT ?, ?, ?, ?, 'delete', '', 0, 0, '', ?, '', max(?,"
                " coalesce((SELECT max(replaying) FROM legs WHERE location = ? AND slot = ?), 0)),"
                " ?, 0",
                (
                    (last + number, place, slot, key, now, nested, place, slot, owner)
                    for number, (_, place, slot, key) in enumerate(legs, 1)
                ),
            )
            numbered = enumerate(legs, last + 1)
            return Recorded({(leg[0], leg[3]): seq for seq, leg in numbered})

        places = {(place, slot) for _, place, slot, _ in legs}
        what = f"delete {keys[0]!r}" if len(keys) == 1 else f"delete {len(keys)} keys"
        return Owned(self.file, places, begin, _ending(outcomes), what)

    def replay(self, leg: PendingWrite, how: Callable[[], ReplayEnd | None]) -> Owned[bool]:
        """Return a replay of a leg: it begins with False if that is no longer the latest.

        `how` tells, when it ends, how; None is that it was interrupted.
        """
        place = (leg.location, leg.slot)

        def begin(connection: sqlite3.Connection, owner: int, _nested: bool) -> bool:  # noqa: FBT001 - as `Owned` calls it
            return _if_latest(
                connection, leg, "UPDATE legs SET replaying = 1, owner = ? WHERE seq = ?", owner
            )

        def end(connection: sqlite3.Connection, begun: bool) -> None:  # noqa: FBT001 - what `begin` returned
            if not begun:
                return
            connection.execute("UPDATE legs SET owner = 0 WHERE seq = ?", (leg.seq,))
            recorded, error = how() or (None, None)
            if recorded == "done":
                done = "DELETE FROM legs WHERE location = ? AND slot = ? AND ? >= seq"
                _if_latest(connection, leg, done, *place)
            elif recorded == "dropped":
                _if_latest(connection, leg, "DELETE FROM legs WHERE seq = ?")
            elif recorded == "failed":
                failed = "UPDATE legs SET error = ?, replaying = 0 WHERE seq = ?"
                _if_latest(connection, leg, failed, printable(error))

        return Owned(self.file, [place], begin, end, f"replay {leg.key!r}")

    async def forget(self, runner: Runner, location: str) -> int:
        """Forget the legs of a location that nobody is carrying out; return how many they were."""

        def forget(connection: sqlite3.Connection) -> int:
            rows = connection.execute(
                "SELECT DISTINCT owner FROM legs WHERE owner <> 0 AND location = ?", (location,)
            )
            alive = [owner for (owner,) in rows if self.file.is_alive(owner)]
            found = connection.execute(
                "DELETE FROM legs WHERE location = ?"
                " AND owner NOT IN (SELECT value FROM json_each(?))",
                (location, json.dumps(alive)),
            )
            # Nobody waits for its answer to what no other location has.
            connection.execute(
                "UPDATE legs SET among = trim(replace(char(10) || among || char(10),"
                " char(10) || ?1 || char(10), char(10)), char(10))"
                " WHERE instr(char(10) || among || char(10), char(10) || ?1 || char(10))",
                (location,),
            )
            return found.rowcount

        job = Job(lambda: self.file.execute(forget, durable=True, busy_seconds=BUSY_SECONDS))
        self.file.worker.submit(job)
        return await finished(runner, job)


ReplayEnd = tuple[ReplayEnding, Exception | None]


def _if_latest(
    connection: sqlite3.Connection, leg: PendingWrite, statement: str, *values: object
) -> bool:
    """Execute a statement, its last value the leg's number, unless a later leg came."""
    (latest,) = connection.execute(
        "SELECT max(seq) FROM legs WHERE location = ? AND slot = ?", (leg.location, leg.slot)
    ).fetchone()
    if latest == leg.seq:
        connection.execute(statement, (*values, leg.seq))
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


def _ending(outcomes: Outcomes) -> Callable[[sqlite3.Connection, Recorded], None]:
    """Return what forgets an action's legs, or keeps them with the error."""

    def end(connection: sqlite3.Connection, recorded: Recorded) -> None:
        known: Mapping[tuple[Location, str], Outcome] = outcomes.of_legs
        if not outcomes.begun and not known:
            known = dict.fromkeys(recorded.seqs, False)  # nothing has gone out
        held = any(outcome is True for outcome in known.values())
        connection.executemany(
            "UPDATE legs SET owner = 0 WHERE seq = ?", ((seq,) for seq in recorded.seqs.values())
        )
        for leg, seq in recorded.seqs.items():
            location, key = leg
            place = (identity(location), slot_of(location, key))
            outcome = known.get(leg)
            if outcome is False:
                connection.execute("DELETE FROM legs WHERE seq = ?", (seq,))
            elif outcome is True:
                _done(connection, place, seq)
            else:
                _failed(connection, place, seq, outcome, held=held)

    return end


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
    error: Exception | None,
    *,
    held: bool,
) -> None:
    """Keep a leg whose action has failed, or, without an error, has an unknown outcome."""
    connection.execute(
        "UPDATE legs SET error = ?, overwrite = overwrite OR ?, held = ? WHERE seq = ?",
        (printable(error), isinstance(error, CorruptedFileStoreException), held, seq),
    )
    # What is at another location will be here, what was to be put before will not, and a delete
    # takes the place of all.
    connection.execute(
        "DELETE FROM legs WHERE location = ? AND slot = ? AND seq < ? AND"
        " ((SELECT action FROM legs AS own WHERE own.seq = ?) = 'delete' OR action = 'put' AND (?"
        " OR (sha256, 1) = (SELECT sha256, overwrite >= legs.overwrite FROM legs AS own"
        " WHERE own.seq = ?)))",
        (*place, seq, seq, held, seq),
    )
