"""What the contract says of a call's outcome, and of what the locations hold after it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.matrix import (
    READS,
)

if TYPE_CHECKING:
    from tests.faults.calls import Outcome
    from tests.faults.matrix import Cell, Content

Contents = dict[str, "Content"]
"""What a location holds under each key of the cell."""


def violations(
    cell: Cell, outcome: Outcome | None, faulty: Contents, healthy: Contents
) -> list[str]:
    """Return what the contract does not allow; `outcome` is None of a client that was killed."""
    if outcome is None:
        both = [*faulty.items(), *healthy.items()]
        return [
            f"{key} is {state}" for key, state in both if state not in {cell.before, cell.after}
        ]
    found = []
    if outcome.seconds > cell.limit_seconds:
        found.append(f"took {outcome.seconds:.1f} s")
    if outcome.raised:
        found += _of_exception(cell, outcome)
    elif cell.function == "upload_batch":
        found += _of_batch(cell, outcome, faulty)
    else:
        found += _of_return(cell, outcome, faulty)
    done = not outcome.raised and not outcome.unsent
    for key, state in faulty.items():
        claimed = done or (cell.function == "upload_batch" and key not in outcome.unsent)
        if state != cell.after and (claimed or state != cell.before):
            found.append(f"at the location with the fault {key} is {state}")
    found += [
        f"elsewhere {key} is {state}" for key, state in healthy.items() if state != cell.after
    ]
    return found


def _of_exception(cell: Cell, outcome: Outcome) -> list[str]:
    raised = outcome.raised
    if not cell.may_raise or cell.function == "upload_batch":
        return [f"raised {raised[0]}: {outcome.message}"]
    if cell.set_up == "one" or cell.function == "list":
        return _of_kind(cell, raised, outcome.message)
    if raised[0] != "PartialWrite":
        return [f"raised {raised[0]}, not PartialWrite: {outcome.message}"]
    if outcome.written != ["healthy"] or list(outcome.failed) != ["faulty"]:
        return [f"written {outcome.written}, failed {list(outcome.failed)}"]
    return _of_kind(cell, outcome.failed["faulty"], outcome.message)


def _of_kind(cell: Cell, raised: list[str], message: str) -> list[str]:
    denied = "PermissionDenied" in raised
    fits = {
        "unavailable": "LocationUnavailable" in raised and not denied,
        "denied": denied,
        "any": "TransportException" in raised and "NotFound" not in raised,
    }[cell.trouble.error]
    return [] if fits else [f"failed with {raised[0]}: {message}"]


def _of_return(cell: Cell, outcome: Outcome, faulty: Contents) -> list[str]:
    found = [] if cell.may_return else ["succeeded, though nothing can have got through"]
    if cell.function in READS:
        if not outcome.present:
            found.append("said absent")
        if outcome.content is not None and outcome.wrong:
            found.append("brought wrong content")
    elif cell.function == "list":
        if outcome.listed != sorted(faulty):
            found.append(f"listed {outcome.listed}")
    else:
        everybody = {"one": ["faulty"], "near": ["faulty", "healthy"], "far": ["healthy", "faulty"]}
        expected = everybody[cell.set_up]
        if outcome.written != expected:
            found.append(f"written {outcome.written}")
    return found


def _of_batch(cell: Cell, outcome: Outcome, faulty: Contents) -> list[str]:
    if outcome.unsent and cell.succeeds == "always":
        return [f"not sent: {outcome.unsent}: {outcome.message}"]
    if cell.succeeds == "never" and sorted(outcome.unsent) != sorted(faulty):
        sent = sorted(set(faulty) - set(outcome.unsent))
        return [f"sent {sent}, though nothing can have got through"]
    return []


def lost(cell: Cell, faulty: Contents, healthy: Contents) -> int:
    """Return how many objects are neither what they were nor what they were to be."""
    both = [*faulty.values(), *healthy.values()]
    return sum(state not in {cell.before, cell.after} for state in both)
