"""Use a store, fork, and use it again in parent and child; its URLs come on standard input."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from filestore_fsspec import FileStore


def use(store: FileStore) -> int:
    with ThreadPoolExecutor(4) as threads:
        return sum(threads.map(lambda _: store.get("k") == b"x" * 1000, range(40)))


def main() -> None:
    store = FileStore(*sys.stdin.read().split())
    use(store)
    child = os.fork()
    if child == 0:
        sys.stdout.write(f"child: {use(store)}\n")
        sys.exit()
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("the child failed")
    sys.stdout.write(f"parent: {use(store)}\n")


if __name__ == "__main__":
    main()
