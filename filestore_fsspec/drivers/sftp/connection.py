"""The SSH connection below the SFTP driver: made on first use, watched, made anew after a drop.

All calls share one connection with one SFTP channel: asyncssh keeps many requests of many calls in
flight on it.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncssh

from filestore_fsspec.drivers.sftp.login import Login, connect
from filestore_fsspec.drivers.shared.errors import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType

SPECIAL = {
    asyncssh.FILEXFER_TYPE_SPECIAL,
    asyncssh.FILEXFER_TYPE_SOCKET,
    asyncssh.FILEXFER_TYPE_CHAR_DEVICE,
    asyncssh.FILEXFER_TYPE_BLOCK_DEVICE,
    asyncssh.FILEXFER_TYPE_FIFO,
}
GONE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)
_DROPPED = (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost, asyncssh.DisconnectError)
REFUSED = tuple(each for each in asyncssh.SFTPError.__subclasses__() if each not in _DROPPED)
"""What a server answers to a request; the connection is as it was."""
_MAX_NAME_BYTES, _MAX_PATH_BYTES = 255, 4095
_IDLE_SECONDS = 5.0
"""After so long without an answer, a firewall may have dropped the connection in silence."""
_PROBE_SECONDS = 3.0
_SLOW_SECONDS = 1.0
"""Opening a regular file takes less; a named pipe may never open."""


class Link:
    """One live connection, and the clock that ends it when nothing is heard for too long.

    Keepalive sees a host that hangs; the clock also sees an SFTP server that hangs behind an SSH
    server which still answers.
    """

    def __init__(
        self, ssh: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient, login: Login
    ) -> None:
        self.ssh = ssh
        self.sftp = sftp
        self.loop = asyncio.get_running_loop()
        self.mute = False
        self.serves_at_once = "OpenSSH" in str(ssh.get_extra_info("server_version"))
        """Whether a channel can ask while another waits: OpenSSH has a process for each."""
        self.doubtful = False
        """Whether what came may be the end of the channel."""
        self._pid = os.getpid()
        self._login = login
        self._users = 0
        self._heard = self.loop.time()
        self._opening: set[str] = set()
        self._unopenable: set[str] = set()
        self._clock: asyncio.TimerHandle | None = None
        self._background: set[asyncio.Task[None]] = set()

    def enter(self) -> None:
        """Start waiting for answers."""
        if not self._users:
            self.tick()
            if self._clock is None:
                self._clock = self.loop.call_later(self._login.read_timeout, self._check)
        self._users += 1

    def leave(self) -> None:
        """End waiting for answers."""
        self._users -= 1
        self.tick()

    def tick(self) -> None:
        """Note that the server answered."""
        self._heard = self.loop.time()

    @property
    def may_be_lost(self) -> bool:
        """Whether it is to be probed before it is used."""
        idle = not self._users and self.loop.time() - self._heard > _IDLE_SECONDS
        return self.doubtful or idle

    async def answers(self) -> bool:
        """Probe the server; the connection ends if it does not answer soon."""
        try:
            async with asyncio.timeout(min(_PROBE_SECONDS, self._login.read_timeout)):
                await self.sftp.realpath(".")
        except (TimeoutError, *_DROPPED):
            return False
        except asyncssh.SFTPError:
            pass  # a refusal is an answer
        self.doubtful = False
        self.tick()
        return True

    @contextmanager
    def opening(self, path: str) -> Iterator[None]:
        """Have a file that is opened inside looked at by another channel if that takes long."""
        self._opening.add(path)
        slow = self.loop.call_later(_SLOW_SECONDS, lambda: self.later(self._look_at(path)))
        try:
            yield
        finally:
            slow.cancel()
            self._opening.discard(path)

    async def _look_at(self, path: str) -> None:
        """Drop the connection if what is being opened is no file: it waits for its other end."""
        async with await self.ssh.start_sftp_client(path_errors="surrogateescape") as sftp:
            found = await sftp.stat(path)
        if found.type in SPECIAL and path in self._opening:
            self._unopenable.add(path)
            self.end()

    def _check(self) -> None:
        self._clock = None
        if not self._users:
            return
        left = self._heard + self._login.read_timeout - self.loop.time()
        if left > 0:
            self._clock = self.loop.call_later(left, self._check)
        else:
            self.mute = True
            self.ssh.abort()

    def end(self) -> None:
        """Drop the connection; calls still waiting on it fail."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        self.ssh.abort()

    def soon(self, call: Callable[[], None]) -> None:
        """Call from any thread, without waiting; in a forked child, do nothing."""
        if self._pid == os.getpid() and self.loop.is_running():
            self.loop.call_soon_threadsafe(call)

    def later(self, request: Coroutine[Any, Any, None]) -> None:
        """Send a request whose answer nobody waits for: closing a file that was read."""
        task = self.loop.create_task(request)
        self._background.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # taken note of: the line dropped, and the file is closed all the same

    def os_error(self, error: BaseException, path: str) -> OSError | None:
        """Return asyncssh's exception as the OSError that fits, or None if it is none of its."""
        where = self._login
        mapped: OSError | None = None
        if isinstance(error, GONE) or path in self._unopenable:
            mapped = absent(path)
        elif isinstance(error, asyncssh.SFTPPermissionDenied):
            mapped = PermissionError(errno.EACCES, f"{where}: permission denied", path)
        elif isinstance(error, asyncssh.Error) and self.mute:
            mapped = TimeoutError(errno.ETIMEDOUT, f"{where}: no answer within read_timeout", path)
        elif isinstance(error, _DROPPED):
            mapped = ConnectionError(errno.ECONNRESET, f"{where}: {error}", path)
        elif isinstance(error, asyncssh.SFTPError) and too_long(path):
            mapped = absent(path)
        elif isinstance(error, asyncssh.Error):
            mapped = OSError(errno.EIO, f"{where}: {error}", path)
        elif isinstance(error, UnicodeError):
            mapped = OSError(errno.EILSEQ, "a name that cannot be encoded", path)
        return mapped


def too_long(path: str) -> OSError | None:
    """Return the error for a name that few disks can hold; servers say anything of it."""
    encoded = path.encode(errors="surrogateescape")
    if len(encoded) <= _MAX_PATH_BYTES and max(map(len, encoded.split(b"/"))) <= _MAX_NAME_BYTES:
        return None
    return OSError(errno.ENAMETOOLONG, "a name that is too long", path)


async def _open_link(login: Login) -> Link:
    ssh, sftp = await connect(login)
    return Link(ssh, sftp, login)


class Connection:
    """The driver's way to a live link."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None

    def use(self, path: str, link: Link | None = None) -> Use:
        """Return a context that gives a link, or takes this one, and names `path` in its errors."""
        return Use(self, path, link)

    @property
    def is_live(self) -> bool:
        """Whether a call would find a connection and need not make one."""
        return self._link is not None and not self._link.ssh.is_closed()

    async def link(self) -> Link:
        """Return the live link, after making one if there is none."""
        link = self._link
        loop = asyncio.get_running_loop()
        if link is not None and link.loop is loop and not link.ssh.is_closed():
            if not link.may_be_lost or await link.answers():
                return link
            self.forget(link)
        if self._connecting is None or self._connecting.get_loop() is not loop:
            # One attempt for all who wait: none waits for the failures of those before it.
            self._connecting = loop.create_task(_open_link(self.login))
            self._connecting.add_done_callback(self._connected)
        return await asyncio.shield(self._connecting)

    def _connected(self, task: asyncio.Task[Link]) -> None:
        if task is self._connecting:
            self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._link = task.result()

    def forget(self, link: Link) -> None:
        """Drop `link`; the next call makes another."""
        if self._link is link:
            self._link = None
        link.end()

    async def close(self) -> None:
        """Close the link, if there is one, and wait until the server was told."""
        link, self._link = self._link, None
        if link is None or link.loop is not asyncio.get_running_loop():
            return
        link.ssh.close()
        try:
            async with asyncio.timeout(self.login.connect_timeout):
                await link.ssh.wait_closed()
        except TimeoutError:
            link.end()

    def abandon(self) -> None:
        """Drop the link from any thread, without waiting; nothing in a forked child."""
        link, self._link = self._link, None
        if link is not None:
            link.soon(link.end)


class Use:
    """One call's time on the link."""

    __slots__ = ("_connection", "_link", "_path")

    def __init__(self, connection: Connection, path: str, link: Link | None) -> None:
        self._connection = connection
        self._path = path
        self._link = link

    async def __aenter__(self) -> Link:
        self._link = link = self._link or await self._connection.link()
        link.enter()
        return link

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        link = self._link
        if link is None:
            return
        link.leave()
        if error is None:
            return
        if isinstance(error, _DROPPED) or link.mute:
            self._connection.forget(link)
        # OpenSSH says so of a path that it cannot use, asyncssh as it gives the channel up.
        link.doubtful = link.doubtful or isinstance(error, asyncssh.SFTPBadMessage)
        mapped = link.os_error(error, self._path)
        if mapped is not None:
            raise mapped from error
