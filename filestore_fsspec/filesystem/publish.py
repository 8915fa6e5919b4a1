"""`publish`: one file at every location, or at none."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from filestore_fsspec.bridge import THREADS, run
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.errors import PartialWrite
from filestore_fsspec.journal.recording import record_put
from filestore_fsspec.operations import write_each

if TYPE_CHECKING:
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations
    from filestore_fsspec.store import Store


def publish(
    store: Store, locations: Locations, path: str, local_path: str, mode: str
) -> list[Location]:
    """Show a local file's content under `path` at every location, or at none; return them.

    Each location first takes all of it in, under no name; when all have, it is shown.

    Args:
        store: whose locations these are.
        locations: where to.
        path: the key.
        local_path: what is to be shown there.
        mode: `overwrite` or `create`.

    Raises:
        FileExistsError: `mode` is `create`, and a location has it.
        TransportException: the only location failed.
        PartialWrite: one of several failed; `written` names those that show it all the same.
    """
    return run(_publish(store, locations, path, local_path, mode))


async def _publish(
    store: Store, locations: Locations, path: str, local_path: str, mode: str
) -> list[Location]:
    prepared: dict[Location, Any] = {}
    what = f"write {path!r}"

    async def prepare(location: Location) -> bool:
        prepared[location] = await location.attempt(
            THREADS, "write", path, Driver.prepare, local_path, location.fs_path(path), mode
        )
        return True

    async def commit(location: Location) -> bool:
        await location.attempt(THREADS, "write", path, Driver.commit, prepared[location])
        del prepared[location]
        location.written()
        return True

    overwrite, copies = mode != "create", store.min_copies
    try:
        async with record_put(
            store.journal, THREADS, locations, path, local_path, overwrite=overwrite
        ) as legs:
            try:
                take_in = legs.track(prepare, ends=False)
                taken = await write_each(locations, THREADS, take_in, what, copies)
            except PartialWrite as error:
                # What took it in shows nothing of it.
                legs.nothing_visible()
                reasons = "; ".join(map(str, error.failed.values()))
                message = f"{what}: done at none; failed: {reasons}"
                raise PartialWrite(message, (), error.failed) from error.__cause__
            except BaseException:
                legs.nothing_visible()
                raise
            return await write_each(tuple(taken), THREADS, legs.track(commit), what, copies)
    finally:
        for file in prepared.values():
            with suppress(OSError):  # the failure that led here is the one to tell
                file.discard()
