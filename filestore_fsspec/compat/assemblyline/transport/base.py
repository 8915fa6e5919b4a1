"""What the transports stand on."""

from filestore_fsspec.compat.transports import Transport, normalize_srl_path
from filestore_fsspec.errors import TransportException

__all__ = ["Transport", "TransportException", "normalize_srl_path"]
