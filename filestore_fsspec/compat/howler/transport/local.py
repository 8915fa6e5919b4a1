"""`TransportLocal`, and what it stands on."""

from __future__ import annotations

from filestore_fsspec.compat import transports
from filestore_fsspec.compat.howler.transport.base import (
    HowlerTransport,
    Transport,
    TransportException,
    normalize_srl_path,
)

__all__ = ["Transport", "TransportException", "TransportLocal", "normalize_srl_path"]


class TransportLocal(transports.TransportLocal, HowlerTransport):
    """`howler.filestore.transport.local.TransportLocal`."""

    logger = HowlerTransport.logger
