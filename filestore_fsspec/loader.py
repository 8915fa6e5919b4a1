"""`get_filestore`: the store that a configuration or the environment describes.

`filestore` is the name that Howler's loader had for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from filestore_fsspec.filestore import FileStore


def get_filestore(config: object = None, connection_attempts: int | None = None) -> FileStore:
    """Return a store of the locations found first.

    They are looked for in `config`; in `FILESTORE_URLS` (a JSON list, or separated by white
    space); in the file that `FILESTORE_CONFIG` names; in `/etc/{APP_NAME}/conf/config.yml`, then
    `/etc/{APP_NAME}/config.yml` (`APP_NAME` is `howler` by default), under `filestore.storage`;
    else it is one folder in the user's data directory.

    Args:
        config: URLs as text or a list, a configuration file's `Path`, or the predecessor's
            configuration (`config.filestore.storage`), as an object or a mapping.
        connection_attempts: see `FileStore`.

    Raises:
        InvalidURL: what was found first cannot be used.
    """
    return FileStore(*locations_in(config), connection_attempts=connection_attempts)


filestore = get_filestore


def locations_in(config: object = None) -> Sequence[object]:
    """Return the locations that `get_filestore` takes. Raises as it does."""
    # Imported here: a store whose URLs are given needs neither YAML nor settings.
    from filestore_fsspec.settings import find_sources, parse_urls, read_config  # noqa: PLC0415

    if config is None:
        return find_sources()
    if isinstance(config, str):
        return parse_urls(config.strip())
    if isinstance(config, Path):
        return read_config(config)
    if isinstance(config, Sequence):
        return config
    storage = _member(_member(config, "filestore"), "storage")
    return storage if isinstance(storage, Sequence) else [config]


def _member(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
