"""How a store writes and deletes: checked, recorded in the journal, at every location."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from filestore_fsspec.bridge import THREADS
from filestore_fsspec.bulk import delete_many
from filestore_fsspec.checksum import verify_checksum
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.error_mapping import local_errors
from filestore_fsspec.errors import PartialWrite
from filestore_fsspec.journal.recording import record_delete, record_put
from filestore_fsspec.operations import delete_each, write_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations
    from filestore_fsspec.store.setup import Setup


async def write(  # noqa: PLR0913 - a write, and how
    store: Setup,
    runner: Runner,
    targets: Locations,
    key: str,
    source: bytes | str,
    *,
    force: bool,
    verify: bool = False,
    action: str = "put",
) -> list[Location]:
    """Write bytes, or the local file at a path, to every target; return those written.

    Without `force`, a location that has the key keeps what it has. With `verify`, what a file
    became is compared with what was sent. `action` is the word for messages.

    Raises:
        TransportException: the only target failed.
        PartialWrite: one of several failed.
        CorruptedFileStoreException: the key is the SHA-256 of something else, and is checked.
    """

    async def write_at(location: Location) -> bool:
        if isinstance(source, bytes):
            return await location.write(runner, key, source, overwrite=force)
        return await location.send(runner, key, source, overwrite=force, verify=verify)

    _refuse_no_key(targets, [key])
    if store.verify_content:
        await verify_checksum(runner, key, source, f"cannot {action}")
    async with record_put(store.journal, runner, targets, key, source, overwrite=force) as legs:
        return await write_each(
            targets, runner, legs.track(write_at), f"{action} {key!r}", store.min_copies
        )


async def publish(
    store: Setup, targets: Locations, key: str, local_path: str, mode: str
) -> list[Location]:
    """Make a local file's content visible at every target, or at none; return those written.

    Each first takes all of it in, under no name; when all have, it is made visible. `mode` is
    `overwrite` or `create`. Blocking, each target in a thread.

    Raises:
        FileExistsError: `mode` is `create`, and a location has it.
        TransportException: the only target failed.
        PartialWrite: one of several failed; `written` names those where it is visible all the same.
        CorruptedFileStoreException: as in `write`.
        OSError: this machine failed, not a location.
    """
    prepared: dict[Location, Any] = {}
    what = f"write {key!r}"

    async def prepare(location: Location) -> bool:
        with local_errors(local_path):
            prepared[location] = await location.attempt(
                THREADS, "write", key, Driver.prepare, local_path, location.fs_path(key), mode
            )
        return True

    async def commit(location: Location) -> bool:
        await location.attempt(THREADS, "write", key, Driver.commit, prepared[location])
        del prepared[location]
        location.written()
        return True

    overwrite, copies = mode != "create", store.min_copies
    _refuse_no_key(targets, [key])
    if store.verify_content:
        await verify_checksum(THREADS, key, local_path, "cannot write")
    try:
        async with record_put(
            store.journal, THREADS, targets, key, local_path, overwrite=overwrite
        ) as legs:
            try:
                take_in = legs.track(prepare, ends=False)
                taken = await write_each(targets, THREADS, take_in, what, copies)
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


async def delete(store: Setup, runner: Runner, targets: Locations, key: str) -> None:
    """Delete a key at every target; one that is absent is no error. Raises as `delete_each`."""
    _refuse_no_key(targets, [key])
    async with record_delete(store.journal, runner, targets, [key]) as legs:
        remove = legs.track(lambda each: each.remove(runner, key))
        await delete_each(targets, runner, remove, f"delete {key!r}")


async def delete_batch(
    store: Setup, runner: Runner, targets: Locations, keys: Sequence[str], max_concurrency: int
) -> None:
    """Delete many keys, as many in a request as a location takes; otherwise like `delete`."""
    _refuse_no_key(targets, keys)
    async with record_delete(store.journal, runner, targets, keys) as legs:
        remove = legs.track(lambda each: delete_many(each, runner, keys, max_concurrency))
        await delete_each(targets, runner, remove, f"delete {len(keys)} keys")


def _refuse_no_key(targets: Locations, keys: Sequence[str]) -> None:
    """Raise InvalidKey before anything is done, if one of several targets cannot have a key."""
    if len(targets) > 1:
        for key in keys:
            for location in targets:
                location.fs_path(key)
