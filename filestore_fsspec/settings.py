"""Where a store's URLs come from when they are not given."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import yaml
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from filestore_fsspec.errors import InvalidURL


class Settings(BaseSettings):
    """The environment's word on it."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    filestore_urls: SecretStr = SecretStr("")
    """A JSON list, or URLs separated by white space."""
    filestore_config: Path | None = None
    app_name: str = "howler"
    xdg_data_home: Path | None = None


class _Braced(Template):
    """`${NAME}` is replaced; `$NAME`, which may be part of a password, is not."""

    idpattern = r"(?!)"
    braceidpattern = r"(?a:[_a-z][_a-z0-9]*)"


def find_sources(etc: Path = Path("/etc")) -> list[object]:
    """Return the first of: `FILESTORE_URLS`; the file that `FILESTORE_CONFIG` names; the
    predecessor's files below `etc`; one folder in the user's data directory.

    Raises:
        InvalidURL: one of these is there and cannot be used.
    """  # noqa: D205 - one list
    settings = Settings()
    if urls := settings.filestore_urls.get_secret_value().strip():
        return parse_urls(urls)
    if settings.filestore_config is not None:
        return read_config(settings.filestore_config)
    app = settings.app_name.replace("-dev", "").replace("-stg", "")
    for path in (etc / app / "conf" / "config.yml", etc / app / "config.yml"):
        if path.is_file() and (found := _storage_in(_load(path))):
            return found
    data = settings.xdg_data_home or Path.home() / ".local" / "share"
    return [f"file://{quote(str(data.absolute() / 'filestore_fsspec'))}"]


def find_store(name: str) -> list[object]:
    """Return the locations under `filestore.stores.{name}` in the file `FILESTORE_CONFIG` names.

    Raises:
        InvalidURL: there is no such file, or no such list in it.
    """
    path = Settings().filestore_config
    stores = _member(_load(path), "stores") if path is not None else None
    found = stores.get(name) if isinstance(stores, dict) else None
    if not isinstance(found, list):
        raise InvalidURL(
            f"no store is called {name!r}: it is looked for in fsspec's configuration "
            "(filestore, stores) and under filestore.stores in the file FILESTORE_CONFIG names"
        )
    return found


def parse_urls(text: str) -> list[object]:
    """Return the URLs in `text`: a JSON list, or separated by white space.

    Raises:
        InvalidURL: it begins like a list and is none.
    """
    if not text.startswith("["):
        return list(text.split())
    with suppress(ValueError):  # left before InvalidURL is raised: it holds the whole text
        return list(json.loads(text))
    raise InvalidURL("a list of URLs in text form is a JSON list of texts")


def read_config(path: Path) -> list[object]:
    """Return what stands under `filestore.storage` in a YAML or JSON file.

    `${NAME}` is replaced from the environment, as the predecessor does.

    Raises:
        InvalidURL: the file cannot be read, or has no such list.
    """
    storage = _storage_in(_load(path))
    if not storage:
        raise InvalidURL(f"{path}: no list of locations under 'filestore.storage'")
    return storage


def _load(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidURL(f"{path}: cannot be read ({type(error).__name__})") from error
    # Left before InvalidURL is raised: they quote the file and the secrets in it.
    with suppress(UnicodeDecodeError, yaml.YAMLError):
        return yaml.safe_load(_Braced(content.decode()).safe_substitute(os.environ))
    raise InvalidURL(f"{path}: no YAML in UTF-8")


def _storage_in(config: Any) -> list[object]:  # noqa: ANN401
    storage = _member(config, "storage")
    return storage if isinstance(storage, list) else []


def _member(config: Any, name: str) -> Any:  # noqa: ANN401
    filestore = config.get("filestore") if isinstance(config, dict) else None
    return filestore.get(name) if isinstance(filestore, dict) else None
