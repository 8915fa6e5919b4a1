"""What a store does with its locations: who is asked, in what order, when to stop.

One coroutine each, over `Location`; no I/O of its own. A location says present, absent
(`NotFound`) or unknown (any other `TransportException`), and unknown is never taken for absent.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from filestore_fsspec.bridge import awaitable, blocking, run, wait
from filestore_fsspec.deadline import share
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    LocationUnavailable,
    NotFound,
    PartialWrite,
    PermissionDenied,
    ReadOnly,
    TransportException,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
    from datetime import datetime

    from filestore_fsspec.breaker import State
    from filestore_fsspec.bridge import Caller
    from filestore_fsspec.location import Location

T = TypeVar("T")
Locations = tuple["Location", ...]
Page = list[dict[str, Any]]
"""Some of the infos of a listing, each under its key as `name`."""

log = logging.getLogger("filestore_fsspec")


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
    """Whether the location is asked (closed), left alone (open) or looked after (half-open)."""


def select(locations: Locations, name: str) -> Locations:
    """Return the locations that `name` means: near, far, all, any or one location's own name.

    Raises:
        ValueError: it means none; the message lists the names.
    """
    if name in ("all", "any"):
        return locations
    if name == "near":
        return locations[:1]
    if name == "far":
        return locations[-1:]
    named = tuple(location for location in locations if location.name == name)
    if not named:
        names = ["near", "far", "all", "any", *filter(None, (each.name for each in locations))]
        raise ValueError(f"no location is called {name!r} (allowed: {', '.join(names)})")
    return named


def select_writable(locations: Locations, name: str, action: str) -> Locations:
    """Return the selected locations that may be written.

    Raises:
        ReadOnly: there is none.
        ValueError: as in `select`.
    """
    selected = select(locations, name)
    writable = tuple(location for location in selected if not location.read_only)
    if not writable:
        raise ReadOnly(f"cannot {action}: read-only: {', '.join(map(str, selected))}")
    return writable


async def read_first(
    locations: Locations,
    read: Callable[[Location], Awaitable[T]],
    what: str,
    last: Locations = (),
) -> tuple[Location, T]:
    """Ask the locations in order; return the first that has the object, with its answer.

    One whose content is not what it should be is logged and passed over.
    Those in `last` are asked only if all others said absent.

    Raises:
        NotFound: every location said absent.
        CorruptedFileStoreException: none has the right content, and one has a wrong one.
        LocationUnavailable: none has it, and not all could say.
    """
    unknown: dict[Location, Exception] = {}
    skipped: list[Location] = []
    wrong: list[CorruptedFileStoreException] = []
    for number, location in enumerate(locations):
        if location.is_left_alone():
            skipped.append(location)
            continue
        try:
            with share(len(locations) - number):
                return location, await read(location)
        except NotFound:
            continue
        except TransportException as error:
            unknown[location] = error
        except CorruptedFileStoreException as error:
            log.warning("%s", error)
            wrong.append(error)
    unknown.update((location, location.skipped(what)) for location in skipped)
    if wrong:
        raise no_right_content(what, wrong, unknown)
    if unknown:
        raise _unavailable(what, unknown)
    if last:
        return await read_first(last, read, what)
    names = ", ".join(map(str, locations)) or "every location: it is deleted, or is to be"
    raise NotFound(f"cannot {what}: absent at {names}")


async def find_first(locations: Locations, caller: Caller, key: str) -> list[Location]:
    """Return the first location that has the object, or none.

    Raises:
        LocationUnavailable: none has it, and not all could say.
    """
    unknown: dict[Location, Exception] = {}
    for number, location in enumerate(locations):
        try:
            with share(len(locations) - number):
                if await location.holds(caller, key):
                    return [location]
        except TransportException as error:
            unknown[location] = error
    if unknown:
        raise _unavailable(f"look for {key!r}", unknown)
    return []


async def find_each(locations: Locations, caller: Caller, key: str) -> list[Location]:
    """Return every location that has the object; otherwise like `find_first`."""
    outcomes = await caller.each(location.holds(caller, key) for location in locations)
    present = [each for each, held in zip(locations, outcomes, strict=True) if held is True]
    unknown = _failures(locations, outcomes)
    if unknown and not present:
        raise _unavailable(f"look for {key!r}", unknown)
    for error in unknown.values():
        log.warning("%s", error)
    return present


async def write_each(
    locations: Locations,
    caller: Caller,
    write: Callable[[Location], Coroutine[Any, Any, bool]],
    what: str,
    min_copies: int | None = None,
) -> list[Location]:
    """Write to every location; return those written, without those left alone.

    Raises:
        TransportException: the only location failed.
        PartialWrite: one of several failed, and fewer than `min_copies` were written.
    """
    outcomes = await caller.each(write(location) for location in locations)
    written = [each for each, done in zip(locations, outcomes, strict=True) if done is True]
    failed = _failures(locations, outcomes)
    if failed and (min_copies is None or len(written) < min_copies):
        _raise_partial(what, locations, written, failed)
    for error in failed.values():
        log.warning("%s", error)
    return written


async def delete_each(
    locations: Locations,
    caller: Caller,
    delete: Callable[[Location], Coroutine[Any, Any, None]],
    what: str,
) -> None:
    """Delete at every location.

    Raises:
        TransportException: the only location failed.
        PartialWrite: one of several failed; all were tried.
    """
    outcomes = await caller.each(delete(location) for location in locations)
    failed = _failures(locations, outcomes)
    if failed:
        deleted = [location for location in locations if location not in failed]
        _raise_partial(what, locations, deleted, failed)


async def locate_each(locations: Locations, caller: Caller, key: str) -> list[Located]:
    """Return what every location says of the object."""
    outcomes = await caller.each(_locate(location, caller, key) for location in locations)
    return [_value(outcome) for outcome in outcomes]


async def _locate(location: Location, caller: Caller, key: str) -> Located:
    started = time.monotonic()
    try:
        info = await location.stat(caller, key)
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


async def list_merged(
    locations: Locations,
    caller: Caller,
    prefix: str,
    *,
    strict: bool,
    shown: Callable[[Location, Page], Page] | None = None,
) -> AsyncGenerator[Page, None]:
    """Yield what all locations hold, some at a time, each key once, first location first.

    `shown` says what of a location's page counts, all by default.

    Raises:
        LocationUnavailable: a location could not be listed to its end (`strict=False`: logged).
    """
    seen: set[str] = set()
    for location in locations:
        try:
            async for page in location.pages(caller, prefix):
                counted = page if shown is None else shown(location, page)
                fresh = [info for info in counted if info["name"] not in seen]
                seen.update(info["name"] for info in fresh)
                yield fresh
        except TransportException as error:
            if strict:
                raise _unavailable(f"list {prefix!r}", {location: error}) from error
            log.warning("%s", error)


async def merge_children(
    locations: Locations,
    caller: Caller,
    ask: Callable[[Location], Coroutine[Any, Any, Page]],
    what: str,
    *,
    strict: bool,
) -> Page | None:
    """Return what lies in a folder at any location, or None if none has the folder.

    Of the same name the first location's is taken, but a file goes before a folder, as in a read.

    Raises:
        LocationUnavailable: a location could not say (`strict=False`: logged).
    """
    outcomes = await caller.each(ask(location) for location in locations)
    unknown = {
        location: error
        for location, error in _failures(locations, outcomes).items()
        if not isinstance(error, NotFound)
    }
    if unknown and strict:
        raise _unavailable(what, unknown)
    for error in unknown.values():
        log.warning("%s", error)
    folders = [outcome for outcome in outcomes if isinstance(outcome, list)]
    merged: Page = [info for folder in folders for info in folder]
    # The last of a name stays in a dict, so the ones that win go in last.
    merged.sort(key=lambda info: bool(info["type"] == "directory"))
    found = {info["name"]: info for info in reversed(merged)}
    return [found[name] for name in sorted(found)] if folders else None


def spread(locations: Locations, operation: Callable[[Caller], Coroutine[Any, Any, T]]) -> T:
    """Step an operation on one location in this thread; run one on several side by side."""
    if len(locations) == 1:
        return run(operation(blocking))
    return wait(operation(awaitable))


def _value(outcome: T | Exception) -> T:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _failures(locations: Locations, outcomes: Sequence[object]) -> dict[Location, Exception]:
    """Return the locations that failed; what is no failure of a location is raised at once."""
    failed: dict[Location, Exception] = {}
    for location, outcome in zip(locations, outcomes, strict=True):
        if isinstance(outcome, TransportException | CorruptedFileStoreException):
            failed[location] = outcome
        elif isinstance(outcome, Exception):
            raise outcome
    return failed


def no_right_content(
    what: str,
    wrong: Sequence[CorruptedFileStoreException],
    unknown: Mapping[Location, Exception],
) -> CorruptedFileStoreException:
    """Return the error for an object whose content is wrong wherever it was read."""
    if len(wrong) == 1 and not unknown:
        return wrong[0]
    reasons = "; ".join(map(str, (*wrong, *unknown.values())))
    could_not_say = f" and {len(unknown)} could not say" if unknown else ""
    found = CorruptedFileStoreException(
        f"cannot {what}: wrong content at {len(wrong)} of the locations{could_not_say}: {reasons}"
    )
    found.__cause__ = wrong[0]
    return found


def _unavailable(what: str, unknown: dict[Location, Exception]) -> LocationUnavailable:
    errors = list(unknown.values())
    if len(errors) == 1 and isinstance(errors[0], LocationUnavailable):
        errors[0].errors = dict(unknown)
        return errors[0]
    kind = LocationUnavailable
    if all(isinstance(error, PermissionDenied) for error in errors):
        kind = PermissionDenied
    message = f"cannot {what}: {'; '.join(map(str, errors))}"
    found = kind(message, getattr(errors[0], "cause", None), unknown)
    found.__cause__ = errors[0]
    return found


def _raise_partial(
    what: str,
    locations: Locations,
    written: list[Location],
    failed: dict[Location, Exception],
) -> None:
    first = next(iter(failed.values()))
    if len(locations) == 1:
        raise first
    done = ", ".join(map(str, written)) or "none"
    reasons = "; ".join(map(str, failed.values()))
    raise PartialWrite(f"{what}: done at {done}; failed: {reasons}", written, failed) from first
