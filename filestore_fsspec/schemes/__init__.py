"""The table of schemes: a file each, with a model of its options and a pure `translate`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from filestore_fsspec.errors import InvalidURL

if TYPE_CHECKING:
    from filestore_fsspec.schemes.base import Target
    from filestore_fsspec.urls import StorageUrl


@dataclass(frozen=True)
class Scheme:
    """One row of the table."""

    module: str
    """The file with its `translate(url) -> Target`, imported on first use."""
    default_port: int | None = None


SCHEMES = {
    "azure": Scheme("azure"),
    "file": Scheme("file"),
    "ftp": Scheme("ftp", default_port=21),
    "ftps": Scheme("ftp", default_port=990),
    "http": Scheme("http", default_port=80),
    "https": Scheme("http", default_port=443),
    "memory": Scheme("memory"),
    "s3": Scheme("s3"),
    "sftp": Scheme("sftp", default_port=22),
}


def translate(url: StorageUrl) -> Target:
    """Return where `url` points to and what builds its filesystem. Touches no network.

    Raises:
        InvalidURL: the scheme or one of its options cannot be used.
    """
    scheme = SCHEMES.get(url.scheme)
    if scheme is None:
        close = difflib.get_close_matches(url.scheme, SCHEMES, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise InvalidURL(f"unknown scheme {url.scheme!r}{hint} (allowed: {', '.join(SCHEMES)})")
    module = import_module(f"{__name__}.{scheme.module}")
    target: Target = module.translate(replace(url, port=url.port or scheme.default_port))
    return target
