"""Programs, timed with their start: rclone for batches, curl and scp for large files."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.works import shard

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"


def _run(*command: str, **environment: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, **environment})


class Rclone:
    """Copies whole folders; what it has read lies in files."""

    def __init__(self, place: dict[str, Any]) -> None:
        beside_python = Path(sys.executable).with_name("rclone")
        self.program = str(beside_python) if beside_python.is_file() else "rclone"
        login = {"user": place["username"]}
        if place["scheme"] in ("sftp", "ftp"):
            obscured = subprocess.run(
                [self.program, "obscure", place["password"]], check=True, capture_output=True
            )
            login["pass"] = obscured.stdout.decode().strip()
        self.root, settings = self._remote(place, login)
        self.environment = {
            f"RCLONE_CONFIG_BENCH_{name.upper()}": value for name, value in settings.items()
        }
        self.sent = 0

    def close(self) -> None:
        pass

    @staticmethod
    def _remote(place: dict[str, Any], login: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Return the folder, and rclone's own settings."""
        root, url = place["root"], f"http://{HOST}:{place['port']}"
        match place["scheme"]:
            case "s3":
                secrets = {
                    "access_key_id": place["username"],
                    "secret_access_key": place["password"],
                }
                bucket = place["options"]["s3_bucket"]
                return bucket, {"type": "s3", "provider": "Other", "endpoint": url, **secrets}
            case scheme:
                address = {"host": HOST, "port": str(place["port"])}
                return f"/{root}", {"type": scheme, **address, **login}

    def _copy(self, source: str, dest: str) -> None:
        options = ["--transfers", "32", "--checkers", "32", "--retries", "1", "--no-traverse"]
        _run(self.program, "copy", source, dest, *options, **self.environment)

    def upload_batch(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.sent += 1
        self._copy(str(Path(pairs[0][0]).parent), f"bench:{self.root}/rclone{self.sent}")

    def get_many(self, keys: Sequence[str]) -> int:
        with tempfile.TemporaryDirectory() as folder:
            self._copy(f"bench:{self.root}", folder)
            known = set(keys)
            files = (path for path in Path(folder).rglob("*") if path.name in known)
            return sum(path.stat().st_size for path in files)


class Curl:
    """One object of S3 or of the web in a request."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.root = f"http://{HOST}:{place['port']}/{place['options']['s3_bucket']}"
        login = f"{place['username']}:{place['password']}"
        self.command = ["curl", "--silent", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3"]
        self.command += ["--user", login]

    def close(self) -> None:
        pass

    def upload(self, source: str, key: str) -> None:
        _run(*self.command, "--upload-file", source, f"{self.root}/{key}")

    def download(self, key: str, dest: str) -> None:
        _run(*self.command, "--output", dest, f"{self.root}/{key}")


class Scp:
    """It asks for a password on a terminal, or lets a program answer."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.root = f"{place['username']}@{HOST}:/{place['root']}"
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        self.command = ["scp", "-q", "-P", str(place["port"])]
        self.command += [word for option in options for word in ("-o", option)]
        self.folder = tempfile.TemporaryDirectory()
        answer = Path(self.folder.name, "answer")
        answer.write_text('#!/bin/sh\necho "$SCP_PASSWORD"\n')
        answer.chmod(0o700)
        self.environment = {
            "SSH_ASKPASS": str(answer),
            "SSH_ASKPASS_REQUIRE": "force",
            "SCP_PASSWORD": place["password"],
        }
        self.close = self.folder.cleanup

    def upload(self, source: str, key: str) -> None:
        _run(*self.command, source, f"{self.root}/{shard(key)}", **self.environment)

    def download(self, key: str, dest: str) -> None:
        _run(*self.command, f"{self.root}/{shard(key)}", dest, **self.environment)
