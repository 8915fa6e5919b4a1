"""The README and the pages of docs/: every example runs, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pytest
from fsspec.implementations.cached import SimpleCacheFileSystem

from filestore_fsspec import FileStore
from filestore_fsspec.filesystem import FileStoreFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMPOSITE = "docs/guide/composite.md"


def examples() -> Iterator[tuple[str, int, str]]:
    """Yield each ```python block with its page and the line that it starts at."""
    for page in PAGES:
        text = page.read_text()
        for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            name = page.relative_to(ROOT).as_posix()
            yield name, text.count("\n", 0, block.start(1)) + 1, block[1]


EXAMPLES = [pytest.param(*each, id=f"{each[0]}:{each[1]}") for each in examples()]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 28
    assert sum(page == COMPOSITE for page, *_ in examples()) >= 12


# dask 2026.8 gives pandas 3.1 an argument that a later pandas will not take.
@pytest.mark.filterwarnings(r"ignore:(.*\n)*.*The inplace keyword in DataFrame.(re)?set_index")
# universal_pathlib 0.3 says this of every protocol that is not its own.
@pytest.mark.filterwarnings("ignore:UPath 'filestore' filesystem not explicitly implemented")
@pytest.mark.parametrize(("page", "line", "example"), EXAMPLES)
def test_example(
    page: str, line: int, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(fsspec.config.conf, "filestore", {})  # one example sets it
    locations = [(tmp_path / name).as_uri() for name in ("near", "far")]
    # A store's name stands for other locations in each test: what knew it by its name is forgotten.
    for kind in (FileStoreFileSystem, SimpleCacheFileSystem):
        kind.clear_instance_cache()
    code = compile("\n" * (line - 1) + example, str(ROOT / page), "exec")
    exec(code, {"__name__": "example", "locations": locations})  # noqa: S102 - our own page
    if page == COMPOSITE:
        with FileStore(*locations) as store:
            near, far = (sorted(location.list()) for location in store.locations)
        assert near == far != []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = page.parent / path if path else page
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w]+", "-", each.lower()).strip("-") for each in headings}


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]}
    assert set(re.findall(r"[\w/-]+\.md", nav)) == pages


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text().splitlines()) <= 150
