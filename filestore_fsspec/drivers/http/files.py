"""What comes back from a web server: a file to read from, bytes to store, a folder's page."""

from __future__ import annotations

import errno
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from html import unescape
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote, urljoin

from fsspec.implementations.http import AsyncStreamFile
from fsspec.spec import AbstractBufferedFile

from filestore_fsspec.drivers.http.session import fitting_errors
from filestore_fsspec.drivers.shared.driver import is_name

if TYPE_CHECKING:
    from datetime import datetime

    from aiohttp import ClientResponse

    from filestore_fsspec.drivers.shared.driver import Info

_LINK = re.compile(r"""<a\s[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


class HTTPFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """Reads ranges on demand; fsspec's own lets aiohttp's errors out."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        content: bytes = self.fs.cat_file(self.path, start, end)
        return content


class HTTPStream(AsyncStreamFile):  # type: ignore[misc]  # fsspec has no types
    """Reads on from the beginning, awaited."""

    async def read(self, num: int = -1) -> bytes:
        """Return up to `num` bytes more."""
        with fitting_errors(self.url):
            content: bytes = await super().read(num)
            return content


async def pour(found: ClientResponse, file: Any, callback: Any) -> None:
    """Write the body to `file` as it comes."""
    async for chunk in found.content.iter_any():
        file.write(chunk)
        callback.relative_update(len(chunk))


def modified(found: ClientResponse) -> datetime | None:
    """Return what the server says of the file's age."""
    try:
        when = parsedate_to_datetime(found.headers["Last-Modified"])
    except (KeyError, ValueError):
        return None
    return when.replace(tzinfo=when.tzinfo or UTC)


def refuse_write(path: object) -> NoReturn:
    """Raise OSError (EROFS)."""
    raise OSError(errno.EROFS, "a web server is only read", str(path))


def linked_entries(folder: str, page_url: str, page: str) -> list[Info]:
    """Return the files and folders right in `folder` that the page at `page_url` links to.

    Links to the parent, to the page in another order and to anywhere else are passed over; sizes
    and times are not in the links.
    """
    names: dict[str, str] = {}
    start = page_url.partition("?")[0]
    for double_quoted, single_quoted in _LINK.findall(page):
        link = urljoin(page_url, unescape(double_quoted or single_quoted)).partition("#")[0]
        if not link.startswith(start) or "?" in link:
            continue
        quoted, slash, deeper = link[len(start) :].partition("/")
        name = unquote(quoted, errors="surrogateescape")
        if not deeper and is_name(name):
            names[name] = "directory" if slash else "file"
    return [
        {"name": f"{folder}/{name}", "size": None, "type": kind, "modified": None}
        for name, kind in names.items()
    ]
