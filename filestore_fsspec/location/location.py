"""`Location`: one storage place, with the functions of the predecessor's transports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from filestore_fsspec.bridge import SYNC, iterate, run
from filestore_fsspec.cleanup import AGE_SECONDS
from filestore_fsspec.location.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Location(Objects):
    """One storage place. `str()` shows the user name and no secret.

    Connections are made on first use, by each process for itself. Threads may share it.
    """

    def get(self, path: str) -> bytes:
        """Return the content of `path`. Raises as `read` does."""
        return run(self.read(SYNC, path))

    def put(self, path: str, content: bytes | str) -> None:
        """Write `content` to `path`, over what is there. Raises as `write` does."""
        data = content.encode() if isinstance(content, str) else content
        run(self.write(SYNC, path, data, overwrite=True))

    def exists(self, path: str) -> bool:
        """Tell whether `path` is present. Raises as `holds` does."""
        return run(self.holds(SYNC, path))

    def delete(self, path: str) -> None:
        """Delete `path`. Raises as `remove` does."""
        run(self.remove(SYNC, path))

    def delete_batch(self, paths: Sequence[str]) -> None:
        """Delete all of `paths`, as many in a request as the backend takes.

        Raises:
            TransportException: the first failure, after all were tried.
        """
        size = self.delete_batch_chunk_size()
        failed: list[Exception] = []
        for start in range(0, len(paths), size):
            failed += run(self.remove_many(SYNC, paths[start : start + size])).values()
        if failed:
            raise failed[0]

    def delete_batch_chunk_size(self) -> int:
        """Return how many objects one request deletes."""
        return self.fs.delete_batch_chunk_size  # type: ignore[no-any-return]

    def download(self, src_path: str, dst_path: str | os.PathLike[str]) -> None:
        """Bring `src_path` to the local file `dst_path`. Raises as `fetch` does."""
        run(self.fetch(SYNC, src_path, Path(dst_path)))

    def upload(self, src_path: str | os.PathLike[str], dst_path: str) -> None:
        """Write the local file `src_path` to `dst_path`, over what is there."""
        run(self.send(SYNC, dst_path, os.fspath(src_path), overwrite=True))

    def cleanup(self, older_than_seconds: float = AGE_SECONDS) -> list[str]:
        """Remove what killed writers left; return the paths in `fs`. Raises as `clean_up` does."""
        return run(self.clean_up(SYNC, older_than_seconds))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that start with `prefix`. Raises as `pages` does."""
        for page in iterate(self.pages(SYNC, prefix)):
            yield from (info["name"] for info in page)
