"""asyncssh's own SFTP server, as a program: any user name, one password, keys from a file.

Usage: sftp_server.py PORT FOLDER HOST_KEY AUTHORIZED_KEYS; the password is in SFTP_PASSWORD. Every
path a client names is below FOLDER.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import sys

import asyncssh


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return bool(username)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        expected = os.environ["SFTP_PASSWORD"]
        return bool(username) and hmac.compare_digest(password.encode(), expected.encode())


async def serve(port: int, folder: str, host_key: str, authorized_keys: str) -> None:
    """Serve `folder` until SIGTERM."""

    def session(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=folder.encode())

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    listener = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=_Login,
        server_host_keys=[host_key],
        authorized_client_keys=authorized_keys,
        sftp_factory=session,
        reuse_address=True,
    )
    await ended.wait()
    listener.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *sys.argv[2:5]))
