"""`Objects`: what operations are built from, as coroutines that take a caller (see `bridge`)."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from filestore_fsspec.checksum import verify_checksum
from filestore_fsspec.cleanup import AGE_SECONDS, remove_stale_files
from filestore_fsspec.drivers.shared.driver import Driver
from filestore_fsspec.errors import NotFound
from filestore_fsspec.keys import begins_a_key, temporary_path
from filestore_fsspec.location.place import Place
from filestore_fsspec.retry import AmbiguousCreate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info

T = TypeVar("T")
P = ParamSpec("P")

_COMPARE_BYTES = 8 * 2**20
_OVERWRITE = {False: "create", True: "overwrite"}


class Objects(Place):
    """The objects of a location: read, written, deleted and listed by key."""

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
            TransportException: the location could not say.
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
        """
        path = self.fs_path(key)
        beside = temporary_path(str(local_path))
        # Made here, so that a failure of the local disk is not taken for the location's.
        local_path.parent.mkdir(parents=True, exist_ok=True)
        Path(beside).touch(exist_ok=False)  # noqa: ASYNC240 - a few microseconds
        try:
            await self.attempt(runner, "download", key, Driver.get_file, path, beside)
            if verify:
                await verify_checksum(runner, key, beside, f"{self}: cannot download")
            os.replace(beside, local_path)  # noqa: PTH105
        finally:
            with suppress(FileNotFoundError):
                os.unlink(beside)  # noqa: PTH108

    async def write(self, runner: Runner, key: str, content: bytes, *, overwrite: bool) -> bool:
        """Write an object; return False if it was there and is left alone.

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
        """
        path, mode = self.fs_path(key), _OVERWRITE[overwrite]
        method = Driver.put_verified if verify else Driver.put_file
        try:
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
            TransportException: the location could not say.
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
            paths[path]: self._failure("delete", paths[path], error)
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

        return await remove_stale_files(call, self._root, older_than_seconds)
