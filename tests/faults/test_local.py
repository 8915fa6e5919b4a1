"""What fails on this machine: no object is said to be absent for it, and no location is blamed."""

from __future__ import annotations

import errno
import os
import resource
import secrets
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from filestore_fsspec import FileStore, NotFound, TransportException
from tests.faults.test_errors import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.common import Service

NONE = "/there/is/no/such/file"
WEB_IDENTITY = {
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod",
    "AWS_WEB_IDENTITY_TOKEN_FILE": NONE,
}
WORKLOAD_IDENTITY = {
    "AZURE_TENANT_ID": "tenant",
    "AZURE_CLIENT_ID": "client",
    "AZURE_FEDERATED_TOKEN_FILE": NONE,
}


@dataclass
class Case:
    """A location whose configuration names a file that is not there."""

    service: str
    options: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    """Options of the service that stand in the way."""

    @property
    def id(self) -> str:
        names = [*(name for name, value in self.options.items() if value == NONE)]
        names += [name for name, value in self.environment.items() if value == NONE]
        return "-".join((self.service, *names, self.options.get("engine", "")))


CASES = [
    Case("ftp_explicit", {"ca_bundle": NONE}),
    Case("ftp_implicit", {"ca_bundle": NONE}),
    Case("sftp_openssh", {"private_key": NONE}),
    Case("sftp_openssh", {"known_hosts": NONE}),
    Case("https_basic", {"ca_bundle": NONE}),
    Case("https_pki", {"pki": NONE}),
    Case("s3_moto_tls", {"ca_bundle": NONE}),
    Case("s3_moto", environment=WEB_IDENTITY),
    Case("azure_https", {"ca_bundle": NONE}),
    Case("azure_https", {"use_default_credentials": "true"}, WORKLOAD_IDENTITY, ("access_key",)),
]
CASES += [
    replace(case, options={**case.options, "engine": "obstore"})
    for case in CASES
    if case.service.startswith(("https_basic", "s3", "azure"))
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_missing_file_of_the_configuration_says_nothing_of_an_object(
    case: Case,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service: Service = request.getfixturevalue(case.service)
    kept = {name: value for name, value in service.options.items() if name not in case.without}
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    if case.environment:
        service = replace(service, username="", password="")
    url = replace(service, options=kept).url("root", **case.options)
    check(url, TransportException, (), caplog)
    with FileStore(url) as store:
        for act in (store.get, store.exists, lambda key: list(store.list(key))):
            with pytest.raises(TransportException) as caught:
                act("some/key")
            assert not isinstance(caught.value, NotFound)


CONTENT = secrets.token_bytes(9 * 2**20)
SERVICES = [
    "file_service",
    "memory_service",
    "ftp_plain",
    "sftp_openssh",
    "http_plain",
    "s3_moto",
    "azure_http",
]


@contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    """Have writes beyond fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def asked_next(tmp_path: Path) -> tuple[str, Path]:
    """Return the URL of a location that would answer, and its folder."""
    folder = tmp_path / "next"
    folder.mkdir()
    return f"file://{folder}", folder


@pytest.mark.parametrize("server", SERVICES)
def test_a_full_disk_here_is_no_location_s_fault(
    server: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    asked_next: tuple[str, Path],
) -> None:
    service: Service = request.getfixturevalue(server)
    root = f"full-{secrets.token_hex(6)}"
    service.raw.write(f"{root}/k", CONTENT)
    (asked_next[1] / "k").write_bytes(b"next")
    dest = tmp_path / "dest"
    dest.mkdir()
    with FileStore(service.url(root), asked_next[0]) as store:
        assert store.exists("k")
        with files_up_to(2**20), pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as caught:
            store.download("k", dest / "k")
        assert not isinstance(caught.value, TransportException)
        assert list(dest.iterdir()) == []
        assert store.locations[0].breaker_state == "closed"


@pytest.mark.parametrize("server", [each for each in SERVICES if each != "http_plain"])
def test_without_a_temporary_folder(
    server: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What needs one says so; what needs none works."""
    service: Service = request.getfixturevalue(server)
    source = tmp_path / "source"
    source.write_bytes(b"content")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    needs_one = not server.startswith(("s3", "azure"))
    with FileStore(service.url(f"tmp-{secrets.token_hex(6)}")) as store:
        if not needs_one:
            store.upload(source, "k", verify=True)
            assert store.get("k") == b"content"
            return
        with pytest.raises(FileNotFoundError, match=f"{tmp_path}/none") as caught:
            store.upload(source, "k", verify=True)
        assert not isinstance(caught.value, TransportException)
        assert store.get("k") is None


def test_a_folder_of_this_machine_that_cannot_be_made(
    memory_service: Service, tmp_path: Path, asked_next: tuple[str, Path]
) -> None:
    (tmp_path / "file").touch()
    with FileStore(memory_service.url(secrets.token_hex(6)), asked_next[0]) as store:
        store.put("k", b"content")
        with pytest.raises(FileExistsError) as caught:
            store.download("k", tmp_path / "file" / "k")
        assert not isinstance(caught.value, TransportException)
