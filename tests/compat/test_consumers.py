"""Assemblyline's own modules, unedited, with this library in the place of their file store."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services.common import unavailable

if TYPE_CHECKING:
    from tests.services.common import Service

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".services" / "beside" / "bin" / "python"


def test_its_modules_run(ftp_plain: Service, tmp_path: Path) -> None:
    if not PYTHON.exists():
        unavailable("Assemblyline beside this library", "make .services/beside/ready")
    urls = [f"file://{tmp_path}/near", ftp_plain.url(f"consumers-{secrets.token_hex(4)}")]
    script = Path(__file__).with_name("consumers_script.py")
    command = ["-W", "ignore", "-m", "filestore_fsspec.compat", str(script), str(tmp_path), *urls]
    done = subprocess.run(
        [PYTHON, *command],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["store"] == "filestore_fsspec.compat.assemblyline"
    assert told["cache"] == ["cached", "cached as text", 1, None, None]
    assert told["bundle"] == ["file 0", "file 1"]
    assert told["cli"] is True
    assert told["deleted"] is None
    # Of 19 files and a cached one, those two and the cached one are known.
    assert told["cleanup"] == ["Files listed: 20; filtered: 3; erased: 17"] * 2
    assert told["left"] == [True] * 2 + [False] * 18
