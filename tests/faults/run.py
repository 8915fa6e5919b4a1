"""One cell carried out: its stores, files and contents, and the call."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from filestore_fsspec import FileStore, FileStoreException, LocationUnavailable, NotFound
from filestore_fsspec.keys import is_temporary
from tests.faults.calls import BATCH, KEY, Outcome, perform
from tests.faults.matrix import ATTEMPTS, MIDDLE, NEW_BYTES, OLD_BYTES
from tests.services.common import wait_until
from tests.services.disk import folder_of
from tests.services.faults import Hold, Refuse
from tests.services.local import file_service_in

if TYPE_CHECKING:
    from tests.faults.matrix import Cell, Content
    from tests.faults.sites import Bench, Site
    from tests.services.common import Service

_CLIENT = Path(__file__).with_name("client_script.py")
_REPOSITORY = Path(__file__).parents[2]
_OLD = random.Random("old").randbytes(OLD_BYTES)  # noqa: S311 - no secret
_NEW = random.Random("new").randbytes(NEW_BYTES)  # noqa: S311
_LARGE = _NEW * 300
"""For a local disk, which is too fast to be stopped in the middle of less."""
_IN_THE_WAY = b"what was at the destination"
_CLIENT_SECONDS = 30
_MENDED_SECONDS = 5


class Run:
    """One cell."""

    def __init__(self, cell: Cell, site: Site, bench: Bench) -> None:
        self.cell, self.site = cell, site
        self.keys = BATCH if cell.function in {"list", "upload_batch"} else (KEY,)
        two = cell.set_up != "one"
        self.healthy = file_service_in(bench.local("healthy")) if two else None
        self.struck = True
        """Whether the fault has done something."""
        self._readable = True
        on_disk = cell.trouble.family == "client" and cell.scheme == "file"
        self._new = _LARGE if on_disk else _NEW
        self._files = bench.local(f"files-{site.root.replace('/', '-')}")
        self.source, self.dest = self._files / "source", self._files / "to" / "dest"
        self.source.write_bytes(self._new)
        self.dest.parent.mkdir()
        self.dest.write_bytes(_IN_THE_WAY)
        self._prepare()
        self._store = self._open(site.reached)
        self._location = next(each for each in self._store.locations if each.name == "faulty")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._store.close()
        shutil.rmtree(self._files)
        if self.healthy:
            shutil.rmtree(folder_of(self.healthy) / self.site.root)

    def _urls(self, faulty: Service) -> list[str]:
        seconds = str(self.cell.timeout_seconds)
        limits = {"connect_timeout": seconds, "read_timeout": seconds}
        first = faulty.url(self.site.root, name="faulty", **limits)
        if not self.healthy:
            return [first]
        other = self.healthy.url(self.site.root, name="healthy")
        return [first, other] if self.cell.set_up == "near" else [other, first]

    def _open(self, faulty: Service) -> FileStore:
        return FileStore(*self._urls(faulty), connection_attempts=ATTEMPTS)

    def _prepare(self) -> None:
        """Have every location hold what it is to hold before the call."""
        for service in filter(None, (self.site.service, self.healthy)):
            for key in self.keys:
                path = f"{self.site.root}/{key}"
                if self.cell.before == "old":
                    service.raw.write(path, _OLD)
                elif service.raw.read(path) is not None:
                    service.raw.delete(path)
        folders = [self._files]
        if self.healthy:
            folders.append(folder_of(self.healthy) / self.site.root)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            for each in (folder, *folder.rglob("*")):
                each.chmod(0o777)  # for whoever makes the call

    def call(self) -> Outcome:
        """Make the call while the fault holds."""
        proxy, trouble = self.site.proxy, self.cell.trouble
        if trouble.family == "server":
            self._store.exists(KEY, location="faulty")  # so that there is a connection to lose
        for location in self._store.locations:
            _ = location.fs  # its import is no part of the call
        if proxy:
            proxy.fault = trouble.script
        with self.site.struck():
            started = time.monotonic()
            outcome = perform(self._store, self.cell.function, self.source, self.dest)
            outcome.seconds = time.monotonic() - started
        if proxy:
            self.struck = proxy.struck.is_set() or isinstance(trouble.script, Refuse)
            self._lift()
        outcome.wrong = outcome.content not in {None, _OLD}
        return outcome

    def _lift(self) -> None:
        """End the fault; what the proxy still holds is not to reach the server any more."""
        if self.site.proxy:
            self.site.proxy.fault = Refuse()
            self.site.proxy.fault = None

    def client(self) -> Outcome | None:
        """Make the call in another process, which is killed or stopped in the middle of it."""
        process = self._in_the_middle()
        try:
            if self.cell.trouble.name == "client killed":
                process.kill()
                return None
            process.send_signal(signal.SIGSTOP)
            self._readable = self._is_readable()
            if self.site.proxy:
                self.site.proxy.fault = None
            process.send_signal(signal.SIGCONT)
            answer, _ = process.communicate(timeout=_CLIENT_SECONDS)
            return Outcome(**json.loads(answer))
        finally:
            process.kill()
            process.communicate()
            self._lift()

    def _in_the_middle(self) -> subprocess.Popen[str]:
        for _ in range(10):
            process = self._start()
            if self.site.proxy:
                wait_until(self.site.proxy.struck.is_set, "the middle of the content")
                return process
            folder = folder_of(self.site.service) / self.site.root / "folder"
            while process.poll() is None:
                if any(is_temporary(path.name) for path in folder.glob(".filestore-*")):
                    return process
            process.communicate()
            self._prepare()
        raise TimeoutError("the client was never met in the middle of its write")

    def _start(self) -> subprocess.Popen[str]:
        if self.site.proxy:
            self.site.proxy.fault = Hold(MIDDLE, "up")
        process = subprocess.Popen(
            [sys.executable, _CLIENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
        )
        told = {
            "urls": self._urls(self.site.reached),
            "attempts": ATTEMPTS,
            "function": self.cell.function,
            "source": str(self.source),
            "dest": str(self.dest),
        }
        if process.stdin is None:
            raise TypeError("a pipe was asked for")
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        process.stdin = None  # communicate() is not to close it again
        return process

    def _is_readable(self) -> bool:
        """Tell whether others see the old content or the new while the writer stands still."""
        with self._open(self.site.service) as store:
            return store.get(KEY, location="faulty") in {
                None if self.cell.before == "absent" else _OLD,
                self._new,
            }

    def contents(self, service: Service | None) -> dict[str, Content]:
        """Return what a location holds under each key, seen behind the library's back."""
        if service is None:
            return {}
        names: dict[bytes | None, Content] = {None: "absent", _OLD: "old", self._new: "new"}
        return {
            key: names.get(service.raw.read(f"{self.site.root}/{key}"), "torn") for key in self.keys
        }

    def oddities(self, outcome: Outcome | None) -> list[str]:
        """Return what is wrong beside the answer and the contents."""
        found = [f"{key} is shown" for key in self.site.shown() - {*self.keys, ".kept"}]
        failed = outcome is None or outcome.raised or outcome.unsent
        if self.cell.asked and not self.struck and not failed:
            found.append("the fault did not strike")
        if not self._readable:
            found.append("while the writer stood still, others saw neither the old nor the new")
        brought = outcome is not None and self.cell.function == "download" and not outcome.raised
        if self.dest.read_bytes() != (_OLD if brought else _IN_THE_WAY):
            found.append("the destination of a download is neither as it was nor as it is to be")
        if len(list(self.dest.parent.iterdir())) > 1:
            found.append("something is left beside the destination")
        if self.cell.trouble.family != "host":
            found += self._afterwards()
        return found

    def _afterwards(self) -> list[str]:
        """Return what is wrong with the same store when the fault is over."""
        for key in self.keys:
            try:
                content = self._read_again(key)
            except FileStoreException as error:
                return [f"not mended: {error}"]
            if content != self.site.read(key):
                return [f"afterwards {key} is read wrongly"]
        return []

    def _read_again(self, key: str) -> bytes | None:
        deadline = time.monotonic() + _MENDED_SECONDS
        while True:
            try:
                return self._location.get(key)
            except NotFound:
                return None
            except LocationUnavailable:
                # A busy machine may use up the short time-outs by itself.
                if time.monotonic() > deadline:
                    raise
