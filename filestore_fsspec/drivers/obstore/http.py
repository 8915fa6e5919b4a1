"""Web servers through obstore."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from obstore.store import HTTPStore

from filestore_fsspec.drivers.http.driver import HTTPDriver
from filestore_fsspec.drivers.obstore.base import NO_RETRY, ObstoreDriver, client_options
from filestore_fsspec.drivers.shared.errors import status_error

_PAGE = re.compile(r"\b(html|json|xml|javascript)\b")
"""What folders are shown as, nginx's of every format too."""

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore import GetResult

    from filestore_fsspec.drivers.obstore.errors import Failure


class HTTPObstoreDriver(ObstoreDriver, HTTPDriver):
    """`HTTPDriver`, its arguments and paths; reads are fast, unless there is a `pki`.

    obstore 0.12 tells neither of a redirect, as from a folder to its page, nor of the status: a
    range is asked for, of which it looks at the answer, and what may be a page, or is not there, is
    asked for again by the default driver. So is a file from a server without ranges, and an empty
    one.
    """

    whole: ClassVar[Mapping[str, Any]] = {"range": {"offset": 0}}
    unsure: ClassVar[frozenset[int]] = frozenset({404, 410, 416})

    def split_place(self, path: str) -> tuple[str, str]:
        """Return the server's URL and the path behind it."""
        scheme, _, rest = path.partition("://")
        host, _, key = rest.partition("/")
        return f"{scheme}://{host}", key

    def store_for(self, path: str) -> tuple[Any, str] | None:
        """Return store and key, or None if this is for the default driver."""
        # obstore presents no client certificate.
        return None if self.requests.web.check.pki else super().store_for(path)

    def make_store(self, place: str) -> HTTPStore:
        """Return a store for a server."""
        web, check = self.requests.web, self.requests.web.check
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
        return status_error(failure.status, f"HTTP {failure.status}", path)

    def doubtful(self, answer: GetResult) -> bool:
        """Tell whether it may be a page that the server made, of a folder for instance."""
        kind = str(answer.attributes.get("Content-Type", ""))
        return "Content-Encoding" in answer.attributes or _PAGE.search(kind) is not None
