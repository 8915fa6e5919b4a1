"""The matrix: which cells there are, and what the contract allows in each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from tests.services.faults import (
    Corrupt,
    Mute,
    Refuse,
    Reset,
    Slow,
    Status,
    Truncate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.faults import Connection, Fault, Script

Family = Literal["network", "http", "tls", "host", "server", "disk", "rights", "client"]
SetUp = Literal["one", "near", "far"]
Content = Literal["old", "new", "absent", "torn"]

SCHEMES = ("file", "ftp", "ftps", "sftp", "s3", "azure", "http")
SET_UPS: tuple[SetUp, ...] = ("one", "near", "far")
"""The location with the fault is the only one, or the near or the far one of two."""
READS = ("get", "exists", "download")
WRITES = ("put", "put force", "upload", "upload_batch")
FUNCTIONS = (*READS, "list", *WRITES, "delete")
CREATES = {"put", "upload_batch"}
"""They write what is not there yet; `upload` is with force."""

OLD_BYTES, NEW_BYTES = 200_000, 230_000
MIDDLE = 100_000
"""Behind every greeting, handshake and header, and before the end of the content."""
EARLY = 10
"""In the middle of a greeting, or of the first answer: the request was carried out by then."""
IN_HANDSHAKE = 100
RETRY_AFTER_SECONDS = 1
ATTEMPTS = 2
BUSY_SECONDS = 20
"""What making a client may take on a machine with other work; a call that hangs takes longer."""


def once(fault: Fault) -> Script:
    """Return what does `fault` to the first connection alone."""

    def script(connection: Connection) -> Fault | None:
        return fault if connection.number == 0 else None

    return script


@dataclass(frozen=True)
class Trouble:
    """A fault as a row of the matrix."""

    name: str
    family: Family
    script: Script = None
    """What the proxy does."""
    carries: Literal["any", "down", "up"] = "any"
    """A fault in mid-content befalls what carries content that way."""
    succeeds: Literal["never", "maybe", "always"] = "maybe"
    """Whether a call to the location can succeed all the same."""
    error: Literal["unavailable", "denied", "any"] = "unavailable"
    secure: bool = False
    """Whether it is about what TLS (or SSH) does for us."""


TROUBLES = {
    trouble.name: trouble
    for trouble in (
        Trouble("refused", "network", Refuse(), succeeds="never"),
        Trouble("mute", "network", Mute(), succeeds="never"),
        Trouble("reset early", "network", Reset(EARLY), succeeds="never"),
        Trouble("reset once", "network", once(Reset(EARLY)), succeeds="always"),
        Trouble("reset reading", "network", Reset(MIDDLE), carries="down"),
        Trouble("reset writing", "network", Reset(MIDDLE, "up"), carries="up"),
        Trouble("cut early", "network", Truncate(EARLY), succeeds="never"),
        Trouble("cut reading", "network", Truncate(MIDDLE), carries="down"),
        Trouble("cut writing", "network", Truncate(MIDDLE, "up"), carries="up"),
        Trouble("slow", "network", Slow(800_000), succeeds="always"),
        Trouble(
            "corrupt reading", "network", Corrupt(MIDDLE), carries="down", error="any", secure=True
        ),
        Trouble(
            "corrupt writing",
            "network",
            Corrupt(MIDDLE, "up"),
            carries="up",
            error="any",
            secure=True,
        ),
        Trouble("500", "http", Status(500), succeeds="never"),
        Trouble("503", "http", Status(503, RETRY_AFTER_SECONDS), succeeds="never"),
        Trouble("429", "http", Status(429, RETRY_AFTER_SECONDS), succeeds="never"),
        Trouble("403", "http", Status(403), succeeds="never", error="denied"),
        Trouble("503 once", "http", once(Status(503)), succeeds="always"),
        Trouble("TLS handshake cut", "tls", Truncate(IN_HANDSHAKE), succeeds="never", secure=True),
        Trouble("TLS reading cut", "tls", Truncate(MIDDLE), carries="down", secure=True),
        Trouble("TLS writing cut", "tls", Truncate(MIDDLE, "up"), carries="up", secure=True),
        Trouble("no such host", "host", succeeds="never"),
        Trouble("server restart", "server", succeeds="always"),
        Trouble("disk full", "disk", error="any"),
        Trouble("read-only folder", "rights", error="denied"),
        Trouble("no permission", "rights", succeeds="never", error="denied"),
        Trouble("client killed", "client"),
        Trouble("client stopped", "client"),
    )
}


@dataclass(frozen=True)
class Cell:
    """One call under one fault."""

    trouble: Trouble
    scheme: str
    function: str
    set_up: SetUp

    def __str__(self) -> str:
        return f"{self.scheme}-{self.trouble.name}-{self.function}-{self.set_up}"

    @property
    def timeout_seconds(self) -> float:
        """The location's `connect_timeout` and `read_timeout`.

        Short where the fault may be silence; elsewhere a busy machine is not to be taken for one.
        """
        silent = self.trouble.succeeds != "always" and self.trouble.error == "unavailable"
        return 1 if silent or self.trouble.name.startswith("corrupt") else 10

    @property
    def limit_seconds(self) -> float:
        """When the call must have ended: all attempts with both time-outs, on a busy machine."""
        return ATTEMPTS * 2 * self.timeout_seconds + BUSY_SECONDS

    @property
    def asked(self) -> bool:
        """Whether the location with the fault is asked at all: a read stops at the first answer."""
        return self.set_up != "far" or self.function not in READS

    @property
    def succeeds(self) -> Literal["never", "maybe", "always"]:
        """Whether the location's own part in the call can succeed."""
        reads = self.function in READS or self.function == "list"
        if self.trouble.name == "disk full":
            return "always" if reads or self.function == "delete" else "never"
        if self.trouble.name == "read-only folder":
            return "always" if reads else "never"
        return self.trouble.succeeds

    @property
    def may_raise(self) -> bool:
        """Whether the call may fail as a whole."""
        if self.succeeds == "always":
            return False
        return self.set_up == "one" or self.function not in READS

    @property
    def may_return(self) -> bool:
        """Whether the call may succeed as a whole."""
        return self.succeeds != "never" or (self.set_up != "one" and self.function in READS)

    @property
    def before(self) -> Content:
        """What every location holds before the call."""
        return "absent" if self.function in CREATES else "old"

    @property
    def after(self) -> Content:
        """What a location holds that did as it was told."""
        if self.function == "delete":
            return "absent"
        return "new" if self.function in WRITES else "old"


def reason_against(trouble: Trouble, scheme: str, function: str) -> str | None:  # noqa: PLR0911 - a table of reasons
    """Return why there is no such cell, or None if there is one."""
    writes = function in WRITES
    if scheme == "http" and (writes or function == "delete"):
        return "a web server is read-only"
    if scheme == "file" and trouble.family not in {"disk", "rights", "client"}:
        return "a local disk has no network and no server"
    if trouble.family == "http" and scheme not in {"s3", "azure", "http"}:
        return "it answers no HTTP status"
    if trouble.family == "tls" and scheme == "sftp":
        return "SSH has no TLS; the reset and cut rows are in its own encryption"
    if trouble.carries == "down" and function not in {"get", "download"}:
        return "it brings no content"
    if trouble.carries == "up" and not writes:
        return "it sends no content"
    if trouble.family == "disk" and scheme == "http":
        return "a web server's disk is nobody's business who only reads"
    if trouble.family == "rights" and scheme not in {"file", "ftp", "sftp"}:
        return "rights are the account's (row 403), or the server's as with ftp"
    if trouble.family == "client" and function not in {"put", "put force", "upload"}:
        return "only a write leaves anything half-done"
    return None


def cells() -> Iterator[Cell]:
    """Yield every cell there is."""
    for scheme, trouble, function, set_up in product(
        SCHEMES, TROUBLES.values(), FUNCTIONS, SET_UPS
    ):
        if reason_against(trouble, scheme, function) is None:
            yield Cell(trouble, scheme, function, set_up)


def in_part(cell: Cell) -> bool:
    """Tell whether a cell is of the part that every test run has: each fault with each scheme.

    That is one function of each fault, with one location: what sends or brings content, in turn.
    """
    if cell.set_up != "one":
        return False
    functions = [each for each in FUNCTIONS if not reason_against(cell.trouble, cell.scheme, each)]
    turn = SCHEMES.index(cell.scheme) + list(TROUBLES).index(cell.trouble.name)
    return cell.function == functions[turn % len(functions)]
