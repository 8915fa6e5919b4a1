"""What `FaultProxy` can do to connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

Direction = Literal["up", "down"]
"""To the server, and from it."""


@dataclass(frozen=True)
class Refuse:
    """Nobody listens: connections are refused, open ones reset."""


@dataclass(frozen=True)
class Mute:
    """Connections are accepted and nothing passes, in either direction."""


@dataclass(frozen=True)
class Slow:
    """So many bytes a second pass on each connection, in either direction."""

    bytes_per_second: int


@dataclass(frozen=True)
class Status:
    """The proxy answers the first HTTP request of each connection itself, and closes it."""

    code: int
    retry_after: int | None = None
    """Seconds."""

    def answer(self) -> bytes:
        """Return the response, which has no body."""
        wait = "" if self.retry_after is None else f"Retry-After: {self.retry_after}\r\n"
        reason = HTTPStatus(self.code).phrase
        return (
            f"HTTP/1.1 {self.code} {reason}\r\n{wait}Content-Length: 0\r\nConnection: close\r\n\r\n"
        ).encode()


@dataclass(frozen=True)
class Die:
    """When the server has said so many bytes, on all connections together: as `Refuse`."""

    after_bytes: int = 0


@dataclass(frozen=True)
class AtByte:
    """`after_bytes` pass in `direction`; the fault strikes when there is one more to pass.

    Counted for each connection, from when the fault was set.
    """

    after_bytes: int = 0
    direction: Direction = "down"


class Reset(AtByte):
    """Both sides get a reset."""


class Truncate(AtByte):
    """Both sides see an orderly end."""


class Hold(AtByte):
    """Nothing passes any more in that direction, until the fault is another."""


class Corrupt(AtByte):
    """One bit of the next byte is turned."""


Fault = Refuse | Mute | Slow | Status | Die | Reset | Truncate | Hold | Corrupt


@dataclass(eq=False)
class Connection:
    """One connection through the proxy."""

    number: int
    """From 0, since the fault was set."""
    is_data: bool
    """Whether it is a data connection of FTP."""
    fault: Fault | None = None
    age: int = -1
    passed: Counter[Direction] = field(default_factory=Counter)
    """Bytes, since the fault was set."""


Script = Fault | Callable[[Connection], Fault | None] | None
"""A fault for every connection, or what tells the fault of each."""
