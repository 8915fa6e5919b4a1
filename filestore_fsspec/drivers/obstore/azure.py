"""Azure Blob Storage through obstore."""

from __future__ import annotations

import asyncio
import errno
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from obstore.store import AzureStore

from filestore_fsspec.drivers.azure.driver import AzureDriver
from filestore_fsspec.drivers.azure.errors import server_said
from filestore_fsspec.drivers.obstore.base import NO_RETRY, client_options
from filestore_fsspec.drivers.obstore.writing import ObstoreWriting

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore import GetResult, PutResult
    from obstore.store import AzureCredential

    from filestore_fsspec.drivers.azure.requests import AzureRequests
    from filestore_fsspec.drivers.obstore.calls import Runner
    from filestore_fsspec.drivers.obstore.errors import Failure

_ETAG = '"0x'
"""How Azure's ETags begin. Of its other headers obstore shows none."""
_FOLDER = "hdi_isfolder"


class AzureObstoreDriver(ObstoreWriting, AzureDriver):
    """`AzureDriver`, its arguments and paths; reads and small writes are fast."""

    def split_place(self, path: str) -> tuple[str, str]:
        """Return container and key."""
        container, key, _ = self.split_path(path)
        return container, key

    def make_store(self, place: str) -> AzureStore:
        """Return a store for a container."""
        settings = self.requests.settings
        signs = settings.account_key or settings.tenant_id or settings.use_default_credentials
        return AzureStore(
            place,
            endpoint=settings.account_url,
            account_name=settings.account_name,
            # obstore looks in the environment for what is not given here.
            use_emulator=False,
            skip_signature=not (signs or settings.credential),
            credential_provider=self._provider(),
            client_options=client_options(
                settings.timeouts,
                verify=settings.verify,
                ca_bundle=settings.ca_bundle,
                secure=settings.account_url.startswith("https:"),
            ),
            retry_config=NO_RETRY,
        )

    def _provider(self) -> Callable[[], AzureCredential]:
        """Return what obstore asks for keys and tokens, in a thread of its own."""
        key = self.requests.settings.account_key
        if key is not None:
            return lambda: {"access_key": key, "expires_at": None}
        loop = asyncio.get_running_loop() if self.asynchronous else self.loop
        requests = weakref.ref(self.requests)  # held by obstore, it would never be collected
        return lambda: asyncio.run_coroutine_threadsafe(_token_of(requests), loop).result()

    async def _write(self, runner: Runner, path: str, content: bytes, mode: str) -> None:
        """Write over all but what marks a folder."""
        if mode == "create":
            await super()._write(runner, path, content, mode)
            return
        try:
            await super()._write(runner, path, content, "create")
        except FileExistsError:
            await runner.default(self.requests.refuse_marker, *self.split_place(path))
            await super()._write(runner, path, content, mode)

    def server_said(self, failure: Failure, path: str, operation: str) -> OSError:
        """Return the builtin that fits, as the default driver sees it."""
        return server_said(failure.status, failure.code, path)

    def doubtful(self, answer: GetResult) -> bool:
        """Another server's answers, and folders, are for the default driver to judge."""
        etag = answer.meta["e_tag"] or ""
        return not etag.startswith(_ETAG) or any(
            str(name).lower() == _FOLDER for name in answer.attributes
        )

    def check_written(self, answer: PutResult, path: str) -> None:
        """Raise ConnectionError if it was not Azure that took a write."""
        if not (answer["e_tag"] or "").startswith(_ETAG):
            raise ConnectionError(errno.EIO, "the answer is not Azure's", path)


async def _token_of(reference: weakref.ref[AzureRequests]) -> AzureCredential:
    """Return a token of the default driver's credential, which lives in its event loop."""
    requests = reference()
    if requests is None:
        raise ConnectionError(errno.EIO, "the driver is gone")
    token = await requests.token()
    return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}
