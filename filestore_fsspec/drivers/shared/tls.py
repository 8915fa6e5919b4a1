"""How a server proves itself, and with what we do."""

from __future__ import annotations

import errno
import ssl
from pathlib import Path


def tls_context(
    *, verify: bool, ca_bundle: str | None, pki: str | None = None, public: bool = False
) -> ssl.SSLContext:
    """Return the settings of TLS connections.

    Args:
        verify: whether the server's certificate is checked.
        ca_bundle: PEM file with the authorities to trust instead of the usual ones.
        pki: PEM file with the certificate and key that we present.
        public: whether the usual authorities are trusted beside `ca_bundle`.

    Raises:
        OSError: a file is of no use (EINVAL): never FileNotFoundError, which is about objects.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise _unusable("ca_bundle", ca_bundle, error) from error
    if public and ca_bundle is not None:
        context.load_default_certs()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if pki:
        try:
            # Without a password OpenSSL would ask the terminal for it.
            context.load_cert_chain(pki, password="")
        except OSError as error:
            raise _unusable("pki", pki, error) from error
    return context


def authorities(ca_bundle: str) -> bytes:
    """Return the content of a file of authorities, for what makes its own TLS connections.

    Raises:
        OSError: it is of no use (EINVAL).
    """
    tls_context(verify=True, ca_bundle=ca_bundle)
    return Path(ca_bundle).read_bytes()


def _unusable(option: str, path: str | None, error: OSError) -> OSError:
    return OSError(errno.EINVAL, f"{option}={path}: {error.strerror or error}")
