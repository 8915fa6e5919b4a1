"""What S3 and botocore say, as the builtin that fits."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from functools import partial
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
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from filestore_fsspec.drivers.shared.errors import (
    CertificateError,
    already_there,
    checksum_mismatch,
    status_error,
    temporary_failure,
)

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
_NO_WORDS = "404"
"""botocore's code for a 404 without a body that it can read, as answers to HEAD are."""
_HEADS = {"HeadBucket", "HeadObject"}
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
_GARBLED = {"BadDigest", "XAmzContentSHA256Mismatch"}
_NUMBERS = {"BucketNotEmpty": errno.ENOTEMPTY, "KeyTooLongError": errno.ENAMETOOLONG}
_PRECONDITION_FAILED = 412
_UNREACHABLE = (HTTPClientError, NoConnectionError, ResponseParserError, HTTPError, TimeoutError)
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
    if code == _NO_WORDS and error.operation_name not in _HEADS:
        # S3 always says what is not there: this is a gateway's answer, or another server's.
        return ConnectionError(errno.EIO, f"{text}, which is not S3's", path)
    if code in _GARBLED:
        return checksum_mismatch(path)
    if code in _REFUSED:
        return PermissionError(errno.EACCES, text, path)
    if status == _PRECONDITION_FAILED and error.operation_name in _CONDITIONAL:
        return already_there(path)
    if code in _NUMBERS:
        return OSError(_NUMBERS[code], text, path)
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    told = temporary_failure if code in _PASSING else partial(status_error, status)
    return told(text, path, headers.get("retry-after"))


def client_said(error: Exception, path: str) -> OSError:
    """Return the builtin that fits what went wrong without an answer of the server."""
    text = str(error) or "the server was silent for too long"
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return PermissionError(errno.EACCES, f"no AWS credentials: {text}", path)
    if isinstance(error, SSLError):
        text = (
            "the server's certificate is not trusted (ca_bundle names another authority, "
            f"verify=false turns the check off): {text}"
        )
        return CertificateError(errno.EIO, text, path)
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError | TimeoutError):
        return TimeoutError(errno.ETIMEDOUT, text, path)
    if isinstance(error, _UNREACHABLE):
        return ConnectionError(errno.EIO, text, path)
    return OSError(errno.EINVAL, f"{type(error).__name__}: {text}", path)


@contextmanager
def errors_of(path: str) -> Iterator[None]:
    """Raise what botocore and aiohttp raise inside as the builtin that fits, `path` named."""
    try:
        yield
    except ClientError as error:
        raise server_said(error, path) from error
    except (BotoCoreError, HTTPError, TimeoutError) as error:
        raise client_said(error, path) from error
