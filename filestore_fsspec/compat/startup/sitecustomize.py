"""`assemblyline.filestore` and `howler.filestore` by name, in a whole process.

With this folder in `PYTHONPATH` Python imports this file as it starts; the runner calls `install`.
It imports nothing of this library before one of those names is imported.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

FOLDER = str(Path(__file__).resolve().parent)
NAMES = {
    "assemblyline.filestore": "filestore_fsspec.compat.assemblyline",
    "howler.filestore": "filestore_fsspec.compat.howler",
}
LOADER, OUR_LOADER = "howler.common.loader", "filestore_fsspec.compat.howler.loader"
_PACKAGES = {"assemblyline", "howler", "howler.common"}
"""What has to be there for those names; where it is not installed, it is empty."""


class _Ours(Loader):
    """Gives a module of this library under another name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # its own: import has put the other one there


class _Added(Loader):
    """Loads Howler's own loader, and adds what it has no more."""

    def __init__(self, real: Loader) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        ours = importlib.import_module(OUR_LOADER)
        for name in ("filestore", "get_filestore"):
            if not hasattr(module, name):
                setattr(module, name, getattr(ours, name))


class Finder(MetaPathFinder):
    """Finds the names of both packages' file stores in this library."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where a module comes from, if that is here."""
        for theirs, ours in NAMES.items():
            if fullname == theirs or fullname.startswith(f"{theirs}."):
                return spec_from_loader(fullname, _Ours(ours + fullname.removeprefix(theirs)))
        if fullname not in _PACKAGES and fullname != LOADER:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if fullname == LOADER:
            if found is None or found.loader is None:
                return spec_from_loader(fullname, _Ours(OUR_LOADER))
            found.loader = _Added(found.loader)
        return found or ModuleSpec(fullname, None, is_package=True)


def install() -> None:
    """Give the names from now on.

    Raises:
        RuntimeError: one of them has been imported: what did so has the other store.
    """
    if any(isinstance(each, Finder) for each in sys.meta_path):
        return
    imported = [name for name in NAMES if name in sys.modules]
    if imported:
        raise RuntimeError(f"{', '.join(imported)} is imported already: install the names earlier")
    sys.meta_path.insert(0, Finder())


def _run_next() -> None:
    """Import the `sitecustomize` that this one stands before, if there is one."""
    path = [each for each in sys.path if str(Path(each).resolve()) != FOLDER]
    spec = PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if __name__ == "sitecustomize":
    install()
    _run_next()
