"""`BucketRequests`: what a bucket driver asks of a protocol, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from filestore_fsspec.drivers.shared.driver import Info, Page


class Body(NamedTuple):
    """The content of an object, as it comes."""

    size: int | None
    """Bytes, where the server says how many."""
    read: Callable[[int], Awaitable[bytes]]
    """Returns up to so many of the next bytes, none at the end."""


class Part(NamedTuple):
    """A part of an object that was sent."""

    name: str
    """What the server calls it."""
    digest: bytes = b""
    """Its MD5, where it was to be verified."""
    verified: bool = False
    """Whether the server's answer says that what arrived is what was sent."""


class Written(NamedTuple):
    """An object that was written."""

    etag: str
    verified: bool = False
    """Whether the server's answer says that what arrived is what was sent."""


class BucketRequests(Protocol):
    """What a protocol asks of its server, each in one request where it can.

    Each raises `Absent` where the server said that the object or bucket is not there, and the
    builtin that fits where anything else went wrong. An answer that is not what this request is
    answered with is a `ConnectionError`.
    """

    @property
    def max_parts(self) -> int:
        """The most parts that an object is made of."""

    async def buckets(self) -> list[str]:
        """Return the names of all buckets."""
        ...

    async def head_bucket(self, bucket: str) -> None:
        """Return if the bucket is there."""
        ...

    async def make_bucket(self, bucket: str) -> None:
        """Make a bucket, unless it is there."""
        ...

    async def remove_bucket(self, bucket: str) -> None:
        """Remove an empty bucket."""
        ...

    async def head(self, bucket: str, key: str) -> Info:
        """Return the info of an object: a `directory` if it marks a folder by its metadata."""
        ...

    async def page(
        self,
        bucket: str,
        prefix: str,
        token: Any = None,
        *,
        delimiter: bool = False,
        size: int | None = None,
    ) -> Page:
        """Return the infos of some objects whose key starts with `prefix`, and a token for more.

        `name` is `bucket/key` as it is stored. With a `delimiter`, what has another `/` behind the
        prefix comes as one `directory` whose name ends in `/`. What marks a folder by its metadata
        is a `directory`, whose name does not. `size` is the most that is wanted.
        """
        ...

    async def get(
        self, bucket: str, key: str, start: int = 0, end: int | None = None, etag: str = ""
    ) -> bytes:
        """Return the bytes from `start` to before `end`; past the end of the object there are none.

        A negative `start` without an end is so many of the last bytes. Given an `etag`, another
        version is an error. What marks a folder is absent.
        """
        ...

    def open(self, bucket: str, key: str, etag: str = "") -> AbstractAsyncContextManager[Body]:
        """Begin to get a whole object; otherwise like `get`."""
        ...

    async def put(
        self, bucket: str, key: str, content: bytes, mode: str, *, verify: bool = False
    ) -> Written:
        """Write an object; make its bucket if that is missing. `mode` is `overwrite` or `create`.

        Raises:
            FileExistsError: `create`, and the object is there.
            IsADirectoryError: an object of this name marks a folder.
            ChecksumMismatch: `verify`, and the server said that something else arrived.
        """
        ...

    async def begin(self, bucket: str, key: str) -> str:
        """Begin to write an object in parts; return what the server calls that."""
        ...

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
        """Send one part; numbers begin at 1."""
        ...

    async def complete(
        self, bucket: str, key: str, upload: str, parts: Sequence[Part], mode: str
    ) -> Written:
        """Make an object of the parts. Raises as `put` does."""
        ...

    async def abort(self, bucket: str, key: str, upload: str) -> None:
        """Drop the parts that were sent; that they could not be dropped is logged."""
        ...

    async def copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        size: int | None = None,
        *,
        marker: bool = False,
    ) -> None:
        """Copy an object on the server, its metadata too; `size` is known, or None.

        Raises:
            IsADirectoryError: an object at `target` marks a folder, and this is no `marker`.
        """
        ...

    async def remove(self, bucket: str, key: str, etag: str = "") -> None:
        """Delete an object; not every server says that it is absent.

        Given an `etag`, another version stays, and is EBUSY or Absent, or nothing is raised.
        """
        ...

    async def remove_many(self, bucket: str, keys: Sequence[str]) -> dict[str, OSError]:
        """Delete objects, in one request if the protocol can; return what failed, by key."""
        ...

    async def unfinished(self, bucket: str, prefix: str, token: Any) -> Page:
        """Return the infos of some of what killed writers left, and a token for more.

        What was written in parts and is no object has its `upload`.
        """
        ...

    async def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        ...
