"""Files over SFTP that are written beside their name and take it in one step."""

from __future__ import annotations

import asyncio
import errno
import posixpath
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh

from filestore_fsspec.drivers.sftp.connection import GONE
from filestore_fsspec.drivers.sftp.pipelining import is_folder, write_blocks
from filestore_fsspec.drivers.shared.errors import already_there
from filestore_fsspec.keys import temporary_path

if TYPE_CHECKING:
    from filestore_fsspec.drivers.sftp.connection import Link
    from filestore_fsspec.drivers.sftp.pipelining import Chunks


CHEAP_BYTES = 64 * 2**10
"""Up to here writing beside costs less than asking first whether the name is taken."""


async def write(link: Link, path: str, chunks: Chunks, mode: str, *, ask_first: bool) -> None:
    """Write a file beside `path`, which takes its name when it is complete, or goes.

    With `ask_first` and `mode` `create`, nothing is sent if the name is taken.
    """
    temporary = temporary_path(path)
    opening = open_if_free if ask_first and mode == "create" else open_new
    file = await opening(link, temporary, path)
    try:
        await write_blocks(link, file, chunks, close=True)
        await take_name(link, temporary, path, mode)
    except BaseException:
        await drop(link, file, temporary)
        raise


async def open_if_free(link: Link, temporary: str, path: str) -> asyncssh.SFTPClientFile:
    """Open `temporary` for writing, if nothing has the name `path`.

    Raises:
        FileExistsError: something has; whoever comes second need not send the content to learn it.
    """
    file, taken = await asyncio.gather(open_new(link, temporary, path), _taken(link, path))
    if taken is not None:
        await drop(link, file, temporary)
        raise taken
    return file


async def _taken(link: Link, path: str) -> OSError | None:
    """Return why `path` cannot be created, if anything has that name, a dangling link too."""
    try:
        attributes = await link.sftp.lstat(path)
    except GONE:
        return None
    if attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
        return IsADirectoryError(errno.EISDIR, "is a folder", path)
    return already_there(path)


async def open_new(link: Link, temporary: str, path: str) -> asyncssh.SFTPClientFile:
    """Open `temporary` for writing; folders that `path` needs and that are missing are made."""
    try:
        return await link.sftp.open(temporary, "xb", block_size=0)
    except asyncio.CancelledError:
        link.later(link.sftp.remove(temporary))  # the server opens it all the same
        raise
    except GONE:
        await make_folders(link, posixpath.dirname(path))
    return await link.sftp.open(temporary, "xb", block_size=0)


async def make_folders(link: Link, folder: str) -> None:
    """Make `folder` and those above it that are missing, asking for no more than is needed."""
    try:
        await link.sftp.mkdir(folder)
    except GONE:
        above = posixpath.dirname(folder)
        if above == folder or not above:
            raise
        await make_folders(link, above)
        await make_folders(link, folder)
    except asyncssh.SFTPError as error:
        if not await is_folder(link, folder):
            if isinstance(error, asyncssh.SFTPFailure):
                raise NotADirectoryError(errno.ENOTDIR, "not a folder", folder) from error
            raise


async def exists(link: Link, path: str) -> bool:
    """Tell whether anything, a dangling link too, has the name `path`."""
    try:
        await link.sftp.lstat(path)
    except GONE:
        return False
    return True


async def take_name(link: Link, temporary: str, path: str, mode: str) -> None:
    """Give a complete file its name, in one step of the server's disk."""
    if mode == "create":
        await _take_free_name(link, temporary, path)
        return
    try:
        await link.sftp.posix_rename(temporary, path)
    except asyncssh.SFTPOpUnsupported as error:
        # Plain rename leaves alone what is there; removing that first would not be one step.
        try:
            await link.sftp.rename(temporary, path)
        except asyncssh.SFTPFailure:
            message = "this server cannot replace a file in one step (no posix-rename@openssh.com)"
            raise OSError(errno.ENOTSUP, message, path) from error
    except asyncssh.SFTPFailure as error:
        if await is_folder(link, path):
            raise IsADirectoryError(errno.EISDIR, "is a folder", path) from error
        raise


async def _take_free_name(link: Link, temporary: str, path: str) -> None:
    # A hard link is exclusive wherever it is offered. Plain rename should be, and OpenSSH's is;
    # asyncssh 2.24 looks first and renames then, so that two writers may both succeed.
    try:
        await link.sftp.link(temporary, path)
    except asyncssh.SFTPError as error:
        taken = await _taken(link, path)
        if taken is not None:
            raise taken from error
        await link.sftp.rename(temporary, path)
    else:
        # The file has its name; a second name that stays is hidden from every listing.
        with suppress(asyncssh.Error):
            await link.sftp.remove(temporary)


async def drop(link: Link, file: asyncssh.SFTPClientFile, temporary: str) -> None:
    """Remove an unfinished file; the reason for it is on its way to the caller already."""
    await asyncio.gather(file.close(), link.sftp.remove(temporary), return_exceptions=True)
