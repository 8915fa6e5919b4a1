"""The URLs of Assemblyline and Howler: what they take and mean, as URLs of this library.

What only they take is taken with one warning each, once in a process.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes.azure import AzureOptions
from filestore_fsspec.schemes.file import FileOptions
from filestore_fsspec.schemes.ftp import FTPOptions, FTPSOptions
from filestore_fsspec.schemes.http import HTTPOptions
from filestore_fsspec.schemes.s3 import S3Options
from filestore_fsspec.schemes.sftp import SFTPOptions
from filestore_fsspec.urls import StorageUrl, parse

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from filestore_fsspec.schemes.base import Options

DEFAULT_BUCKET = "al-storage"
DEFAULT_S3_HOST = "s3.amazonaws.com"

_OPTIONS: dict[str, type[Options]] = {
    "azure": AzureOptions,
    "file": FileOptions,
    "ftp": FTPOptions,
    "ftps": FTPSOptions,
    "http": HTTPOptions,
    "https": HTTPOptions,
    "s3": S3Options,
    "sftp": SFTPOptions,
}
_FLAGS = {
    "allow_directory_access",
    "boto_defaults",
    "initalize_container",
    "read_only",
    "use_batch_delete",
    "use_default_credentials",
    "use_ssl",
    "use_tls",
    "validate_host",
    "verify",
}
"""Theirs: `true` in any case is true, and all else is false."""
_SPELLINGS = {"initalize_container"}
"""Options of this library that its models have as a second name."""

_PRINCIPAL = {"tenant_id", "client_id", "client_secret"}

_told: set[str] = set()


class Warnings:
    """Says each thing once in a process."""

    def __init__(self, log: logging.Logger, url: StorageUrl) -> None:
        self._log, self._url = log, f"{url.scheme}://{url.host}"

    def __call__(self, what: str) -> None:
        """Warn of it, unless that has been done."""
        message = f"{self._url}: {what}"
        if message not in _told:
            _told.add(message)
            self._log.warning("%s", message)


def translate(source: object, log: logging.Logger) -> StorageUrl:
    """Return a URL, or a mapping or object with host fields, as it is meant there.

    A scheme that they do not have is this library's own, and read as such.

    Raises:
        InvalidURL: it cannot be used here either.
    """
    if not isinstance(source, str):
        return as_meant(parse(_plain_host(source, log)), log)
    parts = _split(source)
    scheme = parts.scheme.lower()
    if scheme not in _OPTIONS or parts.fragment or _is_cut(parts):
        return parse(source)  # which refuses the last two
    warn = Warnings(log, StorageUrl(scheme, parts.hostname or ""))
    options = _parse_options(parts.query, warn)
    host, path = parts.hostname or "", parts.path
    if scheme == "file":
        host, path = _local(host, path, warn)
    # Of these only requests decodes a path, for a server.
    root = unquote(path) if scheme in ("http", "https") else posixpath.normpath(path or "/")
    username, password = parts.username or "", unquote(parts.password or "")
    url = StorageUrl(scheme, host, parts.port, root.strip("/"), username, password, options)
    return as_meant(url, log)


def as_meant(url: StorageUrl, log: logging.Logger) -> StorageUrl:
    """Return a URL with the defaults that they have, which differ from this library's.

    Raises:
        InvalidURL: it cannot be used.
    """
    if url.scheme not in _OPTIONS:
        return url
    warn = Warnings(log, url)
    options, host, root, port = dict(url.options), url.host, url.root, url.port
    _DEFAULTS.get(url.scheme, _nothing)(options, warn)
    _drop_unknown(options, _OPTIONS[url.scheme], warn)
    if url.scheme == "s3" and not host:
        warn(f"no host is {DEFAULT_S3_HOST}")
        host = DEFAULT_S3_HOST
    if url.scheme == "s3" and root:
        warn("the path is no part of the keys: they are at the bucket's root")
        root = ""
    if url.scheme == "ftps" and port is None:
        port = 21
    meant = StorageUrl(url.scheme, host, port, root, url.username, url.password, options)
    return parse(meant.reveal())  # which refuses what cannot be used


def _is_cut(parts: SplitResult) -> bool:
    """Tell whether what looks like a port and a root may be the halves of a password."""
    return ":" in parts.netloc and "@" not in parts.netloc and "@" in parts.path + parts.query


def _split(text: str) -> SplitResult:
    with suppress(ValueError):
        parts = urlsplit(text.strip())
        _ = parts.port  # a ValueError where it is none
        return parts
    # Outside, so that no context holds what may be a part of a password.
    parse(text)
    raise InvalidURL("the URL cannot be read")


def _plain_host(source: object, log: logging.Logger) -> object:
    """Return a mapping or object with host fields as one whose `host` is as this library has it."""

    def field(name: str) -> object:
        return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)

    host, scheme = field("host"), field("scheme") or "http"
    if isinstance(source, StorageUrl) or not isinstance(host, str):
        return source
    meant = translate(f"{scheme}://{host}", log)
    text = meant.reveal().removeprefix(f"{meant.scheme}://")
    fields = {name: field(name) for name in ("name", "username", "password")}
    return {**fields, "scheme": meant.scheme, "host": text}


def _parse_options(query: str, warn: Warnings) -> dict[str, str]:
    options: dict[str, str] = {}
    # A '+' stays one, as in Azure's keys, which hold no blank.
    for name, value in parse_qsl(query.replace("+", "%2B")):
        if name in options:
            warn(f"the option {name!r} is given twice, and the first counts")
        elif name in _FLAGS:
            options[name] = "true" if value.lower() == "true" else "false"
            if value.lower() != options[name]:
                warn(f"the option {name!r} is false: all but 'true' is")
        else:
            options[name] = value
    return options


def _local(host: str, path: str, warn: Warnings) -> tuple[str, str]:
    if host not in ("", ".", "localhost"):
        warn("a host has no meaning here, and is dropped")
        host = ""
    if not host and path and not path.startswith("/"):
        return ".", path  # file:x is below the working directory
    if host == ".":
        return ".", path
    return host, path


def _drop_unknown(options: dict[str, str], model: type[Options], warn: Warnings) -> None:
    for name in sorted(options.keys() - model.model_fields.keys() - _SPELLINGS):
        warn(f"the option {name!r} has no meaning here, and is dropped")
        del options[name]


def _ftp(options: dict[str, str], warn: Warnings) -> None:
    if options.get("use_tls") == "true":
        _unchecked(options, "verify", "the server's certificate", warn)


def _ftps(options: dict[str, str], warn: Warnings) -> None:
    options.setdefault("tls", "explicit")
    _unchecked(options, "verify", "the server's certificate", warn)


def _sftp(options: dict[str, str], warn: Warnings) -> None:
    _unchecked(options, "validate_host", "the server's host key", warn)


def _unchecked(options: dict[str, str], name: str, what: str, warn: Warnings) -> None:
    if name not in options:
        warn(f"{what} is not checked; {name}=true checks it")
        options[name] = "false"


def _s3(options: dict[str, str], warn: Warnings) -> None:
    if "s3_bucket" not in options:
        warn(f"no s3_bucket is {DEFAULT_BUCKET}")
        options["s3_bucket"] = DEFAULT_BUCKET
    options.setdefault("layout", "flat")
    options.setdefault("use_batch_delete", "false")


def _azure(options: dict[str, str], warn: Warnings) -> None:
    options.setdefault("allow_directory_access", "false")
    by_default = options.get("use_default_credentials") == "true"
    given = options.keys() & _PRINCIPAL
    if given and ("access_key" in options or (given != _PRINCIPAL and not by_default)):
        warn(f"{', '.join(sorted(given))}: not used")
        for name in given:
            del options[name]


def _nothing(_options: dict[str, str], _warn: Warnings) -> None:
    pass


_DEFAULTS: dict[str, Callable[[dict[str, str], Warnings], None]] = {
    "azure": _azure,
    "ftp": _ftp,
    "ftps": _ftps,
    "s3": _s3,
    "sftp": _sftp,
}
