"""An action's legs: recorded before it goes out, forgotten as they succeed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from filestore_fsspec.bulk import NotDeleted
from filestore_fsspec.deadline import without_end
from filestore_fsspec.errors import FileStoreException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.journal.records import Journal, Outcome, Recorded
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

P = ParamSpec("P")


class Recording:
    """What became of an action's legs; nothing is noted of an action that was not recorded."""

    def __init__(self, runner: Runner, recorded: Recorded | None) -> None:
        self._runner = runner
        self.recorded = recorded
        self._to_clear = set(recorded.deleted) if recorded else set()
        self.outcomes: dict[tuple[Location, str], Outcome] = {}

    def track(
        self, act: Callable[[Location], Coroutine[Any, Any, Any]], *, ends: bool = True
    ) -> Callable[[Location], Coroutine[Any, Any, Any]]:
        """Return `act`, noting its outcome: False means that it left alone what is there.

        Of an act that does not end the action only the failure is noted.
        """
        recorded = self.recorded
        if recorded is None:
            return act

        async def tracked(location: Location) -> Any:  # noqa: ANN401 - as `act` does
            if location in recorded.expected:
                return False
            keys = [key for each, key in recorded.seqs if each is location]
            try:
                if location in self._to_clear:
                    # An earlier delete has failed here: what it left is not to be left alone.
                    await location.remove(self._runner, keys[0])
                    self._to_clear.discard(location)
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
        """Note that nothing has changed anywhere, whatever was noted before."""
        if self.recorded is not None:
            self.outcomes = dict.fromkeys(self.recorded.seqs, False)

    def _note(self, location: Location, outcomes: dict[str, Any]) -> None:
        self.outcomes.update({(location, key): each for key, each in outcomes.items()})


def record_put(
    journal: Journal | None,
    runner: Runner,
    locations: Locations,
    key: str,
    source: bytes | str,
    *,
    overwrite: bool,
) -> AbstractAsyncContextManager[Recording]:
    """Record a put of `source`, bytes or a local file's path, for the time of the body and beyond.

    Raises:
        FileStoreException: it cannot be recorded; nothing has gone out.
    """
    if journal is None or not locations:
        return nullcontext(Recording(runner, None))
    # The class is asked for its methods: most stores have no journal, and do not import it.
    record = type(journal).record_put
    return _recorded(journal, runner, record, locations, key, source, overwrite=overwrite)


def record_delete(
    journal: Journal | None, runner: Runner, locations: Locations, keys: Sequence[str]
) -> AbstractAsyncContextManager[Recording]:
    """Record a delete of `keys`; otherwise like `record_put`."""
    if journal is None or not locations:
        return nullcontext(Recording(runner, None))
    return _recorded(journal, runner, type(journal).record_delete, locations, keys)


@asynccontextmanager
async def _recorded(
    journal: Journal,
    runner: Runner,
    record: Callable[Concatenate[Journal, Locations, P], Recorded],
    locations: Locations,
    *args: P.args,
    **kwargs: P.kwargs,
) -> AsyncIterator[Recording]:
    recorded = await runner.call(journal, record, locations, *args, **kwargs)
    recording = Recording(runner, recorded)
    try:
        yield recording
    finally:
        try:
            with without_end():
                await runner.call(journal, type(journal).settle, recorded, recording.outcomes)
        except FileStoreException as error:
            # What is done stays recorded, and a replay finds it done.
            locations[0].log.warning("%s", error)
