"""`TransportFTP`, and what it stands on."""

from filestore_fsspec.compat.transports import Transport, TransportFTP, normalize_srl_path
from filestore_fsspec.errors import TransportException

__all__ = ["Transport", "TransportException", "TransportFTP", "normalize_srl_path"]
