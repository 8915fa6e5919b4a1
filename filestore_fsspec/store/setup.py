"""`Setup`: what a store is made of, and which locations a call is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filestore_fsspec.breaker import Breaker
from filestore_fsspec.bulk import Bulk
from filestore_fsspec.deadline import end_in, until
from filestore_fsspec.errors import InvalidURL, ReadOnly
from filestore_fsspec.location import Location
from filestore_fsspec.operations import Locations, place_of, select_writable

if TYPE_CHECKING:
    import logging
    import os
    from contextlib import AbstractContextManager

    from fsspec.callbacks import Callback

    from filestore_fsspec.journal.records import Journal


class Setup:
    """Several locations, and how they are taken."""

    def __init__(  # noqa: PLR0913 - the settings of a store
        self,
        *urls: object,
        connection_attempts: int | None = None,
        strict: bool = True,
        min_copies: int | None = None,
        deadline_seconds: float | None = None,
        breaker_failures: int = 1,
        breaker_seconds: float = 1.0,
        verify_content: bool = False,
        journal: str | os.PathLike[str] | None = None,
        logger: str | None = None,
    ) -> None:
        """Parse the locations, near first and far last. Touches no network.

        Args:
            urls: URLs, or mappings like Assemblyline's hosts.
            connection_attempts: how often a call that a dropped connection ended is tried, 3 by
                default.
            strict: False gives the answers of Assemblyline's filestore: what is unknown is logged,
                and taken for absent; a failed delete is logged, and so is a write where all
                selected locations are read-only.
            min_copies: how many written copies make a write a success, all by default.
            deadline_seconds: how long a call may take in all, with its pauses and attempts, unless
                it is given its own; None is as long as its attempts and time-outs allow.
            breaker_failures: after how many failed calls in a row a location is not asked, where
                there are several; 0 is never.
            breaker_seconds: for how long at first. It doubles, up to 30, until a probe in the
                background finds the location answering.
            verify_content: whether a key of 64 hexadecimal digits is the SHA-256 of its content:
                what is read or to be written is checked, and the next location asked for what a
                location has wrong.
            journal: a file of this machine that remembers what was begun and is not known to be
                done, for `replay`; made if it is not there.
            logger: the name of its logger; what the environment's `FILESTORE_LOGGER` says, or
                `filestore_fsspec`, by default.

        Raises:
            InvalidURL: there is no URL, or one cannot be used; the message says what is allowed.
            ValueError: another argument is out of range.
        """
        if not urls:
            raise InvalidURL("a store needs the URL of at least one location")

        breakers = [
            Breaker(breaker_failures, breaker_seconds) if breaker_failures else None for _ in urls
        ]
        if len(urls) == 1:
            breakers = [None]  # where there is nobody else to ask, asking again is right
        self.locations: Locations = tuple(
            Location(url, connection_attempts, breaker, logger)
            for url, breaker in zip(urls, breakers, strict=True)
        )
        names = [location.name for location in self.locations if location.name]
        if len(names) != len(set(names)):
            raise InvalidURL(f"two locations have the same name: {', '.join(sorted(names))}")
        if min_copies is not None and not 1 <= min_copies <= len(self.locations):
            raise ValueError(f"min_copies is a number from 1 to {len(self.locations)}, or None")
        end_in(deadline_seconds)
        self.deadline_seconds = deadline_seconds
        self.strict = strict
        self._logger = logger
        self.journal = None if journal is None else _open_journal(journal, self.log)
        self.min_copies = min_copies
        self.verify_content = verify_content
        self._breaker = {"breaker_failures": breaker_failures, "breaker_seconds": breaker_seconds}

    @property
    def arguments(self) -> dict[str, Any]:
        """Those that make another store like this one."""
        return {
            "connection_attempts": self.locations[0].attempts,
            "strict": self.strict,
            "min_copies": self.min_copies,
            "deadline_seconds": self.deadline_seconds,
            "verify_content": self.verify_content,
            "journal": self.journal and self.journal.path,
            "logger": self._logger,
            **self._breaker,
        }

    @property
    def log(self) -> logging.Logger:
        """The logger of the store and its locations."""
        return self.locations[0].log

    @property
    def transports(self) -> Locations:
        """The locations, under the name that Assemblyline's filestore has for them."""
        return self.locations

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Setup):
            return NotImplemented
        return self._urls == other._urls

    def __hash__(self) -> int:
        return hash(tuple(map(str, self._urls)))

    @property
    def _urls(self) -> list[object]:
        return [location.url for location in self.locations]

    def __str__(self) -> str:
        return ", ".join(
            f"{location}{' (read-only)' if location.read_only else ''}"
            for location in self.locations
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def delete_batch_chunk_size(self) -> int:
        """Return how many keys one request deletes at every location."""
        return min(location.delete_batch_chunk_size() for location in self.locations)

    def _bulk(self, locations: Locations, max_concurrency: int | None, callback: Callback) -> Bulk:
        if max_concurrency is not None and max_concurrency < 1:
            raise ValueError("max_concurrency is a whole number from 1, or None for the default")
        most = max_concurrency or max(
            (each.driver.max_concurrency for each in locations), default=1
        )
        return Bulk(most, callback, place_of(locations, most))

    def ending(self, deadline_seconds: float | None = None) -> AbstractContextManager[None]:
        """Have what runs inside end in time: the call's own, or the store's."""
        return until(self._end(deadline_seconds))

    def _end(self, deadline_seconds: float | None) -> float | None:
        return end_in(self.deadline_seconds if deadline_seconds is None else deadline_seconds)

    def _writable(self, location: str, action: str) -> Locations:
        try:
            return select_writable(self.locations, location, action)
        except ReadOnly as error:
            if self.strict:
                raise
            self.log.warning("%s", error)
            return ()


def _open_journal(path: str | os.PathLike[str], log: logging.Logger) -> Journal:
    # Imported here: most stores have no journal, and need no SQLite.
    from filestore_fsspec.journal.records import Journal  # noqa: PLC0415

    return Journal(path, log)
