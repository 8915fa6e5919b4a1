"""What Azure and its SDK say, as the builtin that fits."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientSSLError
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)

from filestore_fsspec.drivers.shared.errors import (
    CertificateError,
    already_there,
    status_error,
    temporary_failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED = {"InvalidAuthenticationInfo", "NoAuthenticationInformation", "PublicAccessNotPermitted"}
_THERE = {"BlobAlreadyExists", "ContainerAlreadyExists"}
_PASSING = {
    "ContainerBeingDeleted",
    "InternalError",
    "InvalidBlockList",  # another writer's commit threw our blocks away
    "OperationTimedOut",
    "ServerBusy",
}
_NOT_FOUND = 404


def code_of(error: BaseException) -> str:
    """Return Azure's own code for the failure behind `error` (`BlobNotFound`), or nothing."""
    cause = error if isinstance(error, AzureError) else error.__cause__
    response = getattr(cause, "response", None)
    code = getattr(cause, "error_code", None) or (
        response and response.headers.get("x-ms-error-code")
    )
    return str(getattr(code, "value", code) or "")


def server_said(status: int, code: str, path: str, retry_after: str | None = None) -> OSError:
    """Return the builtin that fits an answer of the server."""
    text = f"HTTP status {status}" + (f", {code}" if code else "")
    if code in _REFUSED:
        return PermissionError(errno.EACCES, text, path)
    if code in _PASSING:
        return temporary_failure(text, path, retry_after)
    if status == _NOT_FOUND and not code:
        # Azure always says what is not there: this is a gateway's answer, or another server's.
        return ConnectionError(errno.EIO, f"{text}, which is not Azure's", path)
    if code in _THERE:
        return already_there(path)
    return status_error(status, text, path, retry_after)


def client_said(error: Exception, path: str) -> OSError:
    """Return the builtin that fits what went wrong without an answer of the server."""
    text = str(error) or "the server was silent for too long"
    if isinstance(error, ClientAuthenticationError):
        # The key is no base64, or there is no token to be had.
        return PermissionError(errno.EACCES, f"{type(error).__name__}: {text}", path)
    if isinstance(getattr(error, "inner_exception", error), ClientSSLError):
        text = (
            "the server's certificate is not trusted (ca_bundle names another authority, "
            f"verify=false turns the check off): {text}"
        )
        return CertificateError(errno.EIO, text, path)
    if isinstance(error, ServiceRequestTimeoutError | ServiceResponseTimeoutError | TimeoutError):
        return TimeoutError(errno.ETIMEDOUT, text, path)
    return ConnectionError(errno.EIO, text, path)


@contextmanager
def errors_of(path: str) -> Iterator[None]:
    """Raise what the SDK and aiohttp raise inside as the builtin that fits, `path` named."""
    try:
        yield
    except HttpResponseError as error:
        if error.status_code is None or (
            isinstance(error, ClientAuthenticationError) and not code_of(error)
        ):
            raise client_said(error, path) from error  # the token authority's words, or the SDK's
        retry_after = getattr(error, "retry_after", None)
        raise server_said(error.status_code, code_of(error), path, retry_after) from error
    except (AzureError, ClientError, TimeoutError) as error:
        raise client_said(error, path) from error
