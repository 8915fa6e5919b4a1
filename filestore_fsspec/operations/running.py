"""Where an operation runs: in the caller's thread, in threads of ours, or on the I/O loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from filestore_fsspec.bridge import ASYNCIO, SYNC, THREADS, run, wait
from filestore_fsspec.deadline import is_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.operations.select import Locations

T = TypeVar("T")
Place = Literal["here", "threads", "loop"]


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


def place_of(locations: Locations, max_concurrency: int) -> Place:
    """Return where many keys are worked on: here, in threads, or on the I/O loop.

    Where each location has blocking calls, the loop would only take time; so would threads where
    one key is taken at a time.
    """
    drivers = [location.driver for location in locations]
    if any(driver.async_impl and not driver.direct for driver in drivers):
        return "loop"
    return "here" if max_concurrency == 1 else "threads"


def runner_of(place: Place) -> Runner:
    """Return what works on several keys side by side there."""
    return {"here": SYNC, "threads": THREADS, "loop": ASYNCIO}[place]


def run_there(place: Place, operation: Callable[[Runner], Coroutine[Any, Any, T]]) -> T:
    """Run an operation on many keys to its end."""
    coroutine = operation(runner_of(place))
    return wait(coroutine) if place == "loop" else run(coroutine)
