"""A location that is down is not asked for a while, and probed in the background meanwhile."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from filestore_fsspec.green import start_thread

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_MAX_SECONDS = 30.0

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Says whether a location is to be asked.

    closed: it is. open: it failed too often in a row, and calls are refused at once. half-open: the
    pause is over, and one probe in the background decides. Each probe that fails doubles the pause,
    up to 30 seconds. Threads may share it.
    """

    def __init__(self, failures: int = 1, seconds: float = 1.0) -> None:
        """Start closed.

        Args:
            failures: how many failed calls in a row open it; each has had its attempts by then.
            seconds: the first pause.

        Raises:
            ValueError: an argument is out of range.
        """
        if failures < 1:
            raise ValueError("breaker_failures is a whole number from 0, which is for no breaker")
        if not seconds > 0:
            raise ValueError("breaker_seconds is a number above 0")
        self.failures = failures
        self.seconds = seconds
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Start anew: closed."""
        self.state: State = "closed"
        self._failed = 0
        self._pause = self.seconds
        self._pause_ends = 0.0

    def is_due(self) -> bool:
        """Tell whether the caller is the one to probe; it then says `succeeded` or `failed`."""
        if time.monotonic() < self._pause_ends:
            return False
        with self._lock:
            if self.state != "open":
                return False
            self.state = "half-open"
            return True

    def succeeded(self) -> bool:
        """Note an answer; tell whether that closed it."""
        if not self._failed:
            return False
        with self._lock:
            opened = self.state != "closed"
            self.reset()
        return opened

    def failed(self) -> bool:
        """Note a failed call; tell whether that opened it."""
        with self._lock:
            self._failed += 1
            if self.state == "half-open":
                self._pause = min(2 * self._pause, _MAX_SECONDS)
            elif self.state == "open" or self._failed < self.failures:
                return False
            opened = self.state == "closed"
            self.state = "open"
            self._pause_ends = time.monotonic() + self._pause
        return opened


class Circuit:
    """A location's breaker, if it has one: told of every outcome, and asked before every call."""

    def __init__(self, label: str, breaker: Breaker | None, log: logging.Logger) -> None:
        """`label` names the location in `log`."""
        self.label, self.breaker, self._log = label, breaker, log

    def fresh(self) -> Circuit:
        """Return the same, closed and with locks of its own: for a forked child."""
        breaker = self.breaker and Breaker(self.breaker.failures, self.breaker.seconds)
        return Circuit(self.label, breaker, self._log)

    @property
    def state(self) -> State:
        """The breaker's, `closed` without one."""
        return "closed" if self.breaker is None else self.breaker.state

    def reset(self) -> None:
        """Close it."""
        if self.breaker is not None:
            self.breaker.reset()

    def is_open(self, probe: Callable[[], bool]) -> bool:
        """Tell whether the location is not to be asked.

        When the pause is over, `probe` is called in a thread: it tells whether the location
        answers.
        """
        breaker = self.breaker
        if breaker is None or breaker.state == "closed":
            return False
        if breaker.is_due():
            try:
                start_thread(partial(self._probe, probe), "filestore-breaker")
            except RuntimeError as error:
                self._log.warning("%s: cannot be probed: %s", self.label, error)
                self.record(answered=False)
        return True

    def record(self, *, answered: bool) -> None:
        """Note whether the location answered a call."""
        breaker = self.breaker
        if breaker is None:
            return
        if answered:
            if breaker.succeeded():
                self._log.warning("%s: answers again", self.label)
        elif breaker.failed():
            self._log.warning("%s: failed, and is not asked for %g s", self.label, breaker.seconds)

    def _probe(self, probe: Callable[[], bool]) -> None:
        answered = False
        try:
            answered = probe()
        finally:
            self.record(answered=answered)  # whatever was raised: half-open, nobody would probe
