"""The names of both packages in a whole process, without an edit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from filestore_fsspec.compat.startup.sitecustomize import FOLDER

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "moving.md"
WORKER = """
import logging, sys
from assemblyline.filestore import FileStore, create_transport
from assemblyline.filestore.transport.base import TransportException
import assemblyline.filestore.transport.local as local
import howler.filestore
from howler.common import loader
from howler.filestore.exceptions import FileStoreException

with FileStore("file:" + sys.argv[2]) as store:
    assert isinstance(store.transports[0], local.TransportLocal)
    store.put("k", "by a worker")
for known in (loader.filestore, loader.get_filestore):
    with known(["file:" + sys.argv[2]]) as store:
        assert isinstance(store, howler.filestore.FileStore)
        print(store.get("k").decode())
try:
    create_transport("nosuch://x")
except FileStoreException as error:
    print(type(error).__name__, *sys.argv[1:])
"""


def run(command: str, folder: Path, **environment: str) -> str:
    """Run a line of a shell; return what it printed."""
    (folder / "worker.py").write_text(WORKER)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def blocks() -> list[str]:
    """Return the page's commands, block by block."""
    found = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(r"^\$ ", "", each, flags=re.MULTILINE) for each in found]


@pytest.mark.parametrize("block", blocks())
def test_the_pages_commands(block: str, tmp_path: Path) -> None:
    # The checkout is found by PYTHONPATH, where it is not installed.
    block = block.replace("--path)", "--path):$PYTHONPATH")
    said = run(block, tmp_path).splitlines()
    programs = block.count("--queue ingest")
    assert said == ["by a worker", "by a worker", "InvalidURL --queue ingest"] * programs
    assert (tmp_path / "ingest" / "k").read_text() == "by a worker"


def test_the_processes_that_it_starts_have_them(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys\n"
        "code = 'import assemblyline.filestore as f; print(f.__name__)'\n"
        "subprocess.run([sys.executable, '-c', code], check=True)\n"
    )
    said = run("python -m filestore_fsspec.compat parent.py", tmp_path)
    assert said.split() == ["filestore_fsspec.compat.assemblyline"]


def test_nothing_is_imported_before_a_name_is(tmp_path: Path) -> None:
    said = run(
        "export PYTHONPATH=$(python -m filestore_fsspec.compat --path):$PYTHONPATH\n"
        "python -c 'import sys; print(\"filestore_fsspec\" in sys.modules)'",
        tmp_path,
    )
    assert said.split() == ["False"]
    said = run(
        "python -c 'import sys, filestore_fsspec; print(*sys.modules, sep=\"\\n\")'", tmp_path
    )
    assert "filestore_fsspec.loader" in said
    assert "filestore_fsspec.compat" not in said


def test_the_sitecustomize_that_was_there_is_run(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("print('own')")
    environment = {"PYTHONPATH": os.pathsep.join([FOLDER, str(ROOT), "own"])}
    said = run(
        "python -c 'import assemblyline.filestore as f; print(f.__name__)'", tmp_path, **environment
    )
    assert said.split() == ["own", "filestore_fsspec.compat.assemblyline"]


def test_installed_packages_stay_what_they_are(tmp_path: Path) -> None:
    """What else is in them is found, and Howler's loader keeps what it has."""
    for package in ("assemblyline", "howler", "howler/common", "assemblyline/filestore"):
        (tmp_path / package).mkdir(parents=True, exist_ok=True)
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "assemblyline" / "other.py").write_text("x = 1")
    (tmp_path / "howler" / "common" / "loader.py").write_text(
        "APP_NAME = 'howler'\ndef filestore():\n    return 'its own'\n"
    )
    (tmp_path / "check.py").write_text(
        "import assemblyline.other, assemblyline.filestore\n"
        "from howler.common import loader\n"
        "print(assemblyline.other.x, assemblyline.filestore.FileStore.__module__,\n"
        "      loader.APP_NAME, loader.filestore(), loader.get_filestore.__module__)\n"
    )
    assert run("python -m filestore_fsspec.compat check.py", tmp_path).split() == [
        "1",
        "filestore_fsspec.compat.assemblyline",
        "howler",
        "its",
        "own",
        "filestore_fsspec.compat.howler.loader",
    ]


def test_too_late_is_said(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(
        "import sys, types\n"
        "sys.modules['assemblyline.filestore'] = types.ModuleType('x')\n"
        "from filestore_fsspec.compat.startup.sitecustomize import install\n"
        "try:\n    install()\nexcept RuntimeError as error:\n    print(error)\n"
    )
    assert "imported already" in run("python late.py", tmp_path)


@pytest.mark.parametrize("arguments", ["", "-m", "-x", "--help"])
def test_the_usage_is_said(arguments: str, tmp_path: Path) -> None:
    said = run(f"! python -m filestore_fsspec.compat {arguments} 2>&1", tmp_path)
    assert said.startswith("usage: python -m filestore_fsspec.compat")
