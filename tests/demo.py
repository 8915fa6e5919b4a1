"""The main job in half a minute: `make demo`.

Two local locations, near and far; the files of this library are stored in both, the near copy is
lost, and everything is still read.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

import filestore_fsspec
from filestore_fsspec import FileStore

FILES = sorted(Path(filestore_fsspec.__file__).parent.rglob("*.py"))


def report(console: Console, store: FileStore, title: str, keys: list[str]) -> None:
    """Print where each key is, and which location answers a read of it."""
    table = Table("key", "fast (near)", "archive (far)", "answered by", "bytes", title=title)
    table.columns[0].overflow = "ellipsis"
    for key in keys:
        states = [located.state for located in store.locate(key)]
        answered = ", ".join(location.name or "" for location in store.exists(key))
        table.add_row(key, *states, answered, str(len(store.get(key) or b"")))
    console.print(table)


def main() -> None:
    console = Console(width=92)
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"file://{folder}/{name}?name={name}" for name in ("fast", "archive")]
        with FileStore(*urls) as store:
            # As Howler and Assemblyline do: each file under the SHA-256 of its content.
            digests = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in FILES}
            failed = store.upload_batch((path, digest) for digest, path in digests.items())
            console.print(f"{len(digests)} files uploaded to both locations, {len(failed)} failed")
            shown = sorted(digests)[:5]
            report(console, store, "Both locations have them", shown)

            shutil.rmtree(f"{folder}/fast")
            report(console, store, "The near copy is lost: the far one answers", shown)

            whole = sum(store.get(digest) == path.read_bytes() for digest, path in digests.items())
            console.print(f"{whole} of {len(digests)} files read back, every byte as it was")

            restored = sum(bool(store.upload(path, digest)) for digest, path in digests.items())
            report(console, store, f"Uploaded again: {restored} near copies restored", shown)
    if failed or whole != len(digests) or restored != len(digests):
        raise SystemExit("the demo did not do what it says")


if __name__ == "__main__":
    main()
