"""The table of schemes: a file each, with a model of its options and a pure `translate`.

Another package adds a scheme by an entry point of the group `filestore_fsspec.schemes`: its name is
the scheme, its value a function `translate(url) -> Target`. It is loaded when a URL has the scheme.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from filestore_fsspec.errors import InvalidURL

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from filestore_fsspec.schemes.base import Target
    from filestore_fsspec.urls import StorageUrl

ENTRY_POINTS = "filestore_fsspec.schemes"
_GENERIC = "fsspec+"

_log = logging.getLogger("filestore_fsspec")


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
    if scheme is None and url.scheme.startswith(_GENERIC):
        scheme = Scheme("generic")
    if scheme is None:
        return _translate_by_another_package(url)
    module = import_module(f"{__name__}.{scheme.module}")
    target: Target = module.translate(replace(url, port=url.port or scheme.default_port))
    return target


def _translate_by_another_package(url: StorageUrl) -> Target:
    # Imported here: most URLs have a scheme of ours.
    from filestore_fsspec.schemes.base import Target  # noqa: PLC0415

    known = _added_schemes()
    added = known.get(url.scheme)
    if added is None:
        raise InvalidURL(_unknown(url.scheme, [*SCHEMES, *known, f"{_GENERIC}PROTO"]))
    if len(added) > 1:
        names = " and ".join(sorted(map(_described, added)))
        raise InvalidURL(f"the scheme {url.scheme!r} is added twice: {names}")
    try:
        target = added[0].load()(url)
    except InvalidURL:
        raise
    except Exception as error:
        text = f"the scheme {url.scheme!r}, {_described(added[0])}, cannot be used"
        raise InvalidURL(f"{text}: {type(error).__name__}: {error}") from error
    if not isinstance(target, Target):
        name = type(target).__name__
        raise InvalidURL(
            f"the scheme {url.scheme!r}, {_described(added[0])}, gives a {name}, no Target"
        )
    return target


def _added_schemes() -> dict[str, list[EntryPoint]]:
    # Imported here: looking through what is installed takes longer than all else.
    from importlib.metadata import entry_points  # noqa: PLC0415

    added: dict[str, list[EntryPoint]] = {}
    for each in entry_points(group=ENTRY_POINTS):
        if each.name in SCHEMES or each.name.startswith(_GENERIC):
            _log.warning("the scheme %r is ours: %s is not used", each.name, _described(each))
        else:
            added.setdefault(each.name, []).append(each)
    return added


def _described(added: EntryPoint) -> str:
    package = added.dist.name if added.dist else "unknown"
    return f"{added.value} of the package {package!r}"


def _unknown(scheme: str, allowed: list[str]) -> str:
    from filestore_fsspec.schemes.base import near  # noqa: PLC0415 - see above

    return f"unknown scheme {scheme!r}{near(scheme, allowed)} (allowed: {', '.join(allowed)})"
