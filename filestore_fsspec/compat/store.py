"""The file store of both packages: this library's, with their arguments and answers."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Self

from filestore_fsspec import filestore
from filestore_fsspec.compat.spans import span, spanned
from filestore_fsspec.compat.transports import (
    LocationTransport,
    TransportLocal,
    attempts,
    chained,
    open_transport,
)
from filestore_fsspec.errors import FileStoreException, InvalidKey
from filestore_fsspec.operations import place_of, run_there, select
from filestore_fsspec.store.writing import delete_batch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from types import TracebackType

    from filestore_fsspec.location import Location


class FileStore:
    """Several transports under one API, near first and far last.

    `store` is the same as a store of this library, with all that it can do.
    """

    SLOW_OP_THRESHOLD = 5.0
    """Seconds, from which on a download or an upload is logged."""
    classes: ClassVar[Mapping[str, type[LocationTransport]]]
    """The transports by scheme, and under the empty name that of any other."""

    def __init__(self, *transport_urls: object, connection_attempts: int | None = None) -> None:
        """Parse the URLs. Touches no network.

        Args:
            transport_urls: URLs, or objects with host fields.
            connection_attempts: how often a call that a dropped connection ended is made, 3 times
                by default.

        Raises:
            InvalidURL: there is no URL, or one cannot be used.
        """
        name = self.classes[""].logger
        self.log = logging.getLogger(name)
        self.transport_urls = transport_urls
        self.transports = [
            open_transport(self.classes, url, connection_attempts) for url in transport_urls
        ]
        self.local_transports = [
            each for each in self.transports if isinstance(each, TransportLocal)
        ]
        self.store = filestore.FileStore(
            *(each.url for each in self.transports),
            connection_attempts=attempts(connection_attempts),
            strict=False,
            logger=name,
        )
        for transport, location in zip(self.transports, self.store.locations, strict=True):
            transport.location = location

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileStore) and self.transport_urls == other.transport_urls

    def __hash__(self) -> int:
        return hash(self.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        ex_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def __str__(self) -> str:
        read_only = ", ".join(str(each) for each in self.transports if each.read_only)
        return ", ".join(map(str, self.transports)) + (
            f" | read-only: {read_only}" if read_only else ""
        )

    def close(self) -> None:
        """Close all connections; the next call makes new ones."""
        self.store.close()

    def slice(self, location: str) -> list[LocationTransport]:
        """Return the transports that `near`, `far`, `all`, `any` or a location's name means.

        Raises:
            ValueError: it means none.
        """
        return self._transports(select(self.store.locations, location))

    def _transports(self, locations: Collection[Location]) -> list[LocationTransport]:
        return [each for each in self.transports if each.location in locations]

    @spanned
    def delete(self, path: str, location: str = "all") -> None:
        """Delete `path`; what is absent is no error, and what fails is logged."""
        with span("delete", {"path": path}):
            try:
                self.store.delete(path, location)
            except InvalidKey as error:
                self.log.warning("%s", error)

    def delete_batch_chunk_size(self) -> int:
        """Return how many keys one request deletes at every transport."""
        return self.store.delete_batch_chunk_size()

    @spanned
    def delete_batch(self, file_list: Iterable[str], location: str = "all") -> None:
        """Delete many keys.

        Raises:
            TransportException: some could not be deleted; all were tried.
        """
        keys = list(file_list)
        if not keys:
            return
        targets = tuple(each.location for each in self.slice(location) if not each.read_only)
        with span("delete_batch", {"batch_size": len(keys)}), chained():
            if targets:
                side_by_side = max(each.driver.max_concurrency for each in targets)
                run_there(
                    place_of(targets, side_by_side),
                    lambda runner: delete_batch(self.store, runner, targets, keys, side_by_side),
                )

    @spanned
    def download(
        self, src_path: str, dest_path: str, location: str = "any"
    ) -> list[LocationTransport]:
        """Bring `src_path` to the local file `dest_path`; return the transport that had it.

        Raises:
            FileStoreException: no transport has it, or could be asked.
        """
        selected = self.slice(location)
        with self._timed("download", src_path, f"(transports tried: {len(selected)})"):
            try:
                return self._transports(self.store.download(src_path, dest_path, location))
            except FileStoreException:
                raise
            except OSError as error:
                raise FileStoreException(f"cannot download {src_path!r}: {error}", error) from error

    @spanned
    def exists(self, path: str, location: str = "any") -> list[LocationTransport]:
        """Return the transports that have `path`: the first, or with `all` each."""
        try:
            return self._transports(self.store.exists(path, location))
        except InvalidKey as error:
            self.log.warning("%s", error)
            return []

    @spanned
    def get(self, path: str, location: str = "any") -> bytes | None:
        """Return the content of `path`; None where it is absent, and where that is unknown."""
        try:
            return self.store.get(path, location)
        except InvalidKey as error:
            self.log.warning("%s", error)
            return None

    @spanned
    def put(
        self, dst_path: str, content: bytes | str, location: str = "all", force: bool = False
    ) -> list[LocationTransport]:
        """Store `content` at every transport that does not have `dst_path`; return those.

        Raises:
            TransportException: one could not be written; all were tried.
        """
        self.slice(location)
        with chained():
            return self._transports(self.store.put(dst_path, content, location, force))

    @spanned
    def upload(
        self,
        src_path: str,
        dst_path: str,
        location: str = "all",
        force: bool = False,
        verify: bool = False,
    ) -> list[LocationTransport]:
        """Store the local file `src_path`; otherwise like `put`."""
        selected = self.slice(location)
        where = f"across {len(selected)} transport(s)"
        with self._timed("upload", dst_path, where), chained():
            written = self.store.upload(src_path, dst_path, location, force, verify)
            return self._transports(written)

    @spanned
    def upload_batch(
        self, local_remote_tuples: Iterable[tuple[str, str]], location: str = "all"
    ) -> list[tuple[str, str, str]]:
        """Store many local files; return `(src, dest, error)` of those that failed."""
        return self.store.upload_batch(local_remote_tuples, location)

    @contextmanager
    def _timed(self, action: str, path: str, where: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - start
            if seconds > self.SLOW_OP_THRESHOLD:
                self.log.warning(
                    "Slow filestore %s: %s took %.2fs %s", action, path, seconds, where
                )
