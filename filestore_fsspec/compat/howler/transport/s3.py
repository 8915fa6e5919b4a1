"""`TransportS3`, and what it stands on."""

from __future__ import annotations

from filestore_fsspec.compat import transports
from filestore_fsspec.compat.howler.transport.base import (
    HowlerTransport,
    Transport,
    TransportException,
    normalize_srl_path,
)

__all__ = ["Transport", "TransportException", "TransportS3", "normalize_srl_path"]


class TransportS3(transports.TransportS3, HowlerTransport):
    """`howler.filestore.transport.s3.TransportS3`."""

    logger = HowlerTransport.logger
