"""aiohttp as this library needs it: checked certificates, bounded waits, errors that fit."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import weakref
from base64 import b64encode
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from fsspec.implementations.http import HTTPFileSystem
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from filestore_fsspec.drivers.shared.aiohttp_patches import sending_once
from filestore_fsspec.drivers.shared.errors import CertificateError, absent, temporary_failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiohttp.abc import ResolveResult

_GONE = {404, 410}
_REFUSED = {401, 403, 407}
_PASSING = {408, 429}


@dataclass(frozen=True)
class TLSCheck:
    """How a server proves itself, and with what we do."""

    verify: bool
    ca_bundle: str | None
    pki: str | None

    def context(self) -> ssl.SSLContext:
        """Return the settings of a connection; OSError when a file of theirs is of no use."""
        try:
            context = ssl.create_default_context(cafile=self.ca_bundle)
        except OSError as error:
            # Not FileNotFoundError: it would be taken for a missing object.
            raise _unusable("ca_bundle", self.ca_bundle, error) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.pki:
            try:
                # Without a password OpenSSL would ask the terminal for it.
                context.load_cert_chain(self.pki, password="")
            except OSError as error:
                raise _unusable("pki", self.pki, error) from error
        return context


def _unusable(option: str, path: str | None, error: OSError) -> OSError:
    return OSError(errno.EINVAL, f"{option}={path}: {error.strerror or error}")


class _Resolver(aiohttp.ThreadedResolver):
    """Bounded in time: of aiohttp's time-outs, only one that counts the wait for a turn does it."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        async with asyncio.timeout(self._timeout):
            return await super().resolve(host, port, family)


class _Connector(aiohttp.TCPConnector):
    """Leaves the connections alone in a fork: they are the parent's, as is the epoll they use."""

    def __init__(self, context: ssl.SSLContext, connect_timeout: float) -> None:
        super().__init__(ssl=context, resolver=_Resolver(connect_timeout))
        self._pid = os.getpid()

    def __del__(self, *args: Any) -> None:
        if self._pid == os.getpid():
            super().__del__(*args)


class Web:
    """Requests with our credentials, over one aiohttp session."""

    def __init__(self, check: TLSCheck, connect_timeout: float, read_timeout: float) -> None:
        self.check = check
        self.timeouts = (connect_timeout, read_timeout)
        self._timeout = ClientTimeout(
            total=None,
            connect=connect_timeout,
            sock_connect=connect_timeout,
            sock_read=read_timeout,
        )
        # The stored bytes are wanted, not a server's compression of them.
        self.headers = {"Accept-Encoding": "identity"}
        self._session: ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finalizer: weakref.finalize[[int, Any, Any], Web] | None = None

    def sign_in(self, username: str, password: str) -> None:
        """Send name and password from now on.

        In a header of every request: aiohttp drops it on the way to another origin, where the
        `auth` of a session went along.
        """
        credentials = b64encode(f"{username}:{password}".encode()).decode()
        self.headers["Authorization"] = f"Basic {credentials}"

    async def session(self) -> ClientSession:
        """Return the session of the running loop, without cookies and decompression."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            session = ClientSession(
                connector=_Connector(self.check.context(), self.timeouts[0]),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                read_bufsize=1 << 20,
            )
            self._session = sending_once(session)
            self._loop = loop
            self._finalizer = weakref.finalize(self, _forget, os.getpid(), loop, self._session)
        return self._session

    async def close(self) -> None:
        """Close the connections of the session, if there is one."""
        session, self._session = self._session, None
        if session is not None and self._finalizer is not None:
            self._finalizer.detach()
            await session.close()

    @asynccontextmanager
    async def request(
        self, method: str, path: str, byte_range: str = "", allowed: frozenset[int] = frozenset()
    ) -> AsyncIterator[ClientResponse]:
        """Yield the answer; raise what its status says unless that is `allowed`."""
        headers = {**self.headers, "Range": f"bytes={byte_range}"} if byte_range else self.headers
        with fitting_errors(path):
            session = await self.session()
            async with session.request(
                method, quoted(path), headers=headers, middlewares=kept_secure(path)
            ) as found:
                if found.status not in allowed:
                    raise_for_status(found, path)
                yield found


def _forget(pid: int, loop: asyncio.AbstractEventLoop, session: ClientSession) -> None:
    """End a session that nobody holds any more, unless it belongs to another process."""
    if pid == os.getpid():
        HTTPFileSystem.close_session(loop, session)
    else:
        session.detach()


def quoted(path: str) -> URL:
    """Quote what stands behind the origin; a raw `%`, `#` or `?` would be another name."""
    scheme, _, rest = path.partition("://")
    host, _, name = rest.partition("/")
    return URL(f"{scheme}://{host}/{quote(name, errors='surrogateescape')}", encoded=True)


async def _refuse_clear_text(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> ClientResponse:
    if request.url.scheme != "https":
        raise CertificateError(
            "the server sends us on to clear text: an https URL is read over TLS alone"
        )
    return await handler(request)


def kept_secure(path: str) -> tuple[aiohttp.ClientMiddlewareType, ...]:
    """Return what stands before each request for `path`, those of redirects too."""
    return (_refuse_clear_text,) if path.startswith("https:") else ()


def is_folder(found: ClientResponse) -> bool:
    """Tell whether the server sent us on from the name to the name with a slash."""
    asked = (found.history or (found,))[0].url.path
    return asked.endswith("/") or found.url.path == asked + "/"


@contextmanager
def fitting_errors(path: str) -> Iterator[None]:
    """Raise aiohttp's exceptions as the builtins that fit."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise CertificateError(
            f"{path}: the server's certificate is not trusted ({error.certificate_error}); "
            "ca_bundle=... names the authority to trust, verify=false turns the check off"
        ) from error
    except TimeoutError as error:
        raise TimeoutError(errno.ETIMEDOUT, "no answer in time", path) from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
        raise ConnectionError(f"{path}: {error or 'the server closed the connection'}") from error
    except aiohttp.ClientResponseError as error:
        # It holds the request, and its repr shows the header with name and password.
        error.request_info = error.request_info._replace(headers=CIMultiDictProxy(CIMultiDict()))
        error.args = ()
        raise OSError(errno.EIO, f"no usable answer: {error}", path) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise OSError(errno.EIO, f"no usable answer: {error}", path) from error


def raise_for_status(response: ClientResponse, path: str) -> None:
    """Raise what a status of 300 and more says about `path`."""
    if response.status >= 300:  # noqa: PLR2004
        retry_after = response.headers.get("Retry-After")
        raise server_said(response.status, response.reason or "", path, retry_after)


def server_said(status: int, reason: str, path: str, retry_after: str | None = None) -> OSError:
    """Return the builtin that fits a status of 300 and more."""
    if status in _GONE:
        return absent(path)
    text = f"HTTP {status} {reason}".rstrip()
    if status in _REFUSED:
        return PermissionError(errno.EACCES, text, path)
    if status in _PASSING or status >= 500:  # noqa: PLR2004
        return temporary_failure(text, path, retry_after)
    return OSError(errno.EIO, text, path)
