"""`ftp` and `ftps`: FTP in clear text, with explicit TLS (AUTH TLS, RFC 4217) or implicit TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from filestore_fsspec.schemes.base import (
    REMOTE_CLEANUP_SECONDS,
    Flag,
    RenamingOptions,
    Target,
    TLSOptions,
    as_folder,
    layout_of,
    parse_options,
    require_host,
)

if TYPE_CHECKING:
    from filestore_fsspec.urls import StorageUrl

_IMPLICIT_PORT = 990


class _BothOptions(TLSOptions, RenamingOptions):
    """The options of `ftp` and `ftps` URLs."""


class FTPOptions(_BothOptions):
    """The options of `ftp` URLs."""

    use_tls: Flag = False
    """Whether explicit TLS (AUTH TLS) is used."""


class FTPSOptions(_BothOptions):
    """The options of `ftps` URLs."""

    tls: Literal["implicit", "explicit"] | None = None
    """Which TLS; by default implicit on port 990, explicit on any other."""


def translate(url: StorageUrl) -> Target:
    """`ftp`: clear text, or explicit TLS with `use_tls=true`.

    `ftps`: implicit TLS on port 990 and explicit TLS on any other, unless `tls` says which.
    """
    if url.scheme == "ftps":
        secure = parse_options(FTPSOptions, url)
        by_port = "implicit" if url.port == _IMPLICIT_PORT else "explicit"
        return _target(url, secure, secure.tls or by_port)
    options = parse_options(FTPOptions, url)
    return _target(url, options, "explicit" if options.use_tls else "none")


def _target(url: StorageUrl, options: _BothOptions, tls: str) -> Target:
    require_host(url)
    return Target(
        protocol="ftp",
        root="/" + as_folder(url.root),
        storage_options={
            "host": url.host,
            "port": url.port,
            "username": url.username,
            "password": url.password,
            "tls": tls,
            **options.tls_check,
            **options.renaming,
            **options.timeouts,
        },
        layout=layout_of(options, "sharded"),
        label=str(url),
        name=options.name,
        required=options.required(f"/{url.root}"),
        read_only=options.read_only,
        cleanup_after_seconds=options.cleanup_after(REMOTE_CLEANUP_SECONDS),
    )
