"""What fsspec keeps of the filesystem's arguments, to make it again elsewhere.

`storage_options` may be printed, and so may the task graphs that hold them. What stands for a
location there is the whole of it, so that a worker can use it, and its `repr` shows no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fsspec.asyn import AsyncFileSystem
from fsspec.config import apply_config

from filestore_fsspec.urls import parse


class _RedactedUrl(str):
    """A location's URL, whose `repr` shows no secret."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(parse(str(self)).reveal(secrets=False))


class _RedactedHost(dict[str, Any]):
    """A mapping like Assemblyline's hosts, whose `repr` shows no secret."""

    def __repr__(self) -> str:
        return repr(parse(dict(self)).reveal(secrets=False))


def redacted(source: object) -> object:
    """Return a location's URL or host mapping as one whose `repr` shows no secret."""
    if isinstance(source, str):
        return _RedactedUrl(source)
    return _RedactedHost(source) if isinstance(source, Mapping) else source


def _plain(source: object) -> object:
    if isinstance(source, str):
        return str.__str__(source)
    return dict(source) if isinstance(source, Mapping) else source


class OneForEqualLocations(type(AsyncFileSystem)):  # type: ignore[misc]  # fsspec has no types
    """Gives fsspec the same arguments for the same locations, however they are written.

    It finds an instance again by the `repr` of its arguments: one that shows no password would find
    the instance of another. And what is positional is kept out of `storage_options`.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return the filesystem: a new one, or the one that has these locations."""
        given = {"locations": args[0], **kwargs} if args else kwargs
        found = apply_config(cls, given)
        for one, other in (("locations", "store"), ("store", "locations")):
            if one in given and other not in given and other in found:
                found[other] = None  # what is given takes precedence over what is configured
        locations = found.get("locations")
        if isinstance(locations, str):
            locations = [locations]
        if locations is not None:
            found["locations"] = [_plain(source) for source in locations]
        return super().__call__(*args[1:], **found)
