"""What POSIX has and Windows has not, with what takes its place: asked for here alone."""

from __future__ import annotations

import errno
import os
import select
import struct
import threading
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

BINARY: int = getattr(os, "O_BINARY", 0)
"""A flag of `os.open`: bytes stay as they are. Children get no descriptor anyhow (PEP 446)."""
NOT_BLOCKING: int = getattr(os, "O_NONBLOCK", 0)
"""A flag of `os.open`: a named pipe that nobody writes does not block a reader."""
_FLOCK = "hhqqi0q"
"""C's `struct flock`: type, whence, start, length, pid (0: the lock is the open file's)."""
_position = threading.Lock()


def register_at_fork(
    *,
    before: Callable[[], None],
    after_in_parent: Callable[[], None],
    after_in_child: Callable[[], None],
) -> None:
    """Have these called around each fork, where processes fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=before, after_in_parent=after_in_parent, after_in_child=after_in_child
        )


def write_at(fd: int, block: bytes, offset: int) -> None:
    """Write all of `block` at `offset` of a file; threads may write to one file at once."""
    left = memoryview(block)
    while left:
        written = _write_some(fd, left, offset)
        left, offset = left[written:], offset + written


def _write_some(fd: int, block: memoryview, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, block, offset)
    with _position:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, block)


def link(source: str, path: str) -> None:
    """Give a file a second name.

    Raises:
        FileExistsError: something is at `path`.
        OSError: ENOTSUP, where there are no hard links.
    """
    if not hasattr(os, "link"):
        raise OSError(errno.ENOTSUP, "no hard links here", path)
    os.link(source, path)


def readiness(connection: socket.socket, *, to_write: bool = False) -> Callable[[float], bool]:
    """Return what waits up to so many seconds, and tells whether a connection is ready.

    To be read: something has come, or it has ended. `to_write`: something can be sent.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(connection, select.POLLOUT if to_write else select.POLLIN)
        return lambda seconds: bool(poll.poll(seconds * 1000))
    one = [connection]
    if to_write:
        return lambda seconds: bool(select.select([], one, [], seconds)[1])
    return lambda seconds: bool(select.select(one, [], [], seconds)[0])


def lock_byte(fd: int, number: int, *, wait: bool) -> None:
    """Lock one byte of an open file, for whoever has it open.

    Raises:
        BlockingIOError: another has locked it, and this is not to wait.
        OSError: ENOTSUP, where open files have no locks of their own.
    """
    _lock(fd, number, "F_WRLCK", "F_OFD_SETLKW" if wait else "F_OFD_SETLK")


def unlock_byte(fd: int, number: int) -> None:
    """Give back what `lock_byte` locked."""
    _lock(fd, number, "F_UNLCK", "F_OFD_SETLK")


def _lock(fd: int, number: int, kind: str, how: str) -> None:
    if not hasattr(fcntl, how):
        raise OSError(errno.ENOTSUP, "this system has no locks that belong to an open file")
    lock = struct.pack(_FLOCK, getattr(fcntl, kind), os.SEEK_SET, number, 1, 0)
    fcntl.fcntl(fd, getattr(fcntl, how), lock)
