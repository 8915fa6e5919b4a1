"""`http` and `https`: a web server's folder, always read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes.base import (
    Engine,
    Target,
    TLSOptions,
    as_folder,
    layout_of,
    parse_options,
    protocol_of,
    require_host,
)

if TYPE_CHECKING:
    from filestore_fsspec.urls import StorageUrl


class HTTPOptions(TLSOptions):
    """The options of `http` and `https` URLs."""

    pki: str | None = None
    """A PEM file with a client certificate and its key."""
    engine: Engine | None = None
    """What carries the requests; `FILESTORE_ENGINE` in the environment by default."""


def translate(url: StorageUrl) -> Target:
    """The folder `root` of a web server, with basic authentication if the URL has a user."""
    options = parse_options(HTTPOptions, url)
    require_host(url)
    protocol = protocol_of("http", options.engine)
    if options.pki and protocol != "http":
        raise InvalidURL(
            f"{url.scheme} URL: obstore presents no client certificate (pki); add engine=fsspec"
        )
    return Target(
        protocol=protocol,
        root=f"{url.scheme}://{url.origin}/{as_folder(url.root)}",
        storage_options={
            "username": url.username or None,
            "password": url.password or None,
            "pki": options.pki,
            **options.tls_check,
            **options.timeouts,
        },
        layout=layout_of(options, "sharded"),
        label=str(url),
        name=options.name,
        required=options.required(f"{url.scheme}://{url.origin}/{as_folder(url.root)}"),
        read_only=True,
    )
