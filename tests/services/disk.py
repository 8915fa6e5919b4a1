"""Disks that are full, and a user without rights."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam
from typing import TYPE_CHECKING

from tests.services.common import FolderRaw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Service

_ZEROS = bytes(2**16)


def folder_of(service: Service) -> Path:
    """Return where a server keeps its data on this machine."""
    found = service.raw.folder if isinstance(service.raw, FolderRaw) else service.folder
    if found is None:
        raise TypeError(f"nobody knows where the data of this {service.scheme} server lie")
    return found


@dataclass
class SmallDisk:
    """A folder that can be filled up."""

    folder: Path
    mounted: bool

    @contextmanager
    def full(self, pid: int, limit_bytes: int) -> Iterator[None]:
        """Leave room in it for less than `limit_bytes`.

        Where it is no disk of its own, process `pid` can write no file beyond them meanwhile
        (EFBIG instead of ENOSPC).
        """
        if not self.mounted:
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
            try:
                yield
            finally:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            return
        filler = self.folder / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                try:
                    while file.write(_ZEROS):
                        pass
                except OSError:
                    pass  # what was wanted
                file.truncate(max(0, file.tell() - limit_bytes // 2))
            yield
        finally:
            filler.unlink()


@contextmanager
def small_disk(folder: Path, size_bytes: int, *, mount: bool = True) -> Iterator[SmallDisk]:
    """Make `folder` a disk of its own, in memory, where the system lets us mount one."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        # rclone takes folders away that have become empty.
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        options = ["-t", "tmpfs", "-o", f"size={size_bytes},mode=777", "tmpfs"]
        mounted = (
            mount
            and not subprocess.run(
                ["mount", *options, str(folder)], check=False, capture_output=True
            ).returncode
        )
        if mounted:
            # Lazily: a server may still have a file of it open.
            stack.callback(lambda: subprocess.run(["umount", "--lazy", str(folder)], check=True))
        yield SmallDisk(folder, mounted)


def unmount_leftovers() -> None:
    """Unmount the small disks of test runs that were killed.

    pytest removes the folders of older runs at the end, and fails where one is still mounted.
    """
    mounts = Path("/proc/mounts")
    if os.geteuid() != 0 or not mounts.exists():
        return
    for line in mounts.read_text().splitlines():
        folder = Path(line.split()[1])
        runs = [parent for parent in folder.parents if re.fullmatch(r"pytest-\d+", parent.name)]
        if runs and not _goes_on(runs[0]):
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _goes_on(run: Path) -> bool:
    try:
        os.kill(int((run / ".lock").read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def without_rights() -> Iterator[None]:
    """Be nobody in particular: modes mean nothing to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
