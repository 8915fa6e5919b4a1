"""`s3`: a bucket of Amazon S3 or of a server that speaks its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import Field

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes.base import (
    Engine,
    Flag,
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

_AMAZON = "s3.amazonaws.com"


class S3Options(TLSOptions):
    """The options of `s3` URLs."""

    s3_bucket: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$")
    """The bucket."""
    aws_region: str | None = None
    """The region; by default AWS's own configuration says it."""
    use_ssl: Flag = True
    """Whether HTTPS is used; the default port is 443 with it, 80 without."""
    boto_defaults: Flag = False
    """Whether host and credentials are left to AWS's own configuration."""
    use_batch_delete: Flag = True
    """Whether many keys are deleted by one request."""
    missing_is_403: Flag = False
    """Whether 403 means absent: for credentials that may read, but not list the bucket."""
    engine: Engine | None = None
    """What carries the requests; `FILESTORE_ENGINE` in the environment by default."""


def translate(url: StorageUrl) -> Target:
    """The keys below `root` in the bucket `s3_bucket`."""
    options = parse_options(S3Options, url)
    require_host(url)
    secret = url.password
    if bool(url.username) != bool(secret):
        raise InvalidURL("s3 URL: give the access key and the secret (user:password), or neither")
    scheme = "https" if options.use_ssl else "http"
    on_amazon = url.host == _AMAZON and url.port is None and options.use_ssl
    return Target(
        protocol=protocol_of("s3", options.engine),
        root=f"{options.s3_bucket}/{as_folder(url.root)}",
        storage_options={
            # Amazon's endpoint follows from the region; its own name knows one region only.
            "endpoint_url": None
            if on_amazon or options.boto_defaults
            else f"{scheme}://{url.origin}",
            "key": None if options.boto_defaults else url.username or None,
            "secret": None if options.boto_defaults else secret or None,
            "region": options.aws_region,
            "missing_is_403": options.missing_is_403,
            "batch_delete": options.use_batch_delete,
            **options.tls_check,
            **options.timeouts,
        },
        layout=layout_of(options, "verbatim"),
        label=f"{url}?s3_bucket={quote(options.s3_bucket)}",
        name=options.name,
        required=options.required(options.s3_bucket),
        read_only=options.read_only,
    )
