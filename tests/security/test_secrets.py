"""No secret is in any log, message, repr or dump, whoever logs, at the finest level."""

from __future__ import annotations

import json
import logging
import pickle
import sys
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from filestore_fsspec import FileStore, FileStoreException, PartialWrite
from filestore_fsspec.drivers.azure.driver import AzureDriver
from filestore_fsspec.drivers.shared.driver import SECRETS as DRIVER_SECRETS
from filestore_fsspec.location import Location
from filestore_fsspec.schemes.base import SECRET_ARGUMENTS
from filestore_fsspec.settings import Settings
from tests.faults.test_errors import shown
from tests.services.azure import ACCOUNT_KEY, CLIENT_SECRET
from tests.services.common import PASSWORD, USERNAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.common import Service
    from tests.services.http import Faults
    from tests.services.sftp import SFTPKeys

SERVERS = [
    "ftp_plain",
    "ftp_explicit",
    "ftp_vsftpd",
    "sftp_asyncssh",
    "sftp_openssh",
    "http_basic",
    "https_basic",
    "s3_moto",
    "s3_moto_tls",
    "azure_http",
    "azure_https",
    "azure_token",
]
WRONG = "Wr0ng/S3cret+canary"
BASIC = b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
RAW = (PASSWORD, ACCOUNT_KEY, CLIENT_SECRET, WRONG, BASIC)
SECRETS = {form for secret in RAW for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    """Yield all that any logger says, with its arguments, at DEBUG and below."""
    said: list[str] = []

    class Ears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            said.append(f"{record.name}: {record.getMessage()} {record.args!r}")
            said.append(shown(error) if error else "")

    root, ears = logging.getLogger(), Ears(level=1)
    named = [logging.getLogger(name) for name in list(logging.Logger.manager.loggerDict)]
    before = [(logger, logger.level) for logger in (root, *named)]
    for logger, _level in before:
        logger.setLevel(1)
    root.addHandler(ears)
    yield said
    root.removeHandler(ears)
    for logger, level in before:
        logger.setLevel(level)


def use(store: FileStore, dest: Path) -> list[FileStoreException]:
    """Call all functions; return what they raised."""
    raised: list[FileStoreException] = []
    calls: list[Any] = [
        lambda: store.get("a/x"),
        lambda: store.exists("a/x"),
        lambda: store.put("a/x", b"x"),
        lambda: store.put("a/x", b"x" * 2**20, force=True),
        lambda: store.upload(sys.executable, "a/y"),
        lambda: store.download("a/x", dest),
        lambda: list(store.list("a")),
        lambda: store.locate("a/x"),
        lambda: list(store.get_many(["a/x", "nothing"])),
        lambda: store.delete_batch(["a/x", "nothing"]),
        store.cleanup,
        lambda: store.delete("a/y"),
        lambda: store.fs.ls(""),
        lambda: store.fs.pipe_file("b", b"x"),
    ]
    for call in calls:
        try:
            call()
        except FileStoreException as error:
            raised.append(error)
    return raised


@pytest.mark.parametrize("password", ["right", "wrong"])
@pytest.mark.parametrize("server", SERVERS)
def test_all_functions_say_no_secret(
    server: str,
    password: str,
    request: pytest.FixtureRequest,
    everything_logged: list[str],
    tmp_path: Path,
) -> None:
    service: Service = request.getfixturevalue(server)
    if password == "wrong":
        key = b64encode(WRONG.encode() * 3).decode()
        given = {"access_key": key, "client_secret": WRONG}
        options = {name: given.get(name, value) for name, value in service.options.items()}
        service = replace(service, password=service.password and WRONG, options=options)
        SECRETS.update({key, quote(key, safe="")})
    with FileStore(service.url(uuid4().hex)) as store:
        raised = use(store, tmp_path / "dest")
        (location,) = store.locations
        seen = [f"{each} {each!r}" for each in (store, location, location.url, location.target)]
        seen += [f"{location.fs!r} {location.fs.to_json(include_password=False)}"]
        seen += [f"{store.fs!r} {store.fs.to_json(include_password=False)}"]
        seen += [repr(store.fs.storage_options), repr(pickle.loads(pickle.dumps(location)))]  # noqa: S301 - our own
        seen += [repr(location.__getstate__())]
    seen += [shown(error) for error in raised]
    seen += [str(vars(error)) for error in raised]
    assert not leaks("\n".join(seen))
    assert everything_logged or server.startswith(("ftp", "http"))
    assert not leaks("\n".join(everything_logged))


def test_nor_of_a_private_key(
    sftp_asyncssh: Service, sftp_keys: SFTPKeys, everything_logged: list[str], tmp_path: Path
) -> None:
    options = {"private_key": str(sftp_keys.encrypted), "private_key_pass": sftp_keys.passphrase}
    with FileStore(replace(sftp_asyncssh, password="").url("x", **options)) as store:
        use(store, tmp_path / "dest")
        seen = f"{store!r} {store.locations[0].url!r} {store.fs.storage_options!r}"
    text = seen + "".join(everything_logged)
    for secret in (sftp_keys.passphrase, quote(sftp_keys.passphrase, safe="")):
        assert secret not in text
    assert "BEGIN OPENSSH" not in text


@pytest.mark.parametrize("engine", ["fsspec", "obstore"])
def test_nor_when_a_server_sends_us_in_circles(
    engine: str, http_faults: Faults, everything_logged: list[str]
) -> None:
    # aiohttp's exception for it holds the request, its headers too.
    url = f"http://{USERNAME}:{quote(PASSWORD, safe='')}@127.0.0.1:{http_faults.port}/loop"
    with FileStore(f"{url}?engine={engine}", connection_attempts=1) as store:
        with pytest.raises(FileStoreException) as caught:
            store.get("x")
        assert not leaks(shown(caught.value) + "".join(everything_logged))


def test_nor_of_several_that_fail(everything_logged: list[str]) -> None:
    password = quote(WRONG, safe="")
    s3 = f"s3://k:{password}@localhost:1/x?s3_bucket=bucket&use_ssl=false"
    urls = (f"ftp://u:{password}@localhost:1/x", s3)
    with FileStore(*urls, connection_attempts=1) as store:
        with pytest.raises(PartialWrite) as caught:
            store.put("x", b"x")
        error = caught.value
        assert not leaks(f"{shown(error)} {error.failed!r} {error.written!r} {vars(error)!r}")
    assert not leaks("".join(everything_logged))


def test_nor_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILESTORE_URLS", f"ftp://u:{quote(WRONG, safe='')}@h/x")
    settings = Settings()
    dumps = (str(settings), repr(settings), str(settings.model_dump()), settings.model_dump_json())
    assert not leaks("".join(dumps))


def test_a_drivers_json_leaves_every_secret_out() -> None:
    assert set(DRIVER_SECRETS) == set(SECRET_ARGUMENTS)
    location = Location(f"azure://h/box?account=a&access_key={quote(ACCOUNT_KEY, safe='')}")
    assert "account_key" not in json.loads(location.fs.to_json(include_password=False))
    again = AzureDriver.from_json(location.fs.to_json())
    assert (type(again), again.account_key) == (AzureDriver, ACCOUNT_KEY)
