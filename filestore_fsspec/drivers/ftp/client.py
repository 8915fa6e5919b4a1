"""What a driver asks of an FTP server, and the truth about its refusals.

`550` means missing, a folder, or forbidden: only on that error path is it looked up which.
"""

# ruff: noqa: S321 - FTP is what this is about; TLS is the URL's choice
from __future__ import annotations

import errno
import ftplib
import re
from typing import TYPE_CHECKING

from filestore_fsspec.calls import ensure_running
from filestore_fsspec.drivers.ftp.data_connection import DataConnection
from filestore_fsspec.drivers.ftp.errors import MAY_BE_ABSENT, as_oserror, says_absent
from filestore_fsspec.drivers.ftp.listing import (
    describe,
    parse_facts,
    parse_listing,
    parse_time,
    parse_unix,
)
from filestore_fsspec.drivers.shared.errors import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from filestore_fsspec.drivers.shared.driver import Info

_SIZE_REPLY = re.compile(r"213 +(\d{1,19})\s*")
_PLAIN_NAME = re.compile(r"[\w.][\w.=@+,-]*")
"""Names that `LIST -a name` cannot take for an option, a pattern or two words."""


def parent(path: str) -> str:
    """Return the folder of `path`, an absolute one; that of `/` is `/`."""
    return path.rpartition("/")[0] or "/"


class Client(DataConnection):
    """A connection that knows files. Refusals are raised as `ftplib.error_perm`."""

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        reply = self.voidcmd(f"SIZE {path}")
        found = _SIZE_REPLY.fullmatch(reply)
        if not found:
            raise ftplib.error_proto(f"an answer to SIZE that is none: {reply}")
        return int(found[1])

    def stat(self, path: str) -> Info:
        """Return the info of a file, and where the server knows MLST of a folder too."""
        if "MLST" in self.features:
            lines = self.voidcmd(f"MLST {path}").split("\n")
            info = parse_facts(lines[1].lstrip()) if len(lines) > 1 else None
            if not info:
                raise ftplib.error_proto(f"an answer to MLST that is none: {lines[0]}")
            info["name"] = path
            if info["type"] != "link":
                return info
        size = self.size(path)
        try:
            modified = parse_time(self.voidcmd(f"MDTM {path}")[4:].strip())
        except ftplib.error_perm:
            modified = None  # MDTM is younger than SIZE, and not known everywhere
        return describe(path, "file", size, modified)

    def enters(self, folder: str) -> bool:
        """Tell whether `folder` is one that we may go into."""
        try:
            self.voidcmd(f"CWD {folder}")
        except ftplib.error_perm:
            return False
        return True

    def entries(self, folder: str, only: str = "") -> list[Info]:
        """Return the infos of what is in `folder`; at least that of `only`, if it is there."""
        if "MLST" in self.features:
            found = parse_listing(folder, self._lines(f"MLSD {folder}"), parse_facts)
        else:
            # vsftpd lists a folder that is missing as an empty one, and hides .files without -a.
            self.voidcmd(f"CWD {folder}")
            command = f"LIST -a {only}" if _PLAIN_NAME.fullmatch(only) else "LIST -a"
            found = parse_listing(folder, self._lines(command), parse_unix)
        return found

    def identity(self, folder: str) -> str:
        """Return what tells a folder from others: the server's number for it, or its own path."""
        if "MLST" in self.features:
            known = self.stat(folder).get("identity")
            if known:
                return str(known)
        self.voidcmd(f"CWD {folder}")
        return self.pwd()

    def _lines(self, command: str) -> list[str]:
        blocks: list[bytes] = []
        reply = self.retrieve(command, blocks.append)
        if "failed" in reply:
            # vsftpd: 226 Transfer done (but failed to open directory).
            raise ftplib.error_perm(f"550 {reply}")
        text = b"".join(blocks).decode("utf-8", "surrogateescape")
        if text and text[-1] != "\n":
            raise ftplib.error_proto("the listing ends in the middle of a line")
        return [line.removesuffix("\r") for line in text.split("\n")[:-1]] if text else []

    def _follow(self, link: Info) -> Info | None:
        path = link["name"]
        try:
            return describe(path, "file", self.size(path), link["modified"])
        except ftplib.error_perm:
            return describe(path, "directory", None) if self.enters(path) else None

    def look(self, path: str, *, only_files: bool = False) -> Info | None:
        """Return what is at `path`, or None if nothing is; with `only_files` folders are nothing.

        Raises:
            PermissionError: the server does not let us know.
        """
        try:
            return self.stat(path)
        except ftplib.error_perm as refusal:
            if says_absent(refusal):
                return None
        if self.enters(path):
            return describe(path, "directory", None)
        return self._look_from_above(path, only_files=only_files)

    def _look_from_above(self, path: str, *, only_files: bool) -> Info | None:
        child = path
        while True:
            folder = parent(child)
            try:
                # Given the name of a folder, vsftpd lists what is in there.
                by_name = only_files and child == path
                found = self.entries(folder, child.rpartition("/")[2] if by_name else "")
                break
            except ftplib.error_perm as refusal:
                if says_absent(refusal):
                    return None
                if folder == "/" or self.enters(folder):
                    message = f"the server does not show what is in {folder}: {refusal}"
                    raise PermissionError(errno.EACCES, message, path) from refusal
            child = folder
        info = next((info for info in found if info["name"] == child), None)
        if info and info["type"] == "link":
            info = self._follow(info)
        if info and child != path and info["type"] == "directory":
            message = f"the server does not let us into {child}"
            raise PermissionError(errno.EACCES, message, path)
        return info if child == path else None

    def rename(self, fromname: str, toname: str) -> str:
        """Rename a file or folder, unless its call has ended."""
        reply = self.sendcmd(f"RNFR {fromname}")
        if reply[:1] != "3":
            raise ftplib.error_reply(reply)
        ensure_running()
        return self.voidcmd(f"RNTO {toname}")

    def is_file(self, path: str) -> bool:
        """Tell whether there is a file at `path`, in one trip if there is."""
        try:
            self.size(path)
        except ftplib.error_perm as refusal:
            if says_absent(refusal):
                return False
        else:
            return True
        info = self.look(path, only_files=True)
        return info is not None and info["type"] == "file"

    def explain(self, path: str, refusal: ftplib.error_perm) -> OSError:
        """Return what a refusal to read or delete the file `path` means."""
        if says_absent(refusal):
            return absent(path)
        if str(refusal)[:3] in MAY_BE_ABSENT:
            info = self.look(path, only_files=True)
            if info is None or info["type"] == "directory":
                return absent(path)
        return as_oserror(refusal, path)

    def retrieve_range(
        self, path: str, write: Callable[[bytes], object], start: int = 0, end: int | None = None
    ) -> None:
        """Give the bytes from `start` to `end` to `write`; both may count from the file's end."""
        if start < 0 or (end is not None and end <= start):
            size = self.size(path)
            start = max(start + size, 0) if start < 0 else start
            end = end + size if end is not None and end < 0 else end
        length = None if end is None else end - start
        if length is not None and length <= 0:
            return
        received = 0

        def take(block: bytes) -> None:
            nonlocal received
            received += len(block)
            write(block)

        try:
            self.retrieve(f"RETR {path}", take, start, length)
        except ftplib.error_perm:
            # pyftpdlib answers 554 to a start behind the file's end, where others send nothing.
            if not start or start < self.size(path):
                raise
        if received != length and self.end_proves_nothing:
            told = self._told_size(path)
            if told is not None and start + received < told:
                raise ftplib.error_proto(f"{start + received} of {told} bytes came")

    def check_arrived(self, path: str, size: int) -> None:
        """Look whether all of an upload has come: a server takes a cut connection for its end.

        Raises:
            ftplib.error_proto: it has not.
        """
        arrived = self._told_size(path)
        if arrived not in {None, size}:
            raise ftplib.error_proto(f"{arrived} of {size} bytes arrived")

    def _told_size(self, path: str) -> int | None:
        try:
            return self.size(path)
        except ftplib.error_perm:
            return None  # a server that tells no sizes is believed

    def upload(self, path: str, blocks: Iterable[bytes | memoryview]) -> int:
        """Write a new file, and make the folders above it if that is what it wants.

        Returns how many bytes were sent.
        """
        command = f"STOR {path}"
        try:
            return self.store(command, blocks)
        except ftplib.error_perm as refusal:
            if self.accepted or str(refusal)[:3] not in MAY_BE_ABSENT:
                raise
            self.make_folders(parent(path))
            return self.store(command, blocks)

    def make_folders(self, folder: str) -> None:
        """Make `folder` and what is missing above it, as far as the server lets us."""
        missing = []
        while folder != "/":
            try:
                self.voidcmd(f"MKD {folder}")
                break
            except ftplib.error_perm:
                missing.append(folder)
                folder = parent(folder)
        for below in reversed(missing):
            try:
                self.voidcmd(f"MKD {below}")
            except ftplib.error_perm:
                continue  # made by somebody else meanwhile, or forbidden: the next step will tell
