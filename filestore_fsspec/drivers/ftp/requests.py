"""What is asked of an FTP server, each request over a connection of the pool."""

from __future__ import annotations

import errno
import ftplib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from filestore_fsspec.drivers.ftp.client import parent
from filestore_fsspec.drivers.ftp.connection import encode
from filestore_fsspec.drivers.ftp.errors import Meaning, Refusal, as_oserror
from filestore_fsspec.drivers.shared.errors import absent, already_there

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.ftp.client import Client
    from filestore_fsspec.drivers.ftp.pool import Pool
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.drivers.shared.files import Content, Handle


class FTPRequests:
    """An FTP server. Paths are absolute."""

    def __init__(self, pool: Pool) -> None:
        """Ask over the connections of `pool`."""
        self.pool = pool
        self.arrived: set[str] = set()
        """The new files that the server has accepted and that were not renamed yet."""

    @contextmanager
    def client(self, path: str) -> Iterator[Client]:
        """Lend a connection for work on `path`; raise what goes wrong as the fitting builtin."""
        encode(path)
        try:
            with self.pool.lease() as client:
                yield client
        except (ftplib.Error, EOFError, OSError) as error:
            fitting = as_oserror(error, path)
            if fitting is error:
                raise
            raise fitting from error

    @contextmanager
    def _file(self, path: str) -> Iterator[Client]:
        """Lend a connection for work on a file that should be there."""
        with self.client(path) as client:
            try:
                yield client
            except Refusal as refusal:
                raise client.explain(path, refusal) from refusal

    async def stat(self, path: str) -> Info:
        """Return what is at `path`."""
        with self.client(path) as client:
            info = client.look(path)
        if info is None:
            raise absent(path)
        return info

    async def entries(self, folder: str) -> list[Info]:
        """Return all that is in a folder."""
        with self.client(folder) as client:
            try:
                return client.entries(folder)
            except Refusal as refusal:
                if refusal.meaning is Meaning.TROUBLE:
                    raise
                info = client.look(folder)
                if info is None:
                    raise absent(folder) from refusal
                if info["type"] == "directory":
                    raise
                raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder) from refusal

    async def identity(self, folder: str) -> str:
        """Return the server's number for a folder (RFC 3659, 7.5.2), or where it says we are."""
        with self.client(folder) as client:
            return client.identity(folder)

    def holds_file(self, path: str) -> bool:
        """Tell whether a file is at `path`, in one trip if there is."""
        with self.client(path) as client:
            info = client.look(path, only_files=True)
        return info is not None and info["type"] == "file"

    async def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return `content[start:end]`."""
        blocks: list[bytes] = []
        with self._file(path) as client:
            client.retrieve_range(path, blocks.append, start or 0, end)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    async def fetch(self, path: str, file: IO[bytes], callback: Callback) -> None:
        """Write a file's content to `file`."""

        def take(block: bytes) -> None:
            file.write(block)
            callback.relative_update(len(block))

        with self._file(path) as client:
            client.retrieve_range(path, take)

    async def open(self, path: str) -> Handle:
        """Return what reads a file, block by block."""
        info = await self.stat(path)
        if info["type"] == "directory":
            raise absent(path)
        return _Handle(self, info)

    async def send(self, path: str, content: Content) -> None:
        """Write a new file, and the folders above it; look whether all of it arrived."""
        with self.client(path) as client:
            try:
                size = client.upload(path, content)
            finally:
                if client.accepted:
                    self.arrived.add(path)
            client.check_arrived(path, size)

    async def rename(self, source: str, path: str, *, replace: bool) -> None:
        """Rename a file or folder.

        FTP has no rename that refuses to replace: of two writers who create in the same moment,
        between SIZE and RNTO, both may believe that they made the file. The content is whole all
        the same.
        """
        encode(source)
        with self.client(path) as client:
            if not replace and client.is_taken(path):
                raise already_there(path)
            try:
                client.rename(source, path)
            except Refusal as refusal:
                raise _rename_refused(client, source, path, refusal) from refusal
        self.arrived.discard(source)

    async def remove(self, path: str) -> None:
        """Delete a file or a link."""
        with self._file(path) as client:
            client.voidcmd(f"DELE {path}")
        self.arrived.discard(path)

    async def make_folder(self, path: str) -> None:
        """Make one folder."""
        with self.client(path) as client:
            try:
                client.voidcmd(f"MKD {path}")
            except Refusal as refusal:
                if client.look(path) is not None:
                    raise already_there(path) from refusal
                if client.look(parent(path)) is None:
                    raise absent(parent(path)) from refusal
                raise

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        with self.client(path) as client:
            try:
                client.voidcmd(f"RMD {path}")
            except Refusal as refusal:
                info = client.look(path)
                if info is None:
                    raise absent(path) from refusal
                if info["type"] != "directory":
                    raise NotADirectoryError(errno.ENOTDIR, "not a directory", path) from refusal
                # What is there may be in no listing: a dangling link is in none of pyftpdlib's.
                if refusal.meaning is Meaning.NOT_EMPTY or client.entries(path):
                    raise OSError(errno.ENOTEMPTY, "the folder is not empty", path) from refusal
                raise

    async def close(self) -> None:
        """Close the connections that are not in use."""
        self.pool.close()


class _Handle:
    """Reads one version of a file by its path: each part is followed by a look at the file."""

    def __init__(self, requests: FTPRequests, info: Info) -> None:
        self._requests, self.info = requests, info

    async def read(self, start: int, end: int) -> bytes:
        path = self.info["name"]
        content = await self._requests.read(path, start, end)
        if _version(await self._requests.stat(path)) != _version(self.info):
            raise OSError(errno.EBUSY, "the object was changed while it was read", path)
        return content

    def close(self) -> None:
        pass


def _version(info: Info) -> tuple[Any, ...]:
    return info["type"], info["size"], info["modified"], info.get("identity")


def _rename_refused(client: Client, source: str, path: str, refusal: Refusal) -> OSError:
    """Return what a refusal to rename means."""
    if refusal.meaning is Meaning.TROUBLE:
        return as_oserror(refusal, path)
    if client.look(source) is None:
        return absent(source)
    info = client.look(path)
    if info is None:
        if client.look(parent(path)) is None:
            return absent(parent(path))
    elif info["type"] == "directory":
        return IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
    elif refusal.meaning is not Meaning.DENIED:
        message = f"the server does not rename over a file (replace=aside does): {refusal}"
        return OSError(errno.ENOTSUP, message, path)
    return as_oserror(refusal, path)
