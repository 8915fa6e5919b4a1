"""URL to target: the table of schemes, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fsspec import register_implementation
from fsspec.registry import _registry
from fsspec.spec import AbstractFileSystem

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes import SCHEMES, translate
from filestore_fsspec.urls import parse

if TYPE_CHECKING:
    from filestore_fsspec.schemes.base import Target


def target_of(url_text: str) -> Target:
    return translate(parse(url_text))


@pytest.mark.parametrize(
    ("url_text", "protocol", "root", "storage_options"),
    [
        ("http://u:p@h:81/a/b", "http", "http://h:81/a/b/", {"username": "u", "password": "p"}),
        ("http://h/a", "http", "http://h:80/a/", {"username": None, "pki": None}),
        ("https://h", "http", "https://h:443/", {"verify": True}),
        (
            "https://h/?pki=/c.pem&verify=no&ca_bundle=/ca.pem",
            "http",
            "https://h:443/",
            {"pki": "/c.pem", "verify": False, "ca_bundle": "/ca.pem"},
        ),
        ("ftp://u:p@h/a", "ftp", "/a/", {"host": "h", "port": 21, "tls": "none", "username": "u"}),
        ("ftp://h?use_tls=TRUE", "ftp", "/", {"tls": "explicit", "port": 21}),
        ("ftps://h/a", "ftp", "/a/", {"tls": "implicit", "port": 990, "verify": True}),
        ("ftps://h:990/a", "ftp", "/a/", {"tls": "implicit"}),
        ("ftps://h:21/a", "ftp", "/a/", {"tls": "explicit", "port": 21}),
        ("ftps://h:21/a?tls=implicit", "ftp", "/a/", {"tls": "implicit"}),
        ("ftps://h/a?tls=explicit", "ftp", "/a/", {"tls": "explicit", "port": 990}),
        ("sftp://u:p@h/a/b", "sftp", "/a/b/", {"port": 22, "password": "p", "validate_host": True}),
        ("sftp://u@h", "sftp", "", {"password": None, "private_key": None}),
        *(
            (
                f"{scheme}://h/a{query}",
                protocol,
                "/a/",
                {"replace": how, "temporary_prefix": prefix},
            )
            for scheme, protocol in {"ftp": "ftp", "ftps": "ftp", "sftp": "sftp"}.items()
            for query, how, prefix in (
                ("", "atomic", "."),
                ("?replace=aside&temporary_prefix=tmp%2b", "aside", "tmp+"),
            )
        ),
        (
            "sftp://u@h:2/a?private_key=/k&private_key_pass=s+p&validate_host=0&known_hosts=/kh",
            "sftp",
            "/a/",
            {"private_key": "/k", "private_key_pass": "s+p", "validate_host": False}
            | {"known_hosts": "/kh", "port": 2},
        ),
        (
            "s3://k:s@s3.amazonaws.com/a?aws_region=eu-west-1&s3_bucket=bkt",
            "s3",
            "bkt/a/",
            {"endpoint_url": None, "key": "k", "secret": "s", "region": "eu-west-1"},
        ),
        (
            "s3://k:s@h/a?s3_bucket=app_storage&use_ssl=false",
            "s3",
            "app_storage/a/",
            {"endpoint_url": "http://h", "missing_is_403": False, "batch_delete": True},
        ),
        (
            "s3://h:9000?s3_bucket=bkt&use_batch_delete=no&missing_is_403=yes",
            "s3",
            "bkt/",
            {"endpoint_url": "https://h:9000", "key": None, "secret": None}
            | {"missing_is_403": True, "batch_delete": False},
        ),
        (
            "s3://k:s@h?s3_bucket=bkt&boto_defaults=true",
            "s3",
            "bkt/",
            {"endpoint_url": None, "key": None, "secret": None},
        ),
        (
            "azure://acc.blob.core.windows.net/box/a/b?access_key=k+/==",
            "azure",
            "box/a/b/",
            {"account_url": "https://acc.blob.core.windows.net", "account_name": "acc"}
            | {"account_key": "k+/==", "initialize_container": True},
        ),
        (
            "azure://acc.blob.core.windows.net/box?tenant_id=t&client_id=c&client_secret=s",
            "azure",
            "box/",
            {"tenant_id": "t", "client_id": "c", "client_secret": "s", "account_key": None},
        ),
        (
            "azure://acc.blob.core.windows.net/box?use_default_credentials=1&initalize_container=0",
            "azure",
            "box/",
            {"use_default_credentials": True, "initialize_container": False},
        ),
        *(
            (
                f"azure://{host}/box{options}",
                "azure",
                "box/",
                {"account_url": f"https://{host}", "account_name": account},
            )
            for host, account, options in (
                ("acc.z12.blob.storage.azure.net", "acc", "?access_key=k"),
                ("acc-secondary.blob.core.windows.net", "acc", "?access_key=k"),
                ("acc.privatelink.blob.core.windows.net", "acc", "?access_key=k"),
                ("files.example.com", "files", ""),
                ("files.example.com:8443", "files", "?use_default_credentials=true"),
            )
        ),
        (
            "azure://localhost:10000/box?account=dev&use_ssl=false",
            "azure",
            "box/",
            {"account_url": "http://localhost:10000/dev", "account_name": "dev"},
        ),
        ("file:///a%20b/c", "file", "/a b/c/", {"follow_symlinks": True}),
        ("file://localhost/a?follow_symlinks=false", "file", "/a/", {"follow_symlinks": False}),
        ("file://./a", "file", f"{Path.cwd()}/a/", {}),
        ("file:///", "file", "/", {}),
        ("memory://name/a/b", "memory", "/name/a/b/", {}),
        ("memory://name", "memory", "/name/", {}),
    ],
)
def test_translate(url_text: str, protocol: str, root: str, storage_options: Any) -> None:
    target = target_of(url_text)
    assert (target.protocol, target.root) == (protocol, root)
    assert dict(target.storage_options) | storage_options == target.storage_options


@pytest.mark.parametrize(
    ("url_text", "words"),
    [
        ("gopher://h", ["unknown scheme 'gopher'", "file, ftp, ftps, http, https, memory, s3"]),
        ("sftps://h", ["did you mean 'sftp'"]),
        ("ftp:///a", ["host is missing"]),
        ("http:///a", ["host is missing"]),
        ("sftp:///a", ["host is missing"]),
        ("s3:///a?s3_bucket=bkt", ["host is missing"]),
        ("azure:///a", ["host is missing"]),
        ("file://server/a", ["file:///a"]),
        ("file://u:p@localhost/a", ["no user and password"]),
        ("memory:///a", ["host is missing"]),
        ("fsspec+gss://b", ["knows no protocol 'gss'", "did you mean 'gs'", "webdav"]),
        ("fsspec+://b", ["knows no protocol ''"]),
        ("fsspec+pyscript://b", ["cannot be imported", "pyscript"]),
        ("fsspec+file://server/a", ["fsspec+file:///a"]),
        ("fsspec+memory://u:hidden@h/a", ["no user and password"]),
        ("fsspec+memory://h/a?read_onli=1", ["did you mean 'read_only'"]),
        ("fsspec+s3://h/a?endpoint_ur=x", ["did you mean 'endpoint_url'"]),
        ("fsspec+s3://h/a?asynchronous=true", ["unknown option 'asynchronous'"]),
        ("fsspec+memory://h/a?layout=deep", ["'layout' takes"]),
        ("fsspec+webdav:///a", ["'base_url' is required"]),
        ("fsspec+ftp://h/a%3Fb", ["cannot read its host and root"]),
        ("memory://h:1/a", ["no port", "memory://name/root"]),
        ("memory://u:p@h/a", ["no user and password"]),
        ("sftp://h/a?privat_key=x", ["did you mean 'private_key'", "known_hosts"]),
        ("ftp://h/a?pki=x", ["unknown option 'pki'", "use_tls"]),
        ("ftp://h/a?use_tls=maybe", ["'use_tls' takes true or false"]),
        ("ftps://h/a?tls=both", ["'tls' takes 'implicit' or 'explicit'"]),
        ("ftp://h/a?read_timeout=0", ["'read_timeout' takes greater than 0"]),
        ("sftp://h/a?replace=never", ["'replace' takes 'atomic' or 'aside'"]),
        ("ftp://h/a?temporary_prefix=a/", ["'temporary_prefix' takes the first characters of a"]),
        ("ftp://h/a?layout=deep", ["'layout' takes 'sharded', 'verbatim' or 'flat'"]),
        ("ftp://h/a?name=near", ["a name other than near, far, all, any"]),
        ("s3://h/a", ["'s3_bucket' is required"]),
        ("s3://h/a?s3_bucket=a/b", ["'s3_bucket' takes"]),
        ("s3://k@h/a?s3_bucket=bkt", ["or neither"]),
        ("s3://h/a?s3_bucket=bkt&engine=warp", ["'engine' takes 'fsspec'"]),
        ("azure://acc.blob.core.windows.net", ["container is missing"]),
        ("azure://h/box", ["'account'"]),
        ("azure://127.0.0.1/box", ["'account'"]),
        ("azure://files.example.com/box?access_key=k", ["'account'"]),
        ("azure://u:p@acc.blob.core.windows.net/box", ["access_key"]),
        ("azure://acc.blob.core.windows.net/box?client_secret=s", ["needs 'tenant_id'"]),
        ("azure://acc.blob.core.windows.net/box?tenant_id=t", ["need 'client_secret'"]),
        (
            "azure://acc.blob.core.windows.net/b?access_key=k&tenant_id=t&client_id=c&client_secret=s",
            ["not both"],
        ),
    ],
)
def test_a_refusal_teaches(url_text: str, words: list[str]) -> None:
    with pytest.raises(InvalidURL) as caught:
        target_of(url_text)
    for word in words:
        assert word in str(caught.value)


def example(scheme: str) -> str:
    return {
        "azure": "azure://acc.blob.core.windows.net/box/a",
        "file": "file:///a",
        "memory": "memory://h/a",
        "s3": "s3://k:hidden@h/a?s3_bucket=bkt",
    }.get(scheme, f"{scheme}://u:hidden@h/a")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_takes_the_common_options(scheme: str) -> None:
    url_text = example(scheme)
    joint = "&" if "?" in url_text else "?"
    target = target_of(
        f"{url_text}{joint}read_only=true&name=mine&layout=flat&connect_timeout=1.5&read_timeout=2"
    )
    assert (target.read_only, target.name, target.layout.name) == (True, "mine", "flat")
    if scheme not in ("file", "memory"):
        assert target.storage_options["connect_timeout"] == 1.5
        assert target.storage_options["read_timeout"] == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_layouts_by_default(scheme: str) -> None:
    expected = "verbatim" if scheme in ("s3", "azure", "memory") else "sharded"
    assert target_of(example(scheme)).layout.name == expected


def test_azure_without_directories_is_flat() -> None:
    url_text = "azure://acc.blob.core.windows.net/box?allow_directory_access=false"
    assert target_of(url_text).layout.name == "flat"


@pytest.mark.parametrize(
    ("url_text", "root", "options", "label"),
    [
        ("fsspec+file:///a%20b/c", "/a b/c/", {}, "fsspec+file:///a%20b/c"),
        ("fsspec+file:///", "/", {}, "fsspec+file:///"),
        ("fsspec+memory://Name/a", "/Name/a/", {}, "fsspec+memory://Name/a"),
        (
            "fsspec+s3://bucket/Ab?key=kkkk&secret=123456&anon=false&endpoint_url=http://h:1",
            "bucket/Ab/",
            {"key": "kkkk", "secret": "123456", "anon": False, "endpoint_url": "http://h:1"},
            "fsspec+s3://bucket/Ab?key=***&secret=***&anon=false&endpoint_url=http://h:1",
        ),
        (
            "fsspec+abfs://Box@acc.dfs.core.windows.net/a?account_key=hidden",
            "Box/a/",
            {"account_name": "acc", "account_key": "hidden"},
            "fsspec+abfs://Box@acc.dfs.core.windows.net/a?account_key=***",
        ),
        (
            "fsspec+github://org:repo@main/docs",
            "docs/",
            {"org": "org", "repo": "repo", "sha": "main"},
            "fsspec+github://org@main/docs",
        ),
        (
            "fsspec+sftp://us%40er:p%2Fw@h:2/a",
            "/a/",
            {"host": "h", "port": 2, "username": "us@er", "password": "p/w"},
            "fsspec+sftp://us%40er@h:2/a",
        ),
        (
            "fsspec+webdav://u:hidden@/a?base_url=http://h/dav",
            "/a/",
            {"base_url": "http://h/dav", "auth": ("u", "hidden")},
            "fsspec+webdav://u@/a?base_url=http://h/dav",
        ),
        ("fsspec+https://h:1/a", "https://h:1/a/", {}, "fsspec+https://h:1/a"),
    ],
)
def test_any_protocol_of_fsspec(url_text: str, root: str, options: Any, label: str) -> None:
    target = target_of(url_text)
    assert (target.protocol, target.root, target.layout.name) == ("fsspec", root, "verbatim")
    assert target.storage_options["options"] == options
    assert target.label == f"{label} (as fsspec has it)"
    assert "hidden" not in f"{target} {target!r}"
    assert target_of(parse(url_text).reveal()) == target


WRAPPERS = [
    *("async_wrapper", "blockcache", "cached", "dask", "data", "dir", "filecache", "filestore"),
    *("generic", "libarchive", "reference", "simplecache", "tar", "zip"),
]


@pytest.mark.parametrize("protocol", WRAPPERS)
def test_what_stands_on_another_filesystem_is_no_location(protocol: str) -> None:
    with pytest.raises(InvalidURL, match="is no location"):
        target_of(f"fsspec+{protocol}://x")


def test_nor_is_what_another_package_puts_on_a_filesystem() -> None:
    class Wrapper(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
        def __init__(self, target_protocol: str, **kwargs: Any) -> None: ...

    register_implementation("wraps", Wrapper)
    try:
        with pytest.raises(InvalidURL, match="stands on another filesystem"):
            target_of("fsspec+wraps://x")
    finally:
        _registry.pop("wraps")


def test_arguments_that_a_subclass_hands_on_are_known() -> None:
    class Named(AbstractFileSystem):  # type: ignore[misc]
        def __init__(self, token: str | None = None, **kwargs: Any) -> None: ...

    class HandsOn(Named):
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    register_implementation("handson", HandsOn)
    try:
        assert target_of("fsspec+handson://x?token=t&other=1").storage_options["options"] == {
            "token": "t",
            "other": 1,
        }
        with pytest.raises(InvalidURL, match="did you mean 'token'"):
            target_of("fsspec+handson://x?tokn=t")
    finally:
        _registry.pop("handson")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_web_is_always_read_only(scheme: str) -> None:
    assert target_of(f"{scheme}://h/a?read_only=false").read_only


@pytest.mark.parametrize(
    "url_text",
    [
        *(example(scheme) for scheme in SCHEMES),
        "sftp://u@h/a?private_key_pass=hidden",
        "azure://acc.blob.core.windows.net/box?access_key=hidden",
        "azure://acc.blob.core.windows.net/box?tenant_id=t&client_id=c&client_secret=hidden",
    ],
)
def test_no_secret_is_shown(url_text: str) -> None:
    target = target_of(url_text)
    assert "hidden" not in f"{target} {target!r} {target.label}"
    if "hidden" in url_text:
        assert target.secrets == ("hidden",)


def test_the_label_names_user_host_and_place() -> None:
    assert target_of("s3://k:s@h:1/a?s3_bucket=bkt").label == "s3://k@h:1/a?s3_bucket=bkt"
    assert target_of("ftp://h/a").label == "ftp://h:21/a"
