"""`memory`: a place in this process, for tests and for what need not outlast it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes.base import (
    Options,
    Target,
    as_folder,
    layout_of,
    parse_options,
    refuse_credentials,
    require_host,
)

if TYPE_CHECKING:
    from filestore_fsspec.urls import StorageUrl


def translate(url: StorageUrl) -> Target:
    """`memory://name/root`: the folder `/name/root` of fsspec's own `memory` filesystem."""
    options = parse_options(Options, url)
    refuse_credentials(url, "it is this process's own memory")
    require_host(url)
    if url.port:
        raise InvalidURL("memory URL: no port here; the form is memory://name/root")
    folder = as_folder(url.root)
    return Target(
        protocol="memory",
        root=f"/{url.host}/{folder}",
        storage_options={},
        layout=layout_of(options, "verbatim"),
        label=f"memory://{url.host}/{folder}",
        name=options.name,
        required=options.required(f"/{url.host}/{folder}"),
        read_only=options.read_only,
    )
