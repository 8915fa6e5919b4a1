"""The store, and its transports by scheme."""

from __future__ import annotations

from filestore_fsspec.compat import store
from filestore_fsspec.compat.howler.transport.azure import TransportAzure
from filestore_fsspec.compat.howler.transport.base import (
    HowlerTransport,
)
from filestore_fsspec.compat.howler.transport.ftp import TransportFTP
from filestore_fsspec.compat.howler.transport.http import TransportHTTP
from filestore_fsspec.compat.howler.transport.local import TransportLocal
from filestore_fsspec.compat.howler.transport.s3 import TransportS3
from filestore_fsspec.compat.howler.transport.sftp import TransportSFTP
from filestore_fsspec.compat.transports import LocationTransport, open_transport

_CLASSES: dict[str, type[LocationTransport]] = {
    "": HowlerTransport,
    "azure": TransportAzure,
    "file": TransportLocal,
    "ftp": TransportFTP,
    "ftps": TransportFTP,
    "http": TransportHTTP,
    "https": TransportHTTP,
    "s3": TransportS3,
    "sftp": TransportSFTP,
}


class FileStore(store.FileStore):
    """`howler.filestore.FileStore`."""

    classes = _CLASSES


def create_transport(url: object, connection_attempts: int | None = None) -> LocationTransport:
    """Return the transport of a URL. Touches no network.

    Raises:
        FileStoreException: the URL cannot be used.
    """
    return open_transport(_CLASSES, url, connection_attempts)
