"""A program that was written for either package, on every kind of server."""

from __future__ import annotations

import hashlib
import logging
import secrets
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import filestore_fsspec
from filestore_fsspec import Location, PartialWrite
from filestore_fsspec.compat import assemblyline, grammar, howler
from filestore_fsspec.drivers.local.driver import LocalDriver
from tests.services.common import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from tests.services.common import Service

PACKAGES = [assemblyline, howler]
SHA = hashlib.sha256(b"x").hexdigest()
NAMES = [
    *(f"{start}{'x' * (64 - len(start))}" for start in ("7", "70", "70a", "70ab")),
    *(f"{start}-name" for start in ("70", "70a", "70ab", "70abc")),
    f".{SHA[1:]}",
]


def service_of(name: str, request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(name)
    if name == "ftp_explicit":
        # As their `ftps`: explicit TLS, and nobody looks at the certificate.
        return replace(found, scheme="ftps", options={})
    if name == "sftp_asyncssh":
        return replace(found, options={})  # and nobody at the host key
    return found


@pytest.fixture(
    params=["file_service", "ftp_plain", "ftp_explicit", "sftp_asyncssh", "s3_moto", "azure_http"]
)
def url(request: pytest.FixtureRequest) -> str:
    return service_of(request.param, request).url(f"compat-{secrets.token_hex(4)}")


def keys_of(transport: Any, prefix: str | None) -> set[str]:
    """Return what a transport lists, without what another test left in the bucket's root."""
    return {key for key in transport.list(prefix) if key in NAMES}


def test_a_writable_store(url: str, tmp_path: Path) -> None:
    with assemblyline.FileStore(url) as store:
        (transport,) = store.transports
        tag = secrets.token_hex(4)
        assert store.get(f"missing-{tag}") is None
        assert store.put(f"put-{tag}", b"content") == [transport]
        assert store.put(f"put-{tag}", b"other") == []
        assert store.get(f"put-{tag}") == b"content"
        assert store.put(dst_path=f"put-{tag}", content="text", location="near", force=True)
        assert transport.get(f"put-{tag}") == b"text"

        source = tmp_path / "source"
        source.write_bytes(b"from a file")
        pairs = [(str(source), f"folder/{tag}-{end}") for end in "ab"]
        assert store.upload_batch(local_remote_tuples=iter(pairs)) == []
        ((src, dest, error),) = store.upload_batch([(str(tmp_path / "none"), "x")])
        assert (src, dest) == (str(tmp_path / "none"), "x")
        assert "no local file" in error
        assert store.exists(f"folder/{tag}-a") == [transport]
        target = tmp_path / "new" / "target"
        assert store.download(src_path=f"folder/{tag}-b", dest_path=str(target)) == [transport]
        assert target.read_bytes() == b"from a file"
        with pytest.raises(assemblyline.FileStoreException):
            store.download("missing", str(target))
        assert target.read_bytes() == b"from a file"
        assert store.upload(src_path=str(source), dst_path=f"put-{tag}", force=True, verify=True)

        assert store.delete(f"put-{tag}") is None
        assert store.exists(f"put-{tag}") == []
        store.delete(f"put-{tag}")

        for name in NAMES:
            store.put(name, name)
        for prefix, count in (("7", 8), ("70", 7), ("70a", 5), ("70ab", 3)):
            assert len(keys_of(transport, prefix)) == count, prefix
        assert keys_of(transport, "70abc") == {"70abc-name"}
        assert keys_of(transport, None) == set(NAMES)
        missing = [secrets.token_hex(16) for _ in range(3)]
        store.delete_batch([*NAMES, *missing])
        assert not any(store.exists(name) for name in NAMES)
        # Many, as many in a request as it takes: as a list, and as a generator of a transport.
        many = [
            secrets.token_hex(8)
            for _ in range(round(min(store.delete_batch_chunk_size(), 20) * 2.1))
        ]
        for name in many:
            store.put(name, name)
        store.delete_batch(many[:1])
        transport.delete_batch(name for name in many)
        assert not any(store.exists(name) for name in many)
        store.delete_batch([f"folder/{tag}-a", f"folder/{tag}-b"])


@pytest.mark.parametrize("server", ["http_plain", "https_basic"])
def test_a_web_server(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    service: Service = request.getfixturevalue(server)
    root = f"compat-{secrets.token_hex(4)}"
    service.raw.write(f"{root}/page", b"content")
    with assemblyline.FileStore(service.url(root)) as store:
        assert "localhost" in str(store)
        assert store.get("missing") is None
        assert store.exists("page") == store.transports
        assert store.get("page") == b"content"
        store.download("page", str(tmp_path / "page"))
        assert store.put("page", b"x") == []
        (transport,) = store.transports
        for write in (
            lambda: transport.put("page", b"x"),
            lambda: transport.delete("page"),
            lambda: transport.makedirs("x"),
            lambda: transport.upload("a", "b"),
            lambda: transport.upload_batch([]),  # type: ignore[attr-defined]
        ):
            with pytest.raises(assemblyline.TransportException, match="READ ONLY"):
                write()


def test_an_anonymous_container(azure_http: Service) -> None:
    """It may be read by anybody; what is refused is an error of the transport."""
    with assemblyline.FileStore(azure_http.url("x")) as store:
        store.put("k", b"content")
    wrong = azure_http.url("x", access_key="d3Jvbmc=")
    with assemblyline.FileStore(wrong, connection_attempts=0) as store:
        assert store.get("k") is None
        assert store.exists("k") == []
        for write in (store.put, store.transports[0].put):
            with pytest.raises(assemblyline.TransportException):
                write("k2", "content")
    with assemblyline.FileStore(azure_http.url("x", read_only="true")) as store:
        with pytest.raises(assemblyline.TransportException, match="READ ONLY"):
            store.transports[0].put("k", b"")
        assert store.put("k", b"") == []
        assert str(store).endswith(f" | read-only: {store.transports[0]}")


# What a store answers, of either package.


@pytest.fixture(params=PACKAGES, ids=["assemblyline", "howler"])
def package(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


@pytest.fixture
def pair(package: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with package.FileStore(f"file://{tmp_path}/near", f"file://{tmp_path}/far") as store:
        yield store


class Dead(LocalDriver):
    """A disk that answers nothing."""

    def _die(self, *_args: Any, **_kwargs: Any) -> Any:
        raise TimeoutError("silent")

    cat_file = get_file = isfile = pipe_file = put_file = rm_file = rm_files = _die


def kill(location: Location) -> None:
    location._fs = Dead()


def test_what_a_store_has(pair: Any, package: ModuleType, tmp_path: Path) -> None:
    near, far = pair.transports
    assert isinstance(near, package.TransportLocal)
    assert isinstance(near, package.Transport)
    assert pair.local_transports == [near, far]
    assert pair.transport_urls == (f"file://{tmp_path}/near", f"file://{tmp_path}/far")
    assert (pair.slice("near"), pair.slice("far"), pair.slice("any")) == (
        [near],
        [far],
        [near, far],
    )
    with pytest.raises(ValueError, match="near, far, all, any"):
        pair.get("k", "nowhere")
    assert str(pair) == f"file://{tmp_path}/near, file://{tmp_path}/far"
    assert (near.base, near.host, near.read_only) == (f"{tmp_path}/near", "localhost", False)
    assert near.normalize(SHA) == f"{tmp_path}/near/{'/'.join(SHA[:4])}/{SHA}"
    assert package.normalize_srl_path(SHA) == f"{'/'.join(SHA[:4])}/{SHA}"
    assert package.normalize_srl_path("a/b") == "a/b"
    assert pair == package.FileStore(*pair.transport_urls)
    assert pair != package.FileStore(pair.transport_urls[0])
    assert pair.delete_batch_chunk_size() == 1
    assert pair.SLOW_OP_THRESHOLD == 5.0
    assert isinstance(pair.store, filestore_fsspec.FileStore)


def test_what_a_transport_answers(package: ModuleType, tmp_path: Path) -> None:
    transport = package.create_transport(f"file://{tmp_path}/x", connection_attempts=0)
    assert transport.put("k", "ü") == 2  # bytes, as a disk's did
    assert transport.exists("k") is True
    assert transport.exists("none") is False
    assert (
        list(transport.list()) == list(transport.list(None)) == list(transport.list("k")) == ["k"]
    )
    with pytest.raises(package.TransportException) as caught:
        transport.get("none")
    assert isinstance(caught.value.cause, FileNotFoundError)
    with pytest.raises(package.TransportException) as caught:
        transport.get("../x")
    assert isinstance(caught.value.cause, filestore_fsspec.InvalidKey)
    with pytest.raises(package.TransportException) as caught:
        transport.put("k", None)
    transport.makedirs("a/b")
    assert (tmp_path / "x" / "a" / "b").is_dir()
    transport.upload(str(tmp_path / "x" / "k"), "l")
    transport.download("l", str(tmp_path / "new" / "l"))
    assert (tmp_path / "new" / "l").read_text() == "ü"
    transport.delete("l")
    transport.delete("l")
    transport.close()
    assert transport.delete_batch_chunk_size() == 1
    other = package.create_transport(f"memory://m/{secrets.token_hex(4)}")
    other.put("k", b"")
    assert isinstance(other, package.Transport)
    assert list(other.list()) == ["k"]


def test_a_transport_of_ones_own(package: ModuleType) -> None:
    class Own(package.Transport):  # type: ignore[name-defined,misc]
        def delete(self, path: str) -> None:
            deleted.append(path)

    deleted: list[str] = []
    own = Own(read_only=True)
    own.delete_batch(iter("ab"))
    assert deleted == ["a", "b"]
    assert (own.read_only, own.delete_batch_chunk_size(), own.normalize("a/b")) == (True, 1, "a/b")
    own.close()
    calls: list[Callable[[], object]] = [
        lambda: own.get("k"),
        lambda: own.put("k", b""),
        lambda: own.exists("k"),
        lambda: own.makedirs("k"),
        lambda: own.download("k", "x"),
        lambda: own.upload("k", "x"),
        lambda: package.Transport().delete("k"),
    ]
    for call in calls:
        with pytest.raises(package.TransportException, match="Not Implemented"):
            call()
    with pytest.raises(NotImplementedError):
        own.list()


def test_an_outage_is_an_absence_and_a_line_each(pair: Any, caplog: Any, package: Any) -> None:
    near, far = pair.transports
    name = f"{package.__name__.rpartition('.')[2]}.transport"
    # Their own set-up: the root says nothing but what is critical, and the package's name more.
    caplog.set_level(logging.CRITICAL)
    caplog.set_level(logging.INFO, name.partition(".")[0])
    pair.put("k", b"x")
    assert pair.get("../k") is None
    assert pair.exists("../k") == []
    pair.delete("../k")
    kill(near.location)
    assert pair.get("k") == b"x"
    assert pair.exists("k", "all") == [far]
    kill(far.location)
    assert pair.get("k") is None
    assert pair.exists("k") == []
    pair.delete("k")
    assert {record.name for record in caplog.records} == {name}
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    # A line of each key that is none, of each location that failed or was skipped, and of each
    # breaker that opened.
    assert len(caplog.records) == 3 + (1 + 1) + (2 + 2 + 2) + 2

    writes: list[Callable[[], object]] = [
        lambda: pair.put("k", b"x"),
        lambda: pair.put("../k", b"x"),
        lambda: pair.upload(__file__, "k"),
        lambda: pair.delete_batch(["k"]),
    ]
    for write in writes:
        with pytest.raises(package.TransportException) as caught:
            write()
    assert isinstance(caught.value.cause, PartialWrite)
    assert set(caught.value.cause.failed) == {near.location, far.location}
    with pytest.raises(package.FileStoreException):
        pair.download("k", "/nowhere/x")


def test_a_local_failure_of_a_download(pair: Any, package: Any, tmp_path: Path) -> None:
    pair.put("k", b"x")
    (tmp_path / "file").write_text("")
    with pytest.raises(package.FileStoreException) as caught:
        pair.download("k", str(tmp_path / "file" / "below"))
    assert isinstance(caught.value.cause, OSError)


def test_read_only_transports_are_passed_over(package: Any, tmp_path: Path, caplog: Any) -> None:
    near, far = f"file://{tmp_path}/near?read_only=true", f"file://{tmp_path}/far"
    with package.FileStore(near, far) as store:
        assert store.put("k", b"x") == [store.transports[1]]
    with package.FileStore(near) as store:
        assert store.put("k", b"x") == store.upload(__file__, "k") == []
        assert store.upload_batch([(__file__, "k")]) == []
        assert store.delete("k") is store.delete_batch(["k"]) is store.delete_batch([]) is None
    assert not (tmp_path / "near").exists()
    assert "read-only" in caplog.text


def test_a_slow_operation_is_a_warning(
    pair: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(type(pair), "SLOW_OP_THRESHOLD", -1.0)
    (tmp_path / "f").write_bytes(b"x")
    pair.upload(str(tmp_path / "f"), "k")
    pair.download("k", str(tmp_path / "g"))
    upload, download = caplog.messages
    assert upload.startswith("Slow filestore upload: k took 0.")
    assert upload.endswith("s across 2 transport(s)")
    assert download.startswith("Slow filestore download: k took 0.")


def test_constructors_are_as_theirs() -> None:
    """With the arguments by keyword, and the attributes that others read."""
    s3 = assemblyline.TransportS3(
        base="/", accesskey="k", secretkey="s", host="h", port=9000, use_ssl=False, debug=True
    )
    assert (s3.endpoint_url, s3.bucket, s3.accesskey) == ("http://h:9000", "al-storage", "k")
    assert (s3.use_ssl, s3.retry_limit, s3.delete_batch_chunk_size()) == (False, None, 1)
    assert (str(s3), s3.normalize("x/y")) == ("s3://k@h:9000/al-storage/", "y")
    same = grammar.translate("s3://k:s@h:9000?use_ssl=false", s3.log)
    assert Location(s3.url).target == Location(same).target
    batches = assemblyline.TransportS3(accesskey="k", secretkey="s", use_batch_delete=True)
    assert batches.delete_batch_chunk_size() == 1000
    sftp = assemblyline.TransportSFTP(base="/", host="h", user="u", private_key="/k")
    assert (sftp.port, sftp.base, sftp.private_key, str(sftp)) == (22, "./", "/k", "sftp://u@h./")
    assert sftp.location.target.storage_options["validate_host"] is False
    ftp = assemblyline.TransportFTP(base="/x", host="h", user="u", use_tls=True)
    assert (ftp.port, ftp.use_tls, str(ftp)) == (21, True, "ftp://u@h/x")
    http = assemblyline.TransportHTTP("https", base="/x", host="h", user="u", password="p")
    assert (http.port, http.auth, http.verify) == (443, ("u", "p"), True)
    assert str(http) == "https://u@h:443/x"
    azure = assemblyline.TransportAzure(
        base="/c/b", host="a.blob.core.windows.net", connection_attempts=2
    )
    assert (azure.blob_container, azure.base_path) == ("c", "b")
    assert (azure.endpoint_url, azure.connection_attempts) == ("https://a.blob.core.windows.net", 2)
    assert (azure.normalize("x/y"), str(azure)) == ("b/y", "azure://a.blob.core.windows.net/c/")
    assert azure.delete_batch_chunk_size() == 256
    local = assemblyline.TransportLocal("/x/y", read_only=True)
    assert (local.base, local.read_only, local.location.read_only) == ("/x/y", True, True)
    with pytest.raises(ValueError, match="normalize"):
        assemblyline.TransportLocal("/x", normalize=str)  # type: ignore[arg-type]


def test_howlers_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Config:
        class filestore:  # noqa: N801 - as it is there
            storage = (f"file://{tmp_path}/x",)

    assert howler.loader.filestore(Config(), 3).put("k", b"x")
    monkeypatch.setenv("FILESTORE_URLS", f"file://{tmp_path}/x")
    for load in (howler.loader.filestore, howler.loader.get_filestore):
        with load() as store:
            assert isinstance(store, howler.FileStore)
            assert store.get("k") == b"x"
    with filestore_fsspec.loader.filestore() as own:
        assert type(own) is filestore_fsspec.FileStore
        assert own.get("k") == b"x"


def test_spans_where_there_is_an_agent(tmp_path: Path) -> None:
    """Of each function one, named like it; of deletes one more, with the labels."""
    (tmp_path / "elasticapm.py").write_text(
        "from contextlib import ContextDecorator\n"
        "class capture_span(ContextDecorator):\n"
        "    def __init__(self, name=None, span_type='', labels=None):\n"
        "        self.said = name, span_type, labels\n"
        "    def __call__(self, function):\n"
        "        self.said = function.__name__, *self.said[1:]\n"
        "        return super().__call__(function)\n"
        "    def __enter__(self):\n"
        "        print(*self.said)\n"
        "    def __exit__(self, *_):\n"
        "        return None\n"
    )
    code = (
        "from filestore_fsspec.compat.assemblyline import FileStore\n"
        f"store = FileStore('file://{tmp_path}/x')\n"
        "store.put('k', b'x'), store.get('k'), store.exists('k'), store.delete('k')\n"
        "store.delete_batch(['k']), store.upload_batch([])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "put filestore None",
        "get filestore None",
        "exists filestore None",
        "delete filestore None",
        "delete filestore {'path': 'k'}",
        "delete_batch filestore None",
        "delete_batch filestore {'batch_size': 1}",
        "upload_batch filestore None",
    ]


def test_no_server_is_asked_by_a_constructor() -> None:
    port = free_port()
    for url in (f"sftp://u:p@{HOST}:{port}/x", f"s3://k:s@{HOST}:{port}/?use_ssl=false"):
        with assemblyline.FileStore(url, connection_attempts=1) as store:
            assert store.get("k") is None
