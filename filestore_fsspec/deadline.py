"""How long an operation may take, told to everything below it, over threads and event loops."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ends: ContextVar[float | None] = ContextVar("filestore_deadline", default=None)
_NO_LIMIT = nullcontext()


def end_in(seconds: float | None) -> float | None:
    """Return the time on `time.monotonic()`'s clock `seconds` from now; None is no end.

    Raises:
        ValueError: `seconds` is not above 0.
    """
    if seconds is None:
        return None
    if not seconds > 0:
        raise ValueError("deadline_seconds is a number above 0, or None for no deadline")
    return time.monotonic() + seconds


def until(end: float | None) -> AbstractContextManager[None]:
    """Have what runs inside end by `end`, or by a sooner end that is in force already."""
    return _NO_LIMIT if end is None else _limited(end)


@contextmanager
def _limited(end: float) -> Iterator[None]:
    known = _ends.get()
    token = _ends.set(end if known is None else min(end, known))
    try:
        yield
    finally:
        _ends.reset(token)


def is_limited() -> bool:
    """Tell whether the running operation has a deadline."""
    return _ends.get() is not None


def seconds_left() -> float | None:
    """Return how long the running operation may still take, or None without a deadline.

    Raises:
        TimeoutError: the deadline has passed.
    """
    end = _ends.get()
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def share(parts: int) -> AbstractContextManager[None]:
    """Have what runs inside take an equal part of the time left, the first of `parts` of them.

    So a location that never answers leaves time for the next.
    """
    end = _ends.get()
    if end is None:
        return _NO_LIMIT
    now = time.monotonic()
    return _limited(now + (end - now) / parts)
