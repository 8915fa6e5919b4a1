"""Listing: merged, each name once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filestore_fsspec.errors import NotFound, TransportException
from filestore_fsspec.operations.outcomes import failures_of, log_failures, unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations.select import Locations, Page


async def list_merged(
    locations: Locations,
    runner: Runner,
    prefix: str,
    *,
    strict: bool,
    visible: Callable[[Location, Page], Page] | None = None,
) -> AsyncGenerator[Page, None]:
    """Yield what all locations hold, some at a time, each key once, first location first.

    `visible` says what of a location's page counts, all by default.

    Raises:
        LocationUnavailable: a location could not be listed to its end (`strict=False`: logged).
    """
    seen: set[str] = set()
    for location in locations:
        try:
            async for page in location.pages(runner, prefix):
                counted = page if visible is None else visible(location, page)
                fresh = [info for info in counted if info["name"] not in seen]
                if location is not locations[-1]:  # after which nobody asks
                    seen.update(info["name"] for info in fresh)
                yield fresh
        except TransportException as error:
            if strict:
                raise unavailable(f"list {prefix!r}", {location: error}) from error
            log_failures({location: error})


async def merge_children(
    locations: Locations,
    runner: Runner,
    ask: Callable[[Location], Coroutine[Any, Any, Page]],
    what: str,
    *,
    strict: bool,
) -> Page | None:
    """Return what lies in a folder at any location, or None if none has the folder.

    Of the same name the first location's is taken; a file and a folder of one name are both there.

    Raises:
        LocationUnavailable: a location is unknown (`strict=False`: logged).
    """
    outcomes = await runner.each(ask(location) for location in locations)
    unknown = {
        location: error
        for location, error in failures_of(locations, outcomes).items()
        if not isinstance(error, NotFound)
    }
    if unknown and strict:
        raise unavailable(what, unknown)
    log_failures(unknown)
    folders = [outcome for outcome in outcomes if isinstance(outcome, list)]
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for folder in folders:
        for info in folder:
            found.setdefault((info["name"], info["type"] == "directory"), info)
    return [found[name] for name in sorted(found)] if folders else None
