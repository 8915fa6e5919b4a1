"""Who is told of a fork: one list, and the one place where this package registers for it.

A child has none of its parent's threads, but shares its sockets and files, and the state in which
its locks were.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from filestore_fsspec.logs import logger_of
from filestore_fsspec.portability import register_at_fork

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_log = logger_of()


class _Hooks(NamedTuple):
    before: Callable[[Any], object] | None
    in_parent: Callable[[Any], object] | None
    in_child: Callable[[Any], object] | None


_watched: WeakKeyDictionary[object, _Hooks] = WeakKeyDictionary()
_lock = threading.RLock()
"""Held over a fork, so that nobody is added meanwhile."""
_kept: list[object] = []
_told: list[tuple[object, _Hooks]] = []
"""Those told before the fork that is under way: the same are told after it."""


def watch_forks(
    owner: T,
    *,
    before: Callable[[T], object] | None = None,
    in_parent: Callable[[T], object] | None = None,
    in_child: Callable[[T], object] | None = None,
) -> None:
    """Have these called with `owner` before and after each fork, for as long as it lives."""
    with _lock:
        _watched[owner] = _Hooks(before, in_parent, in_child)


def keep(parents: object) -> None:
    """Keep what is the parent's, unused, until a forked child has ended.

    Here, for the functions that are told of a fork keep this module alive to the very end: as an
    interpreter ends, aiohttp complains of a session that it collects.
    """
    _kept.append(parents)


def _before() -> None:
    _lock.acquire()
    _told.extend(_watched.items())
    for owner, hooks in _told:
        _call(hooks.before, owner)


def _in_parent() -> None:
    for owner, hooks in _told:
        _call(hooks.in_parent, owner)
    _told.clear()
    _lock.release()


def _in_child() -> None:
    for owner, hooks in _told:
        _call(hooks.in_child, owner)
    _told.clear()
    _lock.release()


def _call(hook: Callable[[Any], object] | None, owner: object) -> None:
    if hook is None:
        return
    try:
        hook(owner)
    except Exception:  # noqa: BLE001 - nothing stops a fork, and the others are to be told of it
        _log.exception("%r: not prepared for a fork", owner)


register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
