"""An action's legs: recorded before it goes out, forgotten as they succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from filestore_fsspec.bulk import NotDeleted
from filestore_fsspec.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.journal.owned import Owned
    from filestore_fsspec.journal.records import Journal, Outcomes, Recorded
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations


class Recording:
    """An action that is recorded for the time of an `async with` body and beyond.

    Raises:
        JournalError: it cannot be recorded; nothing has gone out.
        LocationUnavailable: the deadline passed while another worked on the same key.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_raised: object) -> None:
        """Note nothing: without a journal."""

    def track(
        self,
        act: Callable[[Location], Coroutine[Any, Any, Any]],
        *,
        ends: bool = True,  # noqa: ARG002 - where there is a journal
    ) -> Callable[[Location], Coroutine[Any, Any, Any]]:
        """Return `act`, noting its outcome: False means that it kept what exists.

        Of an act that does not end the action only the failure is noted.
        """
        return act

    def nothing_visible(self) -> None:
        """Note that nothing has changed anywhere, whatever was noted before."""


class _Recorded(Recording):
    def __init__(
        self,
        journal: Journal,
        runner: Runner,
        outcomes: Outcomes,
        action: Callable[[Outcomes], Coroutine[Any, Any, Owned[Recorded]]],
    ) -> None:
        self._journal, self._runner = journal, runner
        self._outcomes, self._action = outcomes, action
        self._to_clear: set[Location] = set()

    async def __aenter__(self) -> Self:
        self._owned = await self._action(self._outcomes)
        self._legs = await self._owned.begin(self._runner, durable=True)
        self._to_clear |= self._legs.deleted
        return self

    async def __aexit__(self, *_raised: object) -> None:
        try:
            await self._owned.end(self._runner)
        except JournalError as error:
            # What is done stays recorded, and a replay finds it done.
            self._journal.file.log.warning("%s", error)

    def track(
        self, act: Callable[[Location], Coroutine[Any, Any, Any]], *, ends: bool = True
    ) -> Callable[[Location], Coroutine[Any, Any, Any]]:
        async def tracked(location: Location) -> Any:  # noqa: ANN401 - as `act` does
            if location in self._legs.expected:
                return False
            keys = [key for each, key in self._legs.seqs if each is location]
            try:
                if location in self._to_clear:
                    # An earlier delete has failed here: what it left is to be replaced.
                    self._outcomes.begun = True
                    await location.remove(self._runner, keys[0])
                    self._to_clear.discard(location)
                self._outcomes.begun |= ends
                done = await act(location)
            except FileExistsError:
                self._note(location, dict.fromkeys(keys, False))
                raise
            except NotDeleted as error:
                self._note(location, {key: error.failed.get(key, True) for key in keys})
                raise
            except Exception as error:
                self._note(location, dict.fromkeys(keys, error))
                raise
            if ends:
                self._note(location, dict.fromkeys(keys, done is not False))
            return done

        return tracked

    def nothing_visible(self) -> None:
        self._outcomes.of_legs = dict.fromkeys(self._legs.seqs, False)

    def _note(self, location: Location, outcomes: dict[str, Any]) -> None:
        self._outcomes.of_legs.update({(location, key): each for key, each in outcomes.items()})


def record_put(
    journal: Journal | None,
    runner: Runner,
    locations: Locations,
    key: str,
    source: bytes | str,
    *,
    overwrite: bool,
) -> Recording:
    """Return what records a put of `source`, bytes or a local file's path."""
    if journal is None or not locations:
        return Recording()
    # Imported here: most stores have no journal, and need no SQLite.
    from filestore_fsspec.journal.records import Outcomes, digest  # noqa: PLC0415

    async def action(outcomes: Outcomes) -> Owned[Recorded]:
        content = await runner.work(digest, source)
        return journal.put(locations, key, content, outcomes, overwrite=overwrite)

    return _Recorded(journal, runner, Outcomes(), action)


def record_delete(
    journal: Journal | None, runner: Runner, locations: Locations, keys: Sequence[str]
) -> Recording:
    """Return what records a delete of `keys`."""
    if journal is None or not locations:
        return Recording()
    from filestore_fsspec.journal.records import Outcomes  # noqa: PLC0415

    async def action(outcomes: Outcomes) -> Owned[Recorded]:
        return journal.delete(locations, keys, outcomes)

    return _Recorded(journal, runner, Outcomes(), action)
