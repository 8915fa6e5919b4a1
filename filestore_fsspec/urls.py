"""`StorageUrl`: a location's URL, parsed once at the edge.

```
scheme://[user[:password]@]host[:port]/root[?option=value&...]
```

User, password, root and option values are percent-decoded; a `+` stays a `+`. Nothing here knows
one scheme from another, and no message shows more of a URL than what cannot be a password.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import quote, unquote

from filestore_fsspec.errors import InvalidURL

FORM = "scheme://[user[:password]@]host[:port]/root[?option=value&...]"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*)://(.*)", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\.")
_OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_PORT = 65535
_HARMLESS_OPTIONS = {
    # Of every scheme, and of some of ours.
    *("name", "read_only", "layout", "connect_timeout", "read_timeout", "must_exist", "cleanup"),
    *("engine", "verify", "ca_bundle", "pki", "use_ssl", "use_tls", "tls", "follow_symlinks"),
    *("replace", "temporary_prefix", "private_key", "validate_host", "known_hosts"),
    *("s3_bucket", "aws_region", "boto_defaults", "use_batch_delete", "missing_is_403"),
    *("account", "tenant_id", "client_id", "use_default_credentials", "allow_directory_access"),
    *("initialize_container", "initalize_container"),
    # Of filesystems that fsspec knows.
    *("host", "port", "username", "endpoint_url", "base_url", "region", "region_name"),
    *("account_name", "account_host", "project", "org", "repo", "sha", "revision", "branch"),
    *("anon", "auto_mkdir", "endpoint", "domain", "share", "timeout", "use_listings_cache"),
}
"""Their values may be shown: no other option's may, whatever it means."""
_URL_OPTIONS = {"endpoint_url", "base_url", "endpoint", "host", "account_host"}
_KEEPS_CASE = "fsspec+"
"""In what follows, a host may be a bucket or a user, whose case counts."""
_ENCODE = "percent-encode '/', '?', '#' and '%' in a user, a password or an option"


@dataclass(frozen=True)
class StorageUrl:
    """A parsed location URL. `str()` shows the user name and neither password nor options."""

    scheme: str
    host: str
    port: int | None = None
    root: str = ""
    """Decoded, without slashes at its ends."""
    username: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle without the read-only view of the options, which cannot be pickled."""
        fields = (self.scheme, self.host, self.port, self.root, self.username, self.password)
        return StorageUrl, (*fields, dict(self.options))

    @property
    def origin(self) -> str:
        """`host[:port]`, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def reveal(self, *, secrets: bool = True) -> str:
        """Return the whole URL as text, which `parse` reads back; or all but its secrets."""
        user = quote(self.username, safe="")
        if secrets and self.password:
            user += f":{quote(self.password, safe='')}"
        query = "&".join(
            f"{name}={quote(value, safe='')}"
            for name, value in self.options.items()
            if secrets or is_harmless(name, value)
        )
        return (
            f"{self.scheme}://{user}{'@' if user else ''}{self.origin}/{quote(self.root)}"
            f"{'?' if query else ''}{query}"
        )

    def masked(self) -> str:
        """Return the URL as text, with `***` for each option that may be a secret."""
        query = "&".join(
            f"{name}={quote(value, safe='/:') if is_harmless(name, value) else '***'}"
            for name, value in self.options.items()
        )
        return f"{self}{'?' if query else ''}{query}"

    def __str__(self) -> str:
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        return f"{self.scheme}://{user}{self.origin}/{quote(self.root)}"


def is_harmless(name: str, value: str) -> bool:
    """Tell whether an option's value may be shown: it holds no secret, and no URL that has one."""
    return name in _HARMLESS_OPTIONS and not (name in _URL_OPTIONS and set(value) & set("@?"))


def parse(source: object) -> StorageUrl:
    """Parse a URL text, or a mapping or object with the predecessor's host fields.

    Those are `name`, `host` (`domain.tld[:port][/root][?option=value]`) and, where needed,
    `scheme` (`http` by default), `username` and `password`. In the environment
    `{NAME}_HOST_USERNAME` and `{NAME}_HOST_PASSWORD` go before the last two.

    Raises:
        InvalidURL: `source` is none of these; the message says what is allowed.
    """
    if isinstance(source, StorageUrl):
        return source
    if isinstance(source, str):
        return _parse_text(source)
    name, host = _host_field(source, "name"), _host_field(source, "host")
    if not name or not host:
        raise InvalidURL(
            f"a {type(source).__name__} is no location: give a URL ({FORM}), or a mapping with "
            "name, host and, where needed, scheme, username and password"
        )
    url = _parse_text(f"{_host_field(source, 'scheme') or 'http'}://{host}")
    known = {
        field: os.environ.get(f"{name.upper()}_HOST_{field.upper()}") or _host_field(source, field)
        for field in ("username", "password")
    }
    return replace(
        url,
        options={"name": name, **url.options},
        username=known["username"] or url.username,
        password=known["password"] or url.password,
    )


def _host_field(source: object, name: str) -> str:
    value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
    value = getattr(value, "get_secret_value", lambda: value)()  # a SecretStr of pydantic
    if value is not None and not isinstance(value, str):
        raise InvalidURL(f"a {type(source).__name__} is no location: its {name!r} is no text")
    return value or ""


def _parse_text(url_text: str) -> StorageUrl:
    _refuse_surrogates(url_text)
    match = _SCHEME.fullmatch(url_text.strip())
    if not match:
        raise InvalidURL(f"a location URL has the form {FORM}")
    scheme, rest = match[1].lower(), match[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    remainder = rest[len(authority) :]
    userinfo, at, address = authority.rpartition("@")
    if not at and ":" in address and "@" in remainder:
        # What looks like a port and a root may be the halves of a password: show none of it.
        raise InvalidURL(f"{scheme} URL: an '@' stands behind the first '/', '?' or '#'; {_ENCODE}")
    if "#" in remainder:
        raise InvalidURL(f"{scheme} URL: a raw '#' has no meaning here; {_ENCODE}")
    path, _, query = remainder.partition("?")
    username, _, password = userinfo.partition(":")
    host, port = _parse_address(scheme, address)
    return StorageUrl(
        scheme=scheme,
        host=host,
        port=port,
        root=_parse_root(scheme, path),
        username=_decode(scheme, "user", username),
        password=_decode(scheme, "password", password),
        options=_parse_query(scheme, query),
    )


# Below, what refuses is left before the exception is raised: a context would hold the secrets.


def _refuse_surrogates(url_text: str) -> None:
    with suppress(UnicodeEncodeError):
        url_text.encode()
        return
    raise InvalidURL("a location URL is text that UTF-8 can encode")


def _parse_address(scheme: str, address: str) -> tuple[str, int | None]:
    host, bracket, port_text = address.rpartition("]")
    if bracket:
        host = host.removeprefix("[")
        _refuse_other_than_ipv6(scheme, host)
        has_port = bool(port_text)
        # What is no port stays one that is refused.
        port_text = port_text.removeprefix(":") if port_text[:1] == ":" else ""
    else:
        host, colon, port_text = address.partition(":")
        has_port = bool(colon)
        if host and not _HOST.fullmatch(host):
            raise InvalidURL(f"{scheme} URL: the host is no host name; {_ENCODE}")
    if not has_port:
        return _host(scheme, host), None
    if not (_PORT.fullmatch(port_text) and 0 < int(port_text) <= _MAX_PORT):
        # The text is not shown: it may be the first part of a password with a raw '/'.
        raise InvalidURL(f"{scheme} URL: a port is a number from 1 to {_MAX_PORT}; {_ENCODE}")
    return _host(scheme, host), int(port_text)


def _host(scheme: str, host: str) -> str:
    return host if scheme.startswith(_KEEPS_CASE) else host.lower()


def _refuse_other_than_ipv6(scheme: str, host: str) -> None:
    with suppress(ValueError):
        ipaddress.IPv6Address(host)
        return
    raise InvalidURL(f"{scheme} URL: what stands in [] is no IPv6 address")


def _parse_root(scheme: str, path: str) -> str:
    root = _decode(scheme, "root", path).strip("/")
    if "\0" in root or any(part in (".", "..") for part in root.split("/")):
        raise InvalidURL(f"{scheme} URL: the root may not hold a NUL, '.' or '..' as a part")
    return root


def _parse_query(scheme: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not _OPTION_NAME.fullmatch(name) or not equals:
            raise InvalidURL(f"{scheme} URL: options have the form name=value, joined by '&'")
        if name in options:
            raise InvalidURL(f"{scheme} URL: the option {name!r} is given twice")
        options[name] = _decode(scheme, f"option {name!r}", value)
    return options


def _decode(scheme: str, what: str, text: str) -> str:
    with suppress(UnicodeDecodeError):
        return unquote(text, errors="strict")
    raise InvalidURL(f"{scheme} URL: the {what} is not percent-encoded UTF-8")
