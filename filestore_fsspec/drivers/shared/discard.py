"""A file that is written as a whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class DiscardOnError:
    """Drops what was written where the `with` body raised, or where nobody closed the file.

    Put it before the file's class, which has `close` and `discard`.
    """

    closed: bool
    close: Callable[[], None]
    discard: Callable[[], None]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        # Forgotten, not closed: nobody said that the content is complete.
        if not self.closed:
            self.discard()
