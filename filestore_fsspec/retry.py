"""How often and how fast a location is asked again: the one place where anything is."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from filestore_fsspec.deadline import seconds_left
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.drivers.shared.errors import CertificateError, RetryAfter

if TYPE_CHECKING:
    from collections.abc import Callable

    from filestore_fsspec.bridge import Runner

T = TypeVar("T")
P = ParamSpec("P")

ATTEMPTS = 3
"""How often a call is tried that a dropped connection ended."""
_FIRST_PAUSE_SECONDS = 0.2
_MAX_PAUSE_SECONDS = 30.0
_MAX_DOUBLINGS = 8  # 51 seconds, more than the longest pause
_ONLY_ONCE = {Driver.commit}
"""What may have been done although the answer was lost, and fails when it is done again."""


class AmbiguousCreate(FileExistsError):
    """What was to be created is there: it may be what an attempt before has made."""


class Retried(Protocol):
    """What is asked again; it is a `Location`."""

    attempts: int

    @property
    def fs(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """The filesystem."""

    def retrying(
        self, action: str, key: str, error: OSError, number: int, pause_seconds: float
    ) -> None:
        """Note that attempt `number` follows after a pause, and what ended the one before."""


async def call_with_retry(
    runner: Runner,
    location: Retried,
    action: str,
    key: str,
    method: Callable[Concatenate[Driver, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call a method of the filesystem, and again where a dropped connection ended it.

    The pauses double up to 30 seconds, jittered, and are never shorter than the server asks for.
    No attempt begins that the deadline leaves no time for. `action` and `key` name what is done.

    Raises:
        AmbiguousCreate: another attempt than the first found what it was to create.
        OSError: what the last attempt raised.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return await runner.call(location.fs, method, *args, **kwargs)
        except FileExistsError as error:
            if attempt > 1:
                raise AmbiguousCreate(*error.args) from error
            raise
        except ConnectionError as error:
            if (
                attempt >= location.attempts
                or isinstance(error, CertificateError)
                or method in _ONLY_ONCE
            ):
                raise
            doubled = _FIRST_PAUSE_SECONDS * 2 ** min(attempt - 1, _MAX_DOUBLINGS)
            pause = min(doubled, _MAX_PAUSE_SECONDS) * random.uniform(0.5, 1)  # noqa: S311 - no secret
            if isinstance(error, RetryAfter):
                pause = max(pause, error.retry_after_seconds)
            if pause > _time_for_a_pause():
                raise
            location.retrying(action, key, error, attempt + 1, pause)
        await runner.pause(pause)


def _time_for_a_pause() -> float:
    try:
        left = seconds_left()
    except TimeoutError:
        return 0
    return _MAX_PAUSE_SECONDS if left is None else min(left, _MAX_PAUSE_SECONDS)
