from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import AsyncFileStore, FileStore
from filestore_fsspec.spool import IN_MEMORY_BYTES, spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Pipe(io.RawIOBase):
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes) -> None:
        self.left = content

    def read(self, size: int = -1) -> bytes:
        part = self.left[: min(size, 300_001)]
        self.left = self.left[len(part) :]
        return part


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY_BYTES - 1])
def test_small_content_stays_in_memory(size: int) -> None:
    with spooled(Pipe(b"x" * size)) as source:  # type: ignore[arg-type]  # a raw stream will do
        assert source == b"x" * size


@pytest.mark.parametrize("size", [IN_MEMORY_BYTES, IN_MEMORY_BYTES + 1, 3 * IN_MEMORY_BYTES])
def test_large_content_goes_to_a_file_that_is_removed(size: int) -> None:
    with spooled(Pipe(b"x" * size)) as source:  # type: ignore[arg-type]
        assert isinstance(source, str)
        assert Path(source).read_bytes() == b"x" * size
    assert not Path(source).exists()


def test_the_file_is_removed_when_reading_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Pipe):
        def read(self, size: int = -1) -> bytes:
            if len(self.left) < IN_MEMORY_BYTES:
                raise OSError("broken")
            return super().read(size)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        pytest.raises(OSError, match="broken"),
        spooled(Broken(b"x" * 3 * IN_MEMORY_BYTES)),  # type: ignore[arg-type]
    ):
        pass
    assert list(tmp_path.iterdir()) == []


class Gives:
    """Gives these parts, one for each read."""

    def __init__(self, *parts: object) -> None:
        self.parts = [*parts, b""]

    def read(self, _size: int) -> object:
        return self.parts.pop(0)


class Awaited(Gives):
    async def read(self, size: int) -> object:
        await asyncio.sleep(0)
        return super().read(size)


async def parts() -> AsyncIterator[bytes]:
    for part in (b"ab", b"", bytearray(b"c"), memoryview(b"d")):
        await asyncio.sleep(0)
        yield part  # type: ignore[misc]  # as a caller may


def test_what_holds_bytes_is_taken() -> None:
    with spooled(Gives(bytearray(b"ab"), memoryview(b"c"), b"d")) as source:  # type: ignore[arg-type]
        assert source == b"abcd"


@pytest.mark.parametrize("wrong", [None, 7, "text", ["x"]])
def test_what_is_no_bytes_is_an_error_and_never_the_end(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"bytes|binary"), spooled(Gives(b"ab", wrong)):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("content", [Awaited(b"x"), parts(), object(), 3, ["x"]])
def test_what_is_awaited_or_no_content_is_refused(content: Any, tmp_path: Path) -> None:
    store = FileStore(f"file://{tmp_path}")
    awaited = isinstance(content, Awaited) or hasattr(content, "__aiter__")
    with pytest.raises(TypeError, match="AsyncFileStore" if awaited else type(content).__name__):
        store.put("k", content)
    assert list(store.list()) == []


@pytest.mark.parametrize(
    "make",
    [lambda: Awaited(b"ab", bytearray(b"cd")), parts, lambda: Gives(b"abcd"), lambda: "abcd"],
)
def test_the_async_store_takes_what_is_awaited(make: Any, tmp_path: Path) -> None:
    async def put() -> bytes | None:
        async with AsyncFileStore(f"file://{tmp_path}") as store:
            assert await store.put("k", make())
            return await store.get("k")

    assert asyncio.run(put()) == b"abcd"


def test_what_is_awaited_is_awaited_where_the_caller_is(tmp_path: Path) -> None:
    async def put() -> None:
        here = asyncio.get_running_loop()

        class Upload:
            left = True

            async def read(self, _size: int) -> bytes:
                assert asyncio.get_running_loop() is here
                content, self.left = b"x" * self.left, False
                return content

        async with AsyncFileStore(f"file://{tmp_path}") as store:
            assert await store.put("k", Upload())

    asyncio.run(put())


@pytest.mark.parametrize("wrong", [None, "text"])
def test_the_async_store_refuses_what_is_no_bytes(wrong: object, tmp_path: Path) -> None:
    async def put() -> None:
        async with AsyncFileStore(f"file://{tmp_path}") as store:
            await store.put("k", Awaited(b"x", wrong))  # type: ignore[arg-type]

    with pytest.raises(TypeError, match=r"bytes|binary"):
        asyncio.run(put())
    assert list(FileStore(f"file://{tmp_path}").list()) == []
