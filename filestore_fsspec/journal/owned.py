"""`Owned`: what a call has begun in a journal, and ends whatever becomes of the call."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakSet

from filestore_fsspec.bridge import ASYNCIO
from filestore_fsspec.deadline import seconds_left
from filestore_fsspec.errors import JournalError, LocationUnavailable
from filestore_fsspec.journal.file import BUSY_SECONDS
from filestore_fsspec.journal.worker import Job, finished

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.journal.file import JournalFile

T = TypeVar("T")
Place = tuple[str, str]
"""A location's identity and a slot."""
_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.001, 0.02


class _OfThread(threading.local):
    """What this thread has begun and not ended: several, if a signal handler began one inside."""

    def __init__(self) -> None:
        self.begun: WeakSet[Owned[Any]] = WeakSet()


_of_thread = _OfThread()


class Owned(Generic[T]):
    """An action at some places, or a replay of one, from before it is recorded to its end.

    Until it ends nobody else begins at its places: what happens to a key happens in one order at
    every location. An interrupted or cancelled call's ends with the call, one that was forgotten
    when it is collected, a killed process's with its lock.
    """

    def __init__(
        self,
        file: JournalFile,
        places: Collection[Place],
        begin: Callable[[sqlite3.Connection, int, bool], T],
        end: Callable[[sqlite3.Connection, T], object],
        what: str,
    ) -> None:
        """Begin nothing yet.

        Args:
            file: the journal's.
            places: where nobody else may begin meanwhile.
            begin: called in a transaction with the owner's number, and whether this very thread
                has begun at one of the places: a signal handler cannot wait for what it interrupts.
            end: called in a transaction with what `begin` returned.
            what: the words for messages.
        """
        self._file, self._places, self._what = file, frozenset(places), what
        self._begin, self._end = begin, end
        # The same to the end, whoever closes the journal meanwhile: its jobs are done in order.
        self._worker = file.worker
        self._ending: Job[None] | None = None
        self._over = False
        self._begun: T | None = None

    async def begin(self, runner: Runner, *, durable: bool) -> T:
        """Begin as soon as nobody else is at one of the places.

        Raises:
            JournalError: it cannot be recorded.
            LocationUnavailable: the deadline came first.
        """
        pause = _PAUSE_SECONDS
        try:
            while (begun := await self._try(runner, durable=durable)) is None:
                await runner.pause(min(pause, self._seconds_left()))
                pause = min(2 * pause, _MAX_PAUSE_SECONDS)
        except JournalError:
            raise  # nothing is recorded
        except BaseException:
            await self.end(runner)
            raise
        return begun

    async def begin_if_free(self, runner: Runner, *, durable: bool) -> T | None:
        """Begin, or return None if anybody is at one of the places. Raises as `begin`."""
        try:
            return await self._try(runner, durable=durable, inside=False)
        except JournalError:
            raise
        except BaseException:
            await self.end(runner)
            raise

    async def end(self, runner: Runner) -> None:
        """End. An interrupt or a cancellation that comes meanwhile is raised afterwards.

        A second one is raised at once: this may have to wait for another process.

        Raises:
            JournalError: it cannot be recorded now; the next to begin in this process does it.
        """
        try:
            await finished(runner, self._submit_end())
        except JournalError:
            raise
        except BaseException:
            await finished(runner, self._submit_end())
            raise
        finally:
            _of_thread.begun.discard(self)

    def __del__(self) -> None:
        if vars(self).get("_begun") is not None:
            self._submit_end()  # if the way to `end` was interrupted

    def _submit_end(self) -> Job[None]:
        if self._ending is None:
            self._ending = Job(self._record_end)
        if not self._ending.submitted:
            self._worker.submit(self._ending)
        return self._ending

    async def _try(self, runner: Runner, *, durable: bool, inside: bool = True) -> T | None:
        mine: list[Owned[Any]] = []
        if runner is not ASYNCIO and inside:
            mine = [each for each in _of_thread.begun if each is not self]
            _of_thread.begun.add(self)
        job = Job(partial(self._record_begin, mine, self._seconds_left(), durable=durable))
        self._worker.submit(job)
        return await finished(runner, job)

    def _seconds_left(self) -> float:
        try:
            left = seconds_left()
        except TimeoutError as error:
            raise LocationUnavailable(
                f"cannot {self._what}: the deadline has passed before it could begin", error
            ) from error
        return BUSY_SECONDS if left is None else min(left, BUSY_SECONDS)

    # In the worker.

    def _record_begin(
        self, mine: list[Owned[Any]], busy_seconds: float, *, durable: bool
    ) -> T | None:
        def work(connection: sqlite3.Connection) -> None:
            for each in self._file.unended:
                each.record_end(connection)
            if self._over:
                return
            inside = {place for each in mine for place in each.held(self._file)}
            if not self._others(connection, self._places - inside):
                nested = not self._places.isdisjoint(inside)
                self._begun = self._begin(connection, self._file.owner, nested)

        try:
            self._file.execute(work, durable=durable, busy_seconds=busy_seconds)
        except BaseException:
            self._begun = None
            raise
        self._file.unended.clear()
        return self._begun

    def held(self, file: JournalFile) -> Collection[Place]:
        """Return the places of a file where it has begun, and not ended."""
        held = self._begun is not None and not self._over and self._file.path == file.path
        return self._places if held else ()

    def _others(self, connection: sqlite3.Connection, places: Collection[Place]) -> bool:
        """Tell whether somebody who lives is at one of `places`."""
        rows = connection.execute("SELECT location, slot, owner FROM legs WHERE owner <> 0")
        owners = {owner for location, slot, owner in rows if (location, slot) in places}
        return any(map(self._file.is_alive, owners))

    def _record_end(self) -> None:
        try:
            self._file.execute(self.record_end, durable=False, busy_seconds=BUSY_SECONDS)
        except JournalError:
            self._file.unended.append(self)
            raise

    def record_end(self, connection: sqlite3.Connection) -> None:
        """End, in a transaction."""
        self._over = True
        if self._begun is not None:
            self._end(connection, self._begun)
