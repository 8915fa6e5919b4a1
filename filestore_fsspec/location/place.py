"""`Place`: the filesystem behind a location, its paths, and how it is asked.

This is where a driver's `OSError` becomes one of ours.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from filestore_fsspec.breaker import Breaker
from filestore_fsspec.cleanup import cleaner_of
from filestore_fsspec.drivers import load_driver
from filestore_fsspec.drivers.shared.errors import ChecksumMismatch
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    FileStoreException,
    LocationUnavailable,
    NotFound,
    PermissionDenied,
    TransportException,
)
from filestore_fsspec.keys import is_key, parse_key
from filestore_fsspec.retry import ATTEMPTS, call_with_retry
from filestore_fsspec.schemes import translate
from filestore_fsspec.urls import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from filestore_fsspec.breaker import State
    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Driver, Info

T = TypeVar("T")
P = ParamSpec("P")

log = logging.getLogger("filestore_fsspec")


class Place:
    """A location's URL and filesystem, and how it is asked: with attempts, unless it is down."""

    def __init__(
        self,
        source: object,
        connection_attempts: int | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        """Parse `source`, a URL or the predecessor's host mapping. Touches no network.

        Args:
            source: see `urls.parse`.
            connection_attempts: how often a call that a dropped connection ended is tried, 3 by
                default.
            breaker: says whether it is to be asked; None is always.

        Raises:
            InvalidURL: `source` cannot be used; the message says what is allowed.
            ValueError: `connection_attempts` is below 1.
        """
        if connection_attempts is not None and connection_attempts < 1:
            raise ValueError(
                "connection_attempts is a whole number from 1, or None for the default"
            )
        self.url = parse(source)
        self.target = translate(self.url)
        self.attempts = connection_attempts or ATTEMPTS
        self.breaker = breaker
        self._start()

    def _start(self) -> None:
        self._root = self.target.root
        self._layout = self.target.layout
        self._fs: Any = None
        self._lock = threading.Lock()
        self._cleaner = cleaner_of(self.target)
        _living.add(self)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process; `url` keeps its password as a `SecretStr`."""
        breaker = self.breaker and (self.breaker.failures, self.breaker.seconds)
        return {"url": self.url, "attempts": self.attempts, "breaker": breaker}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url, self.attempts = state["url"], state["attempts"]
        self.breaker = state["breaker"] and Breaker(*state["breaker"])
        self.target = translate(self.url)
        self._start()

    def __str__(self) -> str:
        return self.target.label

    def __repr__(self) -> str:
        return f"<Location {self}>"

    @property
    def name(self) -> str | None:
        """The name given with the option `name`."""
        return self.target.name

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written here."""
        return self.target.read_only

    @property
    def breaker_state(self) -> State:
        """Whether it is asked: `closed` is yes, `open` no, `half-open` that somebody looks."""
        return "closed" if self.breaker is None else self.breaker.state

    @property
    def driver(self) -> type[Driver]:
        """The class of `fs`, which is not made for it."""
        driver: type[Driver] = load_driver(self.target.protocol)
        return driver

    @property
    def fs(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """The fsspec filesystem, made on first use."""
        if self._fs is None:
            with self._lock:
                if self._fs is None:
                    self._fs = load_driver(self.target.protocol)(**self.target.storage_options)
        return self._fs

    def fs_path(self, key: str) -> str:
        """Return where `key` lies in `fs`.

        Raises:
            InvalidKey: it is no key.
        """
        return self._root + self._layout.path(parse_key(key))

    def key(self, fs_path: str) -> str:
        """Return the key of what lies at `fs_path` in `fs`."""
        return self._layout.key(fs_path[len(self._root) :].rstrip("/"))

    def listed(self, info: Info) -> str | None:
        """Return the key of what a listing of `fs` shows, or None if no key leads there.

        What others stored may have names that are no keys (`../x` would lead a recursive download
        out of its folder), or lie where a read of that key does not look.
        """
        key = self.key(info["name"])
        if not is_key(key):
            return None
        leads = info["type"] == "directory" or self.fs_path(key) == info["name"]
        return key if leads else None

    async def attempt(
        self,
        runner: Runner,
        action: str,
        key: str,
        method: Callable[Concatenate[Driver, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a method of the filesystem, and again where a dropped connection ended it.

        Raises:
            FileExistsError: as it comes.
            TransportException: any other `OSError` as one of ours; `action` and `key` name what
                was tried.
            CorruptedFileStoreException: what arrived is not what was sent.
        """
        if self.is_circuit_open():
            raise self.skipped(f"{action} {key!r}")
        try:
            answer = await call_with_retry(runner, self.fs, self.attempts, method, *args, **kwargs)
        except FileExistsError:
            self._note(None)
            raise
        except OSError as error:
            self._note(error)
            raise self._failure(action, key, error) from error
        self._note(None)
        return answer

    def _note(self, error: OSError | None) -> None:
        """Tell the breaker whether the location answered."""
        breaker = self.breaker
        if breaker is None:
            return
        if isinstance(error, ChecksumMismatch) or not isinstance(
            error, ConnectionError | TimeoutError
        ):
            if breaker.succeeded():
                log.warning("%s: is back", self)
        elif breaker.failed():
            log.warning("%s: failed, and is left alone for %g s", self, breaker.seconds)

    def is_circuit_open(self) -> bool:
        """Tell whether its breaker says not to ask it; if it is time, have a thread look."""
        if self.breaker is None or self.breaker.state == "closed":
            return False
        if self.breaker.is_due():
            threading.Thread(target=self._look, name="filestore-breaker", daemon=True).start()
        return True

    def skipped(self, what: str) -> LocationUnavailable:
        """Return the error of a location that was left alone: it could not say."""
        error = ConnectionError("it has just failed, and is left alone")
        return LocationUnavailable(f"{self}: cannot {what}: {error}", error)

    def _look(self) -> None:
        outcome: OSError | None = ConnectionError("it could not be looked after")
        try:
            self.fs.isfile(self.fs_path("filestore-breaker"))
            outcome = None
        except OSError as error:
            outcome = error
        finally:
            self._note(outcome)  # whatever was raised: half-open, nobody would look again

    def _failure(self, action: str, key: str, error: OSError) -> FileStoreException:
        # fsspec raises its own TimeoutError, without a word, from the driver's.
        reason = str(error) or str(error.__cause__ or "") or type(error).__name__
        for secret in self.target.secrets:
            reason = reason.replace(secret, "***")
        message = f"{self}: cannot {action} {key!r}: {reason}"
        if isinstance(error, ChecksumMismatch):
            return CorruptedFileStoreException(message)
        if isinstance(error, FileNotFoundError):
            return NotFound(message, error)
        if isinstance(error, PermissionError):
            return PermissionDenied(message, error)
        if isinstance(error, ConnectionError | TimeoutError):
            return LocationUnavailable(message, error)
        return TransportException(message, error)

    def close(self) -> None:
        """Close the connections. The next call makes new ones."""
        if self._cleaner is not None:
            self._cleaner.stop()
        with self._lock:
            fs, self._fs = self._fs, None
        if self.breaker is not None:
            self.breaker.reset()
        if fs is not None:
            fs.stop_threads()
            fs.close()

    def _forget(self) -> None:
        """Start anew in a forked child.

        The parent's filesystem is kept, unused: closing it here would act on the parent's
        sockets, and on the event queue that its I/O loop shares with this process.
        """
        _parents.append(self._fs)
        self._fs = None
        self._lock = threading.Lock()
        if self.breaker is not None:
            self.breaker = Breaker(self.breaker.failures, self.breaker.seconds)


_living: weakref.WeakSet[Place] = weakref.WeakSet()
_parents: list[Any] = []


def _forget_all() -> None:
    for location in _living:
        location._forget()  # noqa: SLF001 - same file


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
