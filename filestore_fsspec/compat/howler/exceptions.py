"""The exceptions."""

from __future__ import annotations

from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    FileStoreException,
    LocationUnavailable,
    TransportException,
)

HowlerConnectionError = LocationUnavailable

__all__ = [
    "CorruptedFileStoreException",
    "FileStoreException",
    "HowlerConnectionError",
    "TransportException",
]
