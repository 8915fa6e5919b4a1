"""Writing and deleting: everywhere, or it is said where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from filestore_fsspec.errors import PartialWrite
from filestore_fsspec.operations.outcomes import failures_of, log_failures

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations.select import Locations


async def write_each(
    locations: Locations,
    runner: Runner,
    write: Callable[[Location], Coroutine[Any, Any, bool]],
    what: str,
    min_copies: int | None = None,
) -> list[Location]:
    """Write to every location; return those written, without those that kept what was there.

    Raises:
        TransportException: the only location failed.
        PartialWrite: one of several failed, and fewer than `min_copies` were written.
    """
    outcomes = await runner.each(write(location) for location in locations)
    written = [each for each, done in zip(locations, outcomes, strict=True) if done is True]
    failed = failures_of(locations, outcomes)
    if failed and (min_copies is None or len(written) < min_copies):
        raise_partial(what, locations, written, failed)
    log_failures(failed)
    return written


async def delete_each(
    locations: Locations,
    runner: Runner,
    delete: Callable[[Location], Coroutine[Any, Any, None]],
    what: str,
) -> None:
    """Delete at every location.

    Raises:
        TransportException: the only location failed.
        PartialWrite: one of several failed; all were tried.
    """
    outcomes = await runner.each(delete(location) for location in locations)
    failed = failures_of(locations, outcomes)
    if failed:
        deleted = [location for location in locations if location not in failed]
        raise_partial(what, locations, deleted, failed)


def raise_partial(
    what: str,
    locations: Locations,
    written: list[Location],
    failed: dict[Location, Exception],
) -> NoReturn:
    """Raise what one of several locations, or the only one, failed with."""
    first = next(iter(failed.values()))
    if len(locations) == 1:
        raise first
    done = ", ".join(map(str, written)) or "none"
    reasons = "; ".join(map(str, failed.values()))
    raise PartialWrite(f"{what}: done at {done}; failed: {reasons}", written, failed) from first
