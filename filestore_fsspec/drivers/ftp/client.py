"""What a driver asks of an FTP server, and the truth about its refusals.

Where code and words do not say whether a path is absent, a folder or forbidden, it is looked up:
only then, and with no more than the server knows.
"""

# ruff: noqa: S321 - FTP is what this is about; TLS is the URL's choice
from __future__ import annotations

import errno
import ftplib
import re
from typing import TYPE_CHECKING

from filestore_fsspec.calls import ensure_running
from filestore_fsspec.drivers.ftp.data_connection import BLOCK_BYTES, DataConnection
from filestore_fsspec.drivers.ftp.errors import Meaning, Refusal, as_oserror
from filestore_fsspec.drivers.ftp.listing import (
    describe,
    parse_facts,
    parse_list,
    parse_listing,
    parse_time,
)
from filestore_fsspec.drivers.shared.errors import absent

if TYPE_CHECKING:
    from collections.abc import Callable

    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.drivers.shared.files import Content

_SIZE_REPLY = re.compile(r"213 +(\d{1,19})\s*")
_PLAIN_NAME = re.compile(r"[\w.][\w.=@+,-]*")
"""Names that `LIST -a name` cannot take for an option, a pattern or two words."""
_LOOKS = 5
"""How often a path is looked at whose folders are made meanwhile."""
_FINAL = {Meaning.DENIED, Meaning.FULL, Meaning.TROUBLE, Meaning.UNKNOWN}
"""Refusals that say nothing of what is at a path."""


class _ChangedMeanwhileError(Exception):
    """A folder is there that was not a moment ago."""


def parent(path: str) -> str:
    """Return the folder of `path`, an absolute one; that of `/` is `/`."""
    return path.rpartition("/")[0] or "/"


def _name(info: Info) -> str:
    return str(info["name"].rpartition("/")[2])


class Client(DataConnection):
    """A connection that knows files."""

    # Looking

    def _ask(self, verb: str, path: str) -> str:
        """Return the reply to a command that not every server knows."""
        if not self.abilities.have(verb):
            raise Refusal(verb, path, f"502 the server does not know {verb}")
        try:
            return self.voidcmd(f"{verb} {path}")
        except Refusal as refusal:
            if refusal.meaning is Meaning.UNKNOWN:
                self.abilities.lacking.add(verb)
            raise

    def size(self, path: str) -> int:
        """Return the bytes of a file, by SIZE."""
        reply = self._ask("SIZE", path)
        found = _SIZE_REPLY.fullmatch(reply)
        if found:
            return int(found[1])
        if reply.strip() == "213":  # ftp-srv 4.6 of an empty file
            raise Refusal("SIZE", path, "550 a reply without a number")
        raise ftplib.error_proto(f"an answer to SIZE that is none: {reply}")

    def _size_proves_file(self) -> bool:
        if self.abilities.size_proves_file is None:
            try:
                self.size("/")
            except Refusal as refusal:
                self.abilities.size_proves_file = refusal.meaning is not Meaning.UNKNOWN
            else:
                self.abilities.size_proves_file = False
        return self.abilities.size_proves_file

    def _facts(self, path: str) -> Info:
        """Return the info of a file, a folder or a link, by MLST."""
        lines = self._ask("MLST", path).split("\n")
        info = parse_facts(lines[1].lstrip()) if len(lines) > 1 else None
        if not info:
            raise ftplib.error_proto(f"an answer to MLST that is none: {lines[0]}")
        info["name"] = path
        if info["type"] == "cdir":
            info["type"] = "directory"
        return info

    def stat(self, path: str) -> Info:
        """Return the info of a file, and where the server knows MLST of a folder too.

        Raises:
            Refusal: the server's last word.
        """
        if self.abilities.have("MLST"):
            try:
                info = self._facts(path)
            except Refusal as refusal:
                if refusal.meaning is not Meaning.UNKNOWN:
                    raise
            else:
                if info["type"] != "link":
                    return info
        proven = self._size_proves_file()
        size = self.size(path)
        if not proven and self.enters(path):
            return describe(path, "directory", None)
        try:
            modified = parse_time(self._ask("MDTM", path)[4:].strip())
        except Refusal:
            modified = None  # MDTM is younger than SIZE, and not known everywhere
        return describe(path, "file", size, modified)

    def enters(self, folder: str) -> bool:
        """Tell whether `folder` is one that we may go into."""
        try:
            self.voidcmd(f"CWD {folder}")
        except Refusal as refusal:
            if refusal.meaning is Meaning.TROUBLE:
                raise
            return False
        return True

    def entries(self, folder: str, only: str = "") -> list[Info]:
        """Return the infos of what is in `folder`; at least that of `only`, if it is there.

        Raises:
            Refusal: the server does not list it.
            NotADirectoryError: it is no folder.
        """
        if self.abilities.have("MLSD"):
            try:
                return self._list_facts(folder)
            except Refusal as refusal:
                if refusal.meaning is not Meaning.UNKNOWN:
                    raise
                self.abilities.lacking.add("MLSD")
        # vsftpd lists a folder that is missing as an empty one.
        self.voidcmd(f"CWD {folder}")
        return self._list_lines(folder, only)

    def _list_facts(self, folder: str) -> list[Info]:
        lines = self._lines(f"MLSD {folder}")
        found = parse_listing(folder, lines, parse_facts, self._is_there)
        own_name = folder.rpartition("/")[2]
        # Of a file, aioftp lists nothing and rclone the file.
        may_be_file = lines in ([], lines[:1]) and all(_name(info) == own_name for info in found)
        if may_be_file and folder != "/" and self.stat(folder)["type"] != "directory":
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder)
        return found

    def _list_lines(self, folder: str, only: str) -> list[Info]:
        """List the folder that we are in, with names that begin with a dot if the server can."""
        dots_listed = self.abilities.dots_listed
        if dots_listed and _PLAIN_NAME.fullmatch(only):
            lines = self._lines(f"LIST -a {only}")
            if len(lines) == 1:
                return parse_listing(folder, lines, parse_list)
        if dots_listed is False:
            return parse_listing(folder, self._lines("LIST"), parse_list, self._is_there)
        try:
            lines = self._lines("LIST -a")
        except Refusal:
            if dots_listed:
                raise
            lines = []
        if not dots_listed:
            if not any(line.endswith(" .") for line in lines):
                # Other servers take `-a` for nothing, or for a name.
                more = self._lines("LIST")
                if len(more) >= len(lines):
                    self.abilities.dots_listed = False if more else None
                    lines = more
            else:
                self.abilities.dots_listed = True
        return parse_listing(folder, lines, parse_list, self._is_there)

    def _is_there(self, path: str) -> bool:
        try:
            self.stat(path)
        except Refusal as refusal:
            return refusal.meaning is Meaning.DENIED or self.enters(path)
        return True

    def identity(self, folder: str) -> str:
        """Return what tells a folder from others: the server's number for it, or its own path."""
        if self.abilities.have("MLST"):
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
            verb, _, path = command.partition(" ")
            raise Refusal(verb, path, f"550 {reply}")
        text = b"".join(blocks).decode("utf-8", "surrogateescape")
        if text and text[-1] != "\n":
            raise ftplib.error_proto("the listing ends in the middle of a line")
        return [line.removesuffix("\r") for line in text.split("\n")[:-1]] if text else []

    def _follow(self, link: Info) -> Info | None:
        path = link["name"]
        try:
            size = self.size(path)
        except Refusal:
            return describe(path, "directory", None) if self.enters(path) else None
        if not self._size_proves_file() and self.enters(path):
            return describe(path, "directory", None)
        return describe(path, "file", size, link["modified"])

    def look(self, path: str, *, only_files: bool = False) -> Info | None:
        """Return what is at `path`, or None if nothing is; with `only_files` folders are nothing.

        Raises:
            PermissionError: the server does not let us know.
        """
        for _ in range(_LOOKS):
            try:
                return self._look_once(path, only_files=only_files)
            except _ChangedMeanwhileError:
                continue
        raise PermissionError(errno.EACCES, "the server does not show what is there", path)

    def _look_once(self, path: str, *, only_files: bool) -> Info | None:
        try:
            if only_files and self._size_proves_file():
                return describe(path, "file", self.size(path))
            return self.stat(path)
        except Refusal as error:
            refusal = error
        if refusal.meaning is Meaning.ABSENT:
            return None
        if refusal.meaning is Meaning.TROUBLE:
            raise refusal
        if self.abilities.have("MLST") and refusal.meaning is not Meaning.FOLDER:
            return self._look_by_reason(path, refusal, only_files=only_files)
        if self.enters(path):
            return describe(path, "directory", None)
        return self._look_from_above(path, only_files=only_files)

    def _look_by_reason(self, path: str, refusal: Refusal, *, only_files: bool) -> Info | None:
        """Look by the reason why the server does not send a file: pure-ftpd gives it there alone.

        A CWD that fails would slow down what comes next.
        """
        why = self._refused_read(path)
        if why.meaning is Meaning.ABSENT:
            return None
        if refusal.verb != "MLST":
            try:
                return self.stat(path)
            except Refusal as error:
                refusal = error
        if Meaning.DENIED in {why.meaning, refusal.meaning}:
            raise as_oserror(why, path)
        return self._look_from_above(path, only_files=only_files)

    def _refused_read(self, path: str) -> Refusal:
        """Return how the server refuses to send `path`, for which it has nowhere to."""
        command = f"RETR {path}"
        try:
            reply = self.sendcmd(command)
            if reply[0] == "1":
                reply = self.voidresp()
        except Refusal as refusal:
            return refusal
        return Refusal("RETR", path, f"550 {reply}")

    def _look_from_above(self, path: str, *, only_files: bool) -> Info | None:
        child = path
        while True:
            folder = parent(child)
            try:
                # Given the name of a folder, vsftpd lists what is in there.
                by_name = only_files and child == path
                found = self.entries(folder, child.rpartition("/")[2] if by_name else "")
                break
            except NotADirectoryError:
                return None
            except Refusal as refusal:
                if refusal.meaning is Meaning.ABSENT:
                    return None
                if refusal.meaning is Meaning.TROUBLE:
                    raise
                if folder == "/" or (refusal.verb != "CWD" and self.enters(folder)):
                    message = f"the server does not show what is in {folder}: {refusal}"
                    raise PermissionError(errno.EACCES, message, path) from refusal
            child = folder
        info = next((info for info in found if info["name"] == child), None)
        if info and info["type"] == "link":
            info = self._follow(info)
        if info and child != path and info["type"] == "directory":
            if self.enters(child):
                raise _ChangedMeanwhileError
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

    def is_taken(self, path: str) -> bool:
        """Tell whether a file is at `path`, in a folder that we can write in.

        Raises:
            IsADirectoryError: a directory is.
        """
        if self._size_proves_file():
            try:
                self.size(path)
            except Refusal as refusal:
                # There, a server that can say SIZE refuses it only where no file is.
                if refusal.meaning in {Meaning.ABSENT, Meaning.UNCLEAR}:
                    return False
            else:
                return True
        info = self.look(path)
        if info is not None and info["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
        return info is not None

    def explain(self, path: str, refusal: Refusal) -> OSError:
        """Return what a refusal to read or delete the file `path` means."""
        if refusal.meaning is Meaning.ABSENT:
            return absent(path)
        if refusal.meaning not in _FINAL or refusal.meaning is Meaning.DENIED:
            info = self.look(path, only_files=True)
            is_absent = info is None and refusal.meaning is not Meaning.DENIED
            if is_absent or (info is not None and info["type"] == "directory"):
                return absent(path)
        return as_oserror(refusal, path)

    # Reading

    def retrieve_range(
        self, path: str, write: Callable[[bytes], object], start: int = 0, end: int | None = None
    ) -> None:
        """Give the bytes from `start` to `end` to `write`; both may count from the file's end."""
        if start < 0 or (end is not None and end <= start):
            size = self._told_size(path)
            if size is None:
                raise self._without_size(path)
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
            self._retrieve_from(path, take, start, length)
        except Refusal:
            # pyftpdlib answers 554 to a start behind the file's end, where others send nothing.
            size = self._told_size(path) if start else None
            if size is None or start < size:
                raise
        if received != length and self.end_proves_nothing:
            told = self._told_size(path)
            if told is not None and start + received < told:
                raise ftplib.error_proto(f"{start + received} of {told} bytes came")

    def _retrieve_from(
        self, path: str, write: Callable[[bytes], object], start: int, length: int | None
    ) -> None:
        """Retrieve from `start` on; what comes before is dropped where the server has no REST."""
        if self.abilities.have("REST") or not start:
            try:
                self.retrieve(f"RETR {path}", write, start, length)
            except Refusal as refusal:
                if refusal.verb != "REST":
                    raise
                if refusal.meaning is Meaning.UNKNOWN:
                    self.abilities.lacking.add("REST")
            else:
                return
        dropped = 0

        def drop(block: bytes) -> None:
            nonlocal dropped
            kept = block[start - dropped :] if dropped < start else block
            dropped += len(block) - len(kept)
            if kept:
                write(kept)

        self.retrieve(f"RETR {path}", drop, 0, None if length is None else start + length)

    def _without_size(self, path: str) -> OSError:
        info = self.look(path)
        if info is None or info["type"] == "directory":
            return absent(path)
        return OSError(errno.ENOTSUP, "the server does not tell the size", path)

    def _told_size(self, path: str) -> int | None:
        """Return the bytes of a file by SIZE, MLST or a listing; None where all are refused."""
        if self.abilities.size_proves_file is not False:
            try:
                return self.size(path)
            except Refusal as refusal:
                if refusal.meaning is not Meaning.UNKNOWN:
                    return None
        try:
            info = self.look(path)
        except PermissionError:
            return None
        return None if info is None else info["size"]

    # Writing

    def check_arrived(self, path: str, size: int) -> None:
        """Look whether all of an upload has come: a server takes a cut connection for its end.

        Raises:
            ftplib.error_proto: it has not.
        """
        arrived = self._told_size(path)
        if arrived not in {None, size}:
            raise ftplib.error_proto(f"{arrived} of {size} bytes arrived")

    def upload(self, path: str, content: Content) -> int:
        """Write a new file, and make the folders above it if that is what it wants.

        Returns how many bytes were sent.
        """
        command = f"STOR {path}"
        try:
            return self.store(command, content.blocks(BLOCK_BYTES))
        except Refusal as refusal:
            # Some servers refuse only after they have begun to take the content.
            if refusal.meaning in _FINAL or (self.accepted and not content.rewind()):
                raise
            self.make_folders(parent(path))
            return self.store(command, content.blocks(BLOCK_BYTES))

    def make_folders(self, folder: str) -> None:
        """Make `folder` and what is missing above it, as far as the server lets us."""
        missing = []
        while folder != "/":
            try:
                self.voidcmd(f"MKD {folder}")
                break
            except Refusal as refusal:
                if refusal.meaning is Meaning.TROUBLE:
                    raise
                missing.append(folder)
                folder = parent(folder)
        for below in reversed(missing):
            try:
                self.voidcmd(f"MKD {below}")
            except Refusal as refusal:
                if refusal.meaning is Meaning.TROUBLE:
                    raise
                # Made by somebody else meanwhile, or forbidden: the next step will tell.
