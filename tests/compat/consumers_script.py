"""Assemblyline's own modules on this library's store; run by a Python that has both.

`python -m filestore_fsspec.compat consumers_script.py FOLDER URL...` gives its modules the names.
The search engine is stubbed; the storage is real. Prints what was found, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from assemblyline.cachestore import CacheStore
from assemblyline.common import bundling, cleanup_filestore, forge
from assemblyline.datastore.helper import AssemblylineDatastore
from assemblyline.odm.models.config import Config
from assemblyline.run import cli


class Records(dict[str, Any]):
    """A collection of the search engine."""

    def save(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)

    def exists(self, key: str) -> bool:
        return key in self

    def get_if_exists(self, key: str, **_: Any) -> Any:
        return self.get(key)

    def multiget(self, keys: list[str], **_: Any) -> Any:
        return {key: self[key] for key in keys if key in self}

    def get(self, key: str, default: Any = None, **_: Any) -> Any:
        return super().get(key, default)


class Datastore:
    """The search engine."""

    def __init__(self) -> None:
        self.submission, self.file, self.cached_file = Records(), Records(), Records()
        self.result, self.error, self.emptyresult = Records(), Records(), Records()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_or_create_file_tree(self, *_: Any, **__: Any) -> Any:
        return {"tree": {sha256: {"children": {}} for sha256 in self.file}}

    def get_multiple_results(self, *_: Any, **__: Any) -> Any:
        return {}

    def save_or_freshen_file(self, sha256: str, info: Any, *_: Any, **__: Any) -> None:
        self.file[sha256] = info


def configured(urls: list[str]) -> Any:
    """Return Assemblyline's configuration with this storage, which `forge` gives from now on."""
    config = Config(Config().as_primitives())
    config.filestore.storage = config.filestore.cache = urls
    forge.config_cache[None] = config
    return config


def main(folder: str, *urls: str) -> None:
    """Go through the modules with these locations."""
    told: dict[str, Any] = {}
    datastore = Datastore()
    config = configured(list(urls))
    for module in (bundling, cleanup_filestore):
        (module.forge if module is bundling else module).get_datastore = lambda **_: datastore

    with forge.get_filestore(config, connection_attempts=3) as store:
        told["store"] = type(store).__module__
        contents = [f"file {number}".encode() for number in range(20)]
        keys = [hashlib.sha256(content).hexdigest() for content in contents]
        for key, content in zip(keys, contents, strict=True):
            store.put(key, content)

    with CacheStore("tests", config=config, datastore=datastore) as cache:
        cache.save("a", b"cached")
        cache.save("b", "cached as text")
        cache.touch("a")
        cache.download("b", str(Path(folder, "target")))
        told["cache"] = [
            cache.get("a").decode(),
            Path(folder, "target").read_text(),
            len(cache.exists("a")),
            cache.get("none"),
        ]
        cache.delete("a")
        told["cache"].append(cache.get("a"))

    # A bundle of two files, from here into another store.
    sid = "0" * 22
    info = {"classification": bundling.Classification.UNRESTRICTED}
    submission = {"sid": sid, "metadata": {}, "results": [], "errors": [], **info}
    datastore.submission[sid] = submission
    datastore.file.update({key: {"sha256": key, **info} for key in keys[:2]})
    bundle = bundling.create_bundle(sid, working_dir=folder)
    configured([f"file://{folder}/elsewhere"])
    datastore.submission.clear()
    bundling.import_bundle(bundle, working_dir=folder)
    with forge.get_filestore() as store:
        told["bundle"] = [store.get(key).decode() for key in keys[:2]]
    configured(list(urls))

    # A submission is deleted with its file, by the command line's worker.
    class Tree(AssemblylineDatastore):  # type: ignore[misc]  # without types
        def __init__(self) -> None:
            pass

        def delete_submission_tree_bulk(self, _key: str, transport: Any) -> None:
            transport.delete(keys[2])

    cli.DATASTORE = Tree()
    told["cli"] = cli.submission_delete_tree(sid, SimpleNamespace(error=print))[3]
    with forge.get_filestore() as store:
        told["deleted"] = store.get(keys[2])

    # What no record knows is deleted, by some twenty processes.
    said = [cleanup_filestore.cleanup_filestore(url) for url in urls]
    told["cleanup"] = said
    with forge.get_filestore() as store:
        told["left"] = [bool(store.exists(key)) for key in keys]
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
