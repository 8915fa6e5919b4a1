"""`TransportHTTP`, and what it stands on."""

from __future__ import annotations

from filestore_fsspec.compat import transports
from filestore_fsspec.compat.howler.transport.base import (
    HowlerTransport,
    Transport,
    TransportException,
    normalize_srl_path,
)

__all__ = ["Transport", "TransportException", "TransportHTTP", "normalize_srl_path"]


class TransportHTTP(transports.TransportHTTP, HowlerTransport):
    """`howler.filestore.transport.http.TransportHTTP`."""

    logger = HowlerTransport.logger
