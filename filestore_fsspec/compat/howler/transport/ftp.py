"""`TransportFTP`, and what it stands on."""

from __future__ import annotations

from filestore_fsspec.compat import transports
from filestore_fsspec.compat.howler.transport.base import (
    HowlerTransport,
    Transport,
    TransportException,
    normalize_srl_path,
)

__all__ = ["Transport", "TransportException", "TransportFTP", "normalize_srl_path"]


class TransportFTP(transports.TransportFTP, HowlerTransport):
    """`howler.filestore.transport.ftp.TransportFTP`."""

    logger = HowlerTransport.logger
