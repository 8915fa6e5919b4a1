"""What several locations' answers come to: unknown is never taken for absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    FileStoreException,
    LocationUnavailable,
    PartialWrite,
    PermissionDenied,
    TransportException,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from filestore_fsspec.location import Location
    from filestore_fsspec.operations.select import Locations

T = TypeVar("T")


def value_of(outcome: T | Exception) -> T:
    """Return the outcome, or raise it if it is an exception."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def failures_of(locations: Locations, outcomes: Sequence[object]) -> dict[Location, Exception]:
    """Return the locations that failed; what is no failure of a location is raised at once."""
    failed: dict[Location, Exception] = {}
    for location, outcome in zip(locations, outcomes, strict=True):
        if isinstance(outcome, TransportException | CorruptedFileStoreException):
            failed[location] = outcome
        elif isinstance(outcome, Exception):
            raise outcome
    return failed


def failures_in(error: FileStoreException) -> Collection[Exception]:
    """Return what each location failed with, if `error` says so, else the error itself."""
    if isinstance(error, PartialWrite):
        return error.failed.values() or [error]
    if isinstance(error, LocationUnavailable):
        return error.errors.values() or [error]
    return [error]


def log_failures(failed: Mapping[Location, Exception]) -> None:
    """Log what was unknown, or went wrong, at locations that the others made up for."""
    for location, error in failed.items():
        location.log.warning("%s", error)


def no_right_content(
    what: str,
    wrong: Sequence[CorruptedFileStoreException],
    unknown: Collection[Exception],
) -> CorruptedFileStoreException:
    """Return the error for an object whose content is wrong wherever it was read."""
    if len(wrong) == 1 and not unknown:
        return wrong[0]
    reasons = "; ".join(map(str, (*wrong, *unknown)))
    and_unknown = f" and unknown at {len(unknown)}" if unknown else ""
    found = CorruptedFileStoreException(
        f"cannot {what}: wrong content at {len(wrong)} of the locations{and_unknown}: {reasons}"
    )
    found.__cause__ = wrong[0]
    return found


def unavailable(what: str, unknown: dict[Location, Exception]) -> LocationUnavailable:
    """Return the error of `what` when it is unknown at these locations."""
    errors = list(unknown.values())
    if len(errors) == 1 and isinstance(errors[0], LocationUnavailable):
        errors[0].errors = dict.fromkeys(unknown, errors[0])
        return errors[0]
    kind = LocationUnavailable
    if all(isinstance(error, PermissionDenied) for error in errors):
        kind = PermissionDenied
    message = f"cannot {what}: {'; '.join(map(str, errors))}"
    found = kind(message, getattr(errors[0], "cause", None), unknown)
    found.__cause__ = errors[0]
    return found
