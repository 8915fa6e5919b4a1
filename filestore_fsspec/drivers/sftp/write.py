"""Writing, renaming and making folders over SFTP."""

from __future__ import annotations

import errno
import posixpath
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh

from filestore_fsspec.drivers.sftp.connection import GONE, REFUSED, too_long
from filestore_fsspec.drivers.sftp.listing import is_folder, kind, taken
from filestore_fsspec.drivers.sftp.pipelining import (
    CHUNK_BYTES,
    check_arrived,
    in_thread,
    write_blocks,
)
from filestore_fsspec.drivers.shared.errors import already_there

if TYPE_CHECKING:
    from filestore_fsspec.drivers.sftp.connection import Link
    from filestore_fsspec.drivers.sftp.pipelining import Chunks
    from filestore_fsspec.drivers.shared.files import Content

_CHEAP_BYTES = 64 * 2**10
"""Up to here a thread costs more than reading a file of this machine does."""


async def _chunks(content: Content) -> Chunks:
    blocks = content.blocks(CHUNK_BYTES)
    if content.in_memory or 0 < content.size <= _CHEAP_BYTES:  # of a pipe it is 0
        for block in blocks:
            yield block
        return
    while (chunk := await in_thread(next, blocks, None)) is not None:
        yield chunk


async def send(link: Link, path: str, content: Content) -> None:
    """Write a new file and close it; folders that are missing are made."""
    file = await _open_new(link, path)
    try:
        size, arrived = await write_blocks(link, file, _chunks(content))
    except BaseException:
        link.later(file.close())
        raise
    if arrived != size:
        await check_arrived(link, path, size)


async def _open_new(link: Link, path: str) -> asyncssh.SFTPClientFile:
    try:
        return await link.sftp.open(path, "xb", block_size=0)
    except GONE:
        pass
    except REFUSED as error:
        raise too_long(path) or error from error
    await _make_folders(link, posixpath.dirname(path))
    return await link.sftp.open(path, "xb", block_size=0)


async def _make_folders(link: Link, folder: str) -> None:
    """Make `folder` and those above it that are missing, asking for no more than is needed."""
    try:
        await make_folder(link, folder)
    except GONE:
        above = posixpath.dirname(folder)
        if above == folder or not above:
            raise
        await _make_folders(link, above)
        await _make_folders(link, folder)
    except FileExistsError as error:
        if not await is_folder(link, folder):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder) from error


async def make_folder(link: Link, folder: str) -> None:
    """Make one folder; those above it are there."""
    try:
        await link.sftp.mkdir(folder)
    except GONE:
        raise
    except asyncssh.SFTPError as error:
        if (name_error := too_long(folder)) is not None:
            raise name_error from error
        if await kind(link, folder) is not None:
            raise already_there(folder) from error
        above = posixpath.dirname(folder)
        if isinstance(error, REFUSED) and not await is_folder(link, above):
            if await kind(link, above) is None:
                raise asyncssh.SFTPNoSuchPath("the folder above is missing") from error
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", above) from error
        raise


async def rename(link: Link, source: str, path: str, *, replace: bool) -> None:
    """Rename a file or folder, in one step of the server's disk."""
    if not replace:
        await _rename_to_free_path(link, source, path)
        return
    try:
        await link.sftp.posix_rename(source, path)
    except asyncssh.SFTPOpUnsupported:
        # Plain rename does not replace; removing what is there first would not be one step.
        try:
            await link.sftp.rename(source, path)
        except REFUSED as error:
            why = await _why_not_renamed(link, source, path)
            if why is None and await kind(link, path) is not None:
                message = "this server replaces no file in one step; replace=aside does it in two"
                why = OSError(errno.ENOTSUP, message, path)
            raise why or error from error
    except REFUSED as error:
        why = await _why_not_renamed(link, source, path)
        # OpenSSH says "no such file" of a folder that would replace a file.
        if why is None and isinstance(error, GONE) and await kind(link, path) is not None:
            why = NotADirectoryError(errno.ENOTDIR, "not a directory", path)
        raise why or error from error


async def _why_not_renamed(link: Link, source: str, path: str) -> Exception | None:
    """Look why a server refused to rename: what it says may be a mere "failure"."""
    if (name_error := too_long(path)) is not None:
        return name_error
    if await kind(link, source) is None:
        return asyncssh.SFTPNoSuchFile("the file to rename is missing")
    if await kind(link, path) == "directory":
        return IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
    if await kind(link, above := posixpath.dirname(path)) is None:
        return asyncssh.SFTPNoSuchPath("the folder above is missing")
    if not await is_folder(link, above):
        return NotADirectoryError(errno.ENOTDIR, "not a directory", above)
    return None


async def _rename_to_free_path(link: Link, source: str, path: str) -> None:
    # A hard link is exclusive wherever it is offered. Plain rename should be, and OpenSSH's is;
    # asyncssh 2.24 looks first and renames then, so that two writers may both succeed.
    try:
        await link.sftp.link(source, path)
    except asyncssh.SFTPError as error:
        why = await taken(link, path)
        if why is not None:
            raise why from error
        try:
            await link.sftp.rename(source, path)
        except REFUSED as refusal:
            # Another may have created it in the meantime.
            raise too_long(path) or await taken(link, path) or refusal from refusal
    else:
        # The file is at its path; a temporary name that stays is hidden from every listing.
        with suppress(asyncssh.Error):
            await link.sftp.remove(source)
