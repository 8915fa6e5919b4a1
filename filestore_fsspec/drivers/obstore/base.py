"""What the drivers here have in common: reading and writing through a store of obstore's."""

from __future__ import annotations

import errno
import os
import threading
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from fsspec.callbacks import DEFAULT_CALLBACK
from obstore.exceptions import BaseError

from filestore_fsspec.bridge import run
from filestore_fsspec.drivers.obstore.calls import ASYNCIO, SYNC, threads
from filestore_fsspec.drivers.obstore.errors import TROUBLE, Failure, client_said, failure_of
from filestore_fsspec.drivers.shared.errors import unusable_answer
from filestore_fsspec.drivers.shared.pieces import save
from filestore_fsspec.drivers.shared.tls import authorities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsspec.callbacks import Callback
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig

    from filestore_fsspec.drivers.obstore.calls import Runner

SMALL_BYTES = 256 * 2**10
"""What is written in one request here. More may take longer than the read time-out, which obstore
starts with the request: the default driver starts it anew with every chunk that goes."""
_CHUNK_BYTES = 2**20
_FOR_EVER = timedelta(days=365)
_UNCLEAR = {"refused", "redirect", "unclear"}
_making = threading.Lock()
NO_RETRY: RetryConfig = {"max_retries": 0}


def client_options(
    timeouts: tuple[float, float],
    *,
    verify: bool,
    ca_bundle: str | None,
    secure: bool = True,
    headers: dict[str, str] | None = None,
) -> ClientConfig:
    """Return the settings of connections; `timeouts` are connect and read, in seconds.

    Without `secure` there is no TLS at all, and so no search for the system's authorities; with it
    there is nothing else, whatever a server redirects to.

    Raises:
        OSError: `ca_bundle` cannot be read, or holds no certificate.
    """
    options: Any = {
        "allow_http": not secure,
        "connect_timeout": timedelta(seconds=timeouts[0]),
        "read_timeout": timedelta(seconds=timeouts[1]),
        "timeout": _FOR_EVER,  # of a whole transfer, 30 s unless told
        "user_agent": "filestore-fsspec",
        "default_headers": headers or {},
    }
    if not verify:
        options["allow_invalid_certificates"] = True
    elif not secure:
        options["disable_system_certificates"] = True
    elif ca_bundle is not None:
        # obstore adds it to the usual ones.
        options["disable_system_certificates"] = True
        options["root_certificate"] = authorities(ca_bundle)
    settings: ClientConfig = options
    return settings


class ObstoreDriver:
    """Takes precedence over a default driver, whose methods do what obstore does not."""

    direct: ClassVar[frozenset[str]] = frozenset({"cat_file", "get_file"})
    whole: ClassVar[Mapping[str, Any]] = {}
    """obstore's options for all of an object."""
    unsure: ClassVar[frozenset[int]] = frozenset({416})
    """The statuses that the default driver judges."""

    @cached_property
    def _stores(self) -> dict[str, Any]:
        return {}

    def make_store(self, place: str) -> Any:
        """Return a new store for what stands before the key."""
        raise NotImplementedError

    def split_place(self, path: str) -> tuple[str, str]:
        """Return what stands before the key, and the key.

        Raises:
            OSError: it is no path of an object.
        """
        raise NotImplementedError

    def server_said(self, failure: Failure, path: str, operation: str) -> OSError:
        """Return the builtin that fits an answer of the server."""
        raise NotImplementedError

    def doubtful(self, answer: Any) -> bool:
        """Tell whether the default driver shall judge what came back."""
        raise NotImplementedError

    def store_for(self, path: str) -> tuple[Any, str] | None:
        """Return store and key, or None if this is for the default driver."""
        place, key = self.split_place(path)
        # obstore drops a slash at either end.
        if not key or key[0] == "/" or key[-1] == "/" or not threads.usable():
            return None
        return self._stores.get(place) or self._make_once(place), key

    def _make_once(self, place: str) -> Any:
        with _making:
            store = self._stores.get(place)
            if store is None:
                try:
                    store = self._stores[place] = self.make_store(place)
                except (BaseError, ValueError) as error:
                    text = f"obstore cannot be used: {' '.join(str(error).split())}"
                    raise OSError(errno.EINVAL, text, place) from error
            return store

    def error_for(self, failure: Failure, path: str, operation: str) -> OSError:
        """Return the builtin that fits."""
        if failure.kind == "status":
            return self.server_said(failure, path, operation)
        return client_said(failure, path)

    async def _close(self) -> None:
        self._stores.clear()
        await super()._close()  # type: ignore[misc]  # the driver's

    def close(self) -> None:
        """Close the connections."""
        self._stores.clear()
        super().close()  # type: ignore[misc]  # the driver's

    # Reading

    async def _read(self, runner: Runner, path: str, start: int | None, end: int | None) -> bytes:
        options = self.whole if (start, end) == (None, None) else _range(start, end)
        found = None if options is None else self.store_for(path)
        if found is not None:
            try:
                answer = await runner.call("get", *found, options=options)
                if not self.doubtful(answer):
                    body = await runner.body(answer)
                    _check_length(answer, len(body), path)
                    return body
            except TROUBLE as error:
                failure = failure_of(error)
                if failure.kind not in _UNCLEAR and failure.status not in self.unsure:
                    raise self.error_for(failure, path, "GetObject") from error
        content: bytes = await runner.default(super()._cat_file, path, start, end)  # type: ignore[misc]  # the filesystem's
        return content

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: object
    ) -> bytes:
        """Return a file, or its bytes from `start` to `end`."""
        return run(self._read(SYNC, path, start, end))

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: object
    ) -> bytes:
        return await self._read(ASYNCIO, path, start, end)

    async def _fetch(
        self, runner: Runner, path: str, lpath: Any, callback: Callback, outfile: Any
    ) -> None:
        lpath = lpath if outfile is None else outfile
        found = self.store_for(path) if _is_new_file(lpath) else None
        if found is not None:
            try:
                answer = await runner.call("get", *found, options=self.whole)
                if not self.doubtful(answer):
                    callback.set_size(answer.meta["size"])
                    stream = answer.stream(_CHUNK_BYTES)
                    await save(lambda _size: runner.chunk(stream), lpath, callback)
                    _check_length(answer, os.path.getsize(lpath), path)
                    return
            except TROUBLE as error:
                failure = failure_of(error)
                if failure.kind == "refused" and not isinstance(error, ValueError):
                    raise  # the local disk's
                if failure.kind not in _UNCLEAR and failure.status not in self.unsure:
                    raise self.error_for(failure, path, "GetObject") from error
        await runner.default(super()._get_file, path, lpath, callback=callback)  # type: ignore[misc]  # the filesystem's

    def get_file(
        self,
        rpath: str,
        lpath: Any,
        callback: Callback | None = None,
        outfile: Any = None,
        **_kwargs: object,
    ) -> None:
        """Bring a file to this machine."""
        run(self._fetch(SYNC, rpath, lpath, callback or DEFAULT_CALLBACK, outfile))

    async def _get_file(
        self,
        rpath: str,
        lpath: Any,
        callback: Callback | None = None,
        outfile: Any = None,
        **_kwargs: object,
    ) -> None:
        await self._fetch(ASYNCIO, rpath, lpath, callback or DEFAULT_CALLBACK, outfile)


def _check_length(answer: GetResult, size: int, path: str) -> None:
    """Raise unless so many bytes are what the answer's headers said: obstore 0.12 looks at none."""
    first, end = answer.range
    if size != end - first:
        raise unusable_answer(f"{size} bytes for {end - first}", path)


def _range(start: int | None, end: int | None) -> dict[str, Any] | None:
    """Return obstore's options for a range, or None if it has none for this one."""
    if end is None:
        if start is None:
            return {}
        return {"range": {"offset": start} if start >= 0 else {"suffix": -start}}
    if 0 <= (start or 0) < end:
        return {"range": (start or 0, end)}
    return None


def _is_new_file(lpath: Any) -> bool:
    """Tell whether the default driver need not make folders, or look at a file object."""
    if not isinstance(lpath, str | os.PathLike):
        return False
    return os.path.isdir(os.path.dirname(lpath) or ".") and not os.path.isdir(lpath)
