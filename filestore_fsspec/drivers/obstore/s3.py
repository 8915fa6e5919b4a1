"""S3 through obstore."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import ClientError
from obstore.store import S3Store

from filestore_fsspec.bridge import run
from filestore_fsspec.drivers.obstore.base import NO_RETRY, client_options
from filestore_fsspec.drivers.obstore.calls import ASYNCIO, SYNC
from filestore_fsspec.drivers.obstore.errors import TROUBLE, failure_of
from filestore_fsspec.drivers.obstore.writing import ObstoreWriting
from filestore_fsspec.drivers.s3.driver import S3Driver
from filestore_fsspec.drivers.s3.errors import errors_of, server_said
from filestore_fsspec.drivers.shared.errors import Absent, absent, already_there

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from obstore.store import S3Credential

    from filestore_fsspec.drivers.obstore.calls import Runner
    from filestore_fsspec.drivers.obstore.errors import Failure

_HOME_REGION, _GLOBAL = "us-east-1", "aws-global"
_FORBIDDEN = {"403", "AccessDenied"}
_READS = {"GetObject", "HeadObject"}
_CREDENTIALS_LAST = timedelta(minutes=10)
"""botocore renews what expires; obstore asks again five minutes before the end it was told."""


class S3ObstoreDriver(ObstoreWriting, S3Driver):
    """`S3Driver`, its arguments and paths; reads, small writes, `isfile` and deletes are fast."""

    direct = ObstoreWriting.direct | {"isfile", "rm_files"}

    # Where the requests go.

    def split_place(self, path: str) -> tuple[str, str]:
        """Return bucket and key."""
        bucket, key, _ = self.split_path(path)
        return bucket, key

    def make_store(self, place: str) -> S3Store:
        """Return a store for a bucket."""
        settings = self.requests.settings
        endpoint, region = settings.endpoint_url, settings.region
        if endpoint is None:
            with errors_of("Amazon S3"):
                meta = self._session.create_client("s3", region_name=region).meta
            endpoint, region = meta.endpoint_url, region or meta.region_name
        secure = endpoint.startswith("https:")
        bundle = settings.ca_bundle
        if settings.verify and bundle is None and secure:
            bundle = self._session.get_config_variable("ca_bundle")
        return S3Store(
            place,
            endpoint=endpoint,
            aws_endpoint_url_s3=endpoint,  # of the environment, it would come before the other
            region=_HOME_REGION if region in {None, _GLOBAL} else region,
            unsigned_payload=secure,  # TLS covers the content already
            # obstore looks in the environment for what is not given here.
            skip_signature=False,
            virtual_hosted_style_request=False,
            credential_provider=self._provider(),
            client_options=client_options(
                settings.timeouts,
                verify=settings.verify,
                ca_bundle=bundle or None,
                secure=secure,
            ),
            retry_config=NO_RETRY,
        )

    @cached_property
    def _session(self) -> Any:
        return botocore.session.get_session()

    def _provider(self) -> Callable[[], S3Credential]:
        """Return what obstore asks for what signs requests; it must not hold the driver."""
        settings = self.requests.settings
        if settings.key is None or settings.secret is None:
            return partial(_found_credentials, self._session)
        given: S3Credential = {
            "access_key_id": settings.key,
            "secret_access_key": settings.secret,
            "token": None,
            "expires_at": None,
        }
        return lambda: given

    # What came back.

    def server_said(self, failure: Failure, path: str, operation: str) -> OSError:
        """Return the builtin that fits, as the default driver sees it."""
        code = failure.code or str(failure.status)
        if self.requests.settings.missing_is_403 and operation in _READS and code in _FORBIDDEN:
            return absent(path)
        answer: Any = {
            "Error": {"Code": code, "Message": failure.text},
            "ResponseMetadata": {"HTTPStatusCode": failure.status},
        }
        return server_said(ClientError(answer, operation), path)

    def doubtful(self, _answer: object) -> bool:
        """Every answer that obstore can read is S3's."""
        return False

    # Creating: not every server knows conditions.

    async def _write(self, runner: Runner, path: str, content: bytes, mode: str) -> None:
        bucket, key = self.split_place(path)
        if mode == "create" and key:
            known = self.requests.honours_conditions
            if known is None:
                known = await runner.default(self.requests.can_create, bucket, key)
            if not known:
                if await self._holds(runner, path):
                    raise already_there(path)
                mode = "overwrite"
        await super()._write(runner, path, content, mode)

    # Looking

    async def _holds(self, runner: Runner, path: str) -> bool:
        found = self.store_for(path)
        if found is not None:
            try:
                await runner.call("head", *found)
            except TROUBLE as error:
                failure = failure_of(error)
                if failure.kind not in {"refused", "redirect", "unclear"}:
                    fitting = self.error_for(failure, path, "HeadObject")
                    if isinstance(fitting, Absent):
                        return False
                    raise fitting from error
            else:
                return True
        there: bool = await runner.default(super()._isfile, path)
        return there

    def isfile(self, path: str) -> bool:
        """Tell whether there is an object of this name."""
        return run(self._holds(SYNC, path))

    async def _isfile(self, path: str) -> bool:
        return await self._holds(ASYNCIO, path)

    # Deleting

    async def _delete(self, runner: Runner, paths: Sequence[str]) -> dict[str, OSError]:
        buckets: dict[str, list[str]] = {}
        for path in paths:
            buckets.setdefault(self.split_place(path)[0], []).append(path)
        failed: dict[str, OSError] = {}
        for inside in buckets.values():
            if not await self._delete_in_bucket(runner, inside):
                failed |= await runner.default(super()._rm_files, inside)
        return failed

    async def _delete_in_bucket(self, runner: Runner, paths: Sequence[str]) -> bool:
        """Delete objects of one bucket in one request; return False if that is not for obstore."""
        found = [self.store_for(path) for path in paths]
        stores = [each[0] for each in found if each is not None]
        if self.delete_batch_chunk_size == 1 or len(stores) < len(paths):
            return False
        try:
            await runner.call("delete", stores[0], [each[1] for each in found if each is not None])
        except (*TROUBLE, TypeError) as error:  # TypeError for a name it cannot take
            failure = failure_of(error)
            if failure.kind in {"refused", "redirect", "unclear"}:
                return False  # which ones could not be deleted, the default driver finds out
            fitting = self.error_for(failure, paths[0], "DeleteObjects")
            if not isinstance(fitting, Absent):
                raise fitting from error
        return True  # no bucket, no objects

    def rm_files(self, paths: Sequence[str]) -> dict[str, OSError]:
        """Delete up to `delete_batch_chunk_size` objects in one request; return what failed."""
        return run(self._delete(SYNC, paths))

    async def _rm_files(self, paths: Sequence[str]) -> dict[str, OSError]:
        return await self._delete(ASYNCIO, paths)


def _found_credentials(session: Any) -> S3Credential:
    """Return what the usual AWS credential chain finds."""
    found = session.get_credentials()
    if found is None:
        raise PermissionError(errno.EACCES, "no AWS credentials")
    key, secret, token = found.get_frozen_credentials()
    return {
        "access_key_id": key,
        "secret_access_key": secret,
        "token": token,
        "expires_at": datetime.now(UTC) + _CREDENTIALS_LAST,
    }
