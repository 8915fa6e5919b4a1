"""Fork a writer for each line of standard input, a JSON list of URL, number and size.

A writer creates its own key `new-NUMBER` and overwrites `k`, again and again until it is killed.
What it has finished is told on standard output: its process id first, then `new` or a number.
"""

from __future__ import annotations

import json
import os
import signal
import sys

# Loaded once for all of them.
import filestore_fsspec.drivers.azure.driver
import filestore_fsspec.drivers.ftp.driver
import filestore_fsspec.drivers.local.driver
import filestore_fsspec.drivers.s3.driver
import filestore_fsspec.drivers.sftp.driver  # noqa: F401
from filestore_fsspec import FileStore


def content(number: int, size: int) -> bytes:
    """Return what a writer writes: any mixture of two of these is neither."""
    return number.to_bytes(4, "big") * (size // 4)


def created_size(size: int) -> int:
    """Return how large the one is that is only created, for all of them are kept."""
    return size // 40 * 4


def _tell(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _write(url: str, number: int, size: int) -> None:
    store = FileStore(url)
    _tell("connected" if store.exists("k") else "empty")
    store.put(f"new-{number}", content(number, created_size(size)))
    _tell("new")
    for later in range(number + 1, number + 10_000):
        store.put("k", content(later, size), force=True)
        _tell(later)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if line == "mark\n":
            _tell("mark")  # behind all that those killed by now have said
            continue
        pid = os.fork()
        if pid == 0:
            try:
                _write(*json.loads(line))
            finally:
                os._exit(1)
        _tell(pid)


if __name__ == "__main__":
    main()
