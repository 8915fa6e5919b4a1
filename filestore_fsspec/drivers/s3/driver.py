"""S3 and what speaks its protocol: s3fs, with one request a call, telling the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s3fs import S3FileSystem
from s3fs.utils import ParamKwargsHelper

from filestore_fsspec.bridge import sync
from filestore_fsspec.drivers.s3.requests import S3Requests, S3Settings, forbidden
from filestore_fsspec.drivers.shared.buckets import BucketDriver

if TYPE_CHECKING:
    import asyncio

_BATCH = 1000


class S3Driver(BucketDriver, S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """s3fs with the promises of `shared.driver`; paths are `bucket/key`.

    Args:
        endpoint_url: `http(s)://host:port`; None is Amazon.
        key: access key id; without it and `secret`, the usual AWS credential chain is asked.
        secret: secret access key.
        region: the bucket's region.
        verify: whether the server's certificate is checked.
        ca_bundle: PEM file with the authorities to trust instead of the usual ones.
        missing_is_403: whether 403 on an object means absent (credentials that may not list).
        batch_delete: whether `rm_files` takes a thousand paths in one request.
        connect_timeout: seconds.
        read_timeout: seconds without a byte in either direction.
        asynchronous: whether it is used from inside coroutines.
        loop: fsspec's own.
        **kwargs: s3fs's own.
    """

    requests: S3Requests

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
        self.delete_batch_chunk_size = _BATCH if batch_delete else 1  # type: ignore[misc]  # one instance's
        self.requests = S3Requests(
            S3Settings(
                endpoint_url,
                key,
                secret,
                region,
                verify,
                ca_bundle,
                missing_is_403,
                (connect_timeout, read_timeout),
                asynchronous,
            )
        )
        self._kwargs_helper: Any = None
        if self.s3_additional_kwargs or self.req_kw:
            self.requests.amend = self._get_s3_method_kwargs

    def split_path(self, path: Any, *_args: object, **_kwargs: object) -> tuple[str, str, None]:
        """Return bucket, which may be the ARN of an access point, key and None."""
        text = self._without_protocol(path).lstrip("/")
        if text.startswith("arn:"):
            return *self._find_bucket_key(text), None
        bucket, _, key = text.partition("/")
        return bucket, key, None

    async def _has_any(self, bucket: str, prefix: str) -> bool:
        try:
            return await super()._has_any(bucket, prefix)
        except PermissionError as error:
            if self.requests.settings.missing_is_403 and forbidden(error):
                return False
            raise

    # What s3fs has beyond fsspec (tags, ACLs, signed URLs) goes the same way.

    async def set_session(self, refresh: bool = False, kwargs: Any = None) -> Any:
        """Return the client, made on first use and after `close`."""
        if refresh:
            await self.requests.close()
        self._s3 = await self.requests.connect()
        return self._s3

    _connect = set_session

    def connect(self, refresh: bool = False) -> Any:
        """Do the same as `set_session`."""
        return sync(self.loop, self.set_session, refresh)

    async def _close(self) -> None:
        self._s3 = None
        await super()._close()

    def _filter_kwargs(self, s3_method: Any, kwargs: dict[str, Any]) -> Any:
        if self._kwargs_helper is None:
            self._kwargs_helper = ParamKwargsHelper(self.requests.client)
        return super()._filter_kwargs(s3_method, kwargs)

    async def _call_s3(self, method: str, *defaults: dict[str, Any], **kwargs: Any) -> Any:
        call = getattr(await self.set_session(), method)
        arguments = self._get_s3_method_kwargs(call, *defaults, **kwargs)
        return await self.requests.call(method, **arguments)

    def call_s3(self, method: str, *defaults: dict[str, Any], **kwargs: Any) -> Any:
        """Call a method of botocore's client; a write makes the bucket that is missing."""
        return sync(self.loop, self._call_s3, method, *defaults, **kwargs)
