"""The documentation lists every private name of another package that is used, and no other."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.asyn import async_methods

import filestore_fsspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "filestore_fsspec").rglob("*.py"))
ROW = re.compile(r"^\| `([\w.:]+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
INTERFACE = {*async_methods, "_replace", "_typeshed"} - {"_mv"}
"""What a filesystem implements, says fsspec; what named tuples document; types of no module.

`_mv` is no such method of fsspec's: sshfs adds it to the list when it is imported.
"""


def listed() -> set[tuple[str, str]]:
    """Return the list's pairs of an owner and a name of it."""
    rows = ROW.findall((ROOT / "docs/development/private-names.md").read_text())
    return {(owner, name) for owner, names, *_ in rows for name in re.findall(r"`(\w+)`", names)}


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def trees() -> Iterator[ast.AST]:
    for path in SOURCES:
        yield from ast.walk(ast.parse(path.read_text()))


def is_self(value: ast.expr) -> bool:
    """Tell whether it is `self`, `cls` or `super()`."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "super"
    return isinstance(value, ast.Name) and value.id in {"self", "cls"}


def defined_in(tree: ast.AST) -> set[str]:
    """Return the private names that functions, classes and assignments in `tree` make."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and is_self(node.value)
        ):
            names.add(node.attr)
    return set(filter(private, names))


@cache
def names_of(kind: type) -> set[str]:
    """Return the private names that a class has or gives to its instances."""
    names = set(filter(private, vars(kind)))
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):
        return names  # compiled
    return names | defined_in(ast.parse(textwrap.dedent(source)))


@cache
def class_trees(module: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def used_by(kind: type) -> set[str]:
    """Return the private names that one of our classes defines, or asks of itself."""
    tree = class_trees(kind.__module__).get(kind.__name__)
    if tree is None:
        return set()
    asked = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_self(node.value)
    }
    return set(filter(private, asked)) | {
        name for name in defined_in(tree) if name in vars(kind) or name in asked
    }


def is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "filestore_fsspec"


def inherited() -> set[tuple[str, str]]:
    """Return what our classes share with their foreign parents: overridden, called or set."""
    found = set()
    modules = pkgutil.walk_packages(filestore_fsspec.__path__, "filestore_fsspec.")
    kinds: set[Any] = {
        kind
        for module in modules
        for kind in vars(importlib.import_module(module.name)).values()
        if inspect.isclass(kind) and is_ours(kind)
    }
    assert len(kinds) > 100
    for kind in kinds:
        parents = [parent for parent in reversed(kind.__mro__) if not is_ours(parent)]
        for name in set().union(*(used_by(each) for each in kind.__mro__ if is_ours(each))):
            owners = (parent for parent in parents if name in names_of(parent))
            owner = next(owners, None)
            if owner is not None:
                found.add((f"{owner.__module__}:{owner.__qualname__}", name))
    return found


def asked_of_others() -> set[str]:
    """Return the private names asked of anything but `self`, or imported."""
    found: set[str] = set()
    for node in trees():
        if isinstance(node, ast.Attribute) and not is_self(node.value):
            found.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"getattr", "setattr", "hasattr"}:
                name = node.args[1]
                found.add(str(name.value) if isinstance(name, ast.Constant) else "")
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            found.update(alias.name for alias in node.names)
            found.update((node.module or "").split("."))
    return set(filter(private, found)) - INTERFACE


def test_each_that_is_used_is_listed_and_no_other() -> None:
    known = listed()
    assert len(known) > 20
    shared = {(owner, name) for owner, name in inherited() if name not in INTERFACE}
    ours = set().union(*(defined_in(ast.parse(path.read_text())) for path in SOURCES))
    others = asked_of_others() - {name for _, name in known} - ours
    used = shared | {(owner, name) for owner, name in known if name in asked_of_others()}
    assert (shared - known, others) == (set(), set()), "not in docs/development/private-names.md"
    assert known - used == set(), "in docs/development/private-names.md, but not used any more"


@pytest.mark.parametrize(("owner", "name"), sorted(listed()))
def test_each_is_there(owner: str, name: str) -> None:
    """In the releases installed: `make lowest` and `make newest` say it of both ends."""
    module, _, kind = owner.partition(":")
    found = importlib.import_module(module)
    if kind:
        assert name in names_of(getattr(found, kind))
    else:
        assert hasattr(found, name)
