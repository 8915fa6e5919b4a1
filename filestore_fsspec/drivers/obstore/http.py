"""Web servers through obstore."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from obstore.store import HTTPStore

from filestore_fsspec.drivers.http.driver import HTTPDriver
from filestore_fsspec.drivers.http.session import server_said
from filestore_fsspec.drivers.obstore.base import NO_RETRY, ObstoreDriver, client_options

if TYPE_CHECKING:
    from obstore import GetResult

    from filestore_fsspec.drivers.obstore.errors import Failure


class HTTPObstoreDriver(ObstoreDriver, HTTPDriver):
    """`HTTPDriver`, its arguments and paths; reads are fast, unless there is a `pki`.

    obstore follows a redirect without a word, as from a folder to its page: what comes as HTML
    is read by the default driver, which sees it. A folder's page of another type is not noticed.
    """

    def split_place(self, path: str) -> tuple[str, str]:
        """Return the server's URL and the path behind it."""
        scheme, _, rest = path.partition("://")
        host, _, key = rest.partition("/")
        return f"{scheme}://{host}", key

    def store_for(self, path: str) -> tuple[Any, str] | None:
        """Return store and key, or None if this is for the default driver."""
        # obstore presents no client certificate.
        return None if self._web.check.pki else super().store_for(path)

    def make_store(self, place: str) -> HTTPStore:
        """Return a store for a server."""
        check, web = self._web.check, self._web
        return HTTPStore(
            place,
            client_options=client_options(
                web.timeouts,
                verify=check.verify,
                ca_bundle=check.ca_bundle,
                secure=place.startswith("https:"),
                headers={name.lower(): value for name, value in web.headers.items()},
            ),
            retry_config=NO_RETRY,
        )

    def server_said(self, failure: Failure, path: str, operation: str) -> OSError:
        """Return the builtin that fits, as the default driver sees it."""
        try:
            reason = HTTPStatus(failure.status).phrase
        except ValueError:
            reason = ""  # a number of the server's own
        return server_said(failure.status, reason, path)

    def doubtful(self, answer: GetResult) -> bool:
        """HTML may be the page of a folder."""
        return str(answer.attributes.get("Content-Type", "")).startswith("text/html")
