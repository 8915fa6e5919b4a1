"""Removing what killed writers left behind: temporary files, and unfinished uploads on S3.

By a call, or in the background: a `Cleaner` looks through a location once an hour while it is
written, one folder after the other, resting nine times as long as it works.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from filestore_fsspec.bridge import SYNC, run
from filestore_fsspec.drivers import load_driver
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.drivers.shared.errors import Absent
from filestore_fsspec.errors import NotFound
from filestore_fsspec.keys import temporary_path

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable

    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.schemes.base import Target

T = TypeVar("T")
P = ParamSpec("P")

AGE_SECONDS = 3600.0
"""A temporary file is stale when it was not written to for so long."""
_EVERY_SECONDS = 3600.0
_RESTS = 9
_JOIN_SECONDS = 1.0


class Call(Protocol):
    """Calls a method of a filesystem."""

    def __call__(
        self, method: Callable[Concatenate[Driver, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """Call it with these arguments."""


class Stopped(Exception):
    """The location was closed."""


async def remove_stale_files(
    call: Call,
    root: str,
    older_than_seconds: float,
    prefix: str,
    rest: Callable[[float], None] = lambda _worked_seconds: None,
) -> list[str]:
    """Remove what is left below `root`, and return the paths removed.

    How old it is, the location's own clock says.

    Args:
        call: see `Call`.
        root: what stands before every path.
        older_than_seconds: what was written to since is kept; 0 removes all there is.
        prefix: what the names of temporary files begin with.
        rest: called after each page of the listing with the seconds that it took.
    """
    removed: list[str] = []
    latest: datetime | None = None
    token: Any = None
    while True:
        started = time.monotonic()
        infos, token = await call(Driver.stale_files, root, token)
        for info in infos:
            if latest is None and older_than_seconds > 0:
                latest = await _now(call, root, prefix) - timedelta(seconds=older_than_seconds)
            try:
                if latest is None or await _was_left_by(latest, call, info):
                    await call(Driver.remove_stale, info)
                    removed.append(info["name"])
            except (Absent, NotFound):
                continue  # it was renamed into place, or removed by another process
        rest(time.monotonic() - started)
        if token is None:
            return removed


async def _was_left_by(latest: datetime, call: Call, info: Info) -> bool:
    modified: datetime | None = (
        info["modified"] or (await call(Driver.info, info["name"]))["modified"]
    )
    # One whose age the location does not tell may be somebody's who is at it.
    return modified is not None and modified <= latest


async def _now(call: Call, root: str, prefix: str) -> datetime:
    """Return the time by the clock that dates the files: that of one written now.

    A server's may be hours off: an FTP server's may not be UTC, whatever RFC 3659 says.
    """
    path = temporary_path(root, prefix)
    await call(Driver.pipe_file, path, b"")
    try:
        modified = (await call(Driver.info, path))["modified"]
    finally:
        await call(Driver.rm_file, path)
    found: datetime = modified or datetime.now(UTC)
    return found


class Cleaner:
    """Cleans one location up in the background."""

    _passed: dict[str, float] = {}  # noqa: RUF012 - of this process
    """When the latest pass over each location began."""

    def __init__(self, target: Target, after_seconds: float, log: logging.Logger) -> None:
        """Begin `after_seconds` after a write, if no pass has begun within an hour."""
        self._target, self._log = target, log
        self._after_seconds = after_seconds
        self._next = 0.0
        self._stop = Event()
        self._thread: Thread | None = None

    def wake(self) -> None:
        """Note that the location is written: a tenth of a microsecond, and once an hour more."""
        now = time.monotonic()
        if now < self._next:
            return
        label = self._target.label
        self._next = self._passed.get(label, -_EVERY_SECONDS) + _EVERY_SECONDS
        if now >= self._next:
            self._next, self._passed[label] = now + _EVERY_SECONDS, now
            self._stop = Event()
            thread = Thread(
                target=self._clean, args=(self._stop,), name="filestore-cleanup", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                self._passed.pop(label)
                self._log.info("%s: cannot be cleaned up: %s", label, error)
                return
            self._thread = thread

    def stop(self) -> None:
        """End the pass that is under way, if there is one."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._stop.set()
            self._next = 0.0
            thread.join(_JOIN_SECONDS)

    def _clean(self, stop: Event) -> None:
        label = self._target.label
        try:
            if stop.wait(self._after_seconds):
                raise Stopped  # noqa: TRY301 - one way out
            removed = self._pass(stop)
        except Stopped:
            self._passed.pop(label, None)
        except OSError as error:
            self._log.info("%s: cannot be cleaned up: %s", label, type(error).__name__)
        else:
            if removed:
                self._log.info("%s: removed %d stale temporary files", label, len(removed))

    def _pass(self, stop: Event) -> list[str]:
        # A filesystem of its own: a server that allows one connection refuses this one, and the
        # next write has still its own.
        fs = load_driver(self._target.protocol)(**self._target.storage_options)

        async def call(
            method: Callable[Concatenate[Driver, P], T], *args: P.args, **kwargs: P.kwargs
        ) -> T:
            if stop.is_set():
                raise Stopped
            return await SYNC.call(fs, method, *args, **kwargs)

        def rest(worked_seconds: float) -> None:
            if stop.wait(worked_seconds * _RESTS):
                raise Stopped

        try:
            target = self._target
            prefix = target.temporary_prefix
            return run(remove_stale_files(call, target.root, AGE_SECONDS, prefix, rest))
        finally:
            fs.stop_threads()
            fs.close()


def cleaner_of(target: Target, log: logging.Logger) -> Cleaner | None:
    """Return what cleans a location up, if anything is to."""
    if target.cleanup_after_seconds is None or target.read_only:
        return None
    return Cleaner(target, target.cleanup_after_seconds, log)
