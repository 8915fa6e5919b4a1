"""`Location`: one storage place, with the functions of the predecessor's transports.

Its coroutines take a runner (see `bridge`); operations are built from them.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from filestore_fsspec.breaker import Breaker, Circuit
from filestore_fsspec.bridge import SYNC, NoThread, io_loop, iterate, run
from filestore_fsspec.checksum import verify_checksum
from filestore_fsspec.cleanup import AGE_SECONDS, cleaner_of, remove_stale_files
from filestore_fsspec.drivers import load_driver
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.drivers.shared.errors import DISK_FULL, Absent
from filestore_fsspec.error_mapping import exception_of, is_answer, local_errors
from filestore_fsspec.errors import FileStoreException, LocationUnavailable, NotFound
from filestore_fsspec.fork_safety import keep, watch_forks
from filestore_fsspec.keys import begins_a_key, is_key, parse_key, temporary_path
from filestore_fsspec.logs import logger_of
from filestore_fsspec.retry import ATTEMPTS, AmbiguousCreate, call_with_retry
from filestore_fsspec.schemes import translate
from filestore_fsspec.urls import parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from filestore_fsspec.breaker import State
    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info

T = TypeVar("T")
P = ParamSpec("P")

_COMPARE_BYTES = 8 * 2**20
_OVERWRITE = {False: "create", True: "overwrite"}
_WRITES = {
    Driver.pipe_file,
    Driver.put_file,
    Driver.put_verified,
    Driver.prepare,
    Driver.commit,
    Driver.makedirs,
}
"""What makes a root, bucket or container that is missing."""
_NOTHING: tuple[object, ...] = ([], {}, ([], None))
"""What a listing and a delete answer where nothing is, a missing root as well."""


class Location:
    """One storage place. `str()` shows the user name and no secret.

    Connections are made on first use, by each process for itself. Threads may share it.
    """

    def __init__(
        self,
        source: object,
        connection_attempts: int | None = None,
        breaker: Breaker | None = None,
        logger: str | None = None,
    ) -> None:
        """Parse `source`, a URL or the predecessor's host mapping. Touches no network.

        Args:
            source: see `urls.parse`.
            connection_attempts: how often a call that a dropped connection ended is tried, 3 by
                default.
            breaker: says when it is not to be asked; None is never.
            logger: the name of its logger; the environment's or `filestore_fsspec` by default.

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
        self.log = logging.getLogger(logger) if logger else logger_of()
        self._start(breaker)

    def _start(self, breaker: Breaker | None) -> None:
        self._root = self.target.root
        self._layout = self.target.layout
        self._fs: Any = None
        self._lock = threading.Lock()
        self._circuit = Circuit(self.target.label, breaker, self.log)
        self._cleaner = cleaner_of(self.target, self.log)
        watch_forks(self, in_child=Location._forget)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process; `url` keeps its password as a `SecretStr`."""
        breaker = self.breaker and (self.breaker.failures, self.breaker.seconds)
        return {"url": self.url, "attempts": self.attempts, "breaker": breaker, "log": self.log}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url, self.attempts, self.log = state["url"], state["attempts"], state["log"]
        self.target = translate(self.url)
        self._start(state["breaker"] and Breaker(*state["breaker"]))

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
    def breaker(self) -> Breaker | None:
        """Says when it is not to be asked; None is never."""
        return self._circuit.breaker

    @property
    def breaker_state(self) -> State:
        """Whether it is asked: `closed` is yes, `open` no, `half-open` that a thread probes it."""
        return self._circuit.state

    @property
    def driver(self) -> type[Driver]:
        """The class of `fs`, which is not made for it."""
        driver: type[Driver] = load_driver(self.target.protocol)
        return driver

    @property
    def fs(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """The fsspec filesystem, made on first use."""
        if self._fs is None:
            with self._lock:
                if self._fs is None:
                    if self.driver.async_impl:
                        io_loop()  # ready before fsspec takes it
                    self._fs = load_driver(self.target.protocol)(**self.target.storage_options)
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

    def listed(self, info: Info) -> str | None:
        """Return the key of what a listing of `fs` shows, or None if no key leads there.

        What others stored may have names that are no keys (`../x` would lead a recursive download
        out of its folder), or lie where a read of that key does not look.
        """
        key = self.key(info["name"])
        if not is_key(key):
            return None
        leads = info["type"] == "directory" or self.fs_path(key) == info["name"]
        return key if leads else None

    async def attempt(
        self,
        runner: Runner,
        action: str,
        key: str,
        method: Callable[Concatenate[Driver, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a method of the filesystem, and again where a dropped connection ended it.

        Raises:
            FileExistsError: as it comes.
            TransportException: any other `OSError` as one of ours; `action` and `key` name what
                was tried.
            CorruptedFileStoreException: what arrived is not what was sent.
        """
        if self.is_circuit_open():
            raise self.skipped(f"{action} {key!r}")
        required = self.target.required
        if required is not None and method in _WRITES:
            await self._require(required, runner, action, key)
        try:
            answer = await call_with_retry(runner, self, action, key, method, *args, **kwargs)
        except FileExistsError:
            self._circuit.record(answered=True)
            raise
        except OSError as error:
            self._circuit.record(answered=is_answer(error))
            if required is not None and isinstance(error, Absent):
                await self._require(required, runner, action, key)
            raise self._exception(action, key, error) from error
        self._circuit.record(answered=True)
        if required is not None and (answer is False or answer in _NOTHING):
            await self._require(required, runner, action, key)
        return answer

    async def _require(self, path: str, runner: Runner, action: str, key: str) -> None:
        """Look whether the folder that the location stands on is there; nothing is remembered.

        Raises:
            TransportException: it is not, or that is unknown: "absent" says nothing of an object.
        """
        try:
            info = await call_with_retry(runner, self, action, key, Driver.info, path)
        except Absent:
            info = {"type": "absent"}
        except OSError as error:
            self._circuit.record(answered=is_answer(error))
            raise self._exception(action, key, error) from error
        if info["type"] != "directory":
            missing = ConnectionError(f"{path} is not there, and must_exist=true")
            raise self._exception(action, key, missing)

    def retrying(
        self, action: str, key: str, error: OSError, number: int, pause_seconds: float
    ) -> None:
        """Log that a call has failed and is made again."""
        failure = self._exception(action, key, error)
        message = "%s; attempt %d of %d in %.1f s"
        self.log.warning(message, failure, number, self.attempts, pause_seconds)

    def is_circuit_open(self) -> bool:
        """Tell whether its breaker says not to ask it; if it is time, have a thread probe it."""
        return self._circuit.is_open(self._probe)

    def skipped(self, what: str) -> LocationUnavailable:
        """Return the error of a location that was not asked: what it has is unknown."""
        error = ConnectionError("it has just failed, and is not asked for now: its circuit is open")
        return LocationUnavailable(f"{self}: cannot {what}: {error}", error)

    def _probe(self) -> bool:
        try:
            self.fs.isfile(self.fs_path("filestore-breaker"))
        except OSError as error:
            return is_answer(error)
        return True

    def _exception(self, action: str, key: str, error: OSError) -> FileStoreException:
        return exception_of(error, f"{self}: cannot {action} {key!r}", self.target.secrets)

    async def read(
        self,
        runner: Runner,
        key: str,
        start: int | None = None,
        end: int | None = None,
        *,
        verify: bool = False,
    ) -> bytes:
        """Return the bytes from `start` to before `end`, or all of them.

        Raises:
            NotFound: the object is absent.
            TransportException: what it has is unknown.
            CorruptedFileStoreException: `verify`, and a whole object is not what `key` says.
        """
        path = self.fs_path(key)
        content = await self.attempt(runner, "get", key, Driver.cat_file, path, start, end)
        if verify and start is None and end is None:
            await verify_checksum(runner, key, content, f"{self}: cannot get")
        return content

    async def fetch(
        self, runner: Runner, key: str, local_path: Path, *, verify: bool = False
    ) -> None:
        """Bring an object to `local_path`, which is replaced when all of it is there.

        Raises:
            NotFound, TransportException, CorruptedFileStoreException: as in `read`; `local_path`
                is as it was.
            OSError: this machine failed, not the location.
        """
        path = self.fs_path(key)
        temporary = temporary_path(str(local_path))
        # Made here, so that a failure of the local disk is not taken for the location's.
        local_path.parent.mkdir(parents=True, exist_ok=True)
        Path(temporary).touch(exist_ok=False)  # noqa: ASYNC240 - a few microseconds
        try:
            with local_errors(temporary, DISK_FULL):
                await self.attempt(runner, "download", key, Driver.get_file, path, temporary)
            if verify:
                await verify_checksum(runner, key, temporary, f"{self}: cannot download")
            os.replace(temporary, local_path)  # noqa: PTH105
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108

    async def write(self, runner: Runner, key: str, content: bytes, *, overwrite: bool) -> bool:
        """Write an object; return False if it was there, and is kept.

        Raises:
            TransportException: the location failed; nothing half-written is visible.
        """
        path, mode = self.fs_path(key), _OVERWRITE[overwrite]
        try:
            await self.attempt(runner, "put", key, Driver.pipe_file, path, content, mode=mode)
        except AmbiguousCreate:
            return await self._is_ours(runner, key, BytesIO(content))
        except FileExistsError:
            return False
        self.written()
        return True

    async def send(
        self,
        runner: Runner,
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
            OSError: this machine failed, not the location.
        """
        path, mode = self.fs_path(key), _OVERWRITE[overwrite]
        method = Driver.put_verified if verify else Driver.put_file
        try:
            with local_errors(local_path):
                await self.attempt(runner, "upload", key, method, local_path, path, mode=mode)
        except AmbiguousCreate:
            with open(local_path, "rb") as content:  # noqa: ASYNC230, PTH123 - after a failure
                return await self._is_ours(runner, key, content)
        except FileExistsError:
            return False
        self.written()
        return True

    async def holds(self, runner: Runner, key: str) -> bool:
        """Tell whether the object is present; a folder is none.

        Raises:
            TransportException: what it has is unknown.
        """
        path = self.fs_path(key)
        return await self.attempt(runner, "look for", key, Driver.isfile, path)

    async def stat(self, runner: Runner, key: str) -> dict[str, Any]:
        """Return `size` (bytes or None), `modified` (aware, or None) and `type`.

        Raises:
            NotFound, TransportException: as in `read`.
        """
        path = self.fs_path(key)
        return await self.attempt(runner, "look for", key, Driver.info, path)

    async def remove(self, runner: Runner, key: str) -> None:
        """Delete an object; one that is absent is no error.

        Raises:
            TransportException: the location could not delete it.
        """
        with suppress(NotFound):
            await self.attempt(runner, "delete", key, Driver.rm_file, self.fs_path(key))

    async def remove_many(self, runner: Runner, keys: Sequence[str]) -> dict[str, Exception]:
        """Delete up to `delete_batch_chunk_size` objects in one request; return what failed.

        Raises:
            TransportException: the request as a whole failed.
        """
        paths = {self.fs_path(key): key for key in keys}
        failed = await self.attempt(runner, "delete", keys[0], Driver.rm_files, list(paths))
        return {
            paths[path]: self._exception("delete", paths[path], error)
            for path, error in failed.items()
        }

    async def pages(self, runner: Runner, prefix: str = "") -> AsyncIterator[list[Info]]:
        """Yield what is stored under keys that start with `prefix`, some at a time, in any order.

        An info's `name` is the key, which no other has; what no key leads to is passed over.

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
                infos, token = await self.attempt(
                    runner, "list", prefix, Driver.list_page, start, token
                )
                yield [
                    {**info, "name": key}
                    for info in infos
                    if (key := self.listed(info)) and key.startswith(prefix)
                ]
                more = token is not None

    async def _is_ours(self, runner: Runner, key: str, content: IO[bytes]) -> bool:
        """Tell whether an object is what was written: by an attempt whose answer was lost."""
        start, more = 0, True
        while more:
            piece = content.read(_COMPARE_BYTES)
            end = start + len(piece) + 1  # one byte more than there may be, at the end
            found = await self.read(runner, key, start, end)
            if found[: len(piece)] != piece:
                return False
            start += len(piece)
            more = len(piece) == _COMPARE_BYTES
        return len(found) == len(piece)

    def written(self) -> None:
        """Note a write: what killed writers left is then removed in the background."""
        if self._cleaner is not None:
            self._cleaner.wake()

    async def clean_up(self, runner: Runner, older_than_seconds: float = AGE_SECONDS) -> list[str]:
        """Remove what killed writers left and nobody wrote to for so long; return the paths.

        Raises:
            TransportException: the location could not be looked through, or did not remove it.
        """

        async def call(
            method: Callable[Concatenate[Driver, P], T], *args: P.args, **kwargs: P.kwargs
        ) -> T:
            return await self.attempt(runner, "clean up", self._root, method, *args, **kwargs)

        return await remove_stale_files(
            call, self._root, older_than_seconds, self.target.temporary_prefix
        )

    def get(self, path: str) -> bytes:
        """Return the content of `path`. Raises as `read` does."""
        return run(self.read(SYNC, path))

    def put(self, path: str, content: bytes | str) -> None:
        """Write `content` to `path`, over what is there. Raises as `write` does."""
        data = content.encode() if isinstance(content, str) else content
        run(self.write(SYNC, path, data, overwrite=True))

    def exists(self, path: str) -> bool:
        """Tell whether `path` is present. Raises as `holds` does."""
        return run(self.holds(SYNC, path))

    def delete(self, path: str) -> None:
        """Delete `path`. Raises as `remove` does."""
        run(self.remove(SYNC, path))

    def delete_batch(self, paths: Sequence[str]) -> None:
        """Delete all of `paths`, as many in a request as the backend takes.

        Raises:
            TransportException: the first failure, after all were tried.
        """
        size = self.delete_batch_chunk_size()
        failed: list[Exception] = []
        for start in range(0, len(paths), size):
            failed += run(self.remove_many(SYNC, paths[start : start + size])).values()
        if failed:
            raise failed[0]

    def delete_batch_chunk_size(self) -> int:
        """Return how many objects one request deletes."""
        return self.fs.delete_batch_chunk_size  # type: ignore[no-any-return]

    def download(self, src_path: str, dst_path: str | os.PathLike[str]) -> None:
        """Bring `src_path` to the local file `dst_path`. Raises as `fetch` does."""
        run(self.fetch(SYNC, src_path, Path(dst_path)))

    def upload(self, src_path: str | os.PathLike[str], dst_path: str) -> None:
        """Write the local file `src_path` to `dst_path`, over what is there."""
        run(self.send(SYNC, dst_path, os.fspath(src_path), overwrite=True))

    def cleanup(self, older_than_seconds: float = AGE_SECONDS) -> list[str]:
        """Remove what killed writers left; return the paths in `fs`. Raises as `clean_up` does."""
        return run(self.clean_up(SYNC, older_than_seconds))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that start with `prefix`. Raises as `pages` does."""
        for page in iterate(self.pages(SYNC, prefix)):
            yield from (info["name"] for info in page)

    def close(self) -> None:
        """Close the connections. The next call makes new ones."""
        if self._cleaner is not None:
            self._cleaner.stop()
        with self._lock:
            fs, self._fs = self._fs, None
        self._circuit.reset()
        if fs is not None:
            fs.stop_threads()
            with suppress(NoThread):  # the process ends, and its connections with it
                fs.close()

    def _forget(self) -> None:
        """Start anew in a forked child.

        The parent's filesystem is kept, unused: closing it here would act on the parent's
        sockets, and on the event queue that its I/O loop shares with this process.
        """
        keep(self._fs)
        self._fs = None
        self._lock = threading.Lock()
        self._circuit = self._circuit.fresh()
