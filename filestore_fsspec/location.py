"""`Location`: one storage place, its layout and its filesystem.

The coroutines take a caller (see `bridge`) and are what operations are built from; the plain
functions answer for this one location, as the predecessor's transports do. This is where a
driver's `OSError` becomes one of ours and where what may be mended by another attempt is tried
again.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from filestore_fsspec.attempts import ATTEMPTS, ThereAfterAll, call
from filestore_fsspec.breaker import Breaker
from filestore_fsspec.bridge import blocking, iterate, run
from filestore_fsspec.cleanup import AGE_SECONDS, remove_leftovers, sweeper_of
from filestore_fsspec.drivers import load_driver
from filestore_fsspec.drivers.base import Garbled
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    FileStoreException,
    LocationUnavailable,
    NotFound,
    PermissionDenied,
    TransportException,
)
from filestore_fsspec.keys import begins_a_key, is_key, parse_key, temporary_path
from filestore_fsspec.proof import prove
from filestore_fsspec.schemes import translate
from filestore_fsspec.urls import parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from filestore_fsspec.breaker import State
    from filestore_fsspec.bridge import Caller
    from filestore_fsspec.drivers.base import Info

log = logging.getLogger("filestore_fsspec")

_COMPARE_BYTES = 8 * 2**20
_OVERWRITE = {False: "create", True: "overwrite"}


class Location:
    """One storage place. `str()` shows the user name and no secret.

    Connections are made on first use, by each process for itself. Threads may share it.
    """

    def __init__(
        self,
        source: object,
        connection_attempts: int | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        """Parse `source`, a URL or the predecessor's host mapping. Touches no network.

        Args:
            source: see `urls.parse`.
            connection_attempts: how often a call that a dropped connection ended is tried, 3 by
                default.
            breaker: says whether it is to be asked; None is always.

        Raises:
            InvalidURL: `source` cannot be used; the message says what is allowed.
            ValueError: `connection_attempts` is below 1.
        """
        if connection_attempts is not None and connection_attempts < 1:
            raise ValueError(
                "connection_attempts is a whole number from 1, or None for the default"
            )
        self.url = parse(source)
        self.target = translate(self.url)
        self.attempts = connection_attempts or ATTEMPTS
        self.breaker = breaker
        self._start()

    def _start(self) -> None:
        self._root = self.target.root
        self._layout = self.target.layout
        self._fs: Any = None
        self._lock = threading.Lock()
        self._sweeper = sweeper_of(self.target)
        _living.add(self)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process; `url` keeps its password as a `SecretStr`."""
        breaker = self.breaker and (self.breaker.failures, self.breaker.seconds)
        return {"url": self.url, "attempts": self.attempts, "breaker": breaker}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url, self.attempts = state["url"], state["attempts"]
        self.breaker = state["breaker"] and Breaker(*state["breaker"])
        self.target = translate(self.url)
        self._start()

    def __str__(self) -> str:
        return self.target.label

    def __repr__(self) -> str:
        return f"<Location {self}>"

    @property
    def name(self) -> str | None:
        """The name given with the option `name`."""
        return self.target.name

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written here."""
        return self.target.read_only

    @property
    def breaker_state(self) -> State:
        """Whether it is asked: `closed` is yes, `open` no, `half-open` that somebody looks."""
        return "closed" if self.breaker is None else self.breaker.state

    @property
    def fs(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """The fsspec filesystem, made on first use."""
        if self._fs is None:
            with self._lock:
                if self._fs is None:
                    driver = load_driver(self.target.protocol)
                    self._fs = driver(**self.target.storage_options)
        return self._fs

    def fs_path(self, key: str) -> str:
        """Return where `key` lies in `fs`.

        Raises:
            InvalidKey: it is no key.
        """
        return self._root + self._layout.path(parse_key(key))

    def key(self, fs_path: str) -> str:
        """Return the key of what lies at `fs_path` in `fs`."""
        return self._layout.key(fs_path[len(self._root) :].rstrip("/"))

    # What operations are built from.

    async def read(
        self,
        caller: Caller,
        key: str,
        start: int | None = None,
        end: int | None = None,
        *,
        verify: bool = False,
    ) -> bytes:
        """Return the bytes from `start` to before `end`, or all of them.

        Raises:
            NotFound: the object is absent.
            TransportException: the location could not say.
            CorruptedFileStoreException: `verify`, and a whole object is not what `key` says.
        """
        path = self.fs_path(key)
        content: bytes = await self.attempt(caller, "get", key, "cat_file", path, start, end)
        if verify and start is None and end is None:
            await prove(caller, key, content, f"{self}: cannot get")
        return content

    async def fetch(
        self, caller: Caller, key: str, local_path: Path, *, verify: bool = False
    ) -> None:
        """Bring an object to `local_path`, which is replaced when all of it is there.

        Raises:
            NotFound, TransportException, CorruptedFileStoreException: as in `read`; `local_path`
                is as it was.
        """
        path = self.fs_path(key)
        beside = temporary_path(str(local_path))
        # Made here, so that a failure of the local disk is not taken for the location's.
        local_path.parent.mkdir(parents=True, exist_ok=True)
        Path(beside).touch(exist_ok=False)  # noqa: ASYNC240 - a few microseconds
        try:
            await self.attempt(caller, "download", key, "get_file", path, beside)
            if verify:
                await prove(caller, key, beside, f"{self}: cannot download")
            os.replace(beside, local_path)  # noqa: PTH105
        finally:
            with suppress(FileNotFoundError):
                os.unlink(beside)  # noqa: PTH108

    async def write(self, caller: Caller, key: str, content: bytes, *, overwrite: bool) -> bool:
        """Write an object; return False if it was there and is left alone.

        Raises:
            TransportException: the location failed; nothing half-written is visible.
        """
        path, mode = self.fs_path(key), _OVERWRITE[overwrite]
        try:
            await self.attempt(caller, "put", key, "pipe_file", path, content, mode=mode)
        except ThereAfterAll:
            return await self._is_ours(caller, key, BytesIO(content))
        except FileExistsError:
            return False
        self.written()
        return True

    async def send(
        self,
        caller: Caller,
        key: str,
        local_path: str,
        *,
        overwrite: bool,
        verify: bool = False,
    ) -> bool:
        """Write an object from a local file; otherwise like `write`.

        Raises:
            TransportException: as in `write`.
            CorruptedFileStoreException: what arrived is not what was sent, and nothing of it is
                left; with `verify` this is looked for, else only some servers do.
        """
        path, mode = self.fs_path(key), _OVERWRITE[overwrite]
        method = "put_verified" if verify else "put_file"
        try:
            await self.attempt(caller, "upload", key, method, local_path, path, mode=mode)
        except ThereAfterAll:
            with open(local_path, "rb") as content:  # noqa: ASYNC230, PTH123 - after a failure
                return await self._is_ours(caller, key, content)
        except FileExistsError:
            return False
        self.written()
        return True

    async def holds(self, caller: Caller, key: str) -> bool:
        """Tell whether the object is present; a folder is none.

        Raises:
            TransportException: the location could not say.
        """
        path = self.fs_path(key)
        return await self.attempt(caller, "look for", key, "isfile", path)  # type: ignore[no-any-return]

    async def stat(self, caller: Caller, key: str) -> dict[str, Any]:
        """Return `size` (bytes or None), `modified` (aware, or None) and `type`.

        Raises:
            NotFound, TransportException: as in `read`.
        """
        path = self.fs_path(key)
        return await self.attempt(caller, "look for", key, "info", path)  # type: ignore[no-any-return]

    async def remove(self, caller: Caller, key: str) -> None:
        """Delete an object; one that is absent is no error.

        Raises:
            TransportException: the location could not delete it.
        """
        with suppress(NotFound):
            await self.attempt(caller, "delete", key, "rm_file", self.fs_path(key))

    async def remove_many(self, caller: Caller, keys: Sequence[str]) -> dict[str, Exception]:
        """Delete up to `delete_batch_chunk_size` objects in one request; return what failed.

        Raises:
            TransportException: the request as a whole failed.
        """
        paths = {self.fs_path(key): key for key in keys}
        failed = await self.attempt(caller, "delete", keys[0], "rm_files", list(paths))
        return {
            paths[path]: self._failure("delete", paths[path], error)
            for path, error in failed.items()
        }

    async def pages(self, caller: Caller, prefix: str = "") -> AsyncIterator[list[Info]]:
        """Yield what is stored under keys that start with `prefix`, some at a time, in any order.

        An info's `name` is the key. What others stored under names that are no keys is passed over:
        `../x` would lead a recursive download out of its folder.

        Raises:
            TransportException: the listing could not be finished.
        """
        if not begins_a_key(prefix):
            return
        for path_prefix in self._layout.prefixes(prefix):
            token: Any = None
            more = True
            while more:
                start = self._root + path_prefix
                infos, token = await self.attempt(caller, "list", prefix, "list_page", start, token)
                named = [{**info, "name": self.key(info["name"])} for info in infos]
                yield [
                    info
                    for info in named
                    if info["name"].startswith(prefix) and is_key(info["name"])
                ]
                more = token is not None

    async def _is_ours(self, caller: Caller, key: str, content: IO[bytes]) -> bool:
        """Tell whether an object is what was written: by an attempt whose answer was lost."""
        start, more = 0, True
        while more:
            piece = content.read(_COMPARE_BYTES)
            end = start + len(piece) + 1  # one byte more than there may be, at the end
            found = await self.read(caller, key, start, end)
            if found[: len(piece)] != piece:
                return False
            start += len(piece)
            more = len(piece) == _COMPARE_BYTES
        return len(found) == len(piece)

    def written(self) -> None:
        """Note a write: what killed writers left is then removed in the background."""
        if self._sweeper is not None:
            self._sweeper.wake()

    async def clean_up(self, caller: Caller, older_than_seconds: float = AGE_SECONDS) -> list[str]:
        """Remove what killed writers left and nobody wrote to for so long; return the paths.

        Raises:
            TransportException: the location could not be looked through, or did not remove it.
        """
        call = partial(self.attempt, caller, "clean up", self._root)
        return await remove_leftovers(call, self._root, older_than_seconds)

    async def attempt(
        self,
        caller: Caller,
        action: str,
        key: str,
        method: str,
        *args: Any,  # noqa: ANN401 - the driver's
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Call a method of the filesystem, and again where a dropped connection ended it.

        Raises:
            FileExistsError: as it comes.
            TransportException: any other `OSError` as one of ours; `action` and `key` name what
                was tried.
            CorruptedFileStoreException: what arrived is not what was sent.
        """
        if self.is_left_alone():
            raise self.skipped(f"{action} {key!r}")
        try:
            answer = await call(caller, self.fs, self.attempts, method, *args, **kwargs)
        except FileExistsError:
            self._note(None)
            raise
        except OSError as error:
            self._note(error)
            raise self._failure(action, key, error) from error
        self._note(None)
        return answer

    def _note(self, error: OSError | None) -> None:
        """Tell the breaker whether the location answered."""
        breaker = self.breaker
        if breaker is None:
            return
        if isinstance(error, Garbled) or not isinstance(error, ConnectionError | TimeoutError):
            if breaker.succeeded():
                log.warning("%s: is back", self)
        elif breaker.failed():
            log.warning("%s: failed, and is left alone for %g s", self, breaker.seconds)

    def is_left_alone(self) -> bool:
        """Tell whether its breaker says not to ask it; if it is time, have a thread look."""
        if self.breaker is None or self.breaker.state == "closed":
            return False
        if self.breaker.is_due():
            threading.Thread(target=self._look, name="filestore-breaker", daemon=True).start()
        return True

    def skipped(self, what: str) -> LocationUnavailable:
        """Return the error of a location that was left alone: it could not say."""
        error = ConnectionError("it has just failed, and is left alone")
        return LocationUnavailable(f"{self}: cannot {what}: {error}", error)

    def _look(self) -> None:
        try:
            self.fs.isfile(self.fs_path("filestore-breaker"))
        except OSError as error:
            self._note(error)
        else:
            self._note(None)

    def _failure(self, action: str, key: str, error: OSError) -> FileStoreException:
        # fsspec raises its own TimeoutError, without a word, from the driver's.
        reason = str(error) or str(error.__cause__ or "") or type(error).__name__
        for secret in self.target.secrets:
            reason = reason.replace(secret, "***")
        message = f"{self}: cannot {action} {key!r}: {reason}"
        if isinstance(error, Garbled):
            return CorruptedFileStoreException(message)
        if isinstance(error, FileNotFoundError):
            return NotFound(message, error)
        if isinstance(error, PermissionError):
            return PermissionDenied(message, error)
        if isinstance(error, ConnectionError | TimeoutError):
            return LocationUnavailable(message, error)
        return TransportException(message, error)

    # What the predecessor's transports answer.

    def get(self, path: str) -> bytes:
        """Return the content of `path`. Raises as `read` does."""
        return run(self.read(blocking, path))

    def put(self, path: str, content: bytes | str) -> None:
        """Write `content` to `path`, over what is there. Raises as `write` does."""
        data = content.encode() if isinstance(content, str) else content
        run(self.write(blocking, path, data, overwrite=True))

    def exists(self, path: str) -> bool:
        """Tell whether `path` is present. Raises as `holds` does."""
        return run(self.holds(blocking, path))

    def delete(self, path: str) -> None:
        """Delete `path`. Raises as `remove` does."""
        run(self.remove(blocking, path))

    def delete_batch(self, paths: Sequence[str]) -> None:
        """Delete all of `paths`, as many in a request as the backend takes.

        Raises:
            TransportException: the first failure, after all were tried.
        """
        size = self.delete_batch_chunk_size()
        failed: list[Exception] = []
        for start in range(0, len(paths), size):
            failed += run(self.remove_many(blocking, paths[start : start + size])).values()
        if failed:
            raise failed[0]

    def delete_batch_chunk_size(self) -> int:
        """Return how many objects one request deletes."""
        return self.fs.delete_batch_chunk_size  # type: ignore[no-any-return]

    def download(self, src_path: str, dst_path: str | os.PathLike[str]) -> None:
        """Bring `src_path` to the local file `dst_path`. Raises as `fetch` does."""
        run(self.fetch(blocking, src_path, Path(dst_path)))

    def upload(self, src_path: str | os.PathLike[str], dst_path: str) -> None:
        """Write the local file `src_path` to `dst_path`, over what is there."""
        run(self.send(blocking, dst_path, os.fspath(src_path), overwrite=True))

    def cleanup(self, older_than_seconds: float = AGE_SECONDS) -> list[str]:
        """Remove what killed writers left; return the paths in `fs`. Raises as `clean_up` does."""
        return run(self.clean_up(blocking, older_than_seconds))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that start with `prefix`. Raises as `pages` does."""
        for page in iterate(self.pages(blocking, prefix)):
            yield from (info["name"] for info in page)

    def close(self) -> None:
        """Close the connections. The next call makes new ones."""
        if self._sweeper is not None:
            self._sweeper.stop()
        with self._lock:
            fs, self._fs = self._fs, None
        if self.breaker is not None:
            self.breaker.reset()
        if fs is not None:
            fs.stop_threads()
            fs.close()

    def _forget(self) -> None:
        """Start anew in a forked child.

        The parent's filesystem is kept, unused: closing it here would act on the parent's
        sockets, and on the event queue that its I/O loop shares with this process.
        """
        _parents.append(self._fs)
        self._fs = None
        self._lock = threading.Lock()
        if self.breaker is not None:
            self.breaker = Breaker(self.breaker.failures, self.breaker.seconds)


_living: weakref.WeakSet[Location] = weakref.WeakSet()
_parents: list[Any] = []


def _forget_all() -> None:
    for location in _living:
        location._forget()  # noqa: SLF001 - same file


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
