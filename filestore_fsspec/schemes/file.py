"""`file`: a folder of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes.base import (
    CleanedOptions,
    Flag,
    Target,
    as_folder,
    layout_of,
    parse_options,
    refuse_credentials,
)

if TYPE_CHECKING:
    from filestore_fsspec.urls import StorageUrl


class FileOptions(CleanedOptions):
    """The options of `file` URLs."""

    follow_symlinks: Flag = True
    """Whether links below the root are followed for reading; false refuses every one."""


def translate(url: StorageUrl) -> Target:
    """`file:///root`, `file://localhost/root`, or `file://./root` below the working directory."""
    options = parse_options(FileOptions, url)
    refuse_credentials(url, "a local folder is guarded by its own permissions")
    if url.host not in ("", ".", "localhost") or url.port:
        raise InvalidURL(f"file URL: a folder of this machine is file:///{url.root}")
    base = f"{Path.cwd()}/" if url.host == "." else "/"
    folder = base + as_folder(url.root)
    return Target(
        protocol="file",
        root=folder,
        storage_options={"root": folder, "follow_symlinks": options.follow_symlinks},
        layout=layout_of(options, "sharded"),
        label=f"file://{folder}",
        name=options.name,
        required=options.required(folder),
        read_only=options.read_only,
        cleanup_after_seconds=options.cleanup_after(0),
    )
