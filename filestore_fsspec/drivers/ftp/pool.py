"""A bounded pool of FTP connections: each used by one thread at a time, in one process only."""

from __future__ import annotations

import errno
import ftplib
import time
from collections import deque
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from filestore_fsspec.calls import stopped_by
from filestore_fsspec.drivers.ftp.client import Client
from filestore_fsspec.drivers.ftp.connection import Abilities
from filestore_fsspec.fork_safety import watch_forks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filestore_fsspec.drivers.ftp.connection import Settings


class Pool:
    """Up to `size` connections, made when they are needed.

    After a fork the child's pool is empty: what the parent's holds stays the parent's.
    """

    def __init__(self, settings: Settings, size: int) -> None:
        self.settings = settings
        self._size = size
        self._abilities = Abilities()
        self._start_anew()
        watch_forks(self, in_child=Pool.abandon)

    def _start_anew(self) -> None:
        # Both are safe between threads as they are: a lease costs 3 us, with a lock and a
        # semaphore 5, and pyftpdlib falls asleep between two requests.
        self.idle: deque[Client] = deque()
        self._turns: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._size):
            self._turns.put(None)

    @contextmanager
    def lease(self) -> Iterator[Client]:
        """Lend a connection, which is kept for the next if it is still in step with the server.

        Raises:
            TimeoutError: every connection is in use, and none has moved a block of content within
                the read time-out.
        """
        turns = self._turns
        self._wait_for_turn()
        try:
            client = self._take()
            try:
                with stopped_by(client.interrupt):
                    yield client
            except (EOFError, OSError, ftplib.Error):
                if not client.in_step:
                    self.close()  # the other idle ones are likely to have gone with it
                raise
            finally:
                if client.was_silent:
                    self.close()  # the other idle ones were dropped with it
                    client.was_silent = False
                if client.in_step:
                    client.idle_since = time.monotonic()
                    self.idle.append(client)
                else:
                    client.close()
        finally:
            turns.put(None)

    def close(self) -> None:
        """Close the idle connections."""
        while client := self._pop():
            client.close()

    def _pop(self) -> Client | None:
        try:
            return self.idle.pop()  # the latest, so that those not needed time out
        except IndexError:
            return None

    def _wait_for_turn(self) -> None:
        quiet_seconds = self.settings.read_timeout
        while True:
            try:
                return self._turns.get(timeout=quiet_seconds)
            except Empty as error:
                if time.monotonic() - self.settings.activity.latest > quiet_seconds:
                    message = f"all {self._size} connections are busy and none moves"
                    raise TimeoutError(errno.ETIMEDOUT, message) from error

    def _take(self) -> Client:
        while client := self._pop():
            if client.is_quiet():
                return client
            client.close()  # the server has said goodbye, or hung up
        return Client(self.settings, self._abilities)

    def abandon(self) -> None:
        """Forget the connections, which are the parent's, in a forked child."""
        self.close()  # this process's copies of the sockets: nothing is sent
        self._start_anew()

    def __del__(self) -> None:
        self.close()
