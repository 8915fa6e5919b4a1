"""Multipart uploads, which leave nothing behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from filestore_fsspec.drivers.s3.connection import S3Connection

Target = dict[str, Any]
"""Bucket, Key and UploadId of a multipart upload, and ETag when it is completed."""
Parts = dict[int, str]
"""The ETag of each part that was sent."""


@asynccontextmanager
async def multipart(
    fs: S3Connection, bucket: str, key: str, **condition: str
) -> AsyncIterator[tuple[Target, Parts]]:
    """Begin an upload; complete it with the parts noted in the body, or abort it."""
    target: Target = {"Bucket": bucket, "Key": key}
    begun = await fs._call_s3("create_multipart_upload", **target)  # noqa: SLF001 - our driver
    target["UploadId"] = begun["UploadId"]
    parts: Parts = {}
    try:
        yield target, parts
        done = [{"PartNumber": number, "ETag": parts[number]} for number in sorted(parts)]
        whole = await fs._call_s3(  # noqa: SLF001 - our driver
            "complete_multipart_upload", MultipartUpload={"Parts": done}, **target, **condition
        )
        target["ETag"] = whole["ETag"]
    except BaseException:
        # S3 keeps, and bills, the parts of an upload that nobody ends.
        await asyncio.shield(fs._abort_mpu(bucket, key, target["UploadId"]))  # noqa: SLF001
        raise
