"""`fsspec+PROTO`: any protocol that fsspec knows, at the guarantees of its own filesystem."""

from __future__ import annotations

import difflib
import inspect
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fsspec.registry import get_filesystem_class, known_implementations, registry

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.schemes.base import Options, Target, layout_of, near, parse_options
from filestore_fsspec.urls import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from filestore_fsspec.urls import StorageUrl

PREFIX = "fsspec+"
_WRAPPERS = {
    *("async_wrapper", "asyncwrapper", "blockcache", "cached", "dask", "dir", "filecache"),
    *("generic", "libarchive", "reference", "simplecache", "tar", "zip"),
}
_WRAPS = {"fs", "target_protocol", "default_method"}
"""A filesystem that takes one of these stands on another filesystem, whatever its name."""
_NO_PLACE = {
    "data": "its URL is the content of one file",
    "filestore": "give the URLs of its locations instead",
    **dict.fromkeys(_WRAPPERS, "it stands on another filesystem; give the URL of that one"),
}
_SET_BY_US = {"asynchronous", "loop", "skip_instance_cache", "use_listings_cache"}
_TEXT = {"password", "passwd", "secret", "key", "token", "username"}
"""Options that are text also where they look like a number or a flag."""
_CLOSE = 0.8
_MIN_SECRET_LENGTH = 4


def translate(url: StorageUrl) -> Target:
    """What fsspec makes of `PROTO://host/root`; options are its filesystem's own arguments."""
    protocol = url.scheme.removeprefix(PREFIX)
    kind = _class_of(protocol)
    own = {name: url.options[name] for name in url.options if name in Options.model_fields}
    foreign = {name: url.options[name] for name in url.options if name not in own}
    options = parse_options(Options, replace(url, options=own))
    path, given = _split(kind, protocol, url)
    given |= {name: _decoded(name, value) for name, value in foreign.items()}
    _check_names(kind, url.scheme, given)
    root = path if path.endswith("/") or not path else f"{path}/"
    return Target(
        protocol="fsspec",
        root=root,
        storage_options={
            "fsspec_protocol": protocol,
            "options": given,
            "secrets": tuple(_secrets(given, url.password)),
            **options.timeouts,
        },
        layout=layout_of(options, "verbatim"),
        label=f"{replace(url, options=foreign).masked()} (as fsspec has it)",
        name=options.name,
        required=options.required(path),
        read_only=options.read_only,
    )


def _class_of(protocol: str) -> Any:  # noqa: ANN401 - fsspec has no types
    if protocol in _NO_PLACE:
        raise InvalidURL(f"{PREFIX}{protocol} is no location: {_NO_PLACE[protocol]}")
    known = {*known_implementations, *registry}
    if protocol not in known:
        names = ", ".join(sorted(known - {*_NO_PLACE}))
        raise InvalidURL(
            f"fsspec knows no protocol {protocol!r}{near(protocol, known)} (known: {names})"
        )
    try:
        kind = get_filesystem_class(protocol)
    except ImportError as error:
        text = f"{PREFIX}{protocol}: the package of this protocol cannot be imported: {error}"
        raise InvalidURL(text) from error
    if _WRAPS & _arguments(kind).keys():
        raise InvalidURL(f"{PREFIX}{protocol} is no location: {_NO_PLACE['zip']}")
    return kind


def _split(kind: Any, protocol: str, url: StorageUrl) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
    """Return what fsspec makes of a URL: the root's path, and the arguments that it holds."""
    if getattr(kind, "local_file", False) and url.host not in {"", "."}:
        raise InvalidURL(
            f"{url.scheme} URL: a folder of this machine is {url.scheme}:///{url.root}"
        )
    user = quote(url.username, safe="") + (
        f":{quote(url.password, safe='')}" if url.password else ""
    )
    rest = f"{url.origin}/{url.root}"
    found = _asked(kind, f"{protocol}://{user}@{rest}" if user else f"{protocol}://{rest}")
    if found is not None and user:
        without = _asked(kind, f"{protocol}://{rest}")
        if without is not None and (f"{user}@" in found[0] or found == without):
            found = without[0], without[1] | _credentials(kind, url)
    if found is None or not found[0].strip("/").endswith(url.root):
        raise InvalidURL(f"{url.scheme} URL: fsspec cannot read its host and root")
    path, given = found
    login = {"username": url.username, "password": url.password}
    return path, {name: login.get(name, value) for name, value in given.items()}


def _asked(kind: Any, url_text: str) -> tuple[str, dict[str, Any]] | None:  # noqa: ANN401
    try:
        return kind._strip_protocol(url_text), dict(kind._get_kwargs_from_urls(url_text))  # noqa: SLF001 - what fsspec.core asks
    except Exception:  # noqa: BLE001 - a stranger's code; its exception may hold the password
        return None


def _credentials(kind: Any, url: StorageUrl) -> dict[str, Any]:  # noqa: ANN401
    """Return the user and password as arguments, where fsspec takes none from the URL."""
    names = _arguments(kind)
    if {"username", "password"} <= names.keys():
        return {"username": url.username, "password": url.password}
    if "auth" in names:
        return {"auth": (url.username, url.password)}
    raise InvalidURL(f"{url.scheme} URL: no user and password here; give this filesystem's options")


def _decoded(name: str, value: str) -> Any:  # noqa: ANN401 - JSON's
    if name in _TEXT and value[:1] not in {"{", "[", '"'}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _check_names(kind: Any, scheme: str, given: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Raise InvalidURL where the filesystem cannot take what is given, or needs more."""
    named = _arguments(kind)
    own = inspect.signature(kind.__init__).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in own.values())
    allowed = sorted({*named, *Options.model_fields} - _SET_BY_US)
    for name in given.keys() - named.keys() | given.keys() & _SET_BY_US:
        if (
            name in _SET_BY_US
            or not takes_any
            or difflib.get_close_matches(name, allowed, 1, _CLOSE)
        ):
            raise InvalidURL(
                f"{scheme} URL: unknown option {name!r}{near(name, allowed)} "
                f"(allowed: {', '.join(allowed)})"
            )
    for name, each in named.items():
        if name in own and each.default is each.empty and name not in given:
            raise InvalidURL(f"{scheme} URL: the option {name!r} is required")


def _arguments(kind: Any) -> dict[str, inspect.Parameter]:  # noqa: ANN401
    """Return the arguments that a class names, and its parents where it hands on what it gets."""
    named: dict[str, inspect.Parameter] = {}
    for each in kind.__mro__:
        if "__init__" not in vars(each) or each is object:
            continue
        parameters = [*inspect.signature(each.__init__).parameters.values()][1:]
        for known in parameters:
            if known.kind in {known.POSITIONAL_OR_KEYWORD, known.KEYWORD_ONLY}:
                named.setdefault(known.name, known)
        if not any(known.kind is known.VAR_KEYWORD for known in parameters):
            break
    return named


def _secrets(given: Mapping[str, Any], password: str) -> Iterator[str]:
    """Yield what no message may show, as it stands and as a URL has it."""
    shown = {name for name in given if is_harmless(name, str(given[name]))}
    found = {password} - {str(given[name]) for name in shown}
    for name in given.keys() - shown:
        texts = [*_texts(given[name])]
        found.update(urlsplit(text).password or "" for text in texts if "://" in text)
        found.update(text for text in texts if name in _TEXT or len(text) >= _MIN_SECRET_LENGTH)
    yield from sorted({form for text in found for form in (text, quote(text, safe=""))} - {""})


def _texts(value: object) -> Iterator[str]:
    """Yield all text in what JSON holds."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
