"""`sftp`: a folder behind an SSH server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr  # noqa: TC002 - the model needs it at run time

from filestore_fsspec.schemes.base import (
    REMOTE_CLEANUP_SECONDS,
    Flag,
    RenamingOptions,
    Target,
    layout_of,
    parse_options,
    require_host,
)

if TYPE_CHECKING:
    from filestore_fsspec.urls import StorageUrl


class SFTPOptions(RenamingOptions):
    """The options of `sftp` URLs."""

    private_key: str | None = None
    """A file with a private key, in OpenSSH's or PEM format."""
    private_key_pass: SecretStr | None = None
    """What the private key is encrypted with."""
    validate_host: Flag = True
    """Whether the server's host key is checked."""
    known_hosts: str | None = None
    """A file of known host keys; the user's own by default."""


def translate(url: StorageUrl) -> Target:
    """An absolute folder; without a root, the folder that the login leads to."""
    options = parse_options(SFTPOptions, url)
    require_host(url)
    passphrase = options.private_key_pass
    return Target(
        protocol="sftp",
        root=f"/{url.root}/" if url.root else "",
        storage_options={
            "host": url.host,
            "port": url.port,
            "username": url.username or None,
            "password": url.password or None,
            "private_key": options.private_key,
            "private_key_pass": passphrase.get_secret_value() if passphrase else None,
            "validate_host": options.validate_host,
            "known_hosts": options.known_hosts,
            **options.renaming,
            **options.timeouts,
        },
        layout=layout_of(options, "sharded"),
        label=str(url),
        name=options.name,
        required=options.required(f"/{url.root}" if url.root else ""),
        read_only=options.read_only,
        cleanup_after_seconds=options.cleanup_after(REMOTE_CLEANUP_SECONDS),
    )
