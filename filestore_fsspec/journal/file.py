"""`JournalFile`: an SQLite file that threads, processes and forked children share."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filestore_fsspec.errors import CorruptedFileStoreException, FileStoreException
from filestore_fsspec.fork_safety import watch_forks
from filestore_fsspec.journal.locks import ByteLock, is_held, new_owner

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_SECONDS = 30.0
"""How long one process waits for another's transaction."""
_REPLAY, _CREATION = 0, 1
"""What the first bytes of the lock file stand for; the others are owners."""
_APPLICATION = 0x46534A4C
"""SQLite's application_id: `FSJL`."""
_VERSION = 1
_SCHEMA = """
CREATE TABLE legs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    location TEXT NOT NULL,
    slot TEXT NOT NULL,
    key TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('put', 'delete')),
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    overwrite INTEGER NOT NULL,
    among TEXT NOT NULL,
    time REAL NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    replaying INTEGER NOT NULL DEFAULT 0,
    owner INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX legs_of_slot ON legs (slot, location, seq);
"""


class JournalFile:
    """One connection for what reads, which waits for nothing, and one for what writes.

    A fork closes both first: SQLite's locks do not work in a child of whoever holds them.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the file; it is opened, or made, on first use."""
        self.path = os.fspath(Path(path).absolute())
        self._reader, self._writer = _Connection(self.path), _Connection(self.path)
        self._owner: ByteLock | None = None
        watch_forks(
            self, before=JournalFile.pause, in_parent=JournalFile.go_on, in_child=JournalFile.forked
        )

    def __del__(self) -> None:
        if "_writer" in vars(self):
            self.close()

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        for connection in (self._reader, self._writer):
            with connection.lock:
                connection.close()

    def make(self) -> None:
        """Open the file, or make it and its folder.

        Raises:
            CorruptedFileStoreException: it is there and is no journal that this version reads.
            FileStoreException: it cannot be opened.
        """
        with self._errors(), self._reader.lock:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._reader.opened()

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return what a SELECT finds, as of the last transaction that was committed."""
        with self._errors(), self._reader.lock:
            return self._reader.opened().execute(query, values).fetchall()

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """Commit all of what is executed on the connection, or nothing if the body raises.

        A `durable` one is on the disk when this returns. Another outlasts the process, and the
        machine as soon as a durable one follows.
        """
        with self._errors(), self._writer.lock:
            connection = self._writer.opened()
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def replay_lock(self) -> ByteLock:
        """Return the lock of whoever replays this file."""
        return ByteLock(f"{self.path}-lock", _REPLAY)

    @property
    def owner(self) -> int:
        """The number that stands for this object as long as its process lives."""
        with self._errors(), self._writer.lock:
            if self._owner is None:
                self._owner = new_owner(f"{self.path}-lock")
            return self._owner.number

    def is_alive(self, owner: int) -> bool:
        """Tell whether the process that has this number lives."""
        with self._errors():
            return is_held(f"{self.path}-lock", owner)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise FileStoreException(f"journal {self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise CorruptedFileStoreException(f"journal {self.path}: {error}") from error
        except OSError as error:
            raise FileStoreException(f"journal {self.path}: {error.strerror}") from error

    # Around a fork.

    def pause(self) -> None:
        """Close the file, and let nobody open it until `go_on`."""
        for connection in (self._reader, self._writer):
            connection.lock.acquire()
            connection.close()

    def go_on(self) -> None:
        """Let the file be opened again."""
        for connection in (self._writer, self._reader):
            connection.lock.release()

    def forked(self) -> None:
        """Let the child open the file; it is an owner of its own."""
        if self._owner is not None:
            self._owner.leave()
            self._owner = None
        self.go_on()


class _Connection:
    """A connection that is opened on first use, under its lock."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self.path)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _open(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        if not _is_journal(connection, path):
            # Two at once: SQLite does not wait for another's change to write-ahead logging.
            with ByteLock(f"{path}-lock", _CREATION):
                if not _is_journal(connection, path):
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id={_APPLICATION};"
                        f"PRAGMA user_version={_VERSION}; COMMIT"
                    )
    except BaseException:
        connection.close()
        raise
    return connection


def _is_journal(connection: sqlite3.Connection, path: str) -> bool:
    """Tell a journal from a new file.

    Raises:
        CorruptedFileStoreException: it is neither.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) == (_APPLICATION, _VERSION):
        return True
    if application == _APPLICATION:
        raise CorruptedFileStoreException(
            f"journal {path}: its version is {version}, and this package reads {_VERSION}"
        )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or version or tables:
        raise CorruptedFileStoreException(f"journal {path}: this is another program's database")
    return False
