"""What the composite filesystem is made of: its store, its arguments, its names."""

# ruff: noqa: ANN401, D102, PLR0913
# Signatures and paths as text are fsspec's, and so are the docstrings of its methods: ours say what
# is special here.
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from fsspec.asyn import AsyncFileSystem

from filestore_fsspec.bridge import io_loop
from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.filesystem.arguments import OneForEqualLocations, redacted
from filestore_fsspec.filesystem.opening import Opener
from filestore_fsspec.filesystem.tree import Tree
from filestore_fsspec.settings import find_sources, find_store
from filestore_fsspec.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
        logger: str | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Parse the locations. Touches no network.

        Args:
            locations: URLs or mappings like Assemblyline's hosts, near first.
            store: the name of a list of locations instead, in `stores` or the settings file.
            stores: such lists by name; fsspec's own configuration is the place for them.
            location: where to read and write: `all`, `near`, `far` or a location's name.
            connection_attempts: see `FileStore`.
            strict: False logs what is unknown, and takes it for absent.
            min_copies: see `FileStore`.
            deadline_seconds: how long one call may take for each file or folder that it asks for;
                an open file has its locations' time-outs alone.
            breaker_failures: see `FileStore`.
            breaker_seconds: see `FileStore`.
            verify_content: see `FileStore`; of a file that is open, only what is read from its
                start to its end without a gap is checked, and at the end.
            journal: see `FileStore`.
            logger: see `FileStore`.
            asynchronous: whether coroutines are awaited in the caller's event loop.
            loop: fsspec's; the connections live on its I/O loop in any case.
            batch_size: how many files are under way at once, fsspec's own by default.
            **kwargs: fsspec's own.

        Raises:
            InvalidURL: the locations cannot be used; the message says what is allowed.
        """
        io_loop()  # ready before fsspec takes it
        super().__init__(asynchronous=asynchronous, loop=loop, batch_size=batch_size, **kwargs)
        store_of_these = Store(
            *_sources(locations, store, stores),
            connection_attempts=connection_attempts,
            strict=strict,
            min_copies=min_copies,
            deadline_seconds=deadline_seconds,
            breaker_failures=breaker_failures,
            breaker_seconds=breaker_seconds,
            verify_content=verify_content,
            journal=journal,
            logger=logger,
        )
        self.location = location
        self._use(store_of_these)

    @classmethod
    def of(cls, store: Store) -> Self:
        """Return the filesystem of `store`, over the same locations and connections."""
        fs: Self = cls(
            locations=[location.url.reveal() for location in store.locations],
            **store.arguments,
            skip_instance_cache=True,
        )
        fs._use(store)
        return fs

    def _use(self, store: Store) -> None:
        self.store = store
        self._tree = Tree(store)
        self._opener = Opener(self, store)

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
        if path is None:
            return ""  # what fsspec 2026.9 has for the root, in a DirFileSystem of it
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return os.fspath(path).removeprefix("filestore://").strip("/")

    def unstrip_protocol(self, name: str) -> str:
        # With a slash before the key, so that a key's URL is the root's with the key in it:
        # fsspec's rsync replaces the one by another folder's.
        key = self._strip_protocol(name)
        return f"filestore:///{key}" if key else "filestore://"

    def invalidate_cache(self, path: str | None = None) -> None:
        """Do nothing: nothing is cached."""


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
