"""How a driver here reaches obstore: in the caller's own thread, or awaited.

Every method is written once, as a coroutine over one of the two, as operations are (see `bridge`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import obstore

from filestore_fsspec.bridge import wait
from filestore_fsspec.fork_safety import watch_forks
from filestore_fsspec.logs import logger_of

_log = logger_of(__name__)


Default = Callable[..., Coroutine[Any, Any, Any]]


class Runner(Protocol):
    """One of the two."""

    async def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function of obstore's."""

    async def body(self, answer: obstore.GetResult) -> bytes:
        """Return all that comes."""

    async def chunk(self, stream: Any) -> bytes:
        """Return what comes next, empty at the end."""

    async def default(self, method: Default, *args: Any, **kwargs: Any) -> Any:
        """Call a coroutine function of the default driver."""


class _Blocking:
    async def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(obstore, function)(*args, **kwargs)

    async def body(self, answer: obstore.GetResult) -> bytes:
        return answer.bytes().to_bytes()

    async def chunk(self, stream: Any) -> bytes:
        return bytes(next(stream, b""))

    async def default(self, method: Default, *args: Any, **kwargs: Any) -> Any:
        return wait(method(*args, **kwargs))


class _Awaited:
    async def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        return await getattr(obstore, f"{function}_async")(*args, **kwargs)

    async def body(self, answer: obstore.GetResult) -> bytes:
        return (await answer.bytes_async()).to_bytes()

    async def chunk(self, stream: Any) -> bytes:
        return bytes(await anext(stream, b""))

    async def default(self, method: Default, *args: Any, **kwargs: Any) -> Any:
        return await method(*args, **kwargs)


SYNC: Runner = _Blocking()
ASYNCIO: Runner = _Awaited()


class _Threads:
    """Whether obstore can be used in this process.

    Its threads do not follow into a forked child, where a call would wait for them for ever.
    """

    started = False
    lost = False
    told = False

    def usable(self) -> bool:
        """Tell whether obstore answers here; say so once where it does not."""
        if not self.lost:
            self.started = True
        elif not self.told:
            self.told = True
            _log.warning(
                "obstore does not work in a process forked after its first use: "
                "engine=fsspec takes its place in this one (%d)",
                os.getpid(),
            )
        return not self.lost

    def forked(self) -> None:
        """Note that this is a child."""
        self.lost, self.told = self.started, False


threads = _Threads()
watch_forks(threads, in_child=_Threads.forked)
