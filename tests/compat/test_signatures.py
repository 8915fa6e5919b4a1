"""What is called there can be called here: the same names, keywords, order and defaults."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
from pathlib import Path

import pytest

from tests.compat.signatures import Parameters, parameters
from tests.integration.test_predecessor import PYTHON
from tests.services.common import unavailable

PAGE = Path(__file__).parents[2] / "docs" / "moving.md"
MISSING = {"reconnect_retry_on_fail", "with_retries"}
"""Helpers of theirs that nobody outside calls; the page names them."""

# Howler 2.6, the last release with a file store, is on no package index: from its public source.
HOWLER = {
    "create_transport": "url, connection_attempts=None",
    "normalize_srl_path": "srl",
    "loader.filestore": "config=None, connection_attempts=None",
    "FileStore.__init__": "*transport_urls, connection_attempts=None",
    "FileStore.close": "",
    "FileStore.delete": "path, location='all'",
    "FileStore.download": "src_path, dest_path, location='any'",
    "FileStore.exists": "path, location='any'",
    "FileStore.get": "path, location='any'",
    "FileStore.put": "dst_path, content, location='all', force=False",
    "FileStore.slice": "location",
    "FileStore.upload": "src_path, dst_path, location='all', force=False, verify=False",
    "FileStore.upload_batch": "local_remote_tuples, location='all'",
    "transport.base.Transport.exists": "path",
    "transport.base.Transport.makedirs": "path",
    "transport.base.Transport.download": "src_path, dst_path",
    "transport.base.Transport.upload": "src_path, dst_path",
    "transport.base.Transport.get": "path",
    "transport.base.Transport.put": "dst_path, content",
    "transport.local.TransportLocal.__init__": "base=None, normalize=None",
    "transport.local.TransportLocal.put": "path, content",
    "transport.http.TransportHTTP.upload_batch": "local_remote_tuples",
    "exceptions.FileStoreException.__init__": "message, cause=None",
    "exceptions.TransportException.__init__": "message, cause=None",
    "exceptions.HowlerConnectionError.__init__": "message, cause=None",
}
# Of these the order is another: there, a port is no argument of SFTP's.
HOWLER_KEYWORDS = {
    "sftp.TransportSFTP": "base host password user private_key private_key_pass validate_host",
    "ftp.TransportFTP": "base host password user port use_tls",
    "http.TransportHTTP": "scheme base host password user pki port verify",
    "s3.TransportS3": "base accesskey secretkey aws_region s3_bucket host port use_ssl verify "
    "connection_attempts",
    "azure.TransportAzure": "base access_key tenant_id client_id client_secret host "
    "connection_attempts",
}


def ours(package: str, path: str) -> object:
    """Return what `path` names in a package of ours, its modules among it."""
    found: object = importlib.import_module(f"filestore_fsspec.compat.{package}")
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.fixture(scope="module")
def theirs() -> dict[str, Parameters]:
    if not PYTHON.exists():
        unavailable("the predecessor", "make .services/predecessor/ready")
    script = Path(__file__).with_name("signatures.py")
    done = subprocess.run(
        [PYTHON, "-W", "ignore", script], capture_output=True, text=True, timeout=100, check=True
    )
    table: dict[str, Parameters] = json.loads(done.stdout)
    return table


def test_assemblyline(theirs: dict[str, Parameters]) -> None:
    assert len(theirs) > 100
    assert {"FileStore.put", "create_transport", "transport.s3.TransportS3.__init__"} <= set(theirs)
    page = PAGE.read_text()
    differ = {}
    for path, wanted in theirs.items():
        if path.rpartition(".")[2] in MISSING:
            assert f"`{path.rpartition('.')[2]}`" in page
            continue
        function = ours("assemblyline", path)
        assert callable(function)
        found = parameters(function)
        if found != wanted:
            differ[path] = (found, wanted)
    assert differ == {}


@pytest.mark.parametrize("path", HOWLER)
def test_howler(path: str) -> None:
    function = ours("howler", path)
    assert callable(function)
    found = [
        each.replace(annotation=each.empty)
        for each in inspect.signature(function).parameters.values()
        if each.name not in ("self", "read_only")  # which there all the world may write
    ]
    text = ", ".join(map(str, found)).replace("message=''", "message").replace(", errors=None", "")
    assert text == HOWLER[path]


@pytest.mark.parametrize("path", HOWLER_KEYWORDS)
def test_howlers_transports(path: str) -> None:
    kind = ours("howler", f"transport.{path}")
    assert isinstance(kind, type)
    found = inspect.signature(kind).parameters
    assert set(HOWLER_KEYWORDS[path].split()) <= set(found)
    assert all(each.default is not each.empty for each in found.values())
