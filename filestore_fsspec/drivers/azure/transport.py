"""The HTTP transport and the credentials of one Azure location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import (
    ClientSecretCredential,
    DefaultAzureCredential,
    WorkloadIdentityCredential,
)

from filestore_fsspec.drivers.shared.aiohttp_patches import lasting, sending_once

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials_async import AsyncTokenCredential

_MAX_CONNECTIONS = 128


class AzureTransport(AioHttpTransport):  # type: ignore[misc]  # loaded lazily, mypy sees Any
    """azure-core's own transport, with our certificates and pool, usable again after `close`."""

    session: ClientSession | None

    def __init__(
        self, tls: ssl.SSLContext, timeouts: tuple[float, float], url: str | None = None
    ) -> None:
        """`timeouts` are connect and read, in seconds; `url` is the one server to be asked."""
        super().__init__(connection_timeout=timeouts[0], read_timeout=timeouts[1])
        self._tls = tls
        self._url = url

    async def open(self) -> None:
        """Make the session, in the event loop that uses it."""
        if self.session is None:
            session = ClientSession(
                connector=TCPConnector(ssl=self._tls, limit=_MAX_CONNECTIONS),
                # aiohttp looks the proxy up for each request, in a thread.
                proxy=self._url and _proxy_for(self._url),
                trust_env=self._url is None,
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
            )
            self.session = lasting(sending_once(session))
        await super().open()


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a server."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def key_credential(account_name: str, account_key: str) -> AzureNamedKeyCredential:
    """Return the credential of an account's key."""
    return AzureNamedKeyCredential(account_name, account_key)


def token_credential(
    tenant_id: str | None,
    client_id: str | None,
    client_secret: str | None,
    transport: AzureTransport,
    *,
    use_default: bool,
) -> AsyncTokenCredential | None:
    """Return what fetches tokens, or None where there is nothing to fetch them with.

    The authority is AZURE_AUTHORITY_HOST's, or the public one.
    """
    options: dict[str, Any] = {"transport": transport, "retry_total": 0}
    if use_default:
        if tenant_id and client_id and not client_secret:
            return WorkloadIdentityCredential(tenant_id=tenant_id, client_id=client_id, **options)
        return DefaultAzureCredential(**options)
    if tenant_id and client_id and client_secret:
        return ClientSecretCredential(tenant_id, client_id, client_secret, **options)
    return None
