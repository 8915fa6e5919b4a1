"""What is asked of S3, one attempt each, and what its answers mean."""

from __future__ import annotations

import asyncio
import errno
import re
from base64 import b64encode
from contextlib import asynccontextmanager, closing
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from filestore_fsspec.drivers.s3.botocore_patches import apply_patches
from filestore_fsspec.drivers.s3.client import client_context
from filestore_fsspec.drivers.s3.errors import code_of, errors_of, server_said
from filestore_fsspec.drivers.shared.bucket_requests import Body, Part, Written
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    absent,
    already_there,
    only_os_errors,
    range_of,
    unusable_answer,
)
from filestore_fsspec.drivers.shared.fork_safety import close_after, keep_from_children
from filestore_fsspec.drivers.shared.pieces import MEMORY_BYTES, md5_of, piece_bytes
from filestore_fsspec.drivers.shared.tls import authorities
from filestore_fsspec.keys import is_temporary, temporary_path
from filestore_fsspec.logs import logger_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from weakref import finalize

    from filestore_fsspec.drivers.shared.driver import Info, Page

_log = logger_of(__name__)

_READS = {"get_object", "head_object"}
_WRITES = {"put_object", "create_multipart_upload"}
_HOME_REGION = "us-east-1"
_FORBIDDEN = {"403", "AccessDenied"}
_PAST_END = {"InvalidRange", "416"}
_ABORTS = 4
_ABORT_PAUSE_SECONDS = 0.05
_COPY_BYTES = 5 * 2**30
"""The most that one request copies."""
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class S3Settings(NamedTuple):
    """Where and as whom to ask."""

    endpoint_url: str | None
    """None is Amazon."""
    key: str | None
    secret: str | None
    region: str | None
    verify: bool
    ca_bundle: str | None
    missing_is_403: bool
    timeouts: tuple[float, float]
    """Connect and read, in seconds."""
    held_by_loop: bool
    """Whether the caller's loop ends before the process, and its connections with it."""


@only_os_errors
class S3Requests:
    """The requests of one location, over one botocore client."""

    max_parts = 10_000

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.client: Any = None
        """botocore's, made on first use and after `close`."""
        self.honours_conditions: bool | None = None
        """Whether the server knows `If-None-Match`, once that was asked."""
        self.amend: Callable[..., dict[str, Any]] | None = None
        """Adds what is to be said with each request."""
        self._context: AbstractAsyncContextManager[Any] | None = None
        self._finalizer: finalize[Any, Any] | None = None
        self._connect_lock = asyncio.Lock()
        self._probe_lock = asyncio.Lock()

    # Connections

    async def connect(self) -> Any:
        """Return botocore's client."""
        async with self._connect_lock:
            if self.client is None:
                await self._open_client()
        return self.client

    async def _open_client(self) -> None:
        settings = self.settings
        if settings.verify and settings.ca_bundle is not None:
            authorities(settings.ca_bundle)  # botocore names no file
        # None lets botocore look at AWS_CA_BUNDLE.
        verify: str | Literal[False] | None = settings.ca_bundle if settings.verify else False
        url = settings.endpoint_url
        with errors_of(url or "Amazon S3"):
            context = client_context(
                url, settings.key, settings.secret, settings.region, verify, settings.timeouts
            )
            client = await context.__aenter__()
        apply_patches(client, own_server=url is not None)
        self._context, self.client = context, client
        loop = asyncio.get_running_loop()
        keep_from_children(loop)
        if not settings.held_by_loop:
            leave = partial(context.__aexit__, None, None, None)
            self._finalizer = close_after(self, loop, leave)

    async def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        context, self._context, self.client = self._context, None, None
        if self._finalizer is not None:
            self._finalizer.detach()
        if context is not None:
            await context.__aexit__(None, None, None)

    async def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of botocore's client; a write makes the bucket that is missing."""
        return await self._call(method, arguments.pop("Bucket", ""), **arguments)

    async def _call(self, method: str, bucket: str = "", **arguments: Any) -> Any:
        if bucket:
            arguments["Bucket"] = bucket
        try:
            return await self._send(method, arguments)
        except Absent as error:
            if method not in _WRITES or code_of(error) != "NoSuchBucket":
                raise
        await self.make_bucket(bucket)
        return await self._send(method, arguments)

    async def _send(self, method: str, arguments: dict[str, Any]) -> Any:
        key = arguments.get("Key")
        path = "/".join(filter(None, (arguments.get("Bucket"), key)))
        if key == "":
            # With no key, botocore would ask the same of the bucket: DELETE removes it.
            raise absent(path) if method in _READS else IsADirectoryError(errno.EISDIR, path)
        call = getattr(self.client or await self.connect(), method)
        if self.amend is not None:
            arguments = self.amend(call, **arguments)
        try:
            with errors_of(path):
                return await call(**arguments)
        except PermissionError as error:
            if not self.settings.missing_is_403 or method not in _READS or not forbidden(error):
                raise
            raise absent(path) from error.__cause__

    # Buckets

    async def buckets(self) -> list[str]:
        """Return the names of all buckets."""
        return [each["Name"] for each in (await self._call("list_buckets"))["Buckets"]]

    async def head_bucket(self, bucket: str) -> None:
        """Return if the bucket is there."""
        await self._call("head_bucket", bucket)

    async def make_bucket(self, bucket: str) -> None:
        """Make a bucket of ours, unless it is there."""
        where = {}
        region = self.settings.region
        if region not in {None, _HOME_REGION}:
            # Naming the home region is an error: moto and radosgw say "not valid", as Amazon does.
            where["CreateBucketConfiguration"] = {"LocationConstraint": region}
        try:
            await self._call("create_bucket", bucket, **where)
        except OSError as error:
            if code_of(error) not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise

    async def remove_bucket(self, bucket: str) -> None:
        """Remove an empty bucket."""
        await self._call("delete_bucket", bucket)

    # Looking

    async def head(self, bucket: str, key: str) -> Info:
        """Return the info of an object."""
        head = await self._call("head_object", bucket, Key=key)
        return _file(f"{bucket}/{key}", head.get("ContentLength"), head)

    async def page(
        self,
        bucket: str,
        prefix: str,
        token: Any = None,
        *,
        delimiter: bool = False,
        size: int | None = None,
    ) -> Page:
        """Return the infos of some objects under a prefix, and a token for more."""
        asked: dict[str, Any] = {"ContinuationToken": token} if token else {}
        if delimiter:
            asked["Delimiter"] = "/"
        if size is not None:
            asked["MaxKeys"] = size
        page = await self._call("list_objects_v2", bucket, Prefix=prefix, **asked)
        more = page.get("NextContinuationToken") if page["IsTruncated"] else None
        if page["IsTruncated"] and more in {None, token}:
            raise unusable_answer("a listing without an end", f"{bucket}/{prefix}")
        infos = [
            _file(f"{bucket}/{entry['Key']}", entry["Size"], entry)
            for entry in page.get("Contents", ())
        ]
        infos += [
            {"name": f"{bucket}/{entry['Prefix']}", "size": 0, "type": "directory"}
            for entry in page.get("CommonPrefixes", ())
        ]
        return infos, more

    # Reading

    async def get(
        self, bucket: str, key: str, start: int = 0, end: int | None = None, etag: str = ""
    ) -> bytes:
        """Return the bytes from `start` to before `end`."""
        asked = {"IfMatch": etag} if etag else {}
        if start or end is not None:
            asked["Range"] = (
                f"bytes={start}" if start < 0 else f"bytes={start}-{'' if end is None else end - 1}"
            )
        try:
            answer = await self._call("get_object", bucket, Key=key, **asked)
        except OSError as error:
            if code_of(error) not in _PAST_END:
                raise
            # A range past the end is empty, here as in a local file. Not every server counts from
            # the end of what is shorter.
            return (await self.get(bucket, key, etag=etag))[start:] if start < 0 else b""
        path = f"{bucket}/{key}"
        with errors_of(path), closing(answer["Body"]) as body:
            if "Range" not in asked:
                _check_whole(answer, path)
            content: bytes = await body.read()
        if "Range" not in asked:
            return content
        return range_of(content, answer.get("ContentRange"), start, end, path)

    @asynccontextmanager
    async def open(self, bucket: str, key: str, etag: str = "") -> AsyncIterator[Body]:
        """Begin to get a whole object."""
        asked = {"IfMatch": etag} if etag else {}
        answer = await self._call("get_object", bucket, Key=key, **asked)
        with closing(answer["Body"]) as body:
            _check_whole(answer, f"{bucket}/{key}")

            async def read(size: int) -> bytes:
                with errors_of(f"{bucket}/{key}"):
                    content: bytes = await body.read(size)
                return content

            yield Body(answer.get("ContentLength"), read)

    # Writing

    async def put(
        self, bucket: str, key: str, content: bytes, mode: str, *, verify: bool = False
    ) -> Written:
        """Write a small object in one PUT."""
        condition = await self._condition(bucket, key, mode)
        digest = await asyncio.to_thread(md5_of, content) if verify else b""
        answer = await self._call(
            "put_object", bucket, Key=key, Body=content, **condition, **_checked(digest)
        )
        return Written(answer["ETag"], verify and same_md5(answer["ETag"], digest.hex()))

    async def begin(self, bucket: str, key: str) -> str:
        """Begin a multipart upload."""
        begun = await self._call("create_multipart_upload", bucket, Key=key)
        upload: str = begun["UploadId"]
        return upload

    async def send_part(
        self,
        bucket: str,
        key: str,
        upload: str,
        number: int,
        content: bytes,
        *,
        verify: bool = False,
    ) -> Part:
        """Send one part of a multipart upload."""
        digest = await asyncio.to_thread(md5_of, content) if verify else b""
        place = {"Key": key, "UploadId": upload, "PartNumber": number}
        answer = await self._call("upload_part", bucket, Body=content, **place, **_checked(digest))
        return Part(answer["ETag"], digest)

    async def complete(
        self, bucket: str, key: str, upload: str, parts: Sequence[Part], mode: str
    ) -> Written:
        """Make an object of the parts."""
        condition = await self._condition(bucket, key, mode)
        done = [{"PartNumber": number, "ETag": part.name} for number, part in enumerate(parts, 1)]
        answer = await self._call(
            "complete_multipart_upload",
            bucket,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": done},
            **condition,
        )
        whole = md5_of(b"".join(part.digest for part in parts)).hex()
        etag: str = answer["ETag"]
        return Written(etag, bool(parts[0].digest) and same_md5(etag, f"{whole}-{len(parts)}"))

    async def abort(self, bucket: str, key: str, upload: str) -> None:
        """Drop the parts that were sent; that they could not be dropped is logged."""
        failure: OSError | None = None
        for _attempt in range(_ABORTS):
            try:
                await self._call("abort_multipart_upload", bucket, Key=key, UploadId=upload)
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

    async def copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        size: int | None = None,
        *,
        marker: bool = False,
    ) -> None:
        """Copy an object on the server."""
        if size is None:
            size = (await self.head(*source))["size"] or 0
        bucket, key = target
        place = {"Bucket": source[0], "Key": source[1]}
        if size <= _COPY_BYTES:
            answer = await self._call("copy_object", bucket, Key=key, CopySource=place)
            if "ETag" not in answer["CopyObjectResult"]:
                raise unusable_answer("no ETag of a copy", f"{bucket}/{key}")
            return
        length = max(piece_bytes(size, self.max_parts), MEMORY_BYTES)
        upload = await self.begin(bucket, key)
        parts: list[Part] = []
        try:
            for start in range(0, size, length):
                answer = await self._call(
                    "upload_part_copy",
                    bucket,
                    Key=key,
                    UploadId=upload,
                    PartNumber=len(parts) + 1,
                    CopySource=place,
                    CopySourceRange=f"bytes={start}-{min(start + length, size) - 1}",
                )
                parts.append(Part(answer["CopyPartResult"]["ETag"]))
            await self.complete(bucket, key, upload, parts, "overwrite")
        except BaseException:
            await asyncio.shield(self.abort(bucket, key, upload))
            raise

    # Creating: not every server knows conditions.

    async def _condition(self, bucket: str, key: str, mode: str) -> dict[str, str]:
        """Return the condition of a write; of a server that knows none, look first.

        Raises:
            FileExistsError: the object is there.
        """
        if mode != "create" or not key:
            return {}
        if await self.can_create(bucket, key):
            return {"IfNoneMatch": "*"}
        try:
            await self._call("head_object", bucket, Key=key)
        except Absent:
            return {}
        raise already_there(f"{bucket}/{key}")

    async def can_create(self, bucket: str, key: str) -> bool:
        """Tell whether the server honours `If-None-Match: *`; asked once, with a key of our own.

        rclone, nanio and s3rver answer 200 and overwrite.
        """
        async with self._probe_lock:
            if self.honours_conditions is None:
                probe = temporary_path(f"{bucket}/{key}").partition("/")[2]
                self.honours_conditions = await self._probe(bucket, probe)
        return self.honours_conditions

    async def _probe(self, bucket: str, key: str) -> bool:
        try:
            await self._create_probe(bucket, key)
        except FileExistsError:
            pass  # repeated on the way: the name is known to nobody else
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            return False
        try:
            await self._call("put_object", bucket, Key=key, IfNoneMatch="*")
        except FileExistsError:
            return True
        finally:
            await self._remove_probe(bucket, key)
        return False

    async def _create_probe(self, bucket: str, key: str) -> None:
        await self._call("put_object", bucket, Key=key, IfNoneMatch="*")

    async def _remove_probe(self, bucket: str, key: str) -> None:
        try:
            await self._call("delete_object", bucket, Key=key)
        except PermissionError:
            _log.warning("%s: no right to remove the empty %s", bucket, key)

    # Deleting

    async def remove(self, bucket: str, key: str, etag: str = "") -> None:
        """Delete an object; S3 does not say that it is absent."""
        condition = {}
        if etag:
            # Not every server looks at a condition here.
            if (await self.head(bucket, key))["etag"] != etag:
                return
            condition = {"IfMatch": etag}
        answer = await self._call("delete_object", bucket, Key=key, **condition)
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        if status != HTTPStatus.NO_CONTENT:
            raise unusable_answer(f"HTTP status {status} to DELETE", f"{bucket}/{key}")

    async def remove_many(self, bucket: str, keys: Sequence[str]) -> dict[str, OSError]:
        """Delete up to a thousand objects in one request; one alone in another."""
        # DeleteObjects is XML, which cannot say every name.
        apart = [key for key in keys if _NOT_IN_XML.search(key) or len(keys) == 1]
        failed: dict[str, OSError] = {}
        for key in apart:
            try:
                await self.remove(bucket, key)
            except OSError as error:
                if not isinstance(error, Absent):
                    failed[key] = error
        objects = [{"Key": key} for key in keys if key not in set(apart)]
        if objects:
            answer = await self._call(
                "delete_objects", bucket, Delete={"Objects": objects, "Quiet": True}
            )
            for entry in answer.get("Errors", ()):
                refusal = _error_of(entry)
                if code_of(refusal) != "NoSuchKey":
                    failed[entry["Key"]] = server_said(refusal, f"{bucket}/{entry['Key']}")
        return failed

    # What killed writers left

    async def unfinished(self, bucket: str, prefix: str, token: Any) -> Page:
        """Return objects of ours that made sure of the server, then uploads that nobody ended."""
        uploads, token = token or (False, None)
        if uploads:
            infos, token = await self._uploads(bucket, prefix, token)
            return infos, token and (True, token)
        infos, token = await self.page(bucket, prefix, token)
        return [info for info in infos if is_temporary(info["name"])], (token is None, token)

    async def _uploads(self, bucket: str, prefix: str, token: Any) -> Page:
        page = await self._call("list_multipart_uploads", bucket, Prefix=prefix, **(token or {}))
        infos = [
            {"name": f"{bucket}/{one['Key']}", "type": "file", "upload": one["UploadId"]}
            | {"modified": await self._last_part(bucket, one)}
            for one in page.get("Uploads", ())
            if one["Key"].startswith(prefix)
        ]
        markers = ("KeyMarker", "UploadIdMarker")
        more = {name: page[f"Next{name}"] for name in markers} if page["IsTruncated"] else None
        return infos, more

    async def _last_part(self, bucket: str, upload: dict[str, Any]) -> datetime:
        """Return when the latest part came: an upload of hours is none that nobody ended."""
        latest: datetime = upload["Initiated"]
        marker, more = 0, True
        place = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
        while more:
            page = await self._call("list_parts", bucket, PartNumberMarker=marker, **place)
            latest = max([latest, *(part["LastModified"] for part in page.get("Parts", ()))])
            marker, more = page.get("NextPartNumberMarker"), page.get("IsTruncated", False)
        return latest


def forbidden(error: OSError) -> bool:
    """Tell whether credentials that may not list are refused what may be absent."""
    return code_of(error) in _FORBIDDEN


def same_md5(etag: str, expected: str) -> bool:
    """Tell whether an ETag is the MD5 that is expected; not every server's is one."""
    return etag.strip('"') == expected


def _file(name: str, size: int | None, details: dict[str, Any]) -> Info:
    modified, etag = details["LastModified"], details["ETag"]
    return {
        "name": name,
        "size": size,
        "type": "file",
        "modified": modified,
        "mtime": modified,
        "etag": etag,
        # s3fs's names
        "Key": name,
        "Size": size,
        "LastModified": modified,
        "ETag": etag,
        "StorageClass": details.get("StorageClass") or "STANDARD",
    }


def _check_whole(answer: dict[str, Any], path: str) -> None:
    """Raise ConnectionError unless an answer is a whole object of S3's."""
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    if status != HTTPStatus.OK or "ETag" not in answer:
        raise unusable_answer(f"HTTP status {status}, which is no object", path)


def _checked(digest: bytes) -> dict[str, str]:
    """Return the argument that has the server check what arrives."""
    return {"ContentMD5": b64encode(digest).decode()} if digest else {}


def _error_of(entry: dict[str, str]) -> ClientError:
    answer = {"Error": {"Code": entry.get("Code", ""), "Message": entry.get("Message", "")}}
    return ClientError(answer, "DeleteObjects")
