"""S3 and what speaks its protocol: s3fs, with one request a call, telling the truth."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.s3.errors import code_of, errors_of
from filestore_fsspec.drivers.s3.file import S3DriverFile
from filestore_fsspec.drivers.s3.writing import S3Writing
from filestore_fsspec.drivers.shared.errors import Absent, absent_in_fsspec
from filestore_fsspec.drivers.shared.pieces import PIECE_BYTES, save
from filestore_fsspec.drivers.shared.readahead import READ_BYTES, cache_type
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.driver import Info, Page


def _folder(name: str) -> Info:
    return {"name": name, "size": 0, "type": "directory", "modified": None}


class S3Driver(S3Writing):
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
        **kwargs: fsspec's own.
    """

    cachable = False
    default_block_size = PIECE_BYTES  # of what is written; s3fs holds 50 MiB

    async def read_once(self, bucket: str, key: str, **request: str) -> bytes:
        """Return what one GET gives; `request` is S3's own (Range, IfMatch)."""
        answer = await self._call_s3("get_object", Bucket=bucket, Key=key, **request)
        with errors_of(f"{bucket}/{key}"), closing(answer["Body"]) as body:
            data: bytes = await body.read()
        return data

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: object
    ) -> bytes:
        bucket, key, _ = self.split_path(path)
        if start is None and end is None:
            # s3fs sends HEAD first.
            return await self.read_once(bucket, key)
        if start is not None and end is not None and 0 <= end <= start:
            await self._call_s3("head_object", Bucket=bucket, Key=key)
            return b""
        try:
            return await self.read_once(
                bucket, key, Range=await self._process_limits(path, start, end)
            )
        except OSError as error:
            if code_of(error) not in {"InvalidRange", "416"}:
                raise
            return b""  # a range past the end is empty, here as in a local file

    async def _get_file(
        self, rpath: str, lpath: str, callback: Callback = DEFAULT_CALLBACK, **_kwargs: object
    ) -> None:
        if os.path.isdir(lpath):
            return
        bucket, key, _ = self.split_path(rpath)
        answer = await self._call_s3("get_object", Bucket=bucket, Key=key)
        callback.set_size(answer["ContentLength"])
        with errors_of(rpath), closing(answer["Body"]) as body:
            await save(body.read, lpath, callback)

    async def _info(self, path: str, *_args: object, **_kwargs: object) -> Info:
        path = self._strip_protocol(path)
        bucket, key, _ = self.split_path(path)
        if not key:
            if bucket:
                await self._call_s3("head_bucket", Bucket=bucket)
            return _folder(bucket)
        try:
            head = await self._call_s3("head_object", Bucket=bucket, Key=key)
        except Absent:
            if not await self._isdir(path):
                raise
            return _folder(path)
        info = {
            name: head.get(name) for name in ("ETag", "LastModified", "StorageClass", "ContentType")
        }
        return self._file(path, head["ContentLength"], info)

    async def _ls(self, path: str, detail: bool = False, **kwargs: Any) -> list[Any]:
        with absent_in_fsspec(path):
            return await super()._ls(path, detail, **kwargs)  # type: ignore[no-any-return]  # s3fs's

    ls = sync_wrapper(_ls)

    async def _isfile(self, path: str) -> bool:
        bucket, key, _ = self.split_path(path)
        if not key or key.endswith("/"):
            return False
        try:
            await self._call_s3("head_object", Bucket=bucket, Key=key)
        except Absent:
            return False
        return True

    async def _isdir(self, path: str) -> bool:
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if not bucket:
            return True
        prefix = f"{key}/" if key else ""
        try:
            page = await self._call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except Absent:
            return False
        except PermissionError as error:
            if self.missing_is_403 and code_of(error) in {"403", "AccessDenied"}:
                return False
            raise
        return not key or bool(page.get("Contents"))

    isdir = sync_wrapper(_isdir)

    async def _exists(self, path: str, **_kwargs: object) -> bool:
        # s3fs says False for a bucket that it may not see or cannot reach.
        try:
            await self._info(path)
        except Absent:
            return False
        return True

    exists = sync_wrapper(_exists)

    @staticmethod
    def _file(name: str, size: int, details: Info) -> Info:
        modified, etag = details.get("LastModified"), details.get("ETag")
        file = {"name": name, "size": size, "type": "file", "modified": modified, "etag": etag}
        return {**details, **file}

    @staticmethod
    def _fill_info(f: Info, bucket: str, versions: bool = False) -> None:  # noqa: ARG004 - s3fs's signature
        name = f"{bucket}/{f['Key']}"
        f.update(Key=name, name=name, size=f["Size"])
        f.update(modified=f.get("LastModified"), etag=f.get("ETag"))

    async def _list_page(self, prefix: str, token: Any = None) -> Page:
        return await self._page(prefix, token)

    async def _page(self, prefix: str, token: Any, *, stale_files: bool = False) -> Page:
        bucket, key, _ = self.split_path(prefix)
        more = {"ContinuationToken": token} if token else {}
        try:
            page = await self._call_s3("list_objects_v2", Bucket=bucket, Prefix=key, **more)
        except Absent:
            return [], None
        files = [
            self._file(f"{bucket}/{entry['Key']}", entry["Size"], entry)
            for entry in page.get("Contents", ())
            if not entry["Key"].endswith("/") and is_temporary(entry["Key"]) is stale_files
        ]
        return files, page["NextContinuationToken"] if page.get("IsTruncated") else None

    async def _stale_files(self, prefix: str, token: Any = None) -> Page:
        """Return objects of ours that made sure of the server, then uploads that nobody ended."""
        uploads, token = token or (False, None)
        if uploads:
            infos, token = await self.unfinished(prefix, token)
            return infos, token and (True, token)
        infos, token = await self._page(prefix, token, stale_files=True)
        return infos, (token is None, token)

    async def _remove_stale(self, info: Info) -> None:
        if "upload" in info:
            bucket, key, _ = self.split_path(info["name"])
            await self._abort_mpu(bucket, key, info["upload"])
        else:
            await self._rm_file(info["name"])

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        **kwargs: object,
    ) -> S3DriverFile:
        length = block_size or (READ_BYTES if mode == "rb" else self.default_block_size)
        kwargs.setdefault("cache_type", cache_type(block_size))
        return S3DriverFile(self, path, mode, length, autocommit=autocommit, **kwargs)
