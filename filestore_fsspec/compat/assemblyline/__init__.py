"""`assemblyline.filestore`, over this library.

>>> import tempfile
>>> import filestore_fsspec.compat.assemblyline as filestore
>>> with filestore.FileStore(f"file://{tempfile.mkdtemp()}") as store:
...     _ = store.put(dst_path="a", content="b")
...     store.get("a"), list(store.transports[0].list(None)), store.get("missing")
(b'b', ['a'], None)
"""

from __future__ import annotations

from filestore_fsspec.compat import store
from filestore_fsspec.compat.assemblyline import transport
from filestore_fsspec.compat.assemblyline.transport.azure import TransportAzure
from filestore_fsspec.compat.assemblyline.transport.base import (
    Transport,
    TransportException,
    normalize_srl_path,
)
from filestore_fsspec.compat.assemblyline.transport.ftp import TransportFTP
from filestore_fsspec.compat.assemblyline.transport.http import TransportHTTP
from filestore_fsspec.compat.assemblyline.transport.local import TransportLocal
from filestore_fsspec.compat.assemblyline.transport.s3 import TransportS3
from filestore_fsspec.compat.assemblyline.transport.sftp import TransportSFTP
from filestore_fsspec.compat.transports import LocationTransport, open_transport
from filestore_fsspec.errors import CorruptedFileStoreException, FileStoreException

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
    "normalize_srl_path",
    "transport",
]

_CLASSES: dict[str, type[LocationTransport]] = {
    "": LocationTransport,
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
    """`assemblyline.filestore.FileStore`."""

    classes = _CLASSES


def create_transport(url: object, connection_attempts: int | None = None) -> LocationTransport:
    """Return the transport of a URL. Touches no network.

    Raises:
        FileStoreException: the URL cannot be used.
    """
    return open_transport(_CLASSES, url, connection_attempts)
