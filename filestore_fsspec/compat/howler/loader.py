"""The file store's part of `howler.common.loader`."""

from __future__ import annotations

from filestore_fsspec.compat.howler.filestore import FileStore
from filestore_fsspec.loader import locations_in


def filestore(config: object = None, connection_attempts: int | None = None) -> FileStore:
    """Return the store of `config.filestore.storage`, or of the locations found first.

    Args:
        config: Howler's configuration, or what `filestore_fsspec.loader.get_filestore` takes.
        connection_attempts: see `FileStore`.

    Raises:
        InvalidURL: what was found first cannot be used.
    """
    return FileStore(*locations_in(config), connection_attempts=connection_attempts)


get_filestore = filestore
