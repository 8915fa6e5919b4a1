from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import InvalidURL, loader
from filestore_fsspec.settings import find_sources

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hidden"
YAML = """
filestore:
  storage:
    - "s3://key:${TEST_SECRET}@h?s3_bucket=b$TEST_SECRET"
    - {name: far, scheme: ftp, host: h}
"""


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILESTORE_URLS", "FILESTORE_CONFIG", "APP_NAME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TEST_SECRET", SECRET)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return tmp_path / "etc"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


EXPECTED = [
    f"s3://key:{SECRET}@h?s3_bucket=b$TEST_SECRET",
    {"name": "far", "scheme": "ftp", "host": "h"},
]


def test_at_least_there_is_a_local_folder(
    etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home/.local/share/filestore_fsspec"
    assert find_sources(etc) == [f"file://{folder}"]
    monkeypatch.setenv("XDG_DATA_HOME", "/data dir")
    assert find_sources(etc) == ["file:///data%20dir/filestore_fsspec"]


@pytest.mark.parametrize("app_name", [None, "howler", "howler-dev", "howler-stg"])
def test_the_predecessors_files(
    etc: Path, app_name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if app_name:
        monkeypatch.setenv("APP_NAME", app_name)
    write(etc / "howler/config.yml", YAML.replace("far", "second"))
    assert find_sources(etc)[1] == {"name": "second", "scheme": "ftp", "host": "h"}
    first = write(etc / "howler/conf/config.yml", "logging: {}")
    assert find_sources(etc)[1] == {"name": "second", "scheme": "ftp", "host": "h"}
    first.write_text(YAML)
    assert find_sources(etc) == EXPECTED


def test_the_named_file_goes_first(
    etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(etc / "howler/conf/config.yml", "filestore: {storage: ['file:///other']}")
    named = write(tmp_path / "named.yml", YAML)
    monkeypatch.setenv("FILESTORE_CONFIG", str(named))
    assert find_sources(etc) == EXPECTED


@pytest.mark.parametrize("text", ['["file:///a", "file:///b"]', "file:///a\n  file:///b"])
def test_urls_in_the_environment_go_before_files(
    etc: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILESTORE_CONFIG", "/no/such/file")
    monkeypatch.setenv("FILESTORE_URLS", text)
    assert find_sources(etc) == ["file:///a", "file:///b"]
    assert [str(each) for each in loader.get_filestore().locations] == ["file:///a/", "file:///b/"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("filestore: {}", "filestore.storage"),
        ("[]", "filestore.storage"),
        (f"a: [{SECRET}", "no YAML"),
    ],
)
def test_a_named_file_that_cannot_be_used_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, words: str
) -> None:
    path = tmp_path / "named.yml"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("FILESTORE_CONFIG", str(path))
    with pytest.raises(InvalidURL, match=words) as caught:
        loader.get_filestore()
    assert SECRET not in str(caught.value)


def test_a_broken_list_is_an_error_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILESTORE_URLS", f'["ftp://u:{SECRET}@h"')
    with pytest.raises(InvalidURL, match="JSON list") as caught:
        loader.get_filestore()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        "file:///a",
        ["file:///a"],
        ("file:///a",),
        json.dumps(["file:///a"]),
        {"filestore": {"storage": ["file:///a"]}},
        SimpleNamespace(filestore=SimpleNamespace(storage=["file:///a"])),
    ],
)
def test_the_argument_goes_before_everything(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILESTORE_URLS", "file:///b")
    store = loader.get_filestore(config, connection_attempts=2)
    assert [str(each) for each in store.locations] == ["file:///a/"]
    assert store.locations[0].attempts == 2


def test_a_file_as_the_argument(tmp_path: Path) -> None:
    store = loader.get_filestore(write(tmp_path / "c.yml", "filestore: {storage: ['file:///a']}"))
    assert str(store) == "file:///a/"
