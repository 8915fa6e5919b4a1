"""No shell, no evaluation, no unpickling of what is stored: said of the package's own source."""

from __future__ import annotations

import ast
import pickle
import tomllib
from pathlib import Path
from uuid import uuid4

import pytest

from filestore_fsspec import FileStore

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "filestore_fsspec").rglob("*.py"))
NAMES = {"eval", "exec", "compile", "__import__"}
MODULES = {"subprocess", "pickle", "marshal", "shelve", "dill", "cloudpickle", "pty", "commands"}
FUNCTIONS = {"system", "popen", "spawnl", "spawnv", "execv", "execl", "unsafe_load", "full_load"}
RULES = ("S102", "S301", "S302", "S307", "S506", "S602", "S603", "S604", "S605", "S606", "S701")
"""exec, pickle, marshal, eval, unsafe YAML, shells and processes."""


def test_the_package_runs_and_evaluates_nothing() -> None:
    assert len(SOURCES) > 50
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                names = {node.func.id} & NAMES
            elif isinstance(node, ast.Attribute):
                names = {node.attr} & FUNCTIONS
            elif isinstance(node, ast.Import):
                names = {each.name.partition(".")[0] for each in node.names} & MODULES
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]} & MODULES
            else:
                continue
            found += [f"{path.name}:{node.lineno}: {name}" for name in names]
    assert found == []


def test_ruff_would_say_so_too() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    ignored = {*lint["ignore"], *lint["per-file-ignores"]["filestore_fsspec/{aio,filestore}.py"]}
    assert lint["select"] == ["ALL"]
    assert not ignored & {"S", *RULES}
    for path in SOURCES:
        for line in path.read_text().splitlines():
            assert "noqa" not in line or not any(rule in line for rule in RULES), path


class Trap:
    """Would do harm where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("what is stored was unpickled",)


@pytest.mark.parametrize("location", ["file", "memory"])
def test_what_is_stored_is_bytes_and_no_more(location: str, tmp_path: Path) -> None:
    place = str(tmp_path) if location == "file" else uuid4().hex
    content = pickle.dumps(Trap())
    with FileStore(f"{location}://{place}") as store:
        store.put("trap.pkl", content)
        assert store.get("trap.pkl") == content
        assert store.fs.cat_file("trap.pkl") == content
        assert store.fs.info("trap.pkl")["size"] == len(content)
        assert list(store.list()) == ["trap.pkl"]
        store.download("trap.pkl", tmp_path / "dest")
