"""Which locations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filestore_fsspec.errors import ReadOnly

if TYPE_CHECKING:
    from filestore_fsspec.location import Location

Locations = tuple["Location", ...]
Page = list[dict[str, Any]]
"""Some of the infos of a listing, each under its key as `name`."""


def select(locations: Locations, name: str) -> Locations:
    """Return the locations that `name` means: near, far, all, any or one location's own name.

    Raises:
        ValueError: it means none; the message lists the names.
    """
    if name in ("all", "any"):
        return locations
    if name == "near":
        return locations[:1]
    if name == "far":
        return locations[-1:]
    named = tuple(location for location in locations if location.name == name)
    if not named:
        names = ["near", "far", "all", "any", *filter(None, (each.name for each in locations))]
        raise ValueError(f"no location is called {name!r} (allowed: {', '.join(names)})")
    return named


def select_writable(locations: Locations, name: str, action: str) -> Locations:
    """Return the selected locations that may be written.

    Raises:
        ReadOnly: there is none.
        ValueError: as in `select`.
    """
    selected = select(locations, name)
    writable = tuple(location for location in selected if not location.read_only)
    if not writable:
        raise ReadOnly(f"cannot {action}: read-only: {', '.join(map(str, selected))}")
    return writable
