"""A pyftpdlib server, run as a program.

Its arguments: FOLDER PORT none|explicit|implicit CERTIFICATE KEY, and the FIRST and LAST of the
ports for its data connections.

Its only user is the test servers' own; the plain one also lets anonymous users read.
"""

from __future__ import annotations

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

from tests.services.common import HOST, PASSWORD, USERNAME


class _ExplicitHandler(TLS_FTPHandler):  # type: ignore[misc]  # pyftpdlib carries no types
    tls_control_required = True
    tls_data_required = True


class _ImplicitHandler(_ExplicitHandler):
    def handle(self) -> None:
        self.secure_connection(self.ssl_context)
        super().handle()


def main(folder: str, port: str, tls: str, *rest: str) -> None:
    certificate, key, first, last = rest
    handler = {"none": FTPHandler, "explicit": _ExplicitHandler, "implicit": _ImplicitHandler}[tls]
    handler.auth_failed_timeout = 0
    handler.passive_ports = range(int(first), int(last) + 1)
    handler.authorizer = DummyAuthorizer()
    handler.authorizer.add_user(USERNAME, PASSWORD, folder, perm="elradfmwMT")
    if tls == "none":
        handler.authorizer.add_anonymous(folder)
    else:
        handler.certfile, handler.keyfile = certificate, key
    FTPServer((HOST, int(port)), handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
