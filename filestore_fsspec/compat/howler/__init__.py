"""`howler.filestore`, over this library; `loader` has what was in `howler.common.loader`."""

from __future__ import annotations

from filestore_fsspec.compat.howler import exceptions, loader, transport
from filestore_fsspec.compat.howler.exceptions import (
    CorruptedFileStoreException,
    FileStoreException,
    TransportException,
)
from filestore_fsspec.compat.howler.filestore import FileStore, create_transport
from filestore_fsspec.compat.howler.transport.azure import TransportAzure
from filestore_fsspec.compat.howler.transport.base import Transport, normalize_srl_path
from filestore_fsspec.compat.howler.transport.ftp import TransportFTP
from filestore_fsspec.compat.howler.transport.http import TransportHTTP
from filestore_fsspec.compat.howler.transport.local import TransportLocal
from filestore_fsspec.compat.howler.transport.s3 import TransportS3
from filestore_fsspec.compat.howler.transport.sftp import TransportSFTP

__all__ = [
    "CorruptedFileStoreException",
    "FileStore",
    "FileStoreException",
    "Transport",
    "TransportAzure",
    "TransportException",
    "TransportFTP",
    "TransportHTTP",
    "TransportLocal",
    "TransportS3",
    "TransportSFTP",
    "create_transport",
    "exceptions",
    "loader",
    "normalize_srl_path",
    "transport",
]
