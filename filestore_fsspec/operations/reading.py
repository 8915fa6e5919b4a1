"""Reading: who has it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from filestore_fsspec.deadline import share
from filestore_fsspec.errors import CorruptedFileStoreException, NotFound, TransportException
from filestore_fsspec.operations.outcomes import (
    failures_of,
    log_failures,
    no_right_content,
    unavailable,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from filestore_fsspec.breaker import State
    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations.select import Locations

T = TypeVar("T")


class Located(NamedTuple):
    """What one location says of an object."""

    location: Location
    state: Literal["present", "absent", "unknown"]
    size: int | None = None
    """Bytes."""
    modified: datetime | None = None
    seconds: float = 0.0
    """How long the answer took."""
    error: Exception | None = None
    """Why the state is unknown."""
    breaker: State = "closed"
    """Whether the location is asked (closed), skipped (open) or probed (half-open)."""


async def read_first(
    locations: Locations,
    read: Callable[[Location], Awaitable[T]],
    what: str,
    fallback: Locations = (),
) -> tuple[Location, T]:
    """Ask the locations in order; return the first that has the object, with its answer.

    One whose content is not what it should be is logged and passed over, and so is one whose answer
    is unknown where a later one has the object.
    Those in `fallback` are asked only if all others said absent.

    Raises:
        NotFound: every location said absent.
        CorruptedFileStoreException: none has the right content, and one has a wrong one.
        LocationUnavailable: none has it, and at some it is unknown.
    """
    unknown: dict[Location, Exception] = {}
    skipped: list[Location] = []
    wrong: list[CorruptedFileStoreException] = []
    for number, location in enumerate(locations):
        if location.is_circuit_open():
            skipped.append(location)
            continue
        try:
            with share(len(locations) - number):
                answer = await read(location)
        except NotFound:
            continue
        except TransportException as error:
            unknown[location] = error
        except CorruptedFileStoreException as error:
            location.log.warning("%s", error)
            wrong.append(error)
        else:
            log_failures(unknown | {each: each.skipped(what) for each in skipped})
            return location, answer
    unknown.update((location, location.skipped(what)) for location in skipped)
    if wrong:
        raise no_right_content(what, wrong, unknown.values())
    if unknown:
        raise unavailable(what, unknown)
    if fallback:
        return await read_first(fallback, read, what)
    names = ", ".join(map(str, locations)) or "every location: it is deleted, or is to be"
    raise NotFound(f"cannot {what}: absent at {names}")


async def find_first(locations: Locations, runner: Runner, key: str) -> list[Location]:
    """Return the first location that has the object, or none.

    Raises:
        LocationUnavailable: none has it, and at some it is unknown.
    """
    unknown: dict[Location, Exception] = {}
    for number, location in enumerate(locations):
        try:
            with share(len(locations) - number):
                held = await location.holds(runner, key)
        except TransportException as error:
            unknown[location] = error
            continue
        if held:
            log_failures(unknown)
            return [location]
    if unknown:
        raise unavailable(f"look for {key!r}", unknown)
    return []


async def find_each(locations: Locations, runner: Runner, key: str) -> list[Location]:
    """Return every location that has the object; otherwise like `find_first`."""
    outcomes = await runner.each(location.holds(runner, key) for location in locations)
    present = [each for each, held in zip(locations, outcomes, strict=True) if held is True]
    unknown = failures_of(locations, outcomes)
    if unknown and not present:
        raise unavailable(f"look for {key!r}", unknown)
    log_failures(unknown)
    return present


async def locate_each(locations: Locations, runner: Runner, key: str) -> list[Located]:
    """Return what every location says of the object."""
    outcomes = await runner.each(_locate(location, runner, key) for location in locations)
    return [value_of(outcome) for outcome in outcomes]


async def _locate(location: Location, runner: Runner, key: str) -> Located:
    started = time.monotonic()
    try:
        info = await location.stat(runner, key)
    except NotFound:
        return Located(location, "absent", seconds=time.monotonic() - started)
    except TransportException as error:
        seconds = time.monotonic() - started
        breaker = location.breaker_state
        return Located(location, "unknown", seconds=seconds, error=error, breaker=breaker)
    seconds = time.monotonic() - started
    if info["type"] != "file":
        return Located(location, "absent", seconds=seconds)
    return Located(location, "present", info["size"], info["modified"], seconds)
