"""Writing and deleting on S3."""

from __future__ import annotations

import asyncio
import errno
import logging
import re
from base64 import b64encode
from contextlib import closing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from fsspec.asyn import sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.s3.connection import S3Connection
from filestore_fsspec.drivers.s3.errors import code_of, errors_of, server_said
from filestore_fsspec.drivers.s3.multipart import multipart
from filestore_fsspec.drivers.shared.errors import Absent, absent, already_there
from filestore_fsspec.drivers.shared.pieces import (
    MEMORY_BYTES,
    PieceWriter,
    md5_of,
    piece_bytes,
    save,
    send_pieces,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.driver import Page

_log = logging.getLogger(__name__)

_ABORTS = 4
_ABORT_PAUSE_SECONDS = 0.05
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class S3Writing(PieceWriter, S3Connection):
    """What of `S3Driver` changes the bucket."""

    max_pieces = 10_000

    async def write_whole(
        self, path: str, content: bytes, mode: str, *, verify: bool = False
    ) -> str | None:
        """Write a small object in one PUT."""
        bucket, key, _ = self.split_path(path)
        digest = await asyncio.to_thread(md5_of, content) if verify else b""
        answer = await self._call_s3(
            "put_object",
            Bucket=bucket,
            Key=key,
            Body=content,
            **_condition(mode),
            **_checked(digest),
        )
        return _unproven(answer["ETag"], digest.hex()) if verify else None

    async def write_pieces(
        self,
        path: str,
        pieces: Iterator[bytes],
        length: int,
        mode: str,
        callback: Callback,
        *,
        verify: bool = False,
    ) -> str | None:
        """Write a large object as a multipart upload."""
        bucket, key, _ = self.split_path(path)
        digests: dict[int, bytes] = {}
        async with multipart(self, bucket, key, **_condition(mode)) as (target, parts):

            async def send(number: int, piece: bytes) -> None:
                digests[number] = await asyncio.to_thread(md5_of, piece) if verify else b""
                answer = await self._call_s3(
                    "upload_part",
                    PartNumber=number,
                    Body=piece,
                    **target,
                    **_checked(digests[number]),
                )
                parts[number] = answer["ETag"]
                callback.relative_update(len(piece))

            await send_pieces(pieces, length, send)
        whole = md5_of(b"".join(digests[number] for number in sorted(digests)))
        return _unproven(target["ETag"], f"{whole.hex()}-{len(digests)}") if verify else None

    async def save_written(self, path: str, etag: str, local_path: str) -> None:
        """Save what has this ETag to a local file."""
        bucket, key, _ = self.split_path(path)
        answer = await self._call_s3("get_object", Bucket=bucket, Key=key, IfMatch=etag)
        with errors_of(path), closing(answer["Body"]) as body:
            await save(body.read, local_path, DEFAULT_CALLBACK)

    async def remove_written(self, path: str, etag: str) -> None:
        """Delete what has this ETag; not every server looks at a condition here."""
        bucket, key, _ = self.split_path(path)
        found = await self._call_s3("head_object", Bucket=bucket, Key=key)
        if found["ETag"] == etag:
            await self._call_s3("delete_object", Bucket=bucket, Key=key, IfMatch=etag)

    async def _abort_mpu(self, bucket: str, key: str, mpu: str) -> None:
        failure: OSError | None = None
        for _attempt in range(_ABORTS):
            try:
                await self._call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=mpu)
            except OSError as error:
                if code_of(error) == "NoSuchUpload":
                    return
                failure = error
                if not code_of(error):
                    break
            else:
                failure = None
            # A part that was on its way may arrive after the abort: Amazon says to abort again.
            await asyncio.sleep(_ABORT_PAUSE_SECONDS)
        if failure is not None:
            # What made us abort is on its way to the caller: this can only be noted.
            _log.warning("%s/%s: parts of an upload are left behind: %s", bucket, key, failure)

    async def unfinished(self, prefix: str, token: Any) -> Page:
        """Return the infos of some uploads that nobody has ended, and a token for more."""
        bucket, key, _ = self.split_path(prefix)
        more = token or {}
        try:
            page = await self._call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key, **more)
        except Absent:
            return [], None
        infos = [
            {"name": f"{bucket}/{one['Key']}", "type": "file", "upload": one["UploadId"]}
            | {"modified": await self._last_part(bucket, one)}
            for one in page.get("Uploads", ())
            if one["Key"].startswith(key)
        ]
        markers = ("KeyMarker", "UploadIdMarker")
        return infos, {name: page[f"Next{name}"] for name in markers} if page[
            "IsTruncated"
        ] else None

    async def _last_part(self, bucket: str, upload: dict[str, Any]) -> datetime:
        """Return when the latest part came: an upload of hours is none that nobody ended."""
        latest: datetime = upload["Initiated"]
        marker, more = 0, True
        target = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        while more:
            page = await self._call_s3("list_parts", PartNumberMarker=marker, **target)
            latest = max([latest, *(part["LastModified"] for part in page.get("Parts", ()))])
            marker, more = page.get("NextPartNumberMarker"), page.get("IsTruncated", False)
        return latest

    abort_mpu = sync_wrapper(_abort_mpu)

    async def _copy_managed(self, path1: str, path2: str, size: int, **_kwargs: object) -> None:
        # s3fs leaves the parts behind when a copy fails, and cuts `?versionId=` off the source.
        bucket, key, _ = self.split_path(path1)
        length = max(piece_bytes(size, self.max_pieces), MEMORY_BYTES)
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

    async def _mkdir(self, path: str, create_parents: bool = True, **_kwargs: object) -> None:
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if key:
            return  # a folder is there as soon as something is in it
        if await self._exists(bucket):
            raise already_there(bucket)
        await self._make_bucket(bucket)

    mkdir = sync_wrapper(_mkdir)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        # s3fs makes the bucket here.
        if not exist_ok and await self._isdir(path):
            raise already_there(path)

    makedirs = sync_wrapper(_makedirs)

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

    async def _delete_objects(self, bucket: str, paths: dict[str, str]) -> dict[str, OSError]:
        """Delete keys of a bucket, given with their paths, in one request."""
        objects = [{"Key": key} for key in paths]
        try:
            answer = await self._call_s3(
                "delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True}
            )
        except Absent:
            return {}  # no bucket, no objects
        errors = {paths[entry["Key"]]: _error_of(entry) for entry in answer.get("Errors", ())}
        return {
            path: server_said(error, path)
            for path, error in errors.items()
            if code_of(error) != "NoSuchKey"
        }

    async def _bulk_delete(self, pathlist: list[str], **_kwargs: object) -> list[str]:
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


def _condition(mode: str) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if mode == "create" else {}


def _checked(digest: bytes) -> dict[str, str]:
    """Return the argument that has the server check what arrives."""
    return {"ContentMD5": b64encode(digest).decode()} if digest else {}


def _unproven(etag: str, expected: str) -> str | None:
    """Return `etag` unless it is the MD5 that is expected; not every server's is one."""
    return None if etag.strip('"') == expected else etag


def _error_of(entry: dict[str, str]) -> ClientError:
    answer = {"Error": {"Code": entry.get("Code", ""), "Message": entry.get("Message", "")}}
    return ClientError(answer, "DeleteObjects")
