"""`TransportAzure`, and what it stands on."""

from __future__ import annotations

from filestore_fsspec.compat import transports
from filestore_fsspec.compat.howler.transport.base import (
    HowlerTransport,
    Transport,
    TransportException,
    normalize_srl_path,
)

__all__ = ["Transport", "TransportAzure", "TransportException", "normalize_srl_path"]


class TransportAzure(transports.TransportAzure, HowlerTransport):
    """`howler.filestore.transport.azure.TransportAzure`."""

    logger = HowlerTransport.logger
