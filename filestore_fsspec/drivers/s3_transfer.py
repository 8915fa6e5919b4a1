"""Large objects in parts, with bounded memory, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.s3_connection import S3Connection

MEMORY_BYTES = 64 * 2**20
PART_BYTES = 8 * 2**20
_MAX_PARTS = 10_000
_READ_BYTES = 2**20

Target = dict[str, Any]
"""Bucket, Key and UploadId of a multipart upload."""
Parts = dict[int, str]
"""The ETag of each part that was sent."""


def part_bytes(size: int) -> int:
    """Return the size of one part for an object of `size` bytes."""
    return max(PART_BYTES, -(-size // _MAX_PARTS))


def slices(data: memoryview, length: int) -> Iterator[bytes]:
    """Yield `data` in pieces of `length` bytes."""
    return (bytes(data[start : start + length]) for start in range(0, len(data), length))


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
        await fs._call_s3(  # noqa: SLF001 - our driver
            "complete_multipart_upload", MultipartUpload={"Parts": done}, **target, **condition
        )
    except BaseException:
        # S3 keeps, and bills, the parts of an upload that nobody ends.
        await asyncio.shield(fs._abort_mpu(bucket, key, target["UploadId"]))  # noqa: SLF001
        raise


async def send_parts(
    fs: S3Connection,
    target: Target,
    parts: Parts,
    pieces: Iterator[bytes],
    at_once: int,
    callback: Callback,
) -> None:
    """Send `pieces` as the parts of an upload, at most `at_once` of them in memory."""
    slots = asyncio.Semaphore(at_once)

    async def send(number: int, piece: bytes) -> None:
        try:
            answer = await fs._call_s3("upload_part", PartNumber=number, Body=piece, **target)  # noqa: SLF001
        finally:
            slots.release()
        parts[number] = answer["ETag"]
        callback.relative_update(len(piece))

    try:
        async with asyncio.TaskGroup() as group:
            number = 0
            while True:
                await slots.acquire()
                piece = await asyncio.to_thread(next, pieces, b"")
                if not piece:
                    return
                number += 1
                group.create_task(send(number, piece))
                del piece
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__


async def save(body: Any, local_path: str, callback: Callback) -> None:  # noqa: ANN401 - aiobotocore's own
    """Write a response's body to a file of this machine, or leave no file."""
    try:
        with open(local_path, "wb") as target:  # noqa: ASYNC230, PTH123 - the page cache takes it
            while chunk := await body.read(_READ_BYTES):
                target.write(chunk)
                callback.relative_update(len(chunk))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(local_path).unlink()  # noqa: ASYNC240 - one call, on failure
        raise
    finally:
        body.close()
