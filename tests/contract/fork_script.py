"""Use a store, fork, and use it again in parent and child; its URLs come on standard input."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from filestore_fsspec import FileStore


def use(store: FileStore, threads: ThreadPoolExecutor) -> int:
    return sum(threads.map(lambda _: store.get("k") == b"x" * 1000, range(40)))


def main() -> None:
    store = FileStore(*sys.stdin.read().split())
    # Open over the fork: OpenSSL takes locks as a thread ends, even after Python has joined it, and
    # a child that is forked then waits for one for ever (seen).
    threads = ThreadPoolExecutor(4)
    use(store, threads)
    child = os.fork()
    if child == 0:
        sys.stdout.write(f"child: {use(store, ThreadPoolExecutor(4))}\n")
        sys.exit()
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("the child failed")
    sys.stdout.write(f"parent: {use(store, threads)}\n")


if __name__ == "__main__":
    main()
