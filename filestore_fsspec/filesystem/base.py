"""What the composite filesystem is made of: its store, its arguments, and who is asked."""

# ruff: noqa: ANN401, D102, PLR0913
# Signatures and paths as text are fsspec's, and so are the docstrings of its methods: ours say what
# is special here.
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fsspec.asyn import AsyncFileSystem

from filestore_fsspec.bridge import on_io_loop, run
from filestore_fsspec.errors import InvalidURL, LocationUnavailable, NotFound
from filestore_fsspec.filesystem.arguments import OneForEqualLocations, redacted
from filestore_fsspec.operations import read_first, select, select_writable
from filestore_fsspec.settings import find_sources, find_store
from filestore_fsspec.store import Store

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from filestore_fsspec.location import Location
    from filestore_fsspec.operations import Locations

T = TypeVar("T")


class Base(AsyncFileSystem, metaclass=OneForEqualLocations):  # type: ignore[misc]  # fsspec has no types
    """The store behind the filesystem, and what reading and writing share."""

    protocol = "filestore"
    root_marker = ""
    mirror_sync_methods = True

    def __init__(
        self,
        locations: Sequence[object] | None = None,
        *,
        store: str | None = None,
        stores: Mapping[str, Sequence[object]] | None = None,
        location: str = "all",
        connection_attempts: int | None = None,
        strict: bool = True,
        min_copies: int | None = None,
        deadline_seconds: float | None = None,
        breaker_failures: int = 1,
        breaker_seconds: float = 1.0,
        verify_content: bool = False,
        journal: str | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Parse the locations. Touches no network.

        Args:
            locations: URLs or the predecessor's host mappings, near first.
            store: the name of a list of locations instead, in `stores` or the settings file.
            stores: such lists by name; fsspec's own configuration is the place for them.
            location: where to read and write: `all`, `near`, `far` or a location's name.
            connection_attempts: see `FileStore`.
            strict: False logs a location that cannot say, and takes it for absent.
            min_copies: see `FileStore`.
            deadline_seconds: how long one call may take for each file or folder that it asks for;
                an open file has its locations' time-outs alone.
            breaker_failures: see `FileStore`.
            breaker_seconds: see `FileStore`.
            verify_content: see `FileStore`; of a file that is open, only what is read from its
                start to its end without a gap is checked, and at the end.
            journal: see `FileStore`.
            asynchronous: whether coroutines are awaited in the caller's event loop.
            loop: fsspec's; the connections live on its I/O loop in any case.
            batch_size: how many files are under way at once, fsspec's own by default.
            **kwargs: fsspec's own.

        Raises:
            InvalidURL: the locations cannot be used; the message says what is allowed.
        """
        super().__init__(asynchronous=asynchronous, loop=loop, batch_size=batch_size, **kwargs)
        self.store = Store(
            *_sources(locations, store, stores),
            connection_attempts=connection_attempts,
            strict=strict,
            min_copies=min_copies,
            deadline_seconds=deadline_seconds,
            breaker_failures=breaker_failures,
            breaker_seconds=breaker_seconds,
            verify_content=verify_content,
            journal=journal,
        )
        self.location = location

    @classmethod
    def of(cls, store: Store) -> Self:
        """Return the filesystem of `store`, over the same locations and connections."""
        fs: Self = cls(
            locations=[location.url.reveal() for location in store.locations],
            **store.arguments,
            skip_instance_cache=True,
        )
        fs.store = store
        return fs

    # What fsspec keeps of the arguments, to travel with.

    @property
    def storage_options(self) -> dict[str, Any]:
        """The arguments, without those that a worker finds in its own configuration."""
        return self._storage_options

    @storage_options.setter
    def storage_options(self, options: dict[str, Any]) -> None:
        # None is a default, and fsspec 2026.9 cannot write it as JSON.
        kept = {
            name: value for name, value in options.items() if name != "stores" and value is not None
        }
        if kept.get("locations"):
            kept["locations"] = [redacted(source) for source in kept["locations"]]
        self._storage_options = kept

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = super().to_dict(include_password=include_password)
        if not include_password and "locations" in found:
            found["locations"] = [
                location.url.reveal(secrets=False) for location in self.store.locations
            ]
        return found

    def __repr__(self) -> str:
        return f"<FileStoreFileSystem {self.store}>"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return os.fspath(path).removeprefix("filestore://").strip("/")

    def invalidate_cache(self, path: str | None = None) -> None:
        """Do nothing: nothing is cached."""

    # How the store is asked

    def _step(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self.store.ending():
            return run(coroutine)

    async def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self.store.ending():
            return await on_io_loop(coroutine)

    # Who is asked

    def _readable(self, location: str | None) -> Locations:
        return select(self.store.locations, location or self.location)

    def _read_plan(self, location: str | None, key: str) -> tuple[Locations, Locations]:
        return self.store.read_plan(location or self.location, key)

    def _writable(self, location: str | None, what: str) -> Locations:
        return select_writable(self.store.locations, location or self.location, what)

    async def _first(self, location: str | None, ask: Any, key: str) -> tuple[Location, Any]:
        primary, fallback = self._read_plan(location, key)
        try:
            return await read_first(primary, ask, f"read {key!r}", fallback)
        except LocationUnavailable as error:
            raise self._unless_strict(error, key) from error

    def _unless_strict(self, error: LocationUnavailable, key: str) -> NotFound:
        self.store.unless_strict(error)
        return NotFound(f"no location that could say has {key!r}", error)


def _sources(
    locations: Sequence[object] | None,
    store: str | None,
    stores: Mapping[str, Sequence[object]] | None,
) -> Sequence[object]:
    if locations is not None and store is not None:
        raise InvalidURL("give 'locations' or the name of a 'store', not both")
    if locations is not None:
        return locations
    if store is None:
        return find_sources()
    return (stores or {}).get(store) or find_store(store)
