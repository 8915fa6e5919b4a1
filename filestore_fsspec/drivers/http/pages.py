"""What a web server's index page says of a folder."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from filestore_fsspec.drivers.shared.driver import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filestore_fsspec.drivers.shared.driver import Info

# `<` ends each part: a page without any `>` is still read in one pass.
_LINK = re.compile(
    r"""<a\s[^<>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))[^<>]*>"""
    # nginx tells the very size, Apache and others a rounded one, or one of folders too.
    r"(?:[^<]*</a>[ ]+\d\d-[A-Z][a-z]{2}-\d{4}[ ]\d\d:\d\d[ ]+(\d+)[ ]?\r?$)?",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(
    r"<(?:title|h\d)\b[^<>]*>\s*"
    r"(?:index of|(?:directory|file|folder) listing|directory:|listing (?:of|for)|files within)",
    re.IGNORECASE,
)
_PARENT = re.compile(
    r"""<a\s[^<>]*?\bhref\s*=\s*["']?\.\./?["'\s>]|>\s*\[?(?:to )?parent directory\]?\s*<""",
    re.IGNORECASE,
)
_COLUMN = re.compile(r"""\bhref\s*=\s*["'][./]*\?(?:c|sort|order)=""", re.IGNORECASE)
_TAG = re.compile(r"<!?([a-z]\w*)", re.IGNORECASE)
_PLAIN = {"doctype", "meta", "pre", "a"}
"""The tags of a listing by Go's standard library, which has no heading."""
_MARKS = re.compile(
    r"""<a href="\.\./">\.\./</a>|/["']>\s*parent directory\s*</a>|<title>directory listing for """,
    re.IGNORECASE,
)
"""Marks of servers whose links to folders end in a slash: nginx, Apache, Python's."""


class Listing(NamedTuple):
    """A folder, as its page shows it."""

    entries: list[Info]
    """`directory` where the link ends in a slash, else `file`; sizes where the page has them."""
    marks_folders: bool
    """Whether links to folders are known to end in a slash."""


def read_listing(folder: str, page_url: str, page: str) -> Listing | None:
    """Return what the page at `page_url` lists; None if it is no listing, but any other page.

    Links to the parent, to the page in another order and to anywhere else are passed over.
    """
    if not any(mark.search(page) for mark in (_HEADING, _PARENT, _COLUMN)):
        tags = {tag.lower() for tag in _TAG.findall(page)}
        if "pre" not in tags or not tags <= _PLAIN:
            return None
    entries: dict[str, Info] = {}
    for name, slash, size in _links(page_url, page):
        entries[name] = {
            "name": f"{folder}/{name}",
            "size": 0 if slash else size,
            "type": "directory" if slash else "file",
            "modified": None,
        }
    marked = any(entry["type"] == "directory" for entry in entries.values())
    return Listing([*entries.values()], marked or _MARKS.search(page) is not None)


def _links(page_url: str, page: str) -> Iterator[tuple[str, bool, int | None]]:
    """Yield the name of each link to right below the page, whether a slash ends it, and a size."""
    here = urlsplit(page_url)
    for *hrefs, size in _LINK.findall(page):
        try:
            link = urlsplit(urljoin(page_url, unescape("".join(hrefs))))
        except ValueError:
            continue  # no URL, so not one of below
        if link.query or (link.scheme, link.netloc) != (here.scheme, here.netloc):
            continue
        *above, name = link.path.removesuffix("/").split("/")
        if [*map(unquote, above)] == [*map(unquote, here.path.split("/")[:-1])]:
            name = unquote(name, errors="surrogateescape")
            if is_name(name):
                yield name, link.path.endswith("/"), int(size) if size else None
