"""Schemes that other packages add, each an installed distribution of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore, InvalidURL, Location

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODULE = """
from filestore_fsspec.drivers.memory import MemoryDriver
from filestore_fsspec.schemes.base import Options, Target, as_folder, layout_of, parse_options


class MineOptions(Options):
    colour: str = "red"


class MineDriver(MemoryDriver):
    def __init__(self, colour, **kwargs):
        super().__init__(**kwargs)
        self.colour = colour


def translate(url):
    options = parse_options(MineOptions, url)
    return Target(
        protocol=f"{__name__}:MineDriver",
        root=f"/{url.host}/{as_folder(url.root)}",
        storage_options={"colour": options.colour},
        layout=layout_of(options, "verbatim"),
        label=str(url),
    )


def nothing(url):
    return None
"""


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution that adds schemes."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, **schemes: str) -> None:
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "\n".join(f"{name} = {value}" for name, value in schemes.items())
        (info / "entry_points.txt").write_text(f"[filestore_fsspec.schemes]\n{lines}\n")
        (tmp_path / f"{package}_module.py").write_text(MODULE)

    return install


def test_a_scheme_is_added(add: Callable[..., None]) -> None:
    add("red", mine="red_module:translate")
    with FileStore("mine://Place/root?colour=blue", "memory://other") as store:
        assert len(store.put("k", b"x")) == 2
        assert store.get("k") == b"x"
        assert list(store.list()) == ["k"]
        assert store.locations[0].fs.colour == "blue"
    with pytest.raises(InvalidURL, match="did you mean 'colour'"):
        Location("mine://place?color=blue")
    with pytest.raises(InvalidURL, match="did you mean 'mine'"):
        Location("mime://place")
    with pytest.raises(InvalidURL, match=r"allowed: azure, .*, sftp, mine, fsspec"):
        Location("gopher://place")


def test_none_is_loaded_until_it_is_used(add: Callable[..., None], tmp_path: Path) -> None:
    add("red", mine="red_module:translate")
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import filestore_fsspec as f;"
        "f.FileStore('memory://x').get('k'); assert 'red_module' not in sys.modules;"
        "f.FileStore('mine://x').get('k'); assert 'red_module' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path, *sys.path], check=True)


def test_a_broken_one_is_named_when_it_is_used(add: Callable[..., None]) -> None:
    add(
        "broken",
        gone="broken_module:no_such",
        missing="no_such_module:translate",
        empty="broken_module:nothing",
        fine="broken_module:translate",
    )
    assert Location("fine://x").target.root == "/x/"
    assert Location("memory://x").target.root == "/x/"
    for scheme in ("gone", "missing", "empty"):
        with pytest.raises(InvalidURL, match=f"'{scheme}', .* of the package 'broken'"):
            Location(f"{scheme}://x")


def test_ours_cannot_be_taken(add: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    add("thief", memory="thief_module:nothing", mine="thief_module:translate")
    assert Location("memory://x").target.protocol == "memory"
    assert Location("mine://x").target.root == "/x/"
    assert "'memory' is ours: thief_module:nothing of the package 'thief'" in caplog.text


def test_two_packages_with_one_scheme_are_told(add: Callable[..., None]) -> None:
    add("red", mine="red_module:translate")
    add("blue", mine="blue_module:translate")
    with pytest.raises(InvalidURL, match=r"added twice: blue_module.* and red_module"):
        Location("mine://x")


def test_no_secret_of_an_added_scheme_is_shown(add: Callable[..., None]) -> None:
    add("red", mine="red_module:translate")
    location = Location("mine://x?colour=hidden")
    assert "hidden" not in f"{location} {location!r} {location.url!r} {location.target!r}"
    assert location.url.reveal(secrets=False) == "mine://x/"
