"""Memory does not grow with the size of what is stored."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.services.common import Service

SCRIPT = """
import io, sys
from filestore_fsspec import FileStore

class Zeros(io.RawIOBase):
    left = 2**30
    def read(self, size=-1):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

with FileStore(*sys.argv[1:]) as store:
    assert len(store.put("large", Zeros())) == 2
    assert {located.size for located in store.locate("large")} == {2**30}
    store.delete("large")
# Not ru_maxrss, which counts the parent's memory at the moment of the fork.
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


@pytest.mark.timeout(300)
def test_a_file_object_of_1_gib_to_file_and_s3_takes_less_than_300_mib(
    file_service: Service, s3_rclone: Service
) -> None:
    urls = [file_service.url("memory"), s3_rclone.url("memory")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *urls],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300
