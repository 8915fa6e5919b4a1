"""`TransportS3`, and what it stands on."""

from filestore_fsspec.compat.transports import Transport, TransportS3, normalize_srl_path
from filestore_fsspec.errors import TransportException

__all__ = ["Transport", "TransportException", "TransportS3", "normalize_srl_path"]
