"""`TransportSFTP`, and what it stands on."""

from __future__ import annotations

from filestore_fsspec.compat import transports
from filestore_fsspec.compat.howler.transport.base import (
    HowlerTransport,
    Transport,
    TransportException,
    normalize_srl_path,
)

__all__ = ["Transport", "TransportException", "TransportSFTP", "normalize_srl_path"]


class TransportSFTP(transports.TransportSFTP, HowlerTransport):
    """`howler.filestore.transport.sftp.TransportSFTP`."""

    logger = HowlerTransport.logger
