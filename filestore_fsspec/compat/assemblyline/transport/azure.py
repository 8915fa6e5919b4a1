"""`TransportAzure`, and what it stands on."""

from filestore_fsspec.compat.transports import Transport, TransportAzure, normalize_srl_path
from filestore_fsspec.errors import TransportException

__all__ = ["Transport", "TransportAzure", "TransportException", "normalize_srl_path"]
