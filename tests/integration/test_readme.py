"""Every example of the README's section on the composite filesystem runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.cached import SimpleCacheFileSystem

from filestore_fsspec import FileStore
from filestore_fsspec.filesystem import FileStoreFileSystem

README = Path(__file__).parents[2] / "README.md"
SECTION = "The composite filesystem"


def examples() -> list[tuple[int, str]]:
    """Return each ```python block of the section with the line it starts at."""
    text = README.read_text()
    found = re.search(rf"^## {SECTION}$.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        return []
    start = found.start()
    blocks = re.finditer(r"^```python\n(.*?)^```$", found[0], re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, start + block.start(1)) + 1, block[1]) for block in blocks]


def test_there_are_examples() -> None:
    assert len(examples()) >= 12


# dask 2026.8 gives pandas 3.1 an argument that a later pandas will not take.
@pytest.mark.filterwarnings(r"ignore:(.*\n)*.*The inplace keyword in DataFrame.(re)?set_index")
# universal_pathlib 0.3 says this of every protocol that is not its own.
@pytest.mark.filterwarnings("ignore:UPath 'filestore' filesystem not explicitly implemented")
@pytest.mark.parametrize(
    "example", [pytest.param(block, id=f"line-{line}") for line, block in examples()]
)
def test_example(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fsspec.config.conf, "filestore", {})  # one example sets it
    locations = [(tmp_path / name).as_uri() for name in ("near", "far")]
    # A store's name stands for other locations in each test: what knew it by its name is forgotten.
    for kind in (FileStoreFileSystem, SimpleCacheFileSystem):
        kind.clear_instance_cache()
    exec(compile(example, str(README), "exec"), {"locations": locations})  # noqa: S102 - our README
    with FileStore(*locations) as store:
        near, far = (sorted(location.list()) for location in store.locations)
    assert near == far != []
