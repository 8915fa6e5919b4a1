"""A bounded pool of FTP connections: each used by one thread at a time, in one process only."""

from __future__ import annotations

import errno
import ftplib
import os
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filestore_fsspec.drivers.ftp_client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filestore_fsspec.drivers.ftp_connection import Settings


class Pool:
    """Up to `size` connections, made when they are needed.

    After a fork the child's pool is empty: what the parent's holds stays the parent's.
    """

    def __init__(self, settings: Settings, size: int) -> None:
        self._settings = settings
        self._size = size
        self._features: frozenset[str] | None = None
        self._start_anew()
        _POOLS.add(self)

    def _start_anew(self) -> None:
        self._turns = threading.BoundedSemaphore(self._size)
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._leased: set[Client] = set()

    @contextmanager
    def lease(self) -> Iterator[Client]:
        """Lend a connection, which is kept for the next if it is still in step with the server.

        Raises:
            TimeoutError: every connection is in use, and none has moved a block of content within
                the read time-out.
        """
        self._wait_for_turn()
        try:
            client = self._take()
            try:
                yield client
            except (EOFError, OSError, ftplib.Error):
                if not client.in_step:
                    self.close()  # the other idle ones are likely to have gone with it
                raise
            finally:
                self._give_back(client)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    def _wait_for_turn(self) -> None:
        quiet_seconds = self._settings.read_timeout
        while not self._turns.acquire(timeout=quiet_seconds):
            with self._lock:
                latest = max((client.active for client in self._leased), default=0.0)
            if time.monotonic() - latest > quiet_seconds:
                message = f"all {self._size} connections are busy and none moves"
                raise TimeoutError(errno.ETIMEDOUT, message)

    def _take(self) -> Client:
        while True:
            with self._lock:
                client = self._idle.pop() if self._idle else None
            if client is None:
                client = Client(self._settings, self._features)
                self._features = client.features
            elif not client.is_quiet():
                client.close()  # the server has said goodbye, or hung up
                continue
            client.active = time.monotonic()
            with self._lock:
                self._leased.add(client)
            return client

    def _give_back(self, client: Client) -> None:
        with self._lock:
            self._leased.discard(client)
            if client.in_step:
                self._idle.append(client)
                return
        client.close()

    def abandon(self) -> None:
        """Forget the connections, which are the parent's, in a forked child."""
        for client in (*self._idle, *self._leased):
            client.close()  # this process's copy of the socket: nothing is sent
        self._start_anew()

    def __del__(self) -> None:
        self.close()


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


def _abandon_all() -> None:
    for pool in list(_POOLS):
        pool.abandon()


os.register_at_fork(after_in_child=_abandon_all)
