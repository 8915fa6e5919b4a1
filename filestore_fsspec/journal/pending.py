"""What is asked of a journal: which legs are pending, and whom a reader is to ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from filestore_fsspec.errors import JournalError
from filestore_fsspec.keys import parse_key
from filestore_fsspec.urls import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filestore_fsspec.journal.file import JournalFile
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations, Page

_PAGE_LEGS = 500
_NAME_A_SERVER = ("account", "account_name", "endpoint_url", "base_url")
"""Options without which two locations would look the same."""
_SELECT = (
    "SELECT seq, location, key, action, sha256, size, time, error, slot, overwrite, among, owner"
    " FROM legs"
)


class PendingWrite(NamedTuple):
    """An action at one location whose success is not known."""

    seq: int
    """Later legs have higher ones."""
    location: str
    """Where, without secrets."""
    key: str
    action: Literal["put", "delete"]
    sha256: str
    """Of the content that was to be put, as hex digits."""
    size: int
    """Bytes of it."""
    time: float
    """When it began, in seconds since the epoch."""
    error: str
    """Why it failed; empty if that is not known."""
    slot: str
    """The key as the location's layout keeps it."""
    overwrite: bool
    """Whether the put replaces what is there."""
    among: str
    """All locations of the same put, a line each."""
    owner: int
    """Whose action it is, until that has ended; then 0."""


class PendingWrites:
    """The legs in a journal's file, as readers and a replay see them."""

    def __init__(self, file: JournalFile) -> None:
        self._rows, self._log = file.rows, file.log
        self._readable = True

    def _told(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        """Return what a reader is told: a journal that cannot be read stops no read."""
        try:
            rows = self._rows(query, values)
        except JournalError as error:
            if self._readable:
                self._log.warning("%s; what it remembers counts for no read", error)
            self._readable = False
            return []
        self._readable = True
        return rows

    def read_plan(self, locations: Locations, key: str) -> tuple[Locations, Locations]:
        """Return who is to be asked for `key`, and who only if all of these say absent.

        A location with a pending delete is in neither: there the object counts as absent. One
        whose content was to be replaced, as another's has been, is among the last.
        """
        key = parse_key(key)
        rows = self._told(
            "SELECT location, slot, max(action = 'delete'), max(overwrite AND held) FROM legs"
            " WHERE slot IN (?, ?) GROUP BY location, slot",
            (key, key.rpartition("/")[2]),
        )
        if not rows:
            return locations, ()
        found = {(place, slot): (deleted, stale) for place, slot, deleted, stale in rows}
        fresh: list[Location] = []
        last: list[Location] = []
        for location in locations:
            place = (identity(location), slot_of(location, key))
            deleted, stale = found.get(place, (False, False))
            if not deleted:
                (last if stale else fresh).append(location)
        return tuple(fresh), tuple(last)

    def visible(self, location: Location, page: Page) -> Page:
        """Return a page of a location's listing without what is to be deleted there."""
        if not self._told("SELECT 1 FROM legs WHERE action = 'delete' LIMIT 1", ()):
            return page
        slots = {info["name"]: slot_of(location, info["name"]) for info in page}
        rows = self._told(
            "SELECT slot FROM legs WHERE action = 'delete' AND location = ?"
            " AND slot IN (SELECT value FROM json_each(?))",
            (identity(location), json.dumps(list(slots.values()))),
        )
        hidden = {slot for (slot,) in rows}
        return [
            info
            for info in page
            if info["type"] == "directory" or slots[info["name"]] not in hidden
        ]

    def page(self, after: int = 0) -> list[PendingWrite]:
        """Return the next legs behind the one with the number `after`, in order."""
        query = f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT {_PAGE_LEGS}"
        return [PendingWrite(*row) for row in self._rows(query, (after,))]

    def legs(self) -> Iterator[PendingWrite]:
        """Yield every leg that is recorded, in order."""
        after = 0
        while page := self.page(after):
            yield from page
            after = page[-1].seq

    # What a replay needs.

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield each location and slot with pending legs, in the order of the latest there."""
        seq = 0
        while rows := self._rows(
            "SELECT seq, location, slot FROM legs AS one WHERE seq > ? AND NOT EXISTS (SELECT 1"
            " FROM legs WHERE location = one.location AND slot = one.slot AND seq > one.seq)"
            " ORDER BY seq LIMIT ?",
            (seq, _PAGE_LEGS),
        ):
            for seq, location, slot in rows:  # noqa: B007 - goes on behind the last
                yield location, slot

    def top(self, place: tuple[str, str]) -> PendingWrite | None:
        """Return the latest leg of a location and slot, if there is one."""
        rows = self._rows(
            f"{_SELECT} WHERE location = ? AND slot = ? ORDER BY seq DESC LIMIT 1", place
        )
        return PendingWrite(*rows[0]) if rows else None


def identity(location: Location) -> str:
    """Return what stays the same of a location when its secrets, time-outs or engine change."""
    url = location.url
    # An S3 user is half of a key that is renewed; elsewhere a user may have a root of its own.
    user = f"{url.username}@" if url.username and url.scheme != "s3" else ""
    options = ((name, url.options.get(name)) for name in _NAME_A_SERVER)
    server = "&".join(
        f"{name}={value}" for name, value in options if value and is_harmless(name, value)
    )
    return (
        f"{url.scheme}://{user}{url.origin}/{location.target.root.lstrip('/')}"
        f"{'?' if server else ''}{server}"
    )


def slot_of(location: Location, key: str) -> str:
    """Return the key as the location's layout keeps it: `flat` keeps only its last part."""
    return location.key(location.fs_path(key))


def printable(error: Exception | None) -> str:
    """Return an error's text as UTF-8 can hold it: it may name a local file that is not."""
    return str(error or "").encode(errors="backslashreplace").decode()
