"""How the SFTP driver logs in: host key, password, private key, and what goes wrong there."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from filestore_fsspec.drivers.sftp.asyncssh_patches import apply_patches
from filestore_fsspec.drivers.shared.errors import CertificateError

# asyncssh prefers chacha20; AES-GCM moves twice the bytes a second. "^" keeps the others behind it.
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"


@dataclass(frozen=True)
class Login:
    """Where to log in and how. No secret is in its repr."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    private_key: str | None
    private_key_pass: str | None = field(repr=False)
    validate_host: bool
    known_hosts: str | None
    connect_timeout: float
    read_timeout: float

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def arguments(self) -> dict[str, Any]:
        """Return asyncssh's arguments for it.

        Raises:
            OSError: a file that an option names cannot be read; never FileNotFoundError, which
                would mean that an object is not there.
            PermissionError: the passphrase does not open the private key.
        """
        arguments: dict[str, Any] = {"known_hosts": self._trusted()}
        if self.username:
            arguments["username"] = self.username
        if self.private_key:
            # In a thread: opening a protected key is made to be slow.
            arguments["client_keys"] = [await asyncio.to_thread(self._key, self.private_key)]
            arguments["agent_path"] = None
        elif self.password:
            arguments["client_keys"] = None  # neither the agent nor the user's own keys
        if self.password:
            arguments["password"] = self.password
        return arguments

    def _trusted(self) -> Any:
        # sshfs 2026.8 trusts any host key unless told otherwise.
        if not self.validate_host:
            return None
        if self.known_hosts is not None:
            return _read_known_hosts(Path(self.known_hosts))
        own = Path("~/.ssh/known_hosts").expanduser()
        return _read_known_hosts(own) if own.exists() else b""

    def _key(self, path: str) -> asyncssh.SSHKey:
        try:
            return asyncssh.read_private_key(path, self.private_key_pass or None)
        except OSError as error:
            raise OSError(f"private_key={path!r} cannot be read: {error.strerror}") from error
        except ValueError as error:
            if self.private_key_pass or "assphrase" in str(error):
                message = f"private_key={path!r} is not opened by private_key_pass: {error}"
                raise PermissionError(errno.EACCES, message) from error
            raise OSError(f"private_key={path!r} is no private key: {error}") from error


def _read_known_hosts(path: Path) -> bytes:
    """Return the lines that can be parsed: as OpenSSH does, the others are passed over."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise OSError(f"known_hosts={str(path)!r} cannot be read: {error}") from error
    return "".join(f"{line}\n" for line in text.splitlines() if _is_entry(line)).encode()


def _is_entry(line: str) -> bool:
    try:
        asyncssh.import_known_hosts(line)
    except ValueError:
        return False
    return True


async def connect(login: Login) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
    """Log in and open the SFTP channel.

    Raises:
        ConnectionError: unreachable, or the host key is not known.
        TimeoutError: not done within `login.connect_timeout`, names and log-in included.
        PermissionError: the log-in was refused.
    """
    arguments = await login.arguments()
    try:
        async with asyncio.timeout(login.connect_timeout):
            ssh = await asyncssh.connect(
                login.host,
                login.port,
                config=None,
                gss_host=None,
                login_timeout=0,
                encryption_algs=_CIPHERS,
                # asyncssh waits for ever; so a dead host ends a call, and an idle line lives.
                keepalive_interval=login.read_timeout / 3,
                keepalive_count_max=2,
                **arguments,
            )
            try:
                # Names that are no UTF-8 come and go as Python's own file functions have them.
                sftp = await ssh.start_sftp_client(path_errors="surrogateescape")
            except BaseException:
                ssh.abort()
                raise
            apply_patches(ssh, sftp)
    except TimeoutError as error:
        message = f"{login}: no connection within connect_timeout={login.connect_timeout:g}"
        raise TimeoutError(errno.ETIMEDOUT, message) from error
    except asyncssh.PermissionDenied as error:
        message = f"{login}: log-in refused for user {login.username or 'of this process'}"
        raise PermissionError(errno.EACCES, message) from error
    except asyncssh.HostKeyNotVerifiable as error:
        known_hosts = login.known_hosts or "~/.ssh/known_hosts"
        raise CertificateError(
            f"{login}: its host key is not in {known_hosts}; add it there, "
            "or turn the check off with validate_host=false"
        ) from error
    except (OSError, asyncssh.Error) as error:
        raise ConnectionError(f"{login}: no connection: {error}") from error
    return ssh, sftp
