"""An outage shows in the log where it showed before, under Assemblyline's own set-up of it."""

from __future__ import annotations

import json
import logging
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.test_predecessor import PYTHON
from tests.services.common import HOST, free_port, unavailable

if TYPE_CHECKING:
    from tests.services.common import Service

ROOT = Path(__file__).parents[2]


def lines(python: str, module: str, stores: list[object]) -> list[list[int]]:
    script = Path(__file__).with_name("outage_script.py")
    done = subprocess.run(
        [python, "-W", "ignore", script],
        input=json.dumps({"module": module, "stores": stores}),
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[int]] = json.loads(done.stdout)
    return found


def test_as_many_lines_at_the_same_levels_or_more(ftp_plain: Service, tmp_path: Path) -> None:
    if not PYTHON.exists():
        unavailable("the predecessor", "make .services/predecessor/ready")
    root, key = f"outage-{secrets.token_hex(4)}", secrets.token_hex(8)
    ftp_plain.raw.write(f"{root}/{key}", b"x")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / key).write_bytes(b"x")
    dead = f"ftp://u:p@{HOST}:{free_port()}/x"
    nobody = f"ftp://{HOST}:{ftp_plain.port}/{root}"  # who may read, and delete nothing
    far = f"file://{tmp_path}/far"
    reads = [["get", key], ["exists", key], ["exists", key, "all"]]
    stores: list[object] = [
        [[dead], [*reads, ["delete", key]]],
        [[dead, far], reads],
        [[far, dead], [*reads, ["delete", "none"]]],
        [[nobody], [["delete", key], ["get", key]]],
    ]
    theirs = lines(str(PYTHON), "assemblyline.filestore", stores)
    ours = lines(sys.executable, "filestore_fsspec.compat.assemblyline", stores)
    # Theirs takes a delete that an FTP server refuses for one of what is absent.
    assert [len(each) for each in theirs] == [4, 3, 2, 0]
    assert len(ours[3]) == 1
    for there, here in zip(theirs, ours, strict=True):
        for level in (logging.INFO, logging.WARNING):
            assert sum(each >= level for each in here) >= sum(each >= level for each in there)
