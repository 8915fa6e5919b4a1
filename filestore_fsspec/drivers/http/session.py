"""aiohttp as this library needs it: checked certificates, bounded waits, errors that fit."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import weakref
from base64 import b64encode
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from fsspec.implementations.http import HTTPFileSystem
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from filestore_fsspec.drivers.shared.aiohttp_patches import sending_once
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    CertificateError,
    absent,
    status_error,
    unusable_answer,
)
from filestore_fsspec.drivers.shared.tls import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiohttp.abc import ResolveResult


@dataclass(frozen=True)
class TLSCheck:
    """How a server proves itself, and with what we do."""

    verify: bool
    ca_bundle: str | None
    pki: str | None

    def context(self) -> ssl.SSLContext:
        """Return the settings of a connection; OSError when a file of theirs is of no use."""
        return tls_context(verify=self.verify, ca_bundle=self.ca_bundle, pki=self.pki)


class MalformedAnswer(ConnectionError):
    """What came is no HTTP."""


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

    async def _in_time(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> ClientResponse:
        """Bound the wait for a head: after `100 Continue` aiohttp 3.14 waits for ever."""
        async with asyncio.timeout(sum(self.timeouts)):
            return await handler(request)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        statuses: frozenset[int],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[ClientResponse]:
        """Yield the answer; raise what its status says unless that is one of `statuses`."""
        with fitting_errors(path):
            session = await self.session()
            async with session.request(
                method,
                quoted(path),
                headers={**self.headers, **headers},
                middlewares=(*kept_secure(path), self._in_time),
            ) as found:
                if found.status not in statuses:
                    raise _said(found, path)
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
    """Tell whether the server sent us on from the name to that name with a slash."""
    asked = (found.history or (found,))[0].url.path
    return asked.endswith("/") or (found.url.path.endswith("/") and not _is_elsewhere(found))


def _is_elsewhere(found: ClientResponse) -> bool:
    """Tell whether the server sent us on to another name: to log in, for instance."""
    names = [each.url.path.rstrip("/").rpartition("/")[2] for each in (*found.history, found)]
    return names[-1] not in {names[0], *names[-2:-1]}


def refuse_page(found: ClientResponse, path: str) -> None:
    """Raise unless this may be an answer about a file.

    Raises:
        Absent: it is a folder.
        ConnectionError: it is a page that the server made for us: to log in, or of an error.
    """
    if is_folder(found):
        raise absent(path)
    is_stored = "ETag" in found.headers or "Last-Modified" in found.headers
    is_page = found.content_type == "text/html" and (_is_elsewhere(found) or not is_stored)
    if found.url.path.endswith("/") or (is_page and found.status < HTTPStatus.MULTIPLE_CHOICES):
        raise unusable_answer(f"a page is no file's content: {found.url}", path)


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
        kind = OSError if isinstance(error, aiohttp.TooManyRedirects) else MalformedAnswer
        raise kind(errno.EIO, f"no usable answer: {type(error).__name__} {error}", path) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise OSError(errno.EIO, f"no usable answer: {error}", path) from error


def _said(found: ClientResponse, path: str) -> OSError:
    """Return what a status says that no answer to the request has."""
    text = f"HTTP {found.status} {found.reason or ''}".rstrip()
    if found.status < HTTPStatus.MULTIPLE_CHOICES:
        return unusable_answer(text, path)
    error = status_error(found.status, text, path, found.headers.get("Retry-After"))
    if isinstance(error, Absent) and _is_elsewhere(found):
        return unusable_answer(f"{text}, of {found.url}", path)
    return error
