"""What all schemes share: their common options, a `Target`, and errors that teach."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveFloat, ValidationError

from filestore_fsspec.errors import InvalidURL
from filestore_fsspec.keys import LAYOUTS, Layout, LayoutName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from filestore_fsspec.urls import StorageUrl

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
SECRET_ARGUMENTS = (
    *("password", "private_key_pass", "secret", "account_key", "client_secret"),
    *("options", "secrets"),
)
"""The drivers' arguments that no message may show."""
RESERVED_NAMES = ("near", "far", "all", "any")


def _parse_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return _FLAGS[str(value).lower()]
    except KeyError:
        raise ValueError("true or false (1 or 0, yes or no)") from None


def _parse_name(value: str) -> str:
    if not value or value in RESERVED_NAMES:
        raise ValueError(f"a name other than {', '.join(RESERVED_NAMES)}")
    return value


Flag = Annotated[bool, BeforeValidator(_parse_flag)]


class Options(BaseModel):
    """The options that every scheme takes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,  # on first use: eight models would be half of the import's time
    )

    read_only: Flag = False
    """Whether the location is never written."""
    name: Annotated[str, BeforeValidator(_parse_name)] | None = None
    """The location's name, for `location=` and messages."""
    layout: LayoutName | None = None
    """How keys become paths; the default is the scheme's."""
    connect_timeout: PositiveFloat = 10.0
    """Seconds to wait for a connection."""
    read_timeout: PositiveFloat = 60.0
    """Seconds to wait for the next bytes of an answer."""
    must_exist: Flag = False
    """Whether without its root, bucket or container a location is unknown, and is not written."""

    def required(self, path: str) -> str | None:
        """Return `path`, which the location stands on, if that has to be there."""
        return path if self.must_exist else None

    @property
    def timeouts(self) -> dict[str, float]:
        """Both time-outs as a driver's arguments."""
        return {"connect_timeout": self.connect_timeout, "read_timeout": self.read_timeout}


class CleanedOptions(Options):
    """The options of schemes that write to temporary files."""

    cleanup: Flag = True
    """Whether stale temporary files of killed writers are removed in the background."""

    def cleanup_after(self, seconds: float) -> float | None:
        """Return `seconds`, or None where nothing is to be removed."""
        return seconds if self.cleanup else None


def _parse_prefix(value: str) -> str:
    if not value or "/" in value or not value.isprintable():
        raise ValueError("the first characters of a file name, without a slash")
    return value


class RenamingOptions(CleanedOptions):
    """The options of servers whose renames and names differ from a disk's."""

    replace: Literal["atomic", "aside"] = "atomic"
    """Whether a rename replaces, or the old file has to be renamed out of the way first."""
    temporary_prefix: Annotated[str, BeforeValidator(_parse_prefix)] = "."
    """What the names of temporary files begin with."""

    @property
    def renaming(self) -> dict[str, str]:
        """Both as a driver's arguments."""
        return {"replace": self.replace, "temporary_prefix": self.temporary_prefix}


REMOTE_CLEANUP_SECONDS = 60.0
"""A process that lives shorter shall not log in twice."""


class TLSOptions(Options):
    """The options of schemes that check certificates."""

    verify: Flag = True
    """Whether the server's certificate is checked."""
    ca_bundle: str | None = None
    """A PEM file of the certificate authorities that are trusted; the system's by default."""

    @property
    def tls_check(self) -> dict[str, Any]:
        """How certificates are checked, as a driver's arguments."""
        return {"verify": self.verify, "ca_bundle": self.ca_bundle}


Engine = Literal["fsspec", "obstore"]
ENGINE_VARIABLE = "FILESTORE_ENGINE"
"""The environment's word where a URL does not name an engine."""
OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True)
class Target:
    """Where a location keeps its keys, and what builds its filesystem."""

    protocol: str
    """A key of `drivers.DRIVERS`."""
    root: str
    """What stands before every path: empty, or ending in `/`."""
    storage_options: Mapping[str, Any] = field(repr=False)
    """The driver's arguments, secrets among them."""
    layout: Layout
    label: str
    """The location in messages, without secrets."""
    name: str | None = None
    read_only: bool = False
    cleanup_after_seconds: float | None = None
    """How long after a write what killed writers left is looked for; None where it is not."""
    required: str | None = None
    """The folder, bucket or container without which what the location has is unknown."""

    @property
    def temporary_prefix(self) -> str:
        """What the names of temporary files begin with."""
        return str(self.storage_options.get("temporary_prefix", "."))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of `storage_options` that no message may show."""
        found = map(self.storage_options.get, SECRET_ARGUMENTS)
        known = (each for each in found if isinstance(each, str) and each)
        return (*known, *self.storage_options.get("secrets", ()))


def parse_options(model: type[OptionsT], url: StorageUrl) -> OptionsT:
    """Validate the options of `url`.

    Raises:
        InvalidURL: an option is unknown, missing or wrong; the message says what is allowed.
    """
    try:
        return model.model_validate(dict(url.options))
    except ValidationError as error:
        allowed = sorted(model.model_fields)
        problems = "; ".join(_explain(dict(problem), allowed) for problem in error.errors())
    # Outside, so that no context holds what was given.
    raise InvalidURL(f"{url.scheme} URL: {problems}")


def near(name: str, allowed: Iterable[str]) -> str:
    """Return the end of a sentence that names what `name` may be a misspelling of, or nothing."""
    close = difflib.get_close_matches(name, allowed, n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _explain(problem: dict[str, Any], allowed: list[str]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        return f"unknown option {name!r}{near(name, allowed)} (allowed: {', '.join(allowed)})"
    if problem["type"] == "missing":
        return f"the option {name!r} is required"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"the option {name!r} takes {message}" if name else message


def require_host(url: StorageUrl) -> None:
    """Raise InvalidURL unless `url` names a host."""
    if not url.host or url.host == ".":
        raise InvalidURL(f"{url.scheme} URL: the host is missing ({url.scheme}://host/root)")


def refuse_credentials(url: StorageUrl, instead: str) -> None:
    """Raise InvalidURL if `url` carries a user or a password."""
    if url.username or url.password:
        raise InvalidURL(f"{url.scheme} URL: no user and password here; {instead}")


def layout_of(options: Options, default: LayoutName) -> Layout:
    """Return the layout asked for, or the scheme's own."""
    return LAYOUTS[options.layout or default]


def protocol_of(protocol: str, asked: Engine | None) -> str:
    """Return the driver for the engine asked for, for the environment's, or the default one.

    Raises:
        InvalidURL: there is no such engine, or it is not installed.
    """
    engine = asked or os.environ.get(ENGINE_VARIABLE) or "fsspec"
    if engine not in get_args(Engine):
        raise InvalidURL(f"{ENGINE_VARIABLE} takes {' or '.join(map(repr, get_args(Engine)))}")
    if engine == "fsspec":
        return protocol
    if find_spec(engine) is None:
        raise InvalidURL(f"engine={engine} is not installed: pip install filestore-fsspec[fast]")
    return f"{protocol}+{engine}"


def as_folder(root: str) -> str:
    """Return `root` as what stands before a path: empty, or ending in `/`."""
    return f"{root}/" if root else ""
