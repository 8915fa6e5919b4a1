"""Import every module and use stores, with the names taken away that Windows has not."""

from __future__ import annotations

import importlib
import os
import pkgutil
import select
import sys
import tempfile
from pathlib import Path

import asyncssh  # noqa: F401 - it knows Windows by `sys.platform`, and needs fcntl anywhere else

POSIX_ONLY = {
    os: (
        *("O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY", "register_at_fork", "fork"),
        *("pwrite", "pread", "link", "getuid", "geteuid", "chown", "fchown", "fchmod", "statvfs"),
        *("mkfifo", "copy_file_range", "posix_fadvise", "posix_fallocate"),
    ),
    select: ("poll",),
}
for module, names in POSIX_ONLY.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None  # type: ignore[assignment]
os.environ["USERNAME"] = "somebody"  # which Windows always has

import filestore_fsspec  # noqa: E402 - afterwards


def import_all() -> int:
    found = [
        each.name for each in pkgutil.walk_packages(filestore_fsspec.__path__, "filestore_fsspec.")
    ]
    for each in found:
        importlib.import_module(each)
    return len(found)


def use(url: str) -> None:
    """Go through a store's functions; nothing is left."""
    large = b"0123456789" * 300_000
    with filestore_fsspec.FileStore(url) as store, tempfile.TemporaryDirectory() as folder:
        source, dest = Path(folder, "source"), Path(folder, "dest")
        source.write_bytes(large)
        if not store.put("a/b", b"content") or store.put("a/b", b"other"):
            raise ValueError(f"{url}: not created once")
        store.put("a/b", b"new", force=True)
        store.upload(source, "large", verify=True)
        store.download("large", dest)
        found = (store.get("a/b"), store.get("none"), dest.read_bytes() == large)
        if found != (b"new", None, True) or sorted(store.list()) != ["a/b", "large"]:
            raise ValueError(f"{url}: {found}, {list(store.list())}")
        with store.fs.open("a/c", "wb") as file:
            file.write(b"x")
        store.delete_batch(["a/b", "a/c", "large"])
        if list(store.list()):
            raise ValueError(f"{url}: not deleted")


if __name__ == "__main__":
    sys.stdout.write(f"{import_all()}\n")
    for each in sys.stdin.read().split():
        use(each)
        sys.stdout.write("used\n")
