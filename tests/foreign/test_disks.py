"""Odd trees behind each server that keeps folders."""

from __future__ import annotations

from tests.foreign.suite import DISK, Writing


class TestFile(Writing):
    service = "file_service"
    families = (*DISK, "SHARDED")


class TestMemory(Writing):
    service = "memory_service"
    families = ("NAMES", "FOLDERS", "TEMPORARY", "BOTH", "SEGMENTS")


class Remote(Writing):
    """Of these trees a composite of one shows what one of two shows."""

    subjects = ("driver", "two")


class TestFTPWithMLSD(Remote):
    service = "ftp_plain"
    families = (*DISK, "SHARDED")
    # It lists no dangling link, a pipe as a file, other bytes for a name, and refuses "/".
    cannot = frozenset({"newline", "dangling", "chain", "pipe", "bytes", "outside"})


class TestFTPWithLIST(Remote):
    service = "ftp_vsftpd"
    families = (*DISK, "SHARDED")
    cannot = frozenset({"newline"})


class TestSFTPOpenSSH(Remote):
    service = "sftp_openssh"
    families = (*DISK, "SHARDED")


class TestSFTPAsyncSSH(Remote):
    service = "sftp_asyncssh"
    families = (*DISK, "SHARDED")
