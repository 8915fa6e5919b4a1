"""What an SFTP server says of its files, as fsspec's infos; links count as what they lead to."""

from __future__ import annotations

import posixpath
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncssh

from filestore_fsspec.drivers.sftp.connection import GONE
from filestore_fsspec.drivers.sftp.pipelining import in_flight
from filestore_fsspec.drivers.shared.driver import is_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any

    from filestore_fsspec.drivers.sftp.connection import Link
    from filestore_fsspec.drivers.shared.driver import Info

_TYPES = {
    asyncssh.FILEXFER_TYPE_REGULAR: "file",
    asyncssh.FILEXFER_TYPE_DIRECTORY: "directory",
    asyncssh.FILEXFER_TYPE_SYMLINK: "link",
}


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


async def scan(link: Link, folder: str) -> list[Info]:
    """Return the infos of a folder's entries; a link is a `link`."""
    infos = []
    async for entry in link.sftp.scandir(folder or "."):
        link.tick()
        name = str(entry.filename)
        if is_name(name):
            infos.append(info_of(posixpath.join(folder, name), entry.attrs))
    return infos


async def entries(link: Link, folder: str) -> list[Info]:
    """Return the infos of a folder's entries; a link is what it leads to, if it leads anywhere."""
    infos = await scan(link, folder)

    async def follow(info: Info) -> None:
        try:
            attributes = await link.sftp.stat(info["name"])
        except GONE:
            return
        info.update(info_of(info["name"], attributes), islink=True)

    async def requests() -> AsyncIterator[Coroutine[Any, Any, None]]:
        for info in infos:
            if info["type"] == "link":
                yield follow(info)

    await in_flight(link, requests())
    return infos


async def leads_upward(link: Link, info: Info) -> bool:
    """Tell whether `info` is a link to a folder that holds it: following it would never end."""
    if not info.get("islink"):
        return False
    target = str(await link.sftp.realpath(info["name"]))
    holder = str(await link.sftp.realpath(posixpath.dirname(info["name"]) or "."))
    return f"{holder}/".startswith(f"{target.rstrip('/')}/")
