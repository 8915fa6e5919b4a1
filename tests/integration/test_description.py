"""The user's description, word for word: every URL form, every function, every location."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import FileStore, ReadOnly, loader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.common import Service
    from tests.services.sftp import SFTPKeys


@pytest.fixture(
    params=[
        "file_service",
        "ftp_plain",
        "ftp_explicit",
        "ftp_implicit",
        "sftp_asyncssh",
        "sftp_openssh",
        "s3_moto",
        "s3_rclone",
        "azure_http",
        "azure_https",
    ]
)
def service(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("location", ["near", "far", "all"])
def test_all_eight_functions_at_every_location(
    service: Service, location: str, tmp_path: Path
) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.write_bytes(b"uploaded")
    with FileStore(service.url(f"near-{location}"), service.url(f"far-{location}")) as fs:
        chosen = {"near": fs.locations[:1], "far": fs.locations[1:], "all": fs.locations}[location]
        assert fs.put("path", "content", location) == list(chosen)
        assert fs.get("path", location) == b"content"
        assert fs.exists("path", location) == list(chosen)
        assert fs.upload(str(source), "up", location) == list(chosen)
        assert fs.upload_batch([(str(source), "b1"), (str(source), "b2")], location) == []
        assert fs.download("b2", str(dest), location) == [chosen[0]]
        assert dest.read_bytes() == b"uploaded"
        for path in ("path", "up", "b1", "b2"):
            fs.delete(path, location)
            assert fs.exists(path, "all") == []
        fs.close()


@pytest.mark.parametrize("server", ["http_plain", "http_basic", "https_basic", "https_pki"])
def test_http_is_read_only(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    service: Service = request.getfixturevalue(server)
    service.raw.write("path/to/folder/myfile", b"content")
    with FileStore(service.url("path/to/folder")) as fs:
        for location in ("near", "far", "all"):
            assert fs.get("myfile", location) == b"content"
            assert fs.exists("myfile", location) == [fs.locations[0]]
            fs.download("myfile", tmp_path / "dest", location)
            with pytest.raises(ReadOnly):
                fs.put("myfile", "other", location)
            with pytest.raises(ReadOnly):
                fs.delete("myfile", location)


@pytest.mark.parametrize("which", ["plain", "encrypted", "pem"])
@pytest.mark.parametrize("server", ["sftp_asyncssh", "sftp_openssh"])
def test_sftp_with_a_private_key(
    server: str, which: str, sftp_keys: SFTPKeys, request: pytest.FixtureRequest
) -> None:
    service: Service = request.getfixturevalue(server)
    options = {
        "plain": {"private_key": str(sftp_keys.plain)},
        "encrypted": {"private_key": str(sftp_keys.encrypted)},
        "pem": {"private_key": str(sftp_keys.encrypted_pem)},
    }[which]
    if which != "plain":
        options["private_key_pass"] = sftp_keys.passphrase
    url = replace(service, password="").url(f"key-{which}", validate_host="true", **options)
    with FileStore(url) as fs:
        fs.put("path", "content")
        assert fs.get("path") == b"content"


def test_the_usage_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILESTORE_URLS", f"file://{tmp_path}")
    (tmp_path / "myfile").write_bytes(b"data")
    example = """
from howler.common import loader

with loader.get_filestore() as fs:
    binary_data = fs.get('myfile')
"""
    names: dict[str, Any] = {}
    exec(example.replace("from howler.common", "from filestore_fsspec"), names)  # noqa: S102
    assert names["binary_data"] == b"data"
    assert names["loader"] is loader
