from __future__ import annotations

import pickle
import traceback
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.urls import StorageUrl, parse


def test_every_part_is_read_and_decoded() -> None:
    url = parse("SFTP://us%40er:p%2Fw@Host.TLD:2222/a%20b/c/?private_key=%2Fk&name=far")
    assert url == StorageUrl(
        scheme="sftp",
        host="host.tld",
        port=2222,
        root="a b/c",
        username="us@er",
        password="p/w",
        options={"private_key": "/k", "name": "far"},
    )


def test_an_at_sign_in_a_password_works_undecoded() -> None:
    url = parse("s3://user:Ch@ngeTh!sPa33w0rd@host/root?s3_bucket=b")
    assert (url.username, url.password, url.host) == ("user", "Ch@ngeTh!sPa33w0rd", "host")


def test_a_plus_in_an_option_stays_a_plus() -> None:
    assert parse("azure://h/c?access_key=a+b%2Bc==").options["access_key"] == "a+b+c=="


def test_an_ipv6_address_is_a_host() -> None:
    url = parse("ftp://u@[::1]:2121/x")
    assert (url.host, url.port, url.origin) == ("::1", 2121, "[::1]:2121")
    assert parse("ftp://[::1]/x").port is None


@pytest.mark.parametrize(
    ("url_text", "word"),
    [
        ("no-scheme", "scheme://"),
        ("ftp://host:/x", "port"),
        ("ftp://host:0/x", "port"),
        ("ftp://host:65536/x", "port"),
        ("ftp://host:12a/x", "port"),
        (f"ftp://host:{'1' * 5000}/x", "port"),
        ("ftp://[::1]80/x", "port"),
        ("ftp://host/\udcff", "UTF-8"),
        ("ftp://ho st/x", "host"),
        ("ftp://[::zz]/x", "IPv6"),
        ("ftp://host/a/../b", "'..'"),
        ("ftp://host/a%2F..%2Fb", "'..'"),
        ("ftp://host/a%00", "NUL"),
        ("ftp://host/%ff", "UTF-8"),
        ("ftp://host/x#y", "percent-encode"),
        ("ftp://host/x?use_tls", "name=value"),
        ("ftp://host/x?use_tls=1&use_tls=1", "twice"),
    ],
)
def test_a_refusal_says_what_is_allowed(url_text: str, word: str) -> None:
    with pytest.raises(InvalidURL, match=word):
        parse(url_text)


@pytest.mark.parametrize("secret", ["se/cret", "12/cret", "se?cret", "12?cret=1", "se#cret", "1#c"])
def test_a_raw_delimiter_in_a_password_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(InvalidURL, match="percent-encode") as caught:
        parse(f"sftp://user:{secret}@host/root")
    text = "".join(traceback.format_exception(caught.value)).replace("percent-encode", "")
    assert not any(part in str(caught.value) for part in ("cret", "12"))
    assert "cret" not in text.split("InvalidURL:")[-1]


def test_text_shows_the_user_and_no_secret() -> None:
    url = parse("sftp://user:hidden@host/root?private_key_pass=hidden")
    assert str(url) == "sftp://user@host/root"
    assert "hidden" not in repr(url)


def test_a_url_is_printed_with_or_without_its_secrets() -> None:
    text = "azure://h:1/box/a%20b?access_key=k%2By&account=dev"
    assert parse(text).reveal() == text
    assert parse(text).reveal(secrets=False) == "azure://h:1/box/a%20b?account=dev"
    assert parse("sftp://u:p%40@h/").reveal(secrets=False) == "sftp://u@h/"


def test_a_parsed_url_travels() -> None:
    url = parse("sftp://user:pw@host/root?name=x")
    assert pickle.loads(pickle.dumps(url)) == url  # noqa: S301 - our own
    assert parse(url) is url


HOST = {
    "name": "near",
    "username": "u",
    "password": "p/w@",
    "scheme": "ftp",
    "host": "h:2121/x?layout=flat",
}


@pytest.mark.parametrize(
    "source", [HOST, SimpleNamespace(**HOST), HOST | {"password": SecretStr("p/w@")}]
)
def test_the_predecessors_host_is_taken_for_a_url(source: object) -> None:
    assert parse(source) == StorageUrl(
        "ftp", "h", 2121, "x", "u", "p/w@", {"name": "near", "layout": "flat"}
    )


def test_the_environment_goes_before_a_hosts_own_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEAR_HOST_USERNAME", "other")
    monkeypatch.setenv("NEAR_HOST_PASSWORD", "secret")
    url = parse(HOST)
    assert (url.username, url.password) == ("other", "secret")


@pytest.mark.parametrize("source", [None, 3, {}, {"name": "n"}, HOST | {"host": 3}])
def test_what_is_no_location_is_refused_without_showing_it(source: object) -> None:
    with pytest.raises(InvalidURL, match="no location") as caught:
        parse(source)
    assert "p/w@" not in str(caught.value)


@given(
    user=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    password=st.text(st.characters(exclude_categories=["Cs"])),
    parts=st.lists(
        st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1
        ).filter(lambda part: part not in (".", "..")),
    ),
    value=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_whatever_is_percent_encoded_comes_back(
    user: str, password: str, parts: list[str], value: str
) -> None:
    root = "/".join(parts)
    url = parse(
        f"ftp://{quote(user, safe='')}:{quote(password, safe='')}@host:1/"
        f"{quote(root)}?o={quote(value, safe='')}"
    )
    assert (url.username, url.password, url.root) == (user, password, root)
    assert url.options == {"o": value}
    assert parse(url.reveal()) == url
    public = parse(url.reveal(secrets=False))
    assert public == replace(url, password="", options={})  # nobody knows what `o` holds


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        refusal = ""
        parse(f"ftp://{text}")
    except InvalidURL as error:
        refusal = str(error)
    assert len(text) < 12 or text not in refusal
