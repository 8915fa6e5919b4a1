"""The contract over the engine obstore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tests.contract.suite import HIDDEN, FileStoreContract, ReadingContract, ReadOnlyContract

if TYPE_CHECKING:
    from collections.abc import Mapping


class Engine(ReadingContract):
    options: ClassVar[Mapping[str, str]] = {"engine": "obstore"}

    def test_parent_and_child_of_a_fork_both_go_on(self, urls: list[str], fill: Any) -> None:
        """In a forked child obstore hangs: the default engine takes over, and this is logged."""
        fill("k", b"x" * 1000)
        script = Path(__file__).with_name("fork_script.py")
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", script],
            input="\n".join(urls),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "child: 40\nparent: 40\n")
        (warning,) = done.stderr.splitlines()
        assert "obstore does not work in a process forked after its first use" in warning


class TestS3Moto(Engine, FileStoreContract):
    services = ("s3_moto",)
    has_folders = False


class TestS3Rclone(Engine, FileStoreContract):
    services = ("s3_rclone",)
    creates_atomically = False  # this server ignores If-None-Match
    test_a_folder_in_the_way = None  # type: ignore[assignment]  # and keeps objects as files, losing a/b when a is put


class TestAzureKeyOverHTTP(Engine, FileStoreContract):
    services = ("azure_http",)
    has_folders = False


class TestAzureKeyOverHTTPS(Engine, FileStoreContract):
    services = ("azure_https",)
    has_folders = False


class TestHTTP(Engine, ReadOnlyContract):
    services = ("http_plain",)
    unlisted = frozenset(HIDDEN)  # nginx lists no dot files


class TestHTTPSBasicAuth(Engine, ReadOnlyContract):
    services = ("https_basic",)
    unlisted = frozenset(HIDDEN)  # nginx lists no dot files
