"""What an SFTP server says is at a path and in a folder, as fsspec's infos."""

from __future__ import annotations

import errno
import posixpath
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncssh

from filestore_fsspec.drivers.sftp.connection import GONE, REFUSED, too_long
from filestore_fsspec.drivers.shared.driver import is_name
from filestore_fsspec.drivers.shared.errors import already_there

if TYPE_CHECKING:
    from filestore_fsspec.drivers.sftp.connection import Link
    from filestore_fsspec.drivers.shared.driver import Info

_TYPES = {
    asyncssh.FILEXFER_TYPE_REGULAR: "file",
    asyncssh.FILEXFER_TYPE_DIRECTORY: "directory",
    asyncssh.FILEXFER_TYPE_SYMLINK: "link",
    asyncssh.FILEXFER_TYPE_UNKNOWN: "unknown",
}
_MAX_REPEATED = 1000
"""A folder that changes while it is listed may show a name twice."""


def info_of(path: str, attributes: asyncssh.SFTPAttrs) -> Info:
    """Return fsspec's info for what the server says of `path`."""
    mtime = attributes.mtime
    modified = None if mtime is None else datetime.fromtimestamp(mtime, tz=UTC)
    return {
        "name": path,
        "size": attributes.size,
        "type": _TYPES.get(attributes.type, "other"),
        "modified": modified,
        "mtime": modified,  # sshfs' name for it
        "permissions": attributes.permissions,
        "uid": attributes.uid,
        "gid": attributes.gid,
    }


async def stat(link: Link, path: str) -> Info:
    """Return what is at `path`, a link followed.

    Raises:
        asyncssh.SFTPNoSuchFile: nothing is there, or a link that leads to itself.
    """
    try:
        info = info_of(path, await link.sftp.stat(path or "."))
    except asyncssh.SFTPFailure as error:
        # "Failure" is all that some servers say of a link that leads to itself.
        if info_of(path, await link.sftp.lstat(path or "."))["type"] == "link":
            raise asyncssh.SFTPNoSuchFile("a link that leads nowhere") from error
        raise
    if info["type"] == "unknown":  # the server tells no permissions
        info["type"] = "directory" if await _can_be_listed(link, path) else "file"
    return info


async def _can_be_listed(link: Link, path: str) -> bool:
    try:
        await scan(link, path)
    except REFUSED:
        return False
    return True


async def is_folder(link: Link, path: str) -> bool:
    """Tell whether `path` is a folder, a link followed."""
    try:
        return bool((await stat(link, path))["type"] == "directory")
    except REFUSED as error:
        if isinstance(error, GONE) or too_long(path):
            return False
        raise


async def kind(link: Link, path: str) -> str | None:
    """Return the type of what is at `path`, a link not followed; None if nothing is."""
    try:
        return str(info_of(path, await link.sftp.lstat(path or "."))["type"])
    except REFUSED as error:
        if isinstance(error, GONE) or too_long(path):
            return None
        raise


async def taken(link: Link, path: str) -> OSError | None:
    """Return why `path` cannot be created, if anything is there, a dangling link too."""
    found = await kind(link, path)
    if found == "directory":
        return IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
    return None if found is None else already_there(path)


async def scan(link: Link, folder: str) -> list[Info]:
    """Return the infos of a folder's entries; a link is a `link`."""
    infos: list[Info] = []
    names: set[str] = set()
    async for entry in link.sftp.scandir(folder or "."):
        link.tick()
        name = str(entry.filename)
        names.add(name)
        if is_name(name):
            infos.append(info_of(posixpath.join(folder, name), entry.attrs))
            if infos[-1]["type"] == "unknown":
                infos[-1]["type"] = "link"  # it is asked for by its name, as links are
        if len(infos) > len(names) + _MAX_REPEATED:
            raise OSError(errno.EIO, "the server lists the same names again and again", folder)
    return infos
