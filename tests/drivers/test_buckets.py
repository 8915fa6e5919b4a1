"""What every driver for buckets makes of odd objects, laid behind the server by other means."""

from __future__ import annotations

import os
import secrets
from inspect import getattr_static, isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from adlfs import AzureBlobFileSystem
from fsspec.asyn import AsyncFileSystem
from s3fs import S3FileSystem

from filestore_fsspec import FileStore, InvalidKey, Location, TransportException
from filestore_fsspec.drivers.azure.driver import AzureDriver
from filestore_fsspec.drivers.s3.driver import S3Driver
from filestore_fsspec.drivers.shared.errors import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.common import Service

SERVERS = ["s3_moto", "azure_http"]
ENGINES = ["fsspec", "obstore"]


class Bucket:
    """A folder in a bucket, and the filesystem that shows it."""

    def __init__(self, service: Service, engine: str) -> None:
        self.name = f"odd-{secrets.token_hex(6)}"
        self.service = service
        self.url = service.url(self.name, engine=engine)
        self.location = Location(self.url)
        self.fs: Any = self.location.fs
        self.is_azure = service.scheme == "azure"

    def lay(self, **files: str) -> None:
        for name, content in files.items():
            self.put(name.replace("__", "/"), content.encode())

    def put(self, name: str, content: bytes = b"") -> None:
        self.service.raw.write(f"{self.name}/{name}", content)

    def mark(self, name: str, spelling: str = "hdi_isfolder", value: str = "true") -> None:
        """Mark a folder as the server's own tools do."""
        if self.is_azure:
            raw: Any = self.service.raw
            self.put(name)
            raw.client.upload_blob(
                f"{self.name}/{name}", b"", metadata={spelling: value}, overwrite=True
            )
        else:
            self.put(f"{name}/")

    def there(self) -> list[str]:
        """Return the keys, as the server tells."""
        start = f"{self.name}/"
        paths = (path for path in self.service.raw.paths() if path.startswith(start))
        return sorted(path.removeprefix(start) for path in paths)

    def path(self, name: str = "") -> str:
        root = self.location.target.root.rstrip("/")
        return f"{root}/{name}" if name else root

    def below(self, paths: Any) -> list[str]:
        start = self.path() + "/"
        return sorted(str(path).removeprefix(start) for path in paths)

    def views(self, folder: str = "") -> list[list[str]]:
        """Return the files below a folder, as each function shows them."""
        fs, path = self.fs, self.path(folder)
        walked = [f"{at}/{name}" for at, _, names in fs.walk(path) for name in names]
        globbed = [each for each in fs.glob(f"{path}/**") if fs.isfile(each)]
        page = [info["name"] for info in fs.list_page(f"{path}/")[0]]
        return [self.below(each) for each in (fs.find(path), walked, globbed, page)]

    def children(self, folder: str = "") -> list[tuple[str, str]]:
        infos = self.fs.ls(self.path(folder), detail=True)
        return [(self.below([info["name"]])[0], info["type"]) for info in infos]


@pytest.fixture(params=SERVERS)
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=ENGINES)
def bucket(request: pytest.FixtureRequest, service: Service) -> Iterator[Bucket]:
    bucket = Bucket(service, request.param)
    yield bucket
    bucket.location.close()


def test_a_marked_folder_with_content(bucket: Bucket, tmp_path: Path) -> None:
    bucket.lay(ds__a="a", ds__sub__b="b")
    bucket.mark("ds")
    bucket.put("ds/sub/")

    assert bucket.views("ds") == [["ds/a", "ds/sub/b"]] * 4
    assert bucket.views() == [["ds/a", "ds/sub/b"]] * 4
    assert bucket.children() == [("ds", "directory")]
    assert bucket.children("ds") == [("ds/a", "file"), ("ds/sub", "directory")]
    bucket.fs.get(bucket.path("ds"), str(tmp_path / "got"), recursive=True)
    got = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()}
    assert got == {"got/a", "got/sub/b"}


@pytest.mark.parametrize(
    ("spelling", "value"), [("hdi_isfolder", "true"), ("Hdi_isfolder", "True")]
)
def test_an_empty_folder_is_one_throughout(
    bucket: Bucket, tmp_path: Path, spelling: str, value: str
) -> None:
    bucket.mark("empty", spelling, value)
    bucket.lay(a="a")
    fs, path = bucket.fs, bucket.path("empty")

    assert bucket.children() == [("a", "file"), ("empty", "directory")]
    assert bucket.children("empty") == []
    assert bucket.views() == [["a"]] * 4
    assert fs.isdir(path)
    assert not fs.isfile(path)
    assert fs.exists(path)
    assert fs.info(path)["type"] == "directory"
    assert fs.info(path) == fs.find(bucket.path(), withdirs=True, detail=True)[path]
    for call in (fs.cat_file, lambda each: fs.cat_file(each, 0, 5), fs.open):
        with pytest.raises((FileNotFoundError, IsADirectoryError)):
            call(path)
    with pytest.raises(IsADirectoryError) as caught:
        fs.open(path)
    assert caught.value.errno is not None
    with pytest.raises(FileNotFoundError):
        fs.get_file(path, str(tmp_path / "x"))
    fs.get(bucket.path(), str(tmp_path / "got"), recursive=True)
    assert (tmp_path / "got" / "a").read_text() == "a"
    assert (tmp_path / "got" / "empty").is_dir()
    with FileStore(bucket.url) as store:
        assert store.get("empty") is None
        assert store.exists("empty") == []
        assert list(store.list()) == ["a"]


def test_a_folder_is_removed_with_its_markers_alone(bucket: Bucket) -> None:
    bucket.lay(ds__a="a", ds__sub__b="b", dsx="x", keep="k")
    bucket.mark("ds")
    bucket.put("ds/sub/")
    bucket.put("ds//odd", b"not listed")
    bucket.mark("other")

    bucket.fs.rm(bucket.path("ds"), recursive=True)

    left = ["ds//odd", "dsx", "keep", "other" if bucket.is_azure else "other/"]
    assert bucket.there() == left
    bucket.fs.rmdir(bucket.path("other"))
    assert bucket.there() == left[:3]
    with pytest.raises(Absent):
        bucket.fs.rm(bucket.path("none"), recursive=True)
    bucket.fs.rmdir(bucket.path("ds"))
    assert bucket.there() == left[:3]
    bucket.lay(ds__sub__b="b")
    for folder in ("ds", "ds/sub"):
        with pytest.raises(OSError, match="not empty"):
            bucket.fs.rmdir(bucket.path(folder))


def test_a_composite_removes_what_is_listed(bucket: Bucket) -> None:
    bucket.lay(ds__a="a", ds__sub__b="b", keep="k")
    bucket.mark("ds")
    bucket.put("ds/sub/")
    bucket.put("ds//odd", b"not listed")
    bucket.put("only//odd", b"not listed")
    temporary = f"ds/.filestore-{'0' * 32}.part"
    bucket.put(temporary)
    with FileStore(bucket.url) as store:
        store.fs.rm("ds", recursive=True)
        store.fs.rm("only", recursive=True)
    assert bucket.there() == ["ds//odd", "keep", "only//odd"]
    bucket.put(temporary)
    bucket.fs.rm(bucket.path("ds"), recursive=True)
    bucket.fs.rm(bucket.path("only"), recursive=True)
    assert bucket.there() == ["ds//odd", "keep", "only//odd"]


@pytest.mark.parametrize("engine", ENGINES)
def test_names_that_azure_cannot_have(azure_http: Service, engine: str) -> None:
    bucket = Bucket(azure_http, engine)
    bucket.lay(a="a")
    with FileStore(bucket.url) as store:
        for key in ("back\\slash", "new\nline", "tab\there", "n" * 1025):
            for call in (store.get, store.exists, store.delete, store.fs.cat_file, store.fs.info):
                with pytest.raises(InvalidKey):
                    call(key)
            with pytest.raises(InvalidKey):
                store.put(key, b"x")
    for name in ("back\\slash", "new\nline"):
        path = bucket.path(name)
        assert not bucket.fs.exists(path)
        assert not bucket.fs.isdir(path)
        for call in (bucket.fs.cat_file, bucket.fs.info, bucket.fs.ls, bucket.fs.open):
            with pytest.raises(Absent):
                call(path)
        with pytest.raises(OSError, match="no backslash"):
            bucket.fs.pipe_file(path, b"x")
    assert bucket.there() == ["a"]
    bucket.location.close()


def test_a_marked_folder_is_moved(bucket: Bucket) -> None:
    bucket.lay(ds__a="a", ds__sub__b="b")
    bucket.mark("ds")
    bucket.mark("ds/none")

    bucket.fs.mv(bucket.path("ds"), bucket.path("moved"), recursive=True)

    markers = ["moved", "moved/none"] if bucket.is_azure else ["moved/", "moved/none/"]
    assert bucket.there() == sorted(["moved/a", "moved/sub/b", *markers])
    bucket.fs.copy(bucket.path("moved"), bucket.path("copied"), recursive=True)
    assert bucket.views("copied") == [["copied/a", "copied/sub/b"]] * 4
    assert bucket.fs.isdir(bucket.path("copied/none"))


@pytest.mark.parametrize("key", ["a//b", "/x", "d/./e", "d/../e", "big/"])
def test_what_no_key_leads_to_is_left_out_and_stays(bucket: Bucket, key: str) -> None:
    if bucket.is_azure:
        key = key.replace(".", "")  # Azure has no such names
    bucket.put(key, b"content")
    bucket.lay(z="z")

    assert bucket.views() == [["z"]] * 4
    assert [name for name, kind in bucket.children() if kind == "file"] == ["z"]
    with pytest.raises(OSError, match="stay where they are") as caught:
        bucket.fs.mv(bucket.path(), bucket.path() + "-moved", recursive=True)
    assert key in str(caught.value)
    assert bucket.there() == [key]
    with pytest.raises((FileNotFoundError, OSError)):
        bucket.fs.cat_file(bucket.path("a/b" if key == "a//b" else "x"))


def test_a_file_beside_a_folder_of_its_name(bucket: Bucket, tmp_path: Path) -> None:
    bucket.lay(a="file", a__b="inside", c="c")
    fs, path = bucket.fs, bucket.path("a")

    assert bucket.children() == [("a", "directory"), ("a", "file"), ("c", "file")]
    assert fs.ls(bucket.path(), detail=False) == [path, bucket.path("c")]
    assert bucket.below(fs.find(bucket.path())) == ["a", "a/b", "c"]
    assert bucket.below(fs.find(path)) == ["a", "a/b"]
    assert fs.info(path)["type"] == "file"
    assert fs.isfile(path)
    assert fs.isdir(path)
    assert fs.cat_file(path) == b"file"
    fs.get(path, str(tmp_path / "got"))
    assert (tmp_path / "got").read_text() == "file"
    fs.copy(path, bucket.path("copy"))
    assert fs.cat_file(bucket.path("copy")) == b"file"
    fs.rm(path)
    assert bucket.there() == ["a/b", "c", "copy"]
    bucket.lay(a="file")
    fs.mv(path, bucket.path("moved"))
    assert bucket.there() == ["a/b", "c", "copy", "moved"]
    bucket.lay(a="file")
    fs.rm(path, recursive=True)
    assert bucket.there() == ["c", "copy", "moved"]


def test_a_marked_folder_is_not_overwritten(azure_http: Service, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(17 * 2**20))
    for engine in ENGINES:
        bucket = Bucket(azure_http, engine)
        bucket.mark("empty")
        bucket.lay(file="old")
        path = bucket.path("empty")
        with pytest.raises(IsADirectoryError):
            bucket.fs.pipe_file(path, b"new")
        with pytest.raises(IsADirectoryError):
            bucket.fs.put_file(str(tmp_path / "large"), path)
        with pytest.raises(IsADirectoryError):
            bucket.fs.cp_file(bucket.path("file"), path)
        with pytest.raises(IsADirectoryError), bucket.fs.open(path, "wb") as file:
            file.write(b"x")
        assert bucket.fs.isdir(path)
        bucket.fs.pipe_file(bucket.path("file"), b"new")
        assert bucket.fs.cat_file(bucket.path("file")) == b"new"
        bucket.location.close()


CONTENT = b"0123456789"
BOUNDS = (None, 0, 3, 9, 10, 50, -1, -3, -10, -11, -50)


@pytest.mark.parametrize("server", [*SERVERS, "s3_rclone"])
@pytest.mark.parametrize("engine", ENGINES)
def test_ranges_are_pythons_slices(
    request: pytest.FixtureRequest, server: str, engine: str
) -> None:
    bucket = Bucket(request.getfixturevalue(server), engine)
    bucket.put("k", CONTENT)
    bucket.put("empty")
    for name, content in (("k", CONTENT), ("empty", b"")):
        for start in BOUNDS:
            for end in BOUNDS:
                found = bucket.fs.cat_file(bucket.path(name), start, end)
                assert found == content[start:end], (name, start, end)
    for start, end in ((None, None), (-3, 3), (5, 2), (0, -11)):
        with pytest.raises(Absent):
            bucket.fs.cat_file(bucket.path("none"), start, end)
    bucket.location.close()


def test_a_listing_tells_what_info_tells(bucket: Bucket) -> None:
    bucket.lay(a="a", d__b="b")
    for name, info in bucket.fs.find(bucket.path(), detail=True).items():
        assert info == bucket.fs.info(name)
        assert info["mtime"] == info["modified"] == bucket.fs.modified(name)
        assert bucket.fs.created(name) == info["modified"]
    with pytest.raises(IsADirectoryError):
        bucket.fs.modified(bucket.path("d"))


def test_all_of_fsspecs_calls_take_paths(bucket: Bucket, tmp_path: Path) -> None:
    fs, path = bucket.fs, Path(bucket.path("d/a"))
    fs.pipe_file(path, b"0123456789")

    assert fs.cat_file(path) == b"0123456789"
    assert fs.exists(path)
    assert fs.isfile(path)
    assert fs.isdir(path.parent)
    assert fs.size(path) == 10
    assert fs.du(path.parent) == 10
    assert fs.find(path.parent) == [str(path)]
    assert [info["name"] for info in fs.ls(path.parent)] == [str(path)]
    assert fs.glob(path.parent / "*") == [str(path)]
    assert fs.head(path, 3) == b"012"
    assert fs.tail(path, 3) == b"789"
    assert fs.cat(str(path)) == b"0123456789"
    with fs.open(path, "rb", blocksize=2**16) as file:
        assert file.read() == b"0123456789"
        assert file.details["name"] == str(path)
    with fs.open(path, "ab") as file:
        file.write(b"X")
    assert fs.cat_file(path) == b"0123456789X"
    fs.copy(path, path.parent / "b")
    fs.mv(path.parent / "b", path.parent / "c")
    fs.get(path, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"0123456789X"
    with (tmp_path / "outfile").open("wb") as target:
        fs.get_file(path, target)
    assert (tmp_path / "outfile").read_bytes() == b"0123456789X"
    with (tmp_path / "outfile").open("rb") as source:
        fs.put_file(source, path.parent / "d")
    assert fs.cat_file(path.parent / "d") == b"0123456789X"
    fs.touch(path)
    assert fs.cat_file(path) == b""
    fs.rm(path.parent, recursive=True)
    assert not fs.exists(path)


def test_a_copy_that_fails_leaves_the_source(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.lay(d__a="a", d__b="b", d__c="c")
    copy = type(bucket.fs.requests).copy

    async def fail(requests: Any, source: Any, *args: Any, **kwargs: Any) -> None:
        if source[1].endswith("b"):
            raise ConnectionError("cut off")
        await copy(requests, source, *args, **kwargs)

    monkeypatch.setattr(type(bucket.fs.requests), "copy", fail)
    with pytest.raises(ConnectionError):
        bucket.fs.mv(bucket.path("d"), bucket.path("e"), recursive=True)
    assert bucket.there() == ["d/b", "e/a", "e/c"]
    with pytest.raises(IsADirectoryError):
        bucket.fs.mv(bucket.path("d"), bucket.path("f"))
    bucket.lay(n__x="1", n__sub__x="2")
    with pytest.raises(OSError, match="into itself"):
        bucket.fs.mv(bucket.path("n/"), bucket.path("n/sub"), recursive=True)
    assert bucket.there() == ["d/b", "e/a", "e/c", "n/sub/x", "n/x"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_that_the_configuration_names_is_missing(
    engine: str,
    s3_moto_tls: Service,
    azure_https: Service,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    gone = str(tmp_path / "gone")
    urls = [
        service.url("root", engine=engine, ca_bundle=gone) for service in (s3_moto_tls, azure_https)
    ]
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", gone)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/files")
    urls.append(f"s3://127.0.0.1:1/?s3_bucket=bkt&use_ssl=false&boto_defaults=true&engine={engine}")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", gone)
    options = "use_default_credentials=true&tenant_id=t&client_id=c&account=acc&use_ssl=false"
    urls.append(f"azure://127.0.0.1:1/box?{options}&engine={engine}")
    for url in urls:
        with FileStore(url) as store:
            for call in (store.get, store.exists, store.delete):
                with pytest.raises(TransportException):
                    call("k")
            fs: Any = store.locations[0].fs
            with pytest.raises(OSError) as caught:  # noqa: PT011 - any but one
                fs.cat_file(f"{store.locations[0].target.root}k")
            assert not isinstance(caught.value, FileNotFoundError)


def test_an_answer_that_cannot_be_read_is_unknown(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.lay(a="a")
    requests = type(bucket.fs.requests)
    inner = "_call" if not bucket.is_azure else "ask"

    async def strange(*_args: Any, **_kwargs: Any) -> Any:
        return {}

    monkeypatch.setattr(requests, inner, strange)
    for call in (bucket.fs.info, bucket.fs.isdir):
        with pytest.raises(ConnectionError, match="no usable answer") as caught:
            call(bucket.path("a"))
        assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("driver", "parent"), [(S3Driver, S3FileSystem), (AzureDriver, AzureBlobFileSystem)]
)
def test_no_call_of_fsspecs_is_the_parents(driver: type, parent: type) -> None:
    theirs = {
        name
        for name in dir(AsyncFileSystem)
        if not name.startswith("__")
        and isfunction(getattr_static(driver, name))
        and getattr_static(driver, name) is vars(parent).get(name)
    }
    assert theirs == {"sign"}
    own = [each for each in driver.__mro__ if each.__module__.startswith("filestore_fsspec")]
    assert len(own) <= 4
