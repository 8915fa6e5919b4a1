"""`FileStoreFileSystem`: several locations as one fsspec filesystem, protocol `filestore`."""

# ruff: noqa: ANN401, D102, FBT001, FBT002, PLR0913, PLR0917
# Signatures and paths as text are fsspec's, and so are the docstrings of its methods: ours say what
# is special here.
from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fsspec.core import get_compression

from filestore_fsspec.bridge import SYNC, run
from filestore_fsspec.checksum import sha256_named_by, verify_checksum
from filestore_fsspec.errors import LocationUnavailable, NotFound
from filestore_fsspec.filesystem.awaited_file import AwaitedFile
from filestore_fsspec.filesystem.publish import publish
from filestore_fsspec.filesystem.read_file import ReadFile
from filestore_fsspec.filesystem.verified_file import VerifiedFile
from filestore_fsspec.filesystem.write_file import TextFile, WriteFile, compressed
from filestore_fsspec.filesystem.writing import Writing
from filestore_fsspec.operations import find_each

if TYPE_CHECKING:
    from collections.abc import Mapping


_TEXT_OPTIONS = ("encoding", "errors", "newline")
_WRITE_MODES = ("wb", "xb", "ab", "r+b")


class FileStoreFileSystem(Writing):
    """Several locations as one filesystem: near is the first, far the last.

    Reading takes the first location that has a file; writing goes to all that may be written, and
    overwrites unless the mode is `create` or `xb`; listings are merged, the first location's first.
    A location that cannot say makes a call fail rather than come out short.
    """

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: Mapping[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        if "b" not in mode:
            text = {name: kwargs.pop(name) for name in _TEXT_OPTIONS if name in kwargs}
            binary = mode.replace("t", "") + "b"
            file = self.open(path, binary, block_size, cache_options, compression, **kwargs)
            return TextFile(file, **text)
        if mode in _WRITE_MODES:
            # Not fsspec's way: a gzip file, closed, leaves the file that it wraps open.
            kwargs["compress"] = get_compression(path, compression)
            compression = None
        return super().open(path, mode, block_size, cache_options, compression, **kwargs)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Mapping[str, Any] | None = None,
        location: str | None = None,
        compress: str | None = None,
        **kwargs: Any,
    ) -> ReadFile | WriteFile:
        key = self._strip_protocol(path)
        if mode == "rb":
            options = {"block_size": block_size, "cache_options": cache_options, **kwargs}
            given = {name: value for name, value in options.items() if value is not None}
            return self._open_to_read(key, location, **given)
        if mode not in _WRITE_MODES:
            raise ValueError(f"mode {mode!r}: files open as rb, wb, xb, ab and r+b, and as text")
        if compress and mode in ("ab", "r+b"):
            raise ValueError(f"mode {mode!r}: compressed files open as rb, wb and xb")
        return self._open_to_write(key, mode, location, compress, autocommit=autocommit)

    def _open_to_read(self, key: str, location: str | None, **options: Any) -> ReadFile:
        proves = self.store.verify_content and sha256_named_by(key) is not None
        kind = VerifiedFile if proves else ReadFile
        try:
            return kind(*self._read_plan(location, key), key, **options)
        except LocationUnavailable as error:
            raise self._unless_strict(error, key) from error

    def _open_to_write(
        self, key: str, mode: str, location: str | None, compress: str | None, *, autocommit: bool
    ) -> WriteFile:
        targets = self._writable(location, f"write {key!r}")
        how = "create" if mode == "xb" else "overwrite"
        if mode == "xb" and self.exists(key, location=location):
            raise FileExistsError(f"cannot write {key!r}: it is there already")

        def commit(local_path: str) -> None:
            with compressed(local_path, compress) as content_path:
                if self.store.verify_content:
                    run(verify_checksum(SYNC, key, content_path, "cannot write"))
                publish(self.store, targets, key, content_path, how)

        content: ReadFile | None = None
        if mode == "r+b" or (mode == "ab" and self.exists(key, location=location)):
            content = self._open_to_read(key, location)
        try:
            file = WriteFile(key, commit, content, autocommit=autocommit)
        finally:
            if content is not None:
                content.close()
        if mode == "r+b":
            file.seek(0)
            if not autocommit:
                self.transaction.files.append(file)  # fsspec takes the mode for one that reads
        return file

    async def open_async(self, path: str, mode: str = "rb", **kwargs: Any) -> AwaitedFile:
        return AwaitedFile(await asyncio.to_thread(self._open, path, mode, **kwargs))

    # What tells one content from another

    def created(self, path: str) -> datetime:
        created = self.info(path).get("created")
        if isinstance(created, int | float):  # fsspec's local files
            return datetime.fromtimestamp(created, UTC)
        if not isinstance(created, datetime):
            raise NotImplementedError("the location that has it keeps no time of creation")
        return created

    def modified(self, path: str) -> datetime:
        modified = self.info(path)["modified"]
        if not isinstance(modified, datetime):
            raise NotImplementedError("the location that has it keeps no time of change")
        return modified

    def ukey(self, path: str) -> str:
        """Return the SHA-256 of the content: the same whichever location answers."""
        key = self._strip_protocol(path)
        digest = sha256_named_by(key) if self.store.verify_content else None
        if digest is not None and self.info(key)["type"] == "file":
            return digest  # of whatever reading it will let through
        with self.open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def checksum(self, path: str) -> int:
        return int(self.ukey(path), 16)

    def sign(self, path: str, expiration: int = 100, **kwargs: Any) -> str:
        """Return a URL of the first location that has the file and can sign."""
        key = self._strip_protocol(path)
        primary, fallback = self._read_plan(None, key)
        found = self._step(find_each(primary + fallback, SYNC, key))
        if not found:
            raise NotFound(f"cannot sign {key!r}: there is no such file")
        for location in found:
            with suppress(NotImplementedError):
                url: str = location.fs.sign(location.fs_path(key), expiration, **kwargs)
                return url
        raise NotImplementedError(f"no location that has {key!r} signs URLs")
