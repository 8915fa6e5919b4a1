"""The exceptions, each also the builtin that fits.

```
FileStoreException (Exception)
├── InvalidURL (ValueError)                  a URL, option or setting that cannot be used
├── InvalidKey (ValueError)                  a key that cannot be stored
├── PartialWrite                             some locations were written or deleted, some failed
├── CorruptedFileStoreException              content that is not what its name or record says
└── TransportException (OSError)             one location's failure; the driver's error is .cause
    ├── NotFound (FileNotFoundError)         every location asked said: absent
    ├── ReadOnly                             no location left that may be written
    └── LocationUnavailable (ConnectionError)    unknown: a location could not say
        └── PermissionDenied (PermissionError)   unknown, because it refused us
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from filestore_fsspec.location import Location


class FileStoreException(Exception):
    """The root of all exceptions of this library."""


class InvalidURL(FileStoreException, ValueError):
    """A URL, an option or a setting that cannot be used; the message says what is allowed."""


class InvalidKey(FileStoreException, ValueError):
    """A key that cannot be stored; the message says what is allowed."""


class CorruptedFileStoreException(FileStoreException):
    """Content that is not what its name or record says."""


class PartialWrite(FileStoreException):
    """Some of the selected locations could not be written, or could not delete.

    Attributes:
        written: the locations where the action was carried out.
        failed: each other location with its error.
    """

    def __init__(
        self,
        message: str,
        written: Sequence[Location] = (),
        failed: Mapping[Location, Exception] | None = None,
    ) -> None:
        super().__init__(message)
        self.written = tuple(written)
        self.failed = dict(failed or {})


class TransportException(FileStoreException, OSError):
    """One location failed; `cause` is the error it failed with, if there was one."""

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class NotFound(TransportException, FileNotFoundError):
    """Every location asked said that the object is absent."""


class ReadOnly(TransportException):
    """There is no selected location that may be written."""


class LocationUnavailable(TransportException, ConnectionError):
    """A location could not say: unreachable, refused, timed out, or failing.

    Attributes:
        errors: each location that could not say, with its error.
    """

    def __init__(
        self,
        message: str,
        cause: BaseException | None = None,
        errors: Mapping[Location, Exception] | None = None,
    ) -> None:
        super().__init__(message, cause)
        self.errors = dict(errors or {})


class PermissionDenied(LocationUnavailable, PermissionError):
    """A location refused our credentials, or they do not give the right."""
