"""Where an operation runs: in the caller's thread, in threads of ours, or on the I/O loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from filestore_fsspec.bridge import ASYNCIO, SYNC, run, wait
from filestore_fsspec.deadline import is_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.operations.select import Locations

T = TypeVar("T")


def run_on_targets(
    locations: Locations,
    operation: Callable[[Runner], Coroutine[Any, Any, T]],
    *,
    small: bool = True,
) -> T:
    """Step an operation on one location in this thread; run one on several side by side.

    A `small` one is stepped too where all but the last are on this machine: to hand their part to a
    thread would take longer than to do it. With a deadline, each has all of the time.
    """
    here = not any(location.driver.may_wait for location in locations[:-1])
    if len(locations) == 1 or (small and here and not is_limited()):
        return run(operation(SYNC))
    return wait(operation(ASYNCIO))


def need_no_loop(locations: Locations) -> bool:
    """Tell whether many keys are worked on in threads: each location has blocking calls."""
    drivers = [location.driver for location in locations]
    return all(not driver.async_impl or bool(driver.direct) for driver in drivers)
