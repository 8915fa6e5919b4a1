"""What is asked of a web server, and which answers are believed.

| request | answer | what it says |
|---|---|---|
| HEAD | 200 | a file; sent on to the name with a slash, a folder |
| | 404, 410 | absent; for `stat`, if the name with a slash is so as well |
| | 403, 405, 501, or no HTTP at all | nothing: one byte is asked for (GET) |
| GET | 200 | all of the content |
| GET, Range | 206 | the part that `Content-Range` names; a shorter one is asked on |
| | 200 | all of the content, which is cut |
| | 416 | with `Content-Range: bytes */SIZE`, past the end; else it goes by the size |
| GET of a folder | 200, HTML | a listing, if it looks like one: a heading, a link to the parent |
| | 404, 410 | absent, if a folder above is listed without it |

Anything else is unknown: an `OSError` that is not `Absent`. So is HTML that the server made just
now (without `ETag` and `Last-Modified`), or that it sent us on to; content that is compressed
(`Content-Encoding`), though we ask for it as it is stored: what is stored is not known then; and a
part of another version than the one that was opened (412, or another `ETag`, `Last-Modified` or
size).
"""

from __future__ import annotations

import errno
import re
import secrets
from contextlib import asynccontextmanager, suppress
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.http.pages import read_listing
from filestore_fsspec.drivers.http.session import MalformedAnswer, is_folder, refuse_page
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    absent,
    only_os_errors,
    unusable_answer,
)
from filestore_fsspec.drivers.shared.folders import parent_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from aiohttp import ClientResponse
    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.http.pages import Listing
    from filestore_fsspec.drivers.http.session import Web
    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.drivers.shared.files import Handle

_ALL, _PART, _PAST_END = 200, 206, 416
_WHOLE = frozenset({_ALL})
_RANGE = frozenset({_ALL, _PART, _PAST_END})
_NO_HEAD = frozenset({403, 405, 501})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)")
_PAGE_BYTES = 2**26
"""No page of a folder is longer: some 500,000 files."""
_MAX_PARTS = 1000
_IN_MEMORY = 2**23
_SETTLED = timedelta(seconds=2)
"""What was changed less than this before an answer may be changed again unnoticed."""


class Version(NamedTuple):
    """What a server says that tells one version of a file from another."""

    etag: str | None
    modified: str | None
    size: int | None
    is_certain: bool
    """Whether another version would differ: times, and nginx's `ETag`, are told by the second."""

    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for this version alone."""
        if self.etag and not self.etag.startswith("W/"):
            return {"If-Match": self.etag}
        return {"If-Unmodified-Since": self.modified} if self.modified else {}

    def check(self, found: Version, path: str) -> None:
        """Raise if an answer is of another version: not every server knows conditions."""
        pairs = zip(self[:3], found[:3], strict=True)
        if any(None not in pair and len({*pair}) > 1 for pair in pairs):
            raise OSError(errno.EBUSY, "the file was replaced while it was read", path)


class _Part(NamedTuple):
    """Some of a range, from its beginning."""

    content: bytes
    start: int
    """Where in the file it begins."""
    is_last: bool
    version: Version


@only_os_errors
class HTTPRequests:
    """Files that web servers show. Paths are whole URLs, unquoted behind the origin."""

    def __init__(self, web: Web) -> None:
        """Ask over `web`."""
        self.web = web
        self._marking: set[str] = set()
        """The servers whose links to folders end in a slash."""

    async def stat(self, path: str) -> Info:
        """Return what is at `path`."""
        try:
            return (await self.look(path))[0]
        except Absent:
            if path == _origin(path):
                raise
        # Not every server sends us on from a folder's name.
        async with self.web.request("GET", path + "/", _WHOLE):
            return {"name": path, "size": 0, "type": "directory", "modified": None}

    async def look(self, path: str) -> tuple[Info, Version]:
        """Return what is at `path`; a folder that has only a name with a slash is absent."""
        with suppress(MalformedAnswer):  # a body after HEAD is read as the next answer
            async with self.web.request("HEAD", path, _WHOLE | _NO_HEAD) as found:
                if found.status not in _NO_HEAD:
                    return _described(path, found, _size(found))
        async with self.web.request("GET", path, _RANGE, {"Range": "bytes=0-0"}) as found:
            if found.status == _ALL:
                return _described(path, found, _size(found))
            first, _last, total = _content_range(found, path)
            if found.status == _PART and first != 0:
                raise _other_part(found, path)
            return _described(path, found, total)

    async def entries(self, folder: str) -> list[Info]:
        """Return all that is in a folder.

        A link that is not known to lead to a file is a `link`.

        Raises:
            NotADirectoryError: it is a file.
            OSError: the server sends no page that lists it (ENOTSUP).
        """
        try:
            listing = await self._listing(folder)
        except Absent:
            await self._refuse_unless_absent(folder)
            raise
        if listing.marks_folders:
            self._marking.add(_origin(folder))
        if _origin(folder) not in self._marking:
            for entry in listing.entries:
                entry["type"] = "link"
        return listing.entries

    async def _listing(self, folder: str) -> Listing:
        page = await self._page(folder)
        listing = page and read_listing(folder, *page)
        if page is None or listing is None:
            raise OSError(errno.ENOTSUP, "the server sent no page that lists it", folder)
        *above, name = folder.split("/")
        if name in above and any(entry["type"] == "directory" for entry in listing.entries):
            await self._refuse_one_page_for_all(folder, page[1])
        return listing

    async def _page(self, folder: str) -> tuple[str, str] | None:
        """Return the URL and text of a folder's page, if the server sends one."""
        async with self.web.request("GET", folder + "/", _WHOLE) as found:
            if found.content_type != "text/html" or not found.url.path.endswith("/"):
                return None
            if _is_encoded(found):
                raise _encoded(found, folder)
            body = await _read(found, _PAGE_BYTES + 1)
            if len(body) > _PAGE_BYTES:
                raise OSError(errno.EFBIG, "the folder's page is too long", folder)
            has_length = "Content-Length" in found.headers or "Transfer-Encoding" in found.headers
            if not has_length and not body.rstrip().lower().endswith(b"</html>"):
                raise unusable_answer("a page that may have been cut", folder)
            return str(found.url), body.decode("utf-8", "replace")

    async def _refuse_one_page_for_all(self, folder: str, text: str) -> None:
        """Raise if the server answers any name with this page: there would be no end of folders."""
        with suppress(Absent):
            page = await self._page(f"{folder}/{secrets.token_hex(8)}")
            if page is not None and page[1] == text:
                raise OSError(errno.ELOOP, "the server answers any folder with one page", folder)

    async def _refuse_unless_absent(self, folder: str) -> None:
        """Raise unless a folder whose page is absent is so itself: it may not be shown at all."""
        with suppress(Absent):
            if (await self.look(folder))[0]["type"] == "file":
                raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder)
            raise _not_shown(folder)
        if folder == _origin(folder):
            raise _not_shown(folder)
        if any(entry["name"] == folder for entry in await self.entries(parent_of(folder))):
            raise _not_shown(folder)

    async def identity(self, folder: str) -> str:
        """Return the path: links of the server's disk are not seen from here."""
        return folder

    async def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return `content[start:end]`."""
        start = start or 0
        if start == 0 and end is None:
            async with self._content(path) as found:
                return await found.read()
        if end is None or 0 <= start < end:
            return await self.read_range(path, start, end)
        return await self._read_by_size(path, start, end)

    async def _read_by_size(self, path: str, start: int, end: int | None) -> bytes:
        info, version = await self.look(path)
        if info["type"] == "directory":
            raise absent(path)
        size = info["size"]
        if size is None:
            return (await self.read(path, None, None))[start:end]
        wanted = range(size)[start:end]
        if not wanted:
            return b""
        return await self.read_range(path, wanted.start, wanted.stop, version)

    async def read_range(
        self, path: str, start: int, end: int | None, version: Version | None = None
    ) -> bytes:
        """Return the bytes from `start` to before `end`; a negative start has no end.

        Raises:
            OSError: the file is not the `version` given, or was replaced meanwhile (EBUSY).
        """
        by_size = version is not None
        wanted = slice(start, end)
        pieces: list[bytes] = []
        for _number in range(_MAX_PARTS):
            part = await self._part(path, start, end, version)
            if part is None and pieces:
                return b"".join(pieces)
            if part is None and by_size:
                raise unusable_answer("416 to a range of the file", path)
            if part is None:
                return await self._read_by_size(path, start, end)
            pieces.append(part.content)
            if part.is_last:
                return b"".join(pieces)
            if not part.version.is_certain:
                return (await self.read(path, None, None))[wanted]
            start, version = part.start + len(part.content), part.version
        raise unusable_answer(f"a range in more than {_MAX_PARTS} parts", path)

    async def _part(
        self, path: str, start: int, end: int | None, version: Version | None
    ) -> _Part | None:
        """Return the first of a range, as much as comes; None if the server says there is none."""
        asked = str(start) if start < 0 else f"{start}-{'' if end is None else end - 1}"
        conditions = version.conditions() if version else {}
        headers = {"Range": f"bytes={asked}", **conditions}
        async with self.web.request("GET", path, _RANGE, headers) as found:
            refuse_page(found, path)
            if found.status == _ALL:
                _check(found, path)
                seen = _version(found, found.content_length)
                (version or seen).check(seen, path)
                content = await _read(found, end)
                return _Part(content[start:end], 0, is_last=True, version=seen)
            first, last, total = _content_range(found, path)
            if found.status == _PAST_END:
                if total is None or not (total == 0 or total <= start):
                    return None
                return _Part(b"", 0, is_last=True, version=_version(found, total))
            return await _received(found, path, (start, end), (first, last, total), version)

    @asynccontextmanager
    async def _content(self, path: str) -> AsyncIterator[ClientResponse]:
        """Ask for all of a file."""
        async with self.web.request("GET", path, _WHOLE) as found:
            refuse_page(found, path)
            _check(found, path)
            yield found

    async def fetch(self, path: str, file: IO[bytes], callback: Callback) -> None:
        """Write a file's content to `file`."""
        async with self._content(path) as found:
            callback.set_size(found.content_length)
            async for chunk in found.content.iter_any():
                file.write(chunk)
                callback.relative_update(len(chunk))

    async def open(self, path: str) -> Handle:
        """Return what reads one version of a file."""
        info, version = await self.look(path)
        if info["type"] == "directory":
            raise absent(path)
        if info["size"] and version.is_certain:
            return _Ranges(self, info, version)
        # Nothing tells its versions apart, or how long it is: one answer is kept.
        file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the handle
        try:
            await self.fetch(path, file, DEFAULT_CALLBACK)
        except BaseException:
            file.close()
            raise
        return _Kept(file, {**info, "size": file.tell()})

    async def _refuse(self, *args: Any, **_kwargs: Any) -> NoReturn:
        refuse_write(args[0])

    send = rename = remove = make_folder = remove_folder = _refuse

    async def close(self) -> None:
        """Close the connections."""
        await self.web.close()


class _Ranges:
    """Reads ranges of one version of a file."""

    def __init__(self, requests: HTTPRequests, info: Info, version: Version) -> None:
        self._requests, self.info, self._version = requests, info, version

    async def read(self, start: int, end: int) -> bytes:
        return await self._requests.read_range(self.info["name"], start, end, self._version)

    def close(self) -> None:
        pass


class _Kept:
    """A file that was brought here as a whole."""

    def __init__(self, file: IO[bytes], info: Info) -> None:
        self._file, self.info = file, info

    async def read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)

    def close(self) -> None:
        self._file.close()


def refuse_write(path: object) -> NoReturn:
    """Raise OSError (EROFS)."""
    raise OSError(errno.EROFS, "a web server is only read", str(path))


def _origin(path: str) -> str:
    scheme, _, rest = path.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _not_shown(folder: str) -> OSError:
    return OSError(errno.ENOTSUP, "the server shows no folders", folder)


def _described(path: str, found: ClientResponse, size: int | None) -> tuple[Info, Version]:
    folder = is_folder(found)
    if not folder:
        refuse_page(found, path)
    version = _version(found, size)
    info: Info = {
        "name": path,
        "size": 0 if folder else size,
        "type": "directory" if folder else "file",
        "modified": _date(version.modified),
        "ETag": version.etag,
    }
    return info, version


def _version(found: ClientResponse, size: int | None) -> Version:
    etag, modified = found.headers.get("ETag"), found.headers.get("Last-Modified")
    changed, now = _date(modified), _date(found.headers.get("Date"))
    is_certain = bool(etag) if changed is None else now is not None and now - changed >= _SETTLED
    return Version(etag, modified, size, is_certain)


def _date(text: str | None) -> datetime | None:
    with suppress(TypeError, ValueError, OverflowError):
        when = parsedate_to_datetime(text or "")
        return when.replace(tzinfo=when.tzinfo or UTC)
    return None


def _is_encoded(found: ClientResponse) -> bool:
    return found.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}


def _encoded(found: ClientResponse, path: str) -> OSError:
    encoding = found.headers["Content-Encoding"]
    return OSError(errno.ENOTSUP, f"it comes compressed, not as stored: {encoding}", path)


def _check(found: ClientResponse, path: str) -> None:
    """Raise unless an answer is all of a file, as it is stored."""
    if _is_encoded(found):
        raise _encoded(found, path)
    if "Content-Range" in found.headers:
        raise _other_part(found, path)


def _size(found: ClientResponse) -> int | None:
    return None if _is_encoded(found) else found.content_length


def _content_range(found: ClientResponse, path: str) -> tuple[int, int, int | None]:
    """Return first byte, last byte and size of the file; without bytes -1, -1 and what is said."""
    text = found.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None and found.status == _PAST_END:
        return -1, -1, None
    if match is None or (match[1] is None) != (found.status == _PAST_END):
        raise _other_part(found, path)
    total = None if match[3] is None else int(match[3])
    first, last = (-1, -1) if match[1] is None else (int(match[1]), int(match[2]))
    if first > last or (total is not None and last >= total):
        raise _other_part(found, path)
    return first, last, total


def _other_part(found: ClientResponse, path: str) -> OSError:
    said = found.headers.get("Content-Range")
    return unusable_answer(f"HTTP {found.status}, Content-Range: {said}", path)


async def _received(
    found: ClientResponse,
    path: str,
    wanted: tuple[int, int | None],
    given: tuple[int, int, int | None],
    version: Version | None,
) -> _Part:
    """Return what an answer with a part of a file brings of the range that is wanted."""
    (start, end), (first, last, total) = wanted, given
    seen = _version(found, total)
    (version or seen).check(seen, path)
    if _is_encoded(found):
        raise _encoded(found, path)
    if start < 0 and total is not None:
        start = max(total + start, 0)
    if not first <= start <= last:
        raise _other_part(found, path)
    content = await _read(found, last - first + 2)
    if len(content) != last - first + 1:
        raise unusable_answer(f"{len(content)} bytes for {first} to {last}", path)
    most = min((each for each in (end, total) if each is not None), default=None)
    return _Part(
        content[start - first : None if end is None else end - first],
        start,
        is_last=most is not None and last + 1 >= most,
        version=seen,
    )


async def _read(found: ClientResponse, most: int | None) -> bytes:
    """Return the first `most` bytes of a body, or all."""
    if most is None:
        return await found.read()
    blocks: list[bytes] = []
    size = 0
    async for chunk in found.content.iter_any():
        blocks.append(chunk)
        size += len(chunk)
        if size >= most:
            break
    return b"".join(blocks)[:most]
