"""`JournalFile`: an SQLite file that threads, processes and forked children share."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from filestore_fsspec.bridge import SYNC, run
from filestore_fsspec.errors import JournalError
from filestore_fsspec.fork_safety import keep, watch_forks
from filestore_fsspec.journal.locks import ByteLock, is_held, new_owner
from filestore_fsspec.journal.worker import Job, Worker, finished

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

T = TypeVar("T")

BUSY_SECONDS = 30.0
"""How long one process waits for another's transaction."""
_REPLAY, _CREATION = 0, 1
"""What the first bytes of the lock file stand for; the others are owners."""
_APPLICATION = 0x46534A4C
"""SQLite's application_id: `FSJL`."""
_VERSION = 2
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
CREATE INDEX legs_under_way ON legs (owner) WHERE owner <> 0;
"""
_abandoned: deque[sqlite3.Connection] = deque()
"""Of files that nobody closed. They are closed where the next one is opened: SQLite is entered only
under the lock of a file that waits for forks, and what is collected waits for none."""


class Ending(Protocol):
    """What has been begun."""

    def record_end(self, connection: sqlite3.Connection) -> None:
        """End it, in a transaction."""


class JournalFile:
    """One connection for what reads, which waits for nothing, and one for what writes.

    A fork closes both first: SQLite's locks do not work in a child of whoever holds them.
    """

    def __init__(self, path: str | os.PathLike[str], log: logging.Logger) -> None:
        """Name the file; it is opened, or made, on first use."""
        self.path, self.log = os.fspath(Path(path).absolute()), log
        self._reader = _Connection(self.path, "rw", log)
        self._writer = _Connection(self.path, "rwc", log)
        self._owner: ByteLock | None = None
        self.worker = Worker()
        self.unended: deque[Ending] = deque()
        """What could not be recorded to have ended."""
        watch_forks(
            self, before=JournalFile.pause, in_parent=JournalFile.go_on, in_child=JournalFile.forked
        )

    def __del__(self) -> None:
        if "worker" in vars(self):
            for connection in (self._reader, self._writer):
                connection.abandon()

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        self.worker = Worker()  # the other ends, when those who have jobs for it are done
        for connection in (self._reader, self._writer):
            with connection.lock:
                connection.close()

    def make(self) -> None:
        """Open the file, or make it and its folder.

        Raises:
            JournalError: it cannot be opened, or is there and is no journal that this version
                reads.
        """

        def make() -> None:
            with self._errors(), self._writer.lock:
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
                self._writer.opened()

        job = Job(make)
        self.worker.submit(job)
        run(finished(SYNC, job))

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return what a SELECT finds, as of the last transaction that was committed.

        Raises:
            JournalError: it cannot be read.
        """
        with self._errors():
            while (found := self._read(query, values)) is None:
                # By the worker: a signal handler might wait for what its own thread is doing.
                self.make()
        return found

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Any] | None:
        """Return what a SELECT finds, or None if there is no file."""
        while True:
            with self._reader.lock:
                try:
                    connection = self._reader.opened()
                except sqlite3.OperationalError:
                    if Path(self.path).exists():
                        raise
                    return None
                try:
                    return connection.execute(query, values).fetchall()
                except sqlite3.ProgrammingError:
                    if connection is self._reader.connection:
                        raise
                    # A signal handler of this thread has forked, and closed it.

    def execute(
        self, work: Callable[[sqlite3.Connection], T], *, durable: bool, busy_seconds: float
    ) -> T:
        """Commit all of what `work` does, or nothing if it raises: for the worker's jobs.

        A `durable` one is on the disk when this returns. Another outlasts the process, and the
        machine as soon as a durable one follows.

        Raises:
            JournalError: it cannot be written, or another process wrote for `busy_seconds`.
        """
        with self._errors(busy_seconds), self._writer.lock:
            connection = self._writer.opened()
            connection.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = work(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        return done

    def replay_lock(self) -> ByteLock:
        """Return the lock of whoever replays this file."""
        return ByteLock(f"{self.path}-lock", _REPLAY)

    @property
    def owner(self) -> int:
        """The number that stands for this object as long as its process lives; for the worker."""
        if self._owner is None:
            self._owner = new_owner(f"{self.path}-lock")
        return self._owner.number

    def is_alive(self, owner: int) -> bool:
        """Tell whether the process that has this number lives."""
        with self._errors():
            return is_held(f"{self.path}-lock", owner)

    @contextmanager
    def _errors(self, busy_seconds: float = BUSY_SECONDS) -> Iterator[None]:
        name = f"journal {self.path}"
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise JournalError(
                    f"{name}: {error}: another process has been writing for {busy_seconds:.3g} s; "
                    "one that was stopped in mid-write has to go on or end"
                ) from error
            raise JournalError(f"{name}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{name}: damaged ({error}): move it away, with its -wal and -shm; a new one is "
                "made. What was pending is lost: compare the locations"
            ) from error
        except OSError as error:
            raise JournalError(f"{name}: {error.strerror}") from error

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
        keep(list(_abandoned))
        _abandoned.clear()
        self.worker = Worker()
        self.go_on()


class _Connection:
    """A connection that is opened on first use, under its lock."""

    def __init__(self, path: str, mode: str, log: logging.Logger) -> None:
        self.path, self._mode, self._log = path, mode, log
        self.lock = threading.RLock()  # a signal handler may read while its thread does
        self.connection: sqlite3.Connection | None = None
        self._files: list[tuple[int, int] | None] = []

    def opened(self) -> sqlite3.Connection:
        if self.connection is not None and self._files != _files(self.path):
            self._log.warning(
                "journal %s: deleted or replaced: what it remembered is not known any more",
                self.path,
            )
            self.close()
        if self.connection is None:
            while _abandoned:
                with suppress(IndexError):  # another thread was first
                    _abandoned.popleft().close()
            connection = _open(self.path, self._mode)
            self._files = _files(self.path)
            self.connection = connection
        return self.connection

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        if self.connection is not None:
            _abandoned.append(self.connection)


def _files(path: str) -> list[tuple[int, int] | None]:
    """Return what tells whether the file and its write-ahead log are still those that are open."""
    found: list[tuple[int, int] | None] = []
    for name in (path, f"{path}-wal"):
        try:
            status = os.stat(name)  # noqa: PTH116 - a microsecond of each read
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino))
    return found


def _open(path: str, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(path)}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
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
        JournalError: it is neither.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) == (_APPLICATION, _VERSION):
        return True
    if application == _APPLICATION:
        raise JournalError(
            f"journal {path}: its version is {version}, and this package reads {_VERSION}"
        )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or version or tables:
        raise JournalError(f"journal {path}: this is another program's database: name another file")
    return False
