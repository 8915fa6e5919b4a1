"""Connections outlive neither their driver nor, in a forked child, their parent."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import weakref
from typing import TYPE_CHECKING, Any

from filestore_fsspec.fork_safety import watch_forks
from filestore_fsspec.logs import logger_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

_log = logger_of(__name__)

_closing: set[Future[object]] = set()
"""Held until they end: a loop does not hold its own tasks."""


def keep_from_children(loop: AbstractEventLoop) -> None:
    """Let a child forked later harm none of the connections that live in `loop`.

    A child shares its parent's sockets and epoll. When it collects a dropped aiohttp session, the
    parent's sockets leave the epoll and the parent waits for answers until its time-out (seen);
    over TLS the child would also say goodbye in the parent's name.
    """
    watch_forks(loop, in_child=_let_go)


def _let_go(loop: AbstractEventLoop) -> None:
    """Put a socket that leads nowhere in the place of each of the parent's."""
    # asyncio names no other way to its sockets; uvloop's loop has no selector.
    selector = getattr(loop, "_selector", None)
    sockets = selector.get_map() if selector is not None else None
    with socket.socket() as nowhere:
        for key in list((sockets or {}).values()):
            os.dup2(nowhere.fileno(), key.fd, inheritable=False)
    # aiohttp has the loop log each session that is collected open, when the child ends as well.
    loop.set_exception_handler(_say_nothing)


def _say_nothing(_loop: AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Have no complaints of a loop that ended with the fork."""


def close_after(
    owner: object, loop: AbstractEventLoop, close: Callable[[], Coroutine[Any, Any, object]]
) -> weakref.finalize[Any, Any]:
    """Have `close` run in `loop` when `owner` is collected, in this process; it holds no owner."""
    return weakref.finalize(owner, _close, os.getpid(), loop, close)


def _close(
    pid: int, loop: AbstractEventLoop, close: Callable[[], Coroutine[Any, Any, object]]
) -> None:
    if pid != os.getpid() or sys.is_finalizing() or not loop.is_running():
        return
    coroutine = close()
    try:
        closing = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:  # the loop was closed at this moment
        coroutine.close()
        return
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    if asyncio._get_running_loop() is loop:  # noqa: SLF001 - asyncio's documented low-level call
        return  # collected by the loop's own thread, which cannot wait for itself
    try:
        closing.result(timeout=1)
    except TimeoutError:
        _log.debug("the connections end with the process")
