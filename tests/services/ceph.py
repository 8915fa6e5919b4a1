"""S3 as Ceph's gateway speaks it: one monitor, one disk in memory, one gateway.

It knows conditions, checks keys and checksums, and is what others run in earnest.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.services.common import (
    HOST,
    PASSWORD,
    USERNAME,
    Server,
    Service,
    free_port,
    free_ports,
    need,
    running,
)
from tests.services.s3 import BucketRaw, client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_INSTALL = "apt-get install radosgw ceph-mon ceph-osd"
_DISK_PORTS = 20
_CONFIG = """\
[global]
fsid = {cluster}
mon_host = [v1:{host}:{monitor_port}]
mon_initial_members = a
public_addr = {host}
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = {folder}/keyring
run_dir = {folder}
log_file = {folder}/$name.log
admin_socket = {folder}/$name.asok
mon_data = {folder}/monitor
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_data = {folder}/disk
osd_objectstore = memstore
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_pg_num = 8
memstore_device_bytes = 4294967296
[osd]
ms_bind_port_min = {disk_port}
ms_bind_port_max = {last_disk_port}
[client.gateway]
rgw_frontends = beast endpoint={host}:{port} tcp_nodelay=1
rgw_data = {folder}/gateway
"""
_RIGHTS = {
    "client.admin": ("mon", "allow *", "osd", "allow *"),
    "client.gateway": ("mon", "allow rw", "osd", "allow rwx"),
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
}


class _Cluster:
    """Calls Ceph's programs with one configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.monitor_port = free_port(), free_port()
        self.disk_port, *_, self.last_disk_port = free_ports(_DISK_PORTS)
        self.cluster = str(uuid4())
        self.env = {"CEPH_CONF": str(folder / "ceph.conf")}
        for name in ("monitor", "disk", "gateway"):
            (folder / name).mkdir()
        (folder / "ceph.conf").write_text(_CONFIG.format(host=HOST, **vars(self)))

    def call(self, program: str, *arguments: str) -> None:
        command = [need(program, _INSTALL), "--conf", self.env["CEPH_CONF"], *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout}{done.stderr}"

    def make_keys(self) -> None:
        keyring, monitors = str(self.folder / "keyring"), str(self.folder / "monitor.keyring")
        tool = "ceph-authtool"
        self.call(
            tool, "--create-keyring", monitors, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        self.call(tool, "--create-keyring", keyring)
        for name, rights in _RIGHTS.items():
            pairs = zip(rights[::2], rights[1::2], strict=True)
            caps = [word for pair in pairs for word in ("--cap", *pair)]
            self.call(tool, keyring, "--gen-key", "-n", name, *caps)
        self.call(tool, monitors, "--import-keyring", keyring)

    @contextmanager
    def run(self, program: str, port: int, *arguments: str) -> Iterator[None]:
        command = [need(program, _INSTALL), "-f", *arguments]
        for _ in running(Server(command, port, self.folder / f"{program}.out", self.env)):
            yield


@pytest.fixture(scope="session")
def s3_ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    ceph, bucket, disk = (
        _Cluster(tmp_path_factory.mktemp("ceph")),
        f"ceph-{uuid4().hex}",
        str(uuid4()),
    )
    folder, map_path = ceph.folder, str(ceph.folder / "map")
    ceph.make_keys()
    address = f"[v1:{HOST}:{ceph.monitor_port}]"
    ceph.call("monmaptool", "--create", "--addv", "a", address, "--fsid", ceph.cluster, map_path)
    keys = str(folder / "monitor.keyring")
    ceph.call("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_path, "--keyring", keys)
    with ExitStack() as stack:
        stack.enter_context(ceph.run("ceph-mon", ceph.monitor_port, "-i", "a"))
        ceph.call("ceph", "osd", "new", disk, "0")
        ceph.call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        stack.enter_context(ceph.run("ceph-osd", ceph.disk_port, "-i", "0"))
        secrets = (f"--access-key={USERNAME}", f"--secret={PASSWORD}")
        user = ("user", "create", "--uid=filestore", "--display-name=filestore")
        ceph.call("radosgw-admin", *user, *secrets)
        stack.enter_context(ceph.run("radosgw", ceph.port, "-n", "client.gateway"))
        options = {"s3_bucket": bucket, "aws_region": "us-east-1", "use_ssl": "false"}
        raw = BucketRaw(client(ceph.port), bucket)
        yield Service("s3", ceph.port, raw, options=options)
