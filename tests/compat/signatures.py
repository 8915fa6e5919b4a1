"""The public callables of a package and their parameters, as JSON; run by Assemblyline's Python."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Parameters = list[list[str]]


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what decorators without `functools.wraps` hide."""
    inner = inspect.getclosurevars(function).nonlocals
    for name in ("original", "func"):
        if name in inner:
            return unwrapped(inner[name])
    return function


def spelled(default: object) -> str:
    return getattr(default, "__name__", repr(default))


def parameters(function: Callable[..., Any]) -> Parameters:
    """Return the name, kind and default of each."""
    function = inspect.unwrap(function)
    if inspect.isfunction(function):
        function = unwrapped(function)
    return [
        [each.name, each.kind.name, "" if each.default is each.empty else spelled(each.default)]
        for each in inspect.signature(function).parameters.values()
        if each.name != "self"
    ]


def of_class(kind: type) -> Iterator[tuple[str, Parameters]]:
    """Yield the public methods of a class, and what makes one."""
    for name in dir(kind):
        if not name.startswith("_"):
            method = inspect.getattr_static(kind, name)
            if inspect.isfunction(method):
                yield name, parameters(method)
    yield "__init__", parameters(inspect.getattr_static(kind, "__init__"))


def public(package: str) -> dict[str, Parameters]:
    """Return the parameters of every public callable that a package, or a module in it, defines."""
    top = importlib.import_module(package)
    names = [found.name for found in pkgutil.walk_packages(top.__path__, f"{package}.")]
    table: dict[str, Parameters] = {}
    for module_name in (package, *names):
        module = importlib.import_module(module_name)
        where = module_name.removeprefix(package).removeprefix(".")
        for name, value in vars(module).items():
            if name.startswith("_") or not getattr(value, "__module__", "").startswith(package):
                continue
            path = f"{where}.{name}".removeprefix(".")
            if inspect.isclass(value) and not issubclass(value, Exception):
                table.update({f"{path}.{each}": found for each, found in of_class(value)})
            elif inspect.isfunction(value):
                table[path] = parameters(value)
    return table


if __name__ == "__main__":
    json.dump(public("assemblyline.filestore"), sys.stdout)
