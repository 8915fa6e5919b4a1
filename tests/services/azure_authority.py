"""A token authority: gives the token of its command line to the one client that it knows.

Arguments: port, certificate, key, token, client id, client secret.
"""

from __future__ import annotations

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

PORT, CERTIFICATE, KEY, TOKEN, CLIENT, SECRET = sys.argv[1:]


class Authority(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if asked.get("client_id") == [CLIENT] and asked.get("client_secret") == [SECRET]:
            self._say(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})
        else:
            self._say(401, {"error": "invalid_client", "error_description": "who are you?"})

    def _say(self, status: int, words: dict[str, object]) -> None:
        body = json.dumps(words).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", int(PORT)), Authority)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
