"""Writing small objects in one request of obstore's; large ones go the default driver's way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.bridge import run
from filestore_fsspec.drivers.obstore.base import SMALL_BYTES, ObstoreDriver
from filestore_fsspec.drivers.obstore.calls import ASYNCIO, SYNC
from filestore_fsspec.drivers.obstore.errors import TROUBLE, failure_of

if TYPE_CHECKING:
    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.obstore.calls import Runner

_NO_PLACE = {"NoSuchBucket", "ContainerNotFound"}


class ObstoreWriting(ObstoreDriver):
    """The same for stores that may be written."""

    direct = ObstoreDriver.direct | {"pipe_file", "put_file"}

    async def _write(self, runner: Runner, path: str, content: bytes, mode: str) -> None:
        """Write up to `SMALL_BYTES`."""
        found = self.store_for(path)
        if found is not None:
            try:
                answer = await runner.call("put", *found, content, mode=mode, use_multipart=False)
            except TROUBLE as error:
                failure = failure_of(error)
                # Only where nothing was written: a second attempt would find the first one there.
                if failure.code not in _NO_PLACE and failure.kind not in {"refused", "redirect"}:
                    raise self.error_for(failure, path, "PutObject") from error
            else:
                self.check_written(answer, path)
                return
        await runner.default(super()._pipe_file, path, content, mode=mode)  # type: ignore[misc]  # the filesystem's

    def check_written(self, answer: Any, path: str) -> None:
        """Raise ConnectionError if it was not the right kind of server that took a write."""

    async def _write_any(self, runner: Runner, path: str, value: Any, mode: str) -> None:
        content = value if isinstance(value, bytes) else memoryview(value).cast("B")
        if len(content) <= SMALL_BYTES:
            await self._write(runner, path, bytes(content), mode)
        else:
            await runner.default(super()._pipe_file, path, content, mode=mode)  # type: ignore[misc]  # the filesystem's

    def pipe_file(
        self, path: str, value: bytes, mode: str = "overwrite", **_kwargs: object
    ) -> None:
        """Write an object."""
        run(self._write_any(SYNC, path, value, mode))

    async def _pipe_file(
        self, path: str, value: bytes, mode: str = "overwrite", **_kwargs: object
    ) -> None:
        await self._write_any(ASYNCIO, path, value, mode)

    async def _upload(
        self, runner: Runner, lpath: str, path: str, callback: Callback, mode: str
    ) -> None:
        is_file = isinstance(lpath, str | os.PathLike) and not os.path.isdir(lpath)
        size = os.stat(lpath).st_size if is_file else SMALL_BYTES + 1
        if size > SMALL_BYTES:
            put = super()._put_file  # type: ignore[misc]  # the filesystem's
            await runner.default(put, lpath, path, callback=callback, mode=mode)
            return
        callback.set_size(size)
        await self._write_any(runner, path, Path(lpath).read_bytes(), mode)
        callback.relative_update(size)

    def put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Callback | None = None,
        mode: str = "overwrite",
        **_kwargs: object,
    ) -> None:
        """Write an object from a file of this machine."""
        run(self._upload(SYNC, lpath, rpath, callback or DEFAULT_CALLBACK, mode))

    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Callback | None = None,
        mode: str = "overwrite",
        **_kwargs: object,
    ) -> None:
        await self._upload(ASYNCIO, lpath, rpath, callback or DEFAULT_CALLBACK, mode)
