"""S3 and what speaks its protocol: s3fs, with one request a call, telling the truth."""

from __future__ import annotations

import errno
import logging
import os
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from fsspec.asyn import sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.base import absent, already_there
from filestore_fsspec.drivers.s3_connection import S3Connection
from filestore_fsspec.drivers.s3_errors import code_of, errors_of, server_said
from filestore_fsspec.drivers.s3_file import S3DriverFile
from filestore_fsspec.drivers.s3_transfer import (
    MEMORY_BYTES,
    multipart,
    part_bytes,
    save,
    send_parts,
    slices,
)
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.base import Info, Page

_log = logging.getLogger(__name__)

_ONE_PUT_BYTES = 16 * 2**20
_BATCH = 1000
_ONE_COPY_BYTES = 5 * 2**30
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _folder(name: str) -> Info:
    return {"name": name, "size": 0, "type": "directory", "modified": None}


class S3Driver(S3Connection):
    """s3fs with the promises of `base`; paths are `bucket/key`.

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
    default_block_size = 8 * 2**20  # s3fs reads 50 MiB ahead
    delete_batch_chunk_size = _BATCH

    def __init__(self, *args: Any, batch_delete: bool = True, **kwargs: Any) -> None:  # noqa: ANN401 - S3Connection's own
        super().__init__(*args, **kwargs)
        if not batch_delete:
            self.delete_batch_chunk_size = 1  # type: ignore[misc]  # this instance's choice

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:  # noqa: ANN401 - fsspec's own
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

    # Reading

    async def _read(self, bucket: str, key: str, **request: str) -> bytes:
        answer = await self._call_s3("get_object", Bucket=bucket, Key=key, **request)
        with errors_of(f"{bucket}/{key}"):
            try:
                data: bytes = await answer["Body"].read()
            finally:
                answer["Body"].close()
        return data

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        bucket, key, _ = self.split_path(path)
        if start is None and end is None:
            # s3fs sends HEAD first.
            return await self._read(bucket, key)
        if start is not None and end is not None and 0 <= end <= start:
            await self._call_s3("head_object", Bucket=bucket, Key=key)
            return b""
        try:
            return await self._read(bucket, key, Range=await self._process_limits(path, start, end))
        except OSError as error:
            if code_of(error) not in {"InvalidRange", "416"}:
                raise
            return b""  # a range past the end is empty, here as in a local file

    async def _get_file(
        self, rpath: str, lpath: str, callback: Callback = DEFAULT_CALLBACK, **kwargs: Any
    ) -> None:
        if os.path.isdir(lpath):  # noqa: ASYNC240, PTH112 - fsspec's `get` makes folders itself
            return
        bucket, key, _ = self.split_path(rpath)
        answer = await self._call_s3("get_object", Bucket=bucket, Key=key)
        callback.set_size(answer["ContentLength"])
        with errors_of(rpath):
            await save(answer["Body"], lpath, callback)

    async def _info(self, path: str, *args: Any, **kwargs: Any) -> Info:
        path = self._strip_protocol(path)
        bucket, key, _ = self.split_path(path)
        if not key:
            if bucket:
                await self._call_s3("head_bucket", Bucket=bucket)
            return _folder(bucket)
        try:
            head = await self._call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            if not await self._isdir(path):
                raise
            return _folder(path)
        info = {
            name: head.get(name) for name in ("ETag", "LastModified", "StorageClass", "ContentType")
        }
        return self._file(path, head["ContentLength"], info)

    async def _isfile(self, path: str) -> bool:
        bucket, key, _ = self.split_path(path)
        if not key or key.endswith("/"):
            return False
        try:
            await self._call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return False
        return True

    async def _isdir(self, path: str) -> bool:
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if not bucket:
            return True
        prefix = f"{key}/" if key else ""
        try:
            page = await self._call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except FileNotFoundError:
            return False
        except PermissionError as error:
            if self.missing_is_403 and code_of(error) in {"403", "AccessDenied"}:
                return False
            raise
        return not key or bool(page.get("Contents"))

    isdir = sync_wrapper(_isdir)

    async def _exists(self, path: str, **kwargs: Any) -> bool:
        # s3fs says False for a bucket that it may not see or cannot reach.
        try:
            await self._info(path)
        except FileNotFoundError:
            return False
        return True

    exists = sync_wrapper(_exists)

    # Listing

    @staticmethod
    def _file(name: str, size: int, details: Info) -> Info:
        modified, etag = details.get("LastModified"), details.get("ETag")
        file = {"name": name, "size": size, "type": "file", "modified": modified, "etag": etag}
        return {**details, **file}

    @staticmethod
    def _fill_info(f: Info, bucket: str, versions: bool = False) -> None:  # noqa: ARG004, FBT001, FBT002 - s3fs's signature
        name = f"{bucket}/{f['Key']}"
        f.update(Key=name, name=name, size=f["Size"])
        f.update(modified=f.get("LastModified"), etag=f.get("ETag"))

    async def _list_page(self, prefix: str, token: Any = None) -> Page:  # noqa: ANN401 - S3's own
        bucket, key, _ = self.split_path(prefix)
        more = {"ContinuationToken": token} if token else {}
        try:
            page = await self._call_s3("list_objects_v2", Bucket=bucket, Prefix=key, **more)
        except FileNotFoundError:
            return [], None
        files = [
            self._file(f"{bucket}/{entry['Key']}", entry["Size"], entry)
            for entry in page.get("Contents", ())
            if not entry["Key"].endswith("/") and not is_temporary(entry["Key"])
        ]
        return files, page["NextContinuationToken"] if page.get("IsTruncated") else None

    list_page = sync_wrapper(_list_page)

    # Writing

    async def _pipe_file(
        self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        size = memoryview(value).nbytes
        if size > _ONE_PUT_BYTES:
            pieces = slices(memoryview(value).cast("B"), part_bytes(size))
            await self._upload(path, pieces, part_bytes(size), mode)
            return
        bucket, key, _ = self.split_path(path)
        await self._call_s3(
            "put_object", Bucket=bucket, Key=key, Body=bytes(value), **_condition(mode)
        )

    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **kwargs: Any,
    ) -> None:
        with open(lpath, "rb") as source:  # noqa: ASYNC230, PTH123 - read in threads below
            size = os.fstat(source.fileno()).st_size
            callback.set_size(size)
            if size <= _ONE_PUT_BYTES:
                await self._pipe_file(rpath, source.read(), mode=mode)
                callback.relative_update(size)
                return
            length = part_bytes(size)
            pieces = iter(lambda: source.read(length), b"")
            await self._upload(rpath, pieces, length, mode, callback)

    async def _upload(
        self,
        path: str,
        pieces: Iterator[bytes],
        length: int,
        mode: str,
        callback: Callback = DEFAULT_CALLBACK,
    ) -> None:
        bucket, key, _ = self.split_path(path)
        at_once = max(1, MEMORY_BYTES // length)
        async with multipart(self, bucket, key, **_condition(mode)) as (target, parts):
            await send_parts(self, target, parts, pieces, at_once, callback)

    async def _abort_mpu(self, bucket: str, key: str, mpu: str) -> None:
        try:
            await self._call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=mpu)
        except FileNotFoundError:
            return
        except OSError as error:
            # What made us abort is on its way to the caller already.
            _log.warning("%s/%s: parts of an upload are left behind: %s", bucket, key, error)

    abort_mpu = sync_wrapper(_abort_mpu)

    async def _copy_managed(self, path1: str, path2: str, size: int, **kwargs: Any) -> None:
        # s3fs leaves the parts behind when a copy fails, and cuts `?versionId=` off the source.
        bucket, key, _ = self.split_path(path1)
        length = max(part_bytes(size), MEMORY_BYTES)
        async with multipart(self, *self.split_path(path2)[:2]) as (target, parts):
            for number, start in enumerate(range(0, size, length), 1):
                answer = await self._call_s3(
                    "upload_part_copy",
                    PartNumber=number,
                    CopySource={"Bucket": bucket, "Key": key},
                    CopySourceRange=f"bytes={start}-{min(start + length, size) - 1}",
                    **target,
                )
                parts[number] = answer["CopyPartResult"]["ETag"]

    async def _mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:  # noqa: ARG002, FBT001, FBT002 - fsspec's signature
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if key:
            return  # a folder is there as soon as something is in it
        if await self._exists(bucket):
            raise already_there(bucket)
        await self._make_bucket(bucket)

    mkdir = sync_wrapper(_mkdir)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - fsspec's signature
        # s3fs makes the bucket here.
        if not exist_ok and await self._isdir(path):
            raise already_there(path)

    makedirs = sync_wrapper(_makedirs)

    # Deleting

    async def _rm_files(self, paths: Sequence[str]) -> dict[str, OSError]:
        if self.delete_batch_chunk_size == 1:
            return await super()._rm_files(paths)
        # DeleteObjects is XML, which cannot say every name.
        failed = await super()._rm_files([path for path in paths if _NOT_IN_XML.search(path)])
        buckets: dict[str, dict[str, str]] = {}
        for path in paths:
            if not _NOT_IN_XML.search(path):
                bucket, key, _ = self.split_path(path)
                buckets.setdefault(bucket, {})[key] = path
        for bucket, keys in buckets.items():
            failed |= await self._delete_objects(bucket, keys)
        return failed

    rm_files = sync_wrapper(_rm_files)

    async def _delete_objects(self, bucket: str, paths: dict[str, str]) -> dict[str, OSError]:
        """Delete keys of a bucket, given with their paths, in one request."""
        objects = [{"Key": key} for key in paths]
        try:
            answer = await self._call_s3(
                "delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True}
            )
        except FileNotFoundError:
            return {}  # no bucket, no objects
        errors = {paths[entry["Key"]]: _error_of(entry) for entry in answer.get("Errors", ())}
        return {
            path: server_said(error, path)
            for path, error in errors.items()
            if code_of(error) != "NoSuchKey"
        }

    async def _bulk_delete(self, pathlist: list[str], **kwargs: Any) -> list[str]:
        # s3fs's `rm` calls this, and does not look at what could not be deleted.
        for error in (await self._rm_files(pathlist)).values():
            raise error
        return pathlist

    async def _rmdir(self, path: str) -> None:
        path = self._strip_protocol(path)
        bucket, key, _ = self.split_path(path)
        if not key:
            await self._call_s3("delete_bucket", Bucket=bucket)
        elif await self._isdir(path):
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", path)
        else:
            raise absent(path)

    rmdir = sync_wrapper(_rmdir)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,  # noqa: FBT001, FBT002 - fsspec's signature
        **kwargs: Any,
    ) -> S3DriverFile:
        length = block_size or self.default_block_size
        return S3DriverFile(self, path, mode, length, autocommit=autocommit, **kwargs)


def _condition(mode: str) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if mode == "create" else {}


def _error_of(entry: dict[str, str]) -> ClientError:
    answer = {"Error": {"Code": entry.get("Code", ""), "Message": entry.get("Message", "")}}
    return ClientError(answer, "DeleteObjects")
