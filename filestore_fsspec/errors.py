"""The exceptions, each also the builtin that fits.

```
FileStoreException (Exception)
├── InvalidURL (ValueError)                  a URL, option or setting that cannot be used
├── InvalidKey (ValueError)                  a key that cannot be stored
├── PartialWrite (OSError)                   some locations were written or deleted, some failed
├── PartialMove (OSError)                    some of several files were moved, some stayed
├── CorruptedFileStoreException              content that is not what its name or record says
├── JournalError                             a journal that cannot be read or written
└── TransportException (OSError)             one location's failure; the driver's error is .cause
    ├── NotFound (FileNotFoundError)         every location asked said: absent
    ├── ReadOnly                             no location left that may be written
    └── LocationUnavailable (ConnectionError)    unknown: no answer, or none of use
        └── PermissionDenied (PermissionError)   unknown, because it refused us
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class AnyLocation(Protocol):
    """What an error says of a location; it is a `Location`. `str()` shows no secret."""

    @property
    def name(self) -> str | None:
        """The name given with the option `name`."""

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written here."""


L = TypeVar("L", bound=AnyLocation)


class FileStoreException(Exception):
    """The root of all exceptions of this library.

    Attributes:
        cause: the error that led to it, if there was one.
    """

    def __init__(self, message: str = "", cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class InvalidURL(FileStoreException, ValueError):
    """A URL, an option or a setting that cannot be used; the message says what is allowed."""


class InvalidKey(FileStoreException, ValueError):
    """A key that cannot be stored; the message says what is allowed."""


class CorruptedFileStoreException(FileStoreException):
    """Content that is not what its name or record says."""


class JournalError(FileStoreException):
    """A journal cannot be read or written; the message says what to do."""


class PartialWrite(FileStoreException, OSError):
    """Some of the selected locations could not be written, or could not delete.

    Attributes:
        written: the locations where the action was carried out.
        failed: each other location with its error.
    """

    def __init__(
        self,
        message: str,
        written: Sequence[AnyLocation] = (),
        failed: Mapping[L, Exception] | None = None,
    ) -> None:
        super().__init__(message)
        self.written = tuple(written)
        self.failed: dict[AnyLocation, Exception] = _by_location(failed)


class PartialMove(FileStoreException, OSError):
    """Some of several files and folders could not be moved; they are where they were.

    Attributes:
        moved: the keys that were moved.
        stayed: each other key, file or folder, with what kept it.
    """

    def __init__(
        self,
        message: str,
        moved: Collection[str] = (),
        stayed: Mapping[str, Exception] | None = None,
    ) -> None:
        super().__init__(message)
        self.moved = tuple(moved)
        self.stayed = dict(stayed or {})


class TransportException(FileStoreException, OSError):
    """One location failed; `cause` is the error it failed with, if there was one."""


class NotFound(TransportException, FileNotFoundError):
    """Every location asked said that the object is absent."""


class ReadOnly(TransportException):
    """There is no selected location that may be written."""


class LocationUnavailable(TransportException, ConnectionError):
    """What a location has is unknown: it is unreachable, refused, timed out, or failing.

    Attributes:
        errors: each such location with its error.
    """

    def __init__(
        self,
        message: str,
        cause: BaseException | None = None,
        errors: Mapping[L, Exception] | None = None,
    ) -> None:
        super().__init__(message, cause)
        self.errors: dict[AnyLocation, Exception] = _by_location(errors)


class PermissionDenied(LocationUnavailable, PermissionError):
    """A location refused our credentials, or they do not give the right."""


def _by_location(errors: Mapping[L, Exception] | None) -> dict[AnyLocation, Exception]:
    return dict((errors or {}).items())
