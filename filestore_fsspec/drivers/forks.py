"""What a forked child does with its parent's connections: nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_loops: WeakSet[AbstractEventLoop] = WeakSet()


def keep_from_children(loop: AbstractEventLoop) -> None:
    """Let a child forked later harm none of the connections that live in `loop`.

    A child shares its parent's sockets and epoll. When it collects a dropped aiohttp session, the
    parent's sockets leave the epoll and the parent waits for answers until its time-out (seen);
    over TLS the child would also say goodbye in the parent's name.
    """
    _loops.add(loop)


def _let_go() -> None:
    """Put a socket that leads nowhere in the place of each of the parent's."""
    with socket.socket() as nowhere:
        for loop in list(_loops):
            # asyncio names no other way to its sockets; uvloop's loop has no selector.
            selector = getattr(loop, "_selector", None)
            sockets = selector.get_map() if selector is not None else None
            for key in list((sockets or {}).values()):
                os.dup2(nowhere.fileno(), key.fd, inheritable=False)


os.register_at_fork(after_in_child=_let_go)
