"""How a call reaches S3: one attempt, the builtin that fits each error, buckets, conditions."""

from __future__ import annotations

import asyncio
import errno
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from fsspec.asyn import sync_wrapper
from s3fs import S3FileSystem
from s3fs.utils import ParamKwargsHelper

from filestore_fsspec.drivers.s3.botocore_patches import apply_patches
from filestore_fsspec.drivers.s3.client import client_context
from filestore_fsspec.drivers.s3.errors import code_of, errors_of
from filestore_fsspec.drivers.shared.driver import AsyncDriver
from filestore_fsspec.drivers.shared.errors import Absent, absent, already_there
from filestore_fsspec.drivers.shared.fork_safety import close_after, keep_from_children
from filestore_fsspec.keys import temporary_path

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from weakref import finalize

_log = logging.getLogger(__name__)

_READS = {"get_object", "head_object"}
_WRITES = {"put_object", "create_multipart_upload"}
_HOME_REGION = "us-east-1"
_BATCH = 1000


class S3Connection(AsyncDriver, S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """Everything that s3fs asks of S3 goes through `_call_s3`, and so do the repairs."""

    retries = 1  # s3fs repeats 5 times what botocore has repeated already

    def __init__(
        self,
        endpoint_url: str | None = None,
        key: str | None = None,
        secret: str | None = None,
        region: str | None = None,
        *,
        verify: bool = True,
        ca_bundle: str | None = None,
        missing_is_403: bool = False,
        batch_delete: bool = True,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(
            endpoint_url=endpoint_url,
            key=key,
            secret=secret,
            asynchronous=asynchronous,
            loop=loop,
            use_listings_cache=False,
            **kwargs,
        )
        self.region = region
        # None lets botocore look at AWS_CA_BUNDLE.
        self.verify: str | Literal[False] | None = ca_bundle if verify else False
        self.missing_is_403 = missing_is_403
        self.delete_batch_chunk_size = _BATCH if batch_delete else 1  # type: ignore[misc]  # one instance's
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self._context: AbstractAsyncContextManager[Any] | None = None
        self._finalizer: finalize[Any, Any] | None = None
        self._honours_conditions: bool | None = None
        self._client_lock = asyncio.Lock()
        self._probe_lock = asyncio.Lock()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        # s3fs keeps leading slashes in names, and then does not find them.
        return super()._strip_protocol(path).lstrip("/")

    def split_path(self, path: str) -> tuple[str, str, None]:
        """Return bucket, key and None; s3fs cuts `?versionId=...` off a key."""
        for protocol in self.protocol:
            path = path.removeprefix(f"{protocol}://")
        path = path.lstrip("/")
        if path.startswith("arn:"):
            return *self._find_bucket_key(path), None
        bucket, _, key = path.partition("/")
        return bucket, key, None

    async def set_session(self, refresh: bool = False, kwargs: Any = None) -> Any:
        """Return the client, made on first use and after `close`."""
        async with self._client_lock:
            if refresh:
                await self._close()
            if self._s3 is None:
                await self._open_client()
        return self._s3

    _connect = set_session
    connect = sync_wrapper(set_session)

    async def _open_client(self) -> None:
        with errors_of(self.endpoint_url or "Amazon S3"):
            context = client_context(
                self.endpoint_url,
                self.key,
                self.secret,
                self.region,
                self.verify,
                (self.connect_timeout, self.read_timeout),
            )
            client = await context.__aenter__()
        apply_patches(client, own_server=self.endpoint_url is not None)
        self._kwargs_helper = ParamKwargsHelper(client)
        self._context, self._s3 = context, client
        keep_from_children(asyncio.get_running_loop())
        if not self.asynchronous:
            leave = partial(context.__aexit__, None, None, None)
            self._finalizer = close_after(self, self.loop, leave)

    async def _close(self) -> None:
        context, self._context, self._s3 = self._context, None, None
        if self._finalizer is not None:
            self._finalizer.detach()
        if context is not None:
            await context.__aexit__(None, None, None)

    async def _request(self, method: str, *defaults: dict[str, Any], **kwargs: Any) -> Any:
        """Send one request, once."""
        key = kwargs.get("Key")
        path = "/".join(filter(None, (kwargs.get("Bucket"), key)))
        if key == "":
            # With no key, botocore would ask the same of the bucket: DELETE removes it.
            raise absent(path) if method in _READS else IsADirectoryError(errno.EISDIR, path)
        client = self._s3 or await self.set_session()
        call = getattr(client, method)
        arguments = self._get_s3_method_kwargs(call, *defaults, **kwargs)
        try:
            with errors_of(path):
                return await call(**arguments)
        except PermissionError as error:
            if not (self.missing_is_403 and method in _READS):
                raise
            if code_of(error) not in {"403", "AccessDenied"}:
                raise
            raise absent(path) from error.__cause__

    async def _call_s3(self, method: str, *defaults: dict[str, Any], **kwargs: Any) -> Any:
        """Send one request; a write makes the bucket that is missing and is sent again."""
        if "IfNoneMatch" in kwargs and not await self._can_create(kwargs["Bucket"], kwargs["Key"]):
            await self._refuse_existing(kwargs["Bucket"], kwargs["Key"])
            del kwargs["IfNoneMatch"]
        try:
            return await self._request(method, *defaults, **kwargs)
        except Absent as error:
            if method not in _WRITES or code_of(error) != "NoSuchBucket":
                raise
        await self._make_bucket(kwargs["Bucket"])
        return await self._request(method, *defaults, **kwargs)

    call_s3 = sync_wrapper(_call_s3)

    async def _make_bucket(self, bucket: str) -> None:
        """Make a bucket of ours, unless it is there."""
        where = {}
        if self.region not in {None, _HOME_REGION}:
            # Naming the home region is an error: moto and radosgw say "not valid", as Amazon does.
            where["CreateBucketConfiguration"] = {"LocationConstraint": self.region}
        try:
            await self._request("create_bucket", Bucket=bucket, **where)
        except OSError as error:
            if code_of(error) not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise

    async def _can_create(self, bucket: str, key: str) -> bool:
        """Tell whether the server honours `If-None-Match: *`; asked once, with a key of our own.

        rclone, nanio and s3rver answer 200 and overwrite.
        """
        async with self._probe_lock:
            if self._honours_conditions is None:
                probe = self.split_path(temporary_path(f"{bucket}/{key}"))[1]
                self._honours_conditions = await self._probe(bucket, probe)
        return self._honours_conditions

    async def _probe(self, bucket: str, key: str) -> bool:
        probe = {"Bucket": bucket, "Key": key}
        try:
            await self._create_probe(probe)
        except FileExistsError:
            pass  # repeated on the way: the name is known to nobody else
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            return False
        try:
            await self._request("put_object", **probe, IfNoneMatch="*")
        except FileExistsError:
            return True
        finally:
            await self._remove_probe(probe)
        return False

    async def _create_probe(self, probe: dict[str, str]) -> None:
        try:
            await self._request("put_object", **probe, IfNoneMatch="*")
        except Absent:
            await self._make_bucket(probe["Bucket"])
            await self._request("put_object", **probe, IfNoneMatch="*")

    async def _remove_probe(self, probe: dict[str, str]) -> None:
        try:
            await self._request("delete_object", **probe)
        except PermissionError:
            _log.warning("%(Bucket)s: no right to remove the empty %(Key)s", probe)

    async def _refuse_existing(self, bucket: str, key: str) -> None:
        try:
            await self._request("head_object", Bucket=bucket, Key=key)
        except Absent:
            return
        raise already_there(f"{bucket}/{key}")
