"""One owner for all the work of a call, in whatever thread it is done.

What is done in coroutines ends with them. A thread cannot be ended from outside: it is told that
its call is over, what it waits for is taken from it (a socket is closed), and each step that would
change something asks first.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class CallEnded(InterruptedError):
    """The call that this work belongs to has returned or raised."""

    def __init__(self) -> None:
        super().__init__(errno.EINTR, "the call has ended: " + os.strerror(errno.EINTR))


class Call:
    """Work that somebody waits for, until they no longer do."""

    def __init__(self) -> None:
        """Begin, as a part of the running call if there is one."""
        self._above = _running.get()
        self._over = False
        self._stops: list[Callable[[], object]] = []

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._over or (self._above is not None and self._above.is_over)

    def end(self) -> bool:
        """Stop what is under way; called again, stop the cleanup too.

        Returns whether there was anything to stop: else what goes on changes nothing any more.
        """
        self._over = True
        stops = tuple(self._stops)
        for stop in stops:
            stop()
        return bool(stops)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have what runs inside belong to this call."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)

    @contextmanager
    def stopped_by(self, stop: Callable[[], object]) -> Iterator[None]:
        """Have `stop` called, in any thread, if it ends meanwhile."""
        self._stops.append(stop)
        try:
            if self.is_over and not _cleaning.get():
                raise CallEnded
            yield
        finally:
            self._stops.remove(stop)


_running: ContextVar[Call | None] = ContextVar("filestore_call", default=None)
_cleaning: ContextVar[bool] = ContextVar("filestore_cleaning", default=False)


def ensure_running() -> None:
    """Ask, before a step that changes something, whether it is still wanted.

    Raises:
        CallEnded: its call has returned or raised.
    """
    call = _running.get()
    if call is not None and call.is_over and not _cleaning.get():
        raise CallEnded


@contextmanager
def stopped_by(stop: Callable[[], object]) -> Iterator[None]:
    """Have `stop` called, in any thread, if the running call ends meanwhile.

    Raises:
        CallEnded: it has.
    """
    call = _running.get()
    if call is None:
        yield
        return
    with call.stopped_by(stop):
        yield


@contextmanager
def cleaning_up() -> Iterator[None]:
    """Have what runs inside be done although the call has ended: it removes what nobody can see."""
    token = _cleaning.set(True)
    try:
        yield
    finally:
        _cleaning.reset(token)
