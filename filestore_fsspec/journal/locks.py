"""Locks on single bytes of a file, which end with whoever holds them, a killed process too."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

from filestore_fsspec.portability import lock_byte, unlock_byte

_FIRST_OWNER = 2**16


class ByteLock:
    """A lock on one byte of the file at `path`, between processes as between threads."""

    def __init__(self, path: str, number: int) -> None:
        """Lock nothing yet; `number` is the byte's."""
        self.path, self.number = path, number
        self._handle: int | None = None

    def acquire(self, *, wait: bool = True) -> bool:
        """Take the lock; return False if another has it and this is not to wait."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock_byte(handle, self.number, wait=wait)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            # Not by closing alone: a child forked in the meantime has the file open, too.
            unlock_byte(self._handle, self.number)
            self.leave()

    def leave(self) -> None:
        """Leave the lock, in a forked child, to the parent."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_raised: object) -> None:
        self.release()

    def __del__(self) -> None:
        with suppress(OSError):
            self.leave()


def new_owner(path: str) -> ByteLock:
    """Return a lock that is held: whoever finds it so knows that its owner lives."""
    lock = ByteLock(path, _FIRST_OWNER + secrets.randbits(48))
    lock.acquire()
    return lock


def is_held(path: str, number: int) -> bool:
    """Tell whether somebody holds a lock, in this process or another."""
    lock = ByteLock(path, number)
    if lock.acquire(wait=False):
        lock.release()
        return False
    return True
