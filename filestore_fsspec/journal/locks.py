"""Locks on single bytes of a file, which end with whoever holds them, a killed process too."""

from __future__ import annotations

import secrets
from contextlib import suppress
from io import FileIO

from filestore_fsspec.portability import lock_byte, unlock_byte

_FIRST_OWNER = 2**16


class ByteLock:
    """A lock on one byte of the file at `path`, between processes as between threads."""

    def __init__(self, path: str, number: int) -> None:
        """Lock nothing yet; `number` is the byte's."""
        self.path, self.number = path, number
        # An object, not a descriptor: an interrupt while it is opened leaves nothing open.
        self._file: FileIO | None = None

    def acquire(self, *, wait: bool = True) -> bool:
        """Take the lock; return False if another has it and this is not to wait."""
        self._file = FileIO(self.path, "ab+")
        try:
            lock_byte(self._file.fileno(), self.number, wait=wait)
        except BlockingIOError:
            self.leave()
            return False
        except BaseException:
            self.leave()
            raise
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            # Not by closing alone: a child forked in the meantime has the file open, too.
            unlock_byte(self._file.fileno(), self.number)
            self.leave()

    def leave(self) -> None:
        """Leave the lock, in a forked child, to the parent."""
        if self._file is not None:
            self._file.close()
            self._file = None

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
