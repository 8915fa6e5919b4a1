"""`Breaker`: a location that is down is left alone for a while, and looked after meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Literal

_MAX_SECONDS = 30.0

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Says whether a location is to be asked.

    closed: it is. open: it failed too often in a row, and calls are refused at once. half-open: the
    pause is over, and one look in the background decides. Each look that fails doubles the pause,
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
        """Tell whether the caller is the one to look; it then says `succeeded` or `failed`."""
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
