"""Their URLs, and what each means as one of ours."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import InvalidURL, Location, urls
from filestore_fsspec.compat import assemblyline, grammar, howler

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("theirs")
S3 = "use_batch_delete=false&layout=flat"

CASES = [
    # What ours does not take.
    ("s3://k:s@h?s3_bucket=bbb&debug=true", f"s3://k:s@h/?s3_bucket=bbb&{S3}", ["'debug'"]),
    ("s3://k:s@h", f"s3://k:s@h/?s3_bucket=al-storage&{S3}", ["no s3_bucket is al-storage"]),
    (
        "s3:///?s3_bucket=bbb&boto_defaults=true",
        f"s3://s3.amazonaws.com/?s3_bucket=bbb&boto_defaults=true&{S3}",
        ["no host is s3.amazonaws.com"],
    ),
    (
        "s3://k:s@h:9000/a/b?s3_bucket=bbb&use_ssl=off",
        f"s3://k:s@h:9000/?s3_bucket=bbb&use_ssl=false&{S3}",
        ["'use_ssl' is false", "bucket's root"],
    ),
    ("file:///x?normalize=true", "file:///x", ["'normalize'"]),
    ("file:/x/y", "file:///x/y", []),
    ("file:x/y", "file://./x/y", []),
    ("file://./x", "file://./x", []),
    ("file://", "file:///", []),
    ("file://elsewhere/x", "file:///x", ["a host has no meaning"]),
    ("file:///a/./b//../c", "file:///a/c", []),
    ("file:///x?read_only=1", "file:///x?read_only=false", ["'read_only' is false"]),
    ("file:///x?read_only=TRUE", "file:///x?read_only=true", []),
    ("file:///x?read_only=true&read_only=false", "file:///x?read_only=true", ["given twice"]),
    ("file:///x?what=ever", "file:///x", ["'what'"]),
    (
        "ftps://u:p@h/x?use_tls=false",
        "ftps://u:p@h:21/x?tls=explicit&verify=false",
        ["certificate is not checked", "'use_tls'"],
    ),
    ("ftps://u:p@h:990/x?verify=true", "ftps://u:p@h:990/x?tls=explicit&verify=true", []),
    ("ftp://u:p@h/x?use_tls=True", "ftp://u:p@h/x?use_tls=true&verify=false", ["certificate"]),
    ("ftp://u:p@h/x", "ftp://u:p@h/x", []),
    ("sftp://u:p@h", "sftp://u:p@h?validate_host=false", ["host key is not checked"]),
    ("sftp://u:p@h/x?validate_host=true", "sftp://u:p@h/x?validate_host=true", []),
    # Percent-encoding: of a password and of options, and for a web server.
    ("file:///a%20b", "file:///a%2520b", []),
    ("ftp://u%40d:p%40q@h/a%20b", "ftp://u%2540d:p%40q@h/a%2520b", []),
    ("http://u:p@h/a%20b", "http://u:p@h/a%20b", []),
    ("sftp://u:Ch@ng!@h?validate_host=true", "sftp://u:Ch%40ng!@h?validate_host=true", []),
    # Azure.
    (
        "azure://a.blob.core.windows.net/c/d?access_key=a+b%2Fc==",
        "azure://a.blob.core.windows.net/c/d?access_key=a%2Bb%2Fc==&allow_directory_access=false",
        [],
    ),
    (
        "azure://a.blob.core.windows.net/c?tenant_id=t&client_id=i&initalize_container=False",
        "azure://a.blob.core.windows.net/c?initalize_container=false&allow_directory_access=false",
        ["client_id, tenant_id: not used"],
    ),
    (
        "azure://a.blob.core.windows.net/c?allow_directory_access=true",
        "azure://a.blob.core.windows.net/c?allow_directory_access=true",
        [],
    ),
    # What only ours has.
    ("sftp://u@h?validate_host=true&name=n", "sftp://u@h?validate_host=true&name=n", []),
    ("memory://x/y", "memory://x/y", []),
]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setattr(grammar, "_told", set())
    caplog.set_level(logging.DEBUG)
    yield
    assert "topsecret" not in caplog.text


@pytest.mark.parametrize(("theirs", "ours", "said"), CASES)
def test_a_url(theirs: str, ours: str, said: list[str], caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):  # and said once
        assert grammar.translate(theirs, LOG) == urls.parse(ours)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * len(said)
    for words, record in zip(sorted(said), sorted(caplog.messages), strict=True):
        assert any(words in message for message in caplog.messages), record
    Location(urls.parse(ours))


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://user:topsecret@h/x",
        "sftp://user:topsecret/x@h/y",
        "sftp://user:1topsecret@h:port/y",
        "sftp://user:12/topsecret@h/y",
        "file:///x#topsecret",
        "sftp:///x",
        "azure://a.blob.core.windows.net/?access_key=topsecret",
        "ftp://u:topsecret@[::z]/x",
        "no url",
    ],
)
def test_what_cannot_be_used(url: str) -> None:
    for create in (assemblyline.create_transport, howler.create_transport):
        with pytest.raises(assemblyline.FileStoreException) as caught:
            create(url)
        assert isinstance(caught.value, InvalidURL)
        assert "topsecret" not in str(caught.value)
        assert caught.value.__context__ is None


def test_host_objects(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Host:
        name = "archive"
        username = "user"
        password = "topsecret"
        scheme = "sftp"
        host = "h:2222/x"

    monkeypatch.setenv("ARCHIVE_HOST_USERNAME", "other")
    mapping = {name: getattr(Host, name) for name in vars(Host) if not name.startswith("_")}
    sources: list[Any] = [Host(), mapping]
    for source in sources:
        url = grammar.translate(source, LOG)
        assert (url.username, url.password, url.port) == ("other", "topsecret", 2222)
        assert url.options == {"name": "archive", "validate_host": "false"}
    assert len(caplog.records) == 1
    with pytest.raises(InvalidURL, match="is no location"):
        grammar.translate(object(), LOG)
