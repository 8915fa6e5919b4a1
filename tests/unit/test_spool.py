from __future__ import annotations

import io
from pathlib import Path

import pytest

from filestore_fsspec.spool import IN_MEMORY_BYTES, spooled


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
