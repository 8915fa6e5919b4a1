"""`replay`: carry out what a journal says was begun and is not known to be done."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from filestore_fsspec.errors import (
    LocationUnavailable,
    NotFound,
    PermissionDenied,
    ReadOnly,
    TransportException,
)
from filestore_fsspec.journal.pending import identity
from filestore_fsspec.journal.records import ReplayEnding, digest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.journal.pending import PendingWrite
    from filestore_fsspec.journal.records import Journal
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

T = TypeVar("T")
_PAUSE_SECONDS = 0.05


class Replayed(NamedTuple):
    """What a replay did with one leg."""

    location: Location
    key: str
    action: Literal["put", "delete"]
    state: Literal["done", "kept", "dropped"]
    """Kept: it is still pending. Dropped: no location holds what was to be put."""
    error: Exception | None = None
    """Why it was kept or dropped."""


async def replay(
    journal: Journal, locations: Locations, runner: Runner
) -> AsyncGenerator[Replayed, None]:
    """Carry out the pending legs of `locations` in order; yield what became of each.

    Legs of other locations, and of actions that are under way, stay as they are.
    """
    lock = journal.file.replay_lock()
    try:
        while not lock.acquire(wait=False):
            await runner.pause(_PAUSE_SECONDS)
        mending = _Replay(journal, locations, runner)
        for place in journal.pending.places():
            async for each in mending.mend(place):
                yield each
    finally:
        lock.release()


class _Ending(NamedTuple):
    """How a leg ends: what the journal records, and what is told."""

    recorded: ReplayEnding
    state: Literal["done", "kept", "dropped"]
    error: Exception | None = None


_DONE = _Ending("done", "done")
_LEFT_ALONE = _Ending("dropped", "done")


class _Replay:
    def __init__(self, journal: Journal, locations: Locations, runner: Runner) -> None:
        self._journal, self._locations, self._runner = journal, locations, runner
        self._known = {identity(location): location for location in reversed(locations)}
        self._down: dict[Location, LocationUnavailable] = {}

    async def mend(self, place: tuple[str, str]) -> AsyncGenerator[Replayed, None]:
        """Carry out the latest leg of a place, and those below it as far as it clears none."""
        location = self._known.get(place[0])
        ending: _Ending | None = _LEFT_ALONE
        while location is not None and ending is not None and ending.recorded == "dropped":
            leg = self._journal.pending.top(place)
            ending = await self._mend(leg, location) if leg is not None else None
            if leg is not None and ending is not None:
                if ending.error is not None:
                    location.log.warning("replay: %s: %s", ending.state, ending.error)
                yield Replayed(location, leg.key, leg.action, ending.state, ending.error)

    async def _mend(self, leg: PendingWrite, location: Location) -> _Ending | None:
        """Carry out a leg, or return None if somebody else is at its place."""
        ending: _Ending | None = None
        owned = self._journal.replay(
            leg, lambda: None if ending is None else (ending.recorded, ending.error)
        )
        if not await owned.begin_if_free(self._runner, durable=False):
            return None
        try:
            ending = await self._carry_out(leg, location)
        except TransportException as error:
            ending = _Ending("failed", "kept", error)
        finally:
            await owned.end(self._runner)
        return ending

    async def _carry_out(self, leg: PendingWrite, location: Location) -> _Ending:
        if location.read_only:
            return _Ending("failed", "kept", ReadOnly(f"{location}: read-only"))
        if leg.action == "delete":
            await self._asked(location, location.remove(self._runner, leg.key))
            return _DONE
        with TemporaryDirectory(prefix="filestore-") as folder:
            return await self._put(leg, location, Path(folder) / "content")

    async def _put(self, leg: PendingWrite, location: Location, copy: Path) -> _Ending:
        # Where it is not known to have failed it may be there, and need not be sent again. Nor is
        # it where something else is there that is kept: sending finds that out.
        looked = leg.overwrite and not leg.error
        if looked and await self._holds(leg, location, copy):
            return _DONE
        unknown = [each for each in leg.among.splitlines() if each not in self._known]
        for other in self._locations:
            try:
                if other is not location and await self._holds(leg, other, copy):
                    break
            except TransportException as error:
                unknown.append(str(error))
        else:
            held = False if looked else await self._holds(leg, location, copy)
            if held:
                return _DONE
            if held is False and not leg.overwrite:
                return _LEFT_ALONE
            message = f"{location}: cannot put {leg.key!r}: no location has what was to be put"
            if unknown:
                raise LocationUnavailable(f"{message}; not asked: {'; '.join(unknown)}")
            return _Ending("dropped", "dropped", NotFound(message))
        sent = location.send(self._runner, leg.key, str(copy), overwrite=leg.overwrite)
        if await self._asked(location, sent) or await self._holds(leg, location, copy):
            return _DONE
        return _LEFT_ALONE

    async def _holds(self, leg: PendingWrite, location: Location, copy: Path) -> bool | None:
        """Bring what a leg was to put, if a location has it, to `copy`; None: it has nothing."""
        try:
            info = await self._asked(location, location.stat(self._runner, leg.key))
            if info["type"] != "file":
                return None
            if info["size"] not in (None, leg.size):
                return False
            await self._asked(location, location.fetch(self._runner, leg.key, copy))
        except NotFound:
            return None
        return await self._runner.work(digest, str(copy)) == (leg.sha256, leg.size)

    async def _asked(self, location: Location, question: Coroutine[Any, Any, T]) -> T:
        """Await what a location is asked, unless it could not be reached before."""
        if location in self._down:
            question.close()
            raise self._down[location]
        try:
            return await question
        except PermissionDenied:
            raise
        except LocationUnavailable as error:
            self._down[location] = error
            raise
