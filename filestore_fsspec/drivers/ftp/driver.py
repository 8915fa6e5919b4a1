"""FTP and FTPS on fsspec's filesystem, with a pool of connections below.

FTPFileSystem of fsspec 2026.9 is one connection made in its constructor: not safe between threads
or after a fork, never made again, its certificate never checked. What it calls `not found` is any
refusal; its writes show half a file. So all of its methods are written anew: those that read in
`reading.py`, those that write here.
"""

from __future__ import annotations

import errno
import ftplib
from contextlib import nullcontext
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.utils import isfilelike

from filestore_fsspec.drivers.ftp.client import parent
from filestore_fsspec.drivers.ftp.connection import encode
from filestore_fsspec.drivers.ftp.data_connection import BLOCK_BYTES
from filestore_fsspec.drivers.ftp.errors import says_refused
from filestore_fsspec.drivers.ftp.file import FTPFile
from filestore_fsspec.drivers.ftp.reading import FTPReader
from filestore_fsspec.drivers.shared.errors import absent, already_there
from filestore_fsspec.drivers.shared.readahead import READ_BYTES, cache_type
from filestore_fsspec.keys import is_temporary, temporary_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from filestore_fsspec.drivers.ftp.client import Client

_SPOOL_BYTES = 8 * 1024 * 1024
_CHEAP_BYTES = 1024 * 1024
"""Up to here writing beside costs less than asking first whether the name is taken."""


class FTPDriver(FTPReader):
    """An FTP server as `shared/driver.py` promises it. Paths are absolute.

    `FTPReader` says what its arguments mean.
    """

    folders_refuse_late = True

    def pipe_file(
        self,
        path: str,
        value: bytes,
        mode: str = "overwrite",
        **kwargs: Any,
    ) -> None:
        """Write a whole file at once, and the folders above it."""
        path = self._strip_protocol(path)
        content = memoryview(value).cast("B")
        starts = range(0, len(content), BLOCK_BYTES)
        blocks = (content[start : start + BLOCK_BYTES] for start in starts)
        self._write(path, blocks, mode, ask_first=len(content) > _CHEAP_BYTES)

    def put_file(
        self,
        lpath: Any,
        rpath: str,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **kwargs: Any,
    ) -> None:
        """Write a whole file from one of this machine, a path or an open one."""
        path = self._strip_protocol(rpath)
        if not isfilelike(lpath) and Path(lpath).is_dir():
            self.makedirs(path, exist_ok=True)
            return
        with nullcontext(lpath) if isfilelike(lpath) else Path(lpath).open("rb") as source:

            def blocks() -> Iterator[bytes]:
                while block := source.read(BLOCK_BYTES):
                    yield block
                    callback.relative_update(len(block))

            self._write(path, blocks(), mode, ask_first=True)

    def _write(
        self, path: str, blocks: Iterable[bytes | memoryview], mode: str, *, ask_first: bool
    ) -> None:
        temporary = temporary_path(path)
        client: Client | None = None
        try:
            with self._client(path) as client:
                if ask_first and mode == "create" and _is_taken(client, path):
                    raise already_there(path)  # noqa: TRY301 - nothing to remove then
                size = client.upload(temporary, blocks)
                _show(client, temporary, path, mode, size)
        except BaseException as error:
            if client is not None and client.accepted:
                self.drop_part(temporary, error)
            raise

    def write_part(self, temporary: str, content: bytes, *, first: bool) -> None:
        """Start a temporary file, or write on at its end."""
        with self._client(temporary) as client:
            if first:
                client.upload(temporary, [content])
            else:
                client.store(f"APPE {temporary}", [content])

    def show_part(self, temporary: str, path: str, mode: str, size: int) -> None:
        """Give a temporary file of `size` bytes its name; `mode` as in `pipe_file`."""
        with self._client(path) as client:
            _show(client, temporary, path, mode, size)

    def drop_part(self, temporary: str, reason: BaseException) -> None:
        """Remove a temporary file because of `reason`, which gets a note if that fails."""
        try:
            self.rm_file(temporary)
        except FileNotFoundError:
            return
        except OSError as error:
            reason.add_note(f"{temporary} may be left behind: {error}")

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        **kwargs: Any,
    ) -> FTPFile:
        kwargs.setdefault("cache_type", cache_type(block_size))
        return FTPFile(self, path, mode, block_size=block_size or READ_BYTES, **kwargs)

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Copy a file by way of this machine: FTP has no copy of its own."""
        with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            self.get_file(path1, spool)
            spool.seek(0)
            self.put_file(spool, path2)

    def mv(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Rename a file or a folder with all in it, in one step; make the folders above."""
        path1, path2 = self._strip_protocol(path1), self._strip_protocol(path2)
        with self._client(path1) as client:
            encode(path2)
            try:
                client.rename(path1, path2)
            except ftplib.error_perm as refusal:
                if client.look(path1) is None:
                    raise absent(path1) from refusal
                client.make_folders(parent(path2))
                client.rename(path1, path2)

    # Removing, and folders.

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        path = self._strip_protocol(path)
        with self._file(path) as client:
            client.voidcmd(f"DELE {path}")

    _rm = rm_file

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete files and empty folders; with `recursive` all that is in them first."""
        for each in reversed(self.expand_path(path, recursive=recursive, maxdepth=maxdepth)):
            try:
                self.rm_file(each)
            except FileNotFoundError:
                if recursive and self.isdir(each):
                    for info in self._entries(each):
                        if is_temporary(info["name"]):
                            self.rm_file(info["name"])
                self.rmdir(each)

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Make a folder, and with `create_parents` those above it."""
        path = self._strip_protocol(path)
        with self._client(path) as client:
            try:
                client.voidcmd(f"MKD {path}")
            except ftplib.error_perm as refusal:
                if client.look(path) is not None:
                    raise already_there(path) from refusal
                if not create_parents:
                    if client.look(parent(path)) is None:
                        raise absent(parent(path)) from refusal
                    raise
                client.make_folders(path)
                if not client.enters(path):
                    raise

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it."""
        try:
            self.mkdir(path)
        except FileExistsError:
            if not exist_ok or not self.isdir(path):
                raise

    def rmdir(self, path: str) -> None:
        """Delete an empty folder."""
        path = self._strip_protocol(path)
        with self._client(path) as client:
            try:
                client.voidcmd(f"RMD {path}")
            except ftplib.error_perm as refusal:
                info = client.look(path)
                if info is None:
                    raise absent(path) from refusal
                if info["type"] != "directory":
                    raise NotADirectoryError(errno.ENOTDIR, "not a folder", path) from refusal
                if client.entries(path):
                    raise OSError(errno.ENOTEMPTY, "the folder is not empty", path) from refusal
                raise


def _is_taken(client: Client, path: str) -> bool:
    try:
        client.size(path)
    except ftplib.error_perm as refusal:
        # We can write beside it, so a server that can say SIZE says no only if there is no file.
        if str(refusal)[:3] == "550" and not says_refused(refusal):
            return False
        return client.look(path) is not None
    return True


def _show(client: Client, temporary: str, path: str, mode: str, size: int) -> None:
    client.check_arrived(temporary, size)
    # FTP has no exclusive rename: of two writers who create in the same moment, between SIZE and
    # RNTO, both may believe that they made the file. The content is whole all the same.
    if mode == "create" and _is_taken(client, path):
        raise already_there(path)
    client.rename(temporary, path)
