"""gevent: greenlets share one thread, which nothing here may stop.

Where `monkey.patch_all()` was called, threads are greenlets. The I/O loop then runs in a thread of
the system's, whose sockets no hub watches; who waits for it yields to the hub; and what blocks
(FTP) is done in greenlets of the thread that uses the library, where its sockets belong.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections import deque
from concurrent.futures import Future
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from filestore_fsspec.errors import FileStoreException

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
P = ParamSpec("P")

_SELECTORS = {"linux": "EpollSelector", "darwin": "KqueueSelector"}


class Mailbox(Protocol[T]):
    """What any thread puts in and one takes out."""

    def put(self, item: T, /) -> None:
        """Put an item in."""

    def get(self, block: bool = True, timeout: float | None = None) -> T:  # noqa: FBT001, FBT002 - queue's signature
        """Take the oldest out, and wait for it.

        Raises:
            queue.Empty: there is none, within `timeout` seconds or without `block`.
        """
        ...


def is_patched() -> bool:
    """Tell whether threads are greenlets.

    Raises:
        FileStoreException: they are eventlet's.
    """
    if "eventlet.patcher" in sys.modules and sys.modules["eventlet.patcher"].is_monkey_patched(
        "thread"
    ):
        raise FileStoreException(
            "eventlet is not supported: its threads cannot wait for an event loop; "
            "use gevent or threads"
        )
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def original(module: str, name: str) -> Any:  # noqa: ANN401 - whatever it names
    """Return what the standard library has under a name, whether gevent has replaced it or not."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(import_module(module), name)


def allocate_lock() -> threading.Lock:
    """Return a lock of the system's threads."""
    lock: threading.Lock = original("_thread", "allocate_lock")()
    return lock


def start_thread(target: Callable[[], object], name: str, *, native: bool = False) -> None:
    """Run `target` in a thread that does not keep the process from ending.

    With `native`, it is one of the system's, whatever gevent has made of the others.

    Raises:
        RuntimeError: there is no thread to be had.
    """
    if native and is_patched():
        original("_thread", "start_new_thread")(target, ())
        return
    threading.Thread(target=target, name=name, daemon=True).start()


def mailbox() -> Mailbox[Any]:
    """Return a mailbox for the calling thread, or greenlet, to take from."""
    return _GreenMailbox() if is_patched() else queue.SimpleQueue()


class _GreenMailbox(Generic[T]):
    """Taken from in a greenlet, while others of its thread run."""

    def __init__(self) -> None:
        from gevent import get_hub  # noqa: PLC0415 - it is patched, so it is here
        from gevent.event import Event  # noqa: PLC0415

        self._items: deque[T] = deque()
        self._hub, self._filled = get_hub(), Event()

    def put(self, item: T) -> None:
        self._items.append(item)
        self._hub.loop.run_callback_threadsafe(self._filled.set)

    def get(self, block: bool = True, timeout: float | None = None) -> T:  # noqa: FBT001, FBT002 - queue's signature
        while not self._items:
            if not block or not self._filled.wait(timeout):
                raise queue.Empty
            self._filled.clear()
        return self._items.popleft()


class Hub:
    """The hub of the thread that first used the library, for what blocks."""

    def __init__(self) -> None:
        from gevent import get_hub  # noqa: PLC0415 - as above

        self._hub = get_hub()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `function` in a greenlet there; called in another thread."""
        from gevent import spawn  # noqa: PLC0415

        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - handed on
                future.set_exception(error)

        self._hub.loop.run_callback_threadsafe(spawn, work)
        return future


def native_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop that waits for its sockets by itself, not through a hub."""
    selector = original("selectors", _SELECTORS.get(sys.platform, "SelectSelector"))
    return asyncio.SelectorEventLoop(selector())
