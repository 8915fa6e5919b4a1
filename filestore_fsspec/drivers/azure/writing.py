"""Writing and deleting on Azure."""

from __future__ import annotations

import asyncio
import errno
import secrets
from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from fsspec.asyn import AsyncFileSystem, sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK

from filestore_fsspec.drivers.azure.errors import code_of, server_said
from filestore_fsspec.drivers.azure.listing import AzureListing
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    absent,
    absent_in_fsspec,
    already_there,
    checksum_mismatch,
)
from filestore_fsspec.drivers.shared.pieces import PieceWriter, md5_of, save, send_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsspec.callbacks import Callback

_BLOCK = {"x-ms-blob-type": "BlockBlob"}
_COPY_PAUSE_SECONDS = 0.2


_MD5 = "Content-MD5"
_GARBLED = {"Md5Mismatch", "InvalidOperation"}
"""What Azure says of content that is not what its MD5 says, and what azurite says."""


def _new_block() -> tuple[str, str]:
    """Return the id of a new block, and the query that sends it."""
    # The SDK's ids have this length too; the ids of one blob must all have the same.
    block = b64encode(secrets.token_hex(16).encode()).decode()
    return block, f"?comp=block&blockid={quote(block, safe='')}"


def _condition(mode: str) -> dict[str, str]:
    return {"If-None-Match": "*"} if mode == "create" else {}


class AzureWriting(PieceWriter, AzureListing):
    """What of `AzureDriver` changes the container."""

    max_pieces = 50_000
    delete_batch_chunk_size: ClassVar[int] = 256

    async def write_whole(
        self, path: str, content: bytes, mode: str, *, verify: bool = False
    ) -> str | None:
        """Write a small blob in one Put Blob."""
        headers = {**_BLOCK, **_condition(mode)}
        if not verify:
            await self.write(path, headers=headers, content=content)
            return None
        etag, proven = await self._write_checked(path, content, headers=headers)
        return None if proven else etag

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
        """Write a large blob as blocks, which a commit makes visible."""
        blocks: dict[int, str] = {}
        proven = True

        async def send(number: int, piece: bytes) -> None:
            nonlocal proven
            if verify:
                blocks[number], known = await self._send_checked_block(path, piece)
                proven = proven and known
            else:
                blocks[number] = await self.send_block(path, piece)
            callback.relative_update(len(piece))

        await send_pieces(pieces, length, send)
        etag = await self.commit_blocks(path, [blocks[number] for number in sorted(blocks)], mode)
        return etag if verify and not proven else None

    async def send_block(self, path: str, piece: bytes) -> str:
        """Send one block and return its id."""
        block, query = _new_block()
        await self.write(path, query=query, content=piece)
        return block

    async def _send_checked_block(self, path: str, piece: bytes) -> tuple[str, bool]:
        block, query = _new_block()
        _etag, proven = await self._write_checked(path, piece, query=query)
        return block, proven

    async def _write_checked(
        self, path: str, content: bytes, query: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[str, bool]:
        """Send what the service checks; return its ETag, and whether its answer proves it."""
        digest = b64encode(await asyncio.to_thread(md5_of, content)).decode()
        try:
            answer = await self.write(
                path, query=query, headers={**(headers or {}), _MD5: digest}, content=content
            )
        except OSError as error:
            if code_of(error) in _GARBLED:
                raise checksum_mismatch(path) from error.__cause__
            raise
        return answer.get("ETag", ""), answer.get(_MD5) == digest

    async def save_written(self, path: str, etag: str, local_path: str) -> None:
        """Save what has this ETag to a local file."""
        async with self.answer("GET", path, headers={"If-Match": etag}) as answer:
            await save(answer.content.read, local_path, DEFAULT_CALLBACK)

    async def remove_written(self, path: str, etag: str) -> None:
        """Delete what has this ETag, and nothing else."""
        await self.ask("DELETE", path, headers={"If-Match": etag})

    async def commit_blocks(self, path: str, blocks: Sequence[str], mode: str) -> str:
        """Make a blob of blocks that were sent, and return its ETag."""
        listed = "".join(f"<Latest>{block}</Latest>" for block in blocks)
        content = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'
        answer = await self.write(
            path, query="?comp=blocklist", headers=_condition(mode), content=content.encode()
        )
        return answer.get("ETag", "")

    pipe_file = sync_wrapper(PieceWriter._pipe_file)  # noqa: SLF001 - adlfs names its own here
    put_file = sync_wrapper(PieceWriter._put_file)  # noqa: SLF001

    async def _cp_file(self, path1: str, path2: str, **_kwargs: object) -> None:
        self.split_blob(path1)
        source = f"{self.account_url}/{quote(self._strip_protocol(path1), safe='~/')}"
        await self.write(path2, headers={"x-ms-copy-source": source})
        # adlfs does not wait for a copy that goes on.
        progress = None
        deadline = 0.0
        while True:
            headers = await self.ask("HEAD", path2)
            status, now = headers.get("x-ms-copy-status"), asyncio.get_running_loop().time()
            if status != "pending":
                break
            if headers.get("x-ms-copy-progress") != progress:
                progress, deadline = headers.get("x-ms-copy-progress"), now + self.read_timeout
            if now > deadline:
                raise ConnectionError(errno.EIO, f"the copy stands still at {progress}", path2)
            await asyncio.sleep(_COPY_PAUSE_SECONDS)
        if status in {"failed", "aborted"}:
            raise OSError(errno.EIO, headers.get("x-ms-copy-status-description", status), path2)

    cp_file = sync_wrapper(_cp_file)

    async def _mkdir(self, path: str, create_parents: bool = True, **_kwargs: object) -> None:
        container, key, _ = self.split_path(self._strip_protocol(path))
        if key:
            return  # a folder is there as soon as something is in it
        await self.ask("PUT", container, query="?restype=container")

    mkdir = sync_wrapper(_mkdir)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        if not exist_ok and await self._isdir(path):
            raise already_there(path)

    async def _rmdir(self, path: str, **_kwargs: object) -> None:
        path = self._strip_protocol(path)
        container, key, _ = self.split_path(path)
        if not key:
            await self.ask("HEAD", container, query="?restype=container")
        if await self.holds_something(path):
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", path)
        if key:
            raise absent(path)
        await self.ask("DELETE", container, query="?restype=container")

    async def _rm_file(self, path: str, **_kwargs: object) -> None:
        self.split_blob(path)
        await self.ask("DELETE", path)

    async def _rm_files(self, paths: Sequence[str]) -> dict[str, OSError]:
        containers: dict[str, dict[str, str]] = {}
        for path in paths:
            container, key = self.split_blob(path)
            containers.setdefault(container, {})[key] = path
        failed: dict[str, OSError] = {}
        for container, keys in containers.items():
            failed |= await self._delete_blobs(container, keys)
        return failed

    async def _delete_blobs(self, container: str, paths: dict[str, str]) -> dict[str, OSError]:
        """Delete keys of a container, given with their paths, in one request."""
        try:
            answers = await self.delete_batch(container, paths)
        except Absent:
            return {}  # no container, no blobs
        if len(answers) != len(paths):
            # One answer for all: the batch as a whole was refused.
            raise server_said(*answers[0], container)
        return {
            path: server_said(status, code, path)
            for path, (status, code) in zip(paths.values(), answers, strict=True)
            if status not in {HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND}
        }

    async def _rm(
        self,
        path: str | list[str],
        recursive: bool = False,
        maxdepth: int | None = None,
        **_kwargs: object,
    ) -> None:
        # adlfs says nothing of what is not there, and RuntimeError of the rest.
        paths: list[str] = await self._expand_path(path, recursive=recursive, maxdepth=maxdepth)
        files = [one for one in paths if self.split_path(one)[1]]
        if not recursive:
            for one in files:
                await self._rm_file(one)
        for start in range(0, len(files) if recursive else 0, self.delete_batch_chunk_size):
            batch = files[start : start + self.delete_batch_chunk_size]
            for error in (await self._rm_files(batch)).values():
                raise error
        for container in set(paths) - set(files):
            await self._rmdir(container)

    rm = sync_wrapper(_rm)

    async def _expand_path(self, path: Any, *args: Any, **kwargs: Any) -> list[str]:
        with absent_in_fsspec(path):  # adlfs has its own
            found: list[str] = await AsyncFileSystem._expand_path(self, path, *args, **kwargs)  # noqa: SLF001
        return found

    expand_path: Any = sync_wrapper(_expand_path)
