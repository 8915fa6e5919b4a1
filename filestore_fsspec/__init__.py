"""One file store over HTTP(S), FTP(S), SFTP, S3, Azure and local disk, on fsspec.

A location is chosen by its URL. A store has several: near is the first and fast one, far the
last, the archive. What is put goes to all of them; what is got comes from the first that has it.

>>> import tempfile
>>> folder = tempfile.mkdtemp()
>>> with FileStore(f"file://{folder}/near", f"file://{folder}/far") as store:
...     _ = store.put("notes/today", "remember the milk")
...     store.delete("notes/today", location="near")
...     store.get("notes/today"), list(store.list()), store.get("notes/tomorrow")
(b'remember the milk', ['notes/today'], None)
"""

from filestore_fsspec import loader
from filestore_fsspec.aio import AsyncFileStore
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    FileStoreException,
    InvalidKey,
    InvalidURL,
    JournalError,
    LocationUnavailable,
    NotFound,
    PartialMove,
    PartialWrite,
    PermissionDenied,
    ReadOnly,
    TransportException,
)
from filestore_fsspec.filestore import FileStore
from filestore_fsspec.location import Location
from filestore_fsspec.operations import Located

__all__ = [
    "AsyncFileStore",
    "CorruptedFileStoreException",
    "FileStore",
    "FileStoreException",
    "InvalidKey",
    "InvalidURL",
    "JournalError",
    "Located",
    "Location",
    "LocationUnavailable",
    "NotFound",
    "PartialMove",
    "PartialWrite",
    "PermissionDenied",
    "ReadOnly",
    "TransportException",
    "loader",
]
