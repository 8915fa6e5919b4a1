"""What S3 and botocore say, as the builtin that fits."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import ClientError as HTTPError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from filestore_fsspec.drivers.base import absent, already_there

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED = {
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_ABSENT = {"NoSuchBucket", "NoSuchKey", "NotFound", "404"}
_PASSING = {
    "ConditionalRequestConflict",
    "InternalError",
    "NoSuchUpload",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
}
_CONDITIONAL = {"PutObject", "CompleteMultipartUpload"}


def code_of(error: BaseException) -> str:
    """Return S3's own code for the failure behind `error` (`NoSuchBucket`), or an empty string."""
    cause = error if isinstance(error, ClientError) else error.__cause__
    if not isinstance(cause, ClientError):
        return ""
    return str(cause.response.get("Error", {}).get("Code", ""))


def server_said(error: ClientError, path: str) -> OSError:
    """Return the builtin that fits an answer of the server."""
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = error.response.get("Error", {}).get("Message") or f"HTTP status {status}"
    text = f"{code}: {message}"
    if code in _ABSENT:
        return absent(path)
    if code in _REFUSED or status in (401, 403):
        return PermissionError(errno.EACCES, text, path)
    if code == "PreconditionFailed" or status == 412:  # noqa: PLR2004 - its name stands beside it
        if error.operation_name in _CONDITIONAL:
            return already_there(path)
        return OSError(errno.EBUSY, "the object was changed while it was read", path)
    if code in _PASSING or status == 429 or status >= 500:  # noqa: PLR2004 - HTTP's own
        # 501 says that the server never will: no other attempt mends it.
        return OSError(errno.ENOSYS, text, path) if status == 501 else ConnectionError(text, path)  # noqa: PLR2004
    if code == "BucketNotEmpty":
        return OSError(errno.ENOTEMPTY, text, path)
    if status == 404:  # noqa: PLR2004 - HTTP's own
        return absent(path)
    return OSError(errno.EINVAL, text, path)


def client_said(error: Exception, path: str) -> OSError:
    """Return the builtin that fits what went wrong without an answer of the server."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return PermissionError(errno.EACCES, f"no AWS credentials: {error}", path)
    if isinstance(error, SSLError):
        return ConnectionError(
            f"the server's certificate is not trusted (ca_bundle names another authority, "
            f"verify=false turns the check off): {error}",
            path,
        )
    if isinstance(error, ReadTimeoutError | ConnectTimeoutError):
        return TimeoutError(errno.ETIMEDOUT, str(error), path)
    if isinstance(error, HTTPClientError | ResponseStreamingError | ResponseParserError | HTTPError):
        return ConnectionError(str(error), path)
    return OSError(errno.EINVAL, f"{type(error).__name__}: {error}", path)


@contextmanager
def errors_of(path: str) -> Iterator[None]:
    """Raise what botocore and aiohttp raise inside as the builtin that fits, `path` named."""
    try:
        yield
    except ClientError as error:
        raise server_said(error, path) from error
    except (BotoCoreError, HTTPError) as error:
        raise client_said(error, path) from error
