"""Overwrite one key again and again until killed; the store's URL comes on standard input."""

from __future__ import annotations

import sys

from filestore_fsspec import FileStore

SIZE = 4_000_000


def main() -> None:
    store = FileStore(sys.stdin.read())
    for number in range(10_000):
        store.put("k", bytes([number % 256]) * SIZE, force=True)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
