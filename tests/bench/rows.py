"""The rows of the benchmark: what is done, where, by whom, and what it must show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

KIB, MIB = 2**10, 2**20


@dataclass(frozen=True)
class Family:
    """Where rows take place, and who takes part."""

    services: tuple[str, ...]
    """Fixtures of `tests/services`, near first."""
    peers: tuple[str, ...]
    """Beside the predecessor, which comes first, and the file store."""
    delay_seconds: float = 0
    """Each way."""

    @property
    def contenders(self) -> tuple[str, ...]:
        return ("predecessor", "filestore", *self.peers)


class Target(NamedTuple):
    """What a row must show: a contender is so many times as fast as another."""

    contender: str
    times: float
    than: str = "predecessor"


@dataclass(frozen=True)
class Row:
    name: str
    family: Family
    work: str
    """One of `works.WORKS`."""
    count: int = 200
    size: int = 10 * KIB
    rounds: int = 7
    targets: tuple[Target, ...] = ()
    only: tuple[str, ...] = ()
    """Who takes part, where it is not the whole family."""
    there: Literal["all", "near", "far"] = "all"
    """Which locations have the keys that are there from the start."""

    @property
    def contenders(self) -> tuple[str, ...]:
        return self.only or self.family.contenders


def ours(default: float, fast: float | None = None) -> tuple[Target, ...]:
    """As many times as fast as the predecessor."""
    targets = Target("filestore", default), Target("filestore fast", fast or 0)
    return targets if fast else targets[:1]


NEAR_OBSTORE = Target("filestore fast", 1 / 1.15, "obstore")
NOT_BEHIND_RCLONE = Target("filestore fast", 1, "rclone")
NOT_BEHIND_SCP = Target("filestore", 1, "scp")
NEAR_OPEN = Target("filestore", 0.6, "open().read()")
"""2 us more than about 4."""


OURS = ("filestore",)
S3_PEERS = ("filestore fast", "s3fs", "obstore", "opendal", "rclone", "curl")
FILE = Family(("file_service",), ("fsspec", "obstore", "opendal"))
S3 = Family(("s3_rclone",), S3_PEERS)
FAR_S3 = Family(("s3_rclone",), S3_PEERS, delay_seconds=0.005)
# Not rclone, which silently left out some of 2,000 files that it listed over HTTP.
HTTP = Family(("http_plain",), ("filestore fast", "fsspec", "obstore", "opendal"))
SFTP = Family(("sftp_openssh",), ("sshfs", "rclone", "scp"))
AZURE = Family(("azure_http",), ("filestore fast", "adlfs", "obstore", "opendal"))
FTP = Family(("ftp_plain",), ("fsspec", "opendal", "rclone"))
# rclone answers sooner, but ignores conditions: there a put is two requests, here it is one.
CEPH = Family(("s3_ceph",), ("filestore fast", "obstore"))
CEPH_TWO = Family(("file_service", "s3_ceph"), ("filestore fast",))
TWO = Family(("file_service", "s3_rclone"), ("filestore fast",))

ROWS = (
    Row("file-get", FILE, "get", count=100, rounds=15, targets=ours(2)),
    Row("file-put", FILE, "put", count=1000, targets=ours(2)),
    Row("file-exists", FILE, "hit", rounds=15, targets=ours(2)),
    Row("file-miss", FILE, "miss", rounds=15, targets=ours(2)),
    Row("s3-get", S3, "get", targets=(*ours(3, 10), NEAR_OBSTORE)),
    Row("s3-put", S3, "put", targets=(*ours(2.5, 7), NEAR_OBSTORE)),
    Row("s3-exists", S3, "hit", targets=(*ours(1, 3.5), NEAR_OBSTORE)),
    Row("s3-miss", S3, "miss", targets=(*ours(1, 3.5), NEAR_OBSTORE)),
    Row(
        "s3-upload-2000",
        S3,
        "upload_batch",
        2000,
        rounds=3,
        targets=(*ours(5, 12), NOT_BEHIND_RCLONE),
    ),
    Row(
        "s3-read-2000", S3, "get_many", 2000, rounds=3, targets=(*ours(6.5, 17), NOT_BEHIND_RCLONE)
    ),
    Row("s3-delete-2000", S3, "delete_batch", 2000, rounds=3, targets=ours(50, 50)),
    Row("s3-far-upload-300", FAR_S3, "upload_batch", 300, rounds=3, targets=ours(17, 40)),
    Row("s3-far-read-300", FAR_S3, "get_many", 300, rounds=3, targets=ours(20, 40)),
    Row("s3-upload-512-mib", S3, "upload", 1, 512 * MIB, 3, targets=ours(1.1, 1.2)),
    Row("s3-download-512-mib", S3, "download", 1, 512 * MIB, 3, targets=ours(1.7, 2)),
    Row("http-get", HTTP, "get", count=400, targets=ours(2, 4)),
    Row("http-read-2000", HTTP, "get_many", 2000, rounds=3, targets=ours(6, 9)),
    Row("sftp-get", SFTP, "get", targets=ours(1.4)),
    Row("sftp-put", SFTP, "put", targets=ours(1.7)),
    Row("sftp-exists", SFTP, "hit", targets=ours(0.7)),
    Row("sftp-upload-500", SFTP, "upload_batch", 500, rounds=5, targets=ours(5)),
    Row("sftp-read-500", SFTP, "get_many", 500, rounds=5, targets=ours(15)),
    Row("sftp-upload-256-mib", SFTP, "upload", 1, 256 * MIB, 3, targets=(NOT_BEHIND_SCP,)),
    Row("sftp-download-256-mib", SFTP, "download", 1, 256 * MIB, 3, targets=(NOT_BEHIND_SCP,)),
    Row("azure-get", AZURE, "get", targets=ours(1, 2.5)),
    Row("azure-put", AZURE, "put", targets=ours(2.2, 6)),
    Row("ftp-get", FTP, "get", targets=ours(1)),
    Row("ftp-put", FTP, "put", targets=ours(1.5)),
    Row("ftp-exists", FTP, "hit", targets=ours(1)),
    Row("ftp-upload-300", FTP, "upload_batch", 300, rounds=5, targets=ours(2.3)),
    Row("two-put", TWO, "put", targets=ours(2.7, 4.5)),
    Row(
        "two-near-get",
        TWO,
        "get",
        count=100,
        rounds=15,
        only=("predecessor", "filestore", "open().read()"),
        there="near",
        targets=(NEAR_OPEN,),
    ),
    Row("ceph-get", CEPH, "get"),
    Row("ceph-put", CEPH, "put", targets=ours(2.5)),
    Row("ceph-two-put", CEPH_TWO, "put", targets=ours(2.7)),
    Row("two-far-get", TWO, "get", there="far"),
    *(
        Row(f"{name}-grow-{action}-{count}", family, work, count, KIB, rounds=1, only=OURS)
        for name, family, counts in (
            ("file", FILE, (1_000, 10_000, 100_000)),
            ("s3", S3, (1_000, 10_000)),  # more take this server minutes, whoever asks
        )
        for action, work in (
            ("upload", "upload_batch"),
            ("list", "list"),
            ("delete", "delete_batch"),
        )
        for count in counts
    ),
)
