"""`Worker`: a thread that does one job after the other for all others.

Python runs signal handlers in the main thread, and cancels what awaits: a job that is done here
ends, whatever becomes of the call that asked for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from filestore_fsspec.bridge import ASYNCIO
from filestore_fsspec.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from filestore_fsspec.bridge import Runner

T = TypeVar("T")
_LOOK_SECONDS = 1.0
"""How often a waiting thread looks whether it is in a forked child."""


class Job(Generic[T]):
    """Something to do, and what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        """`work` is what is done."""
        self._work = work
        self._pid = os.getpid()
        # A plain lock: the worker never waits for a thread that a signal handler has interrupted
        # while it holds the lock of an Event.
        self._gate = threading.Lock()
        self._gate.acquire()
        self._on_end: list[Callable[[], object]] = []
        self._error: BaseException | None = None
        self.done = False
        self.submitted = False

    def run(self) -> None:
        """Do it, unless it is done: who submits it may be interrupted, and submit it again."""
        if self.done:
            return
        try:
            work = self._work
            del self._work  # what it holds shall not live as long as the result
            self._result = work()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
        except BaseException as error:
            self._error = error
            raise
        finally:
            self.done = True
            self._gate.release()
            for tell in self._on_end:
                tell()

    def result(self) -> T:
        """Return what came of a job that is done, or raise it."""
        if self._error is not None:
            raise self._error
        return self._result

    def wait(self) -> None:
        """Block until it is done.

        Raises:
            JournalError: this is a forked child, and the job its parent's.
        """
        while not self.done:
            self._gate.acquire(timeout=_LOOK_SECONDS)
            if not self.done and os.getpid() != self._pid:
                raise JournalError("the process was forked while it wrote to its journal")

    async def ended(self) -> None:
        """Await that it is done."""
        loop = asyncio.get_running_loop()
        woken = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(wake)

        self._on_end.append(tell)
        if not self.done:  # looked for after `tell` is known, so that one of the two sees it
            await woken


class Worker:
    """A thread that is started with the first job, and ends when nobody has more."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()  # a signal handler may come while it is held

    def __del__(self) -> None:
        if "_jobs" in vars(self):
            self._jobs.put(None)

    def submit(self, job: Job[T]) -> None:
        """Have `job` done: here and now where no thread can be had."""
        self._jobs.put(job)
        job.submitted = True
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = threading.Thread(
                target=_work, args=(self._jobs,), name="filestore-journal", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                _drain(self._jobs)
            else:
                self._thread = thread


def _work(jobs: SimpleQueue[Job[Any] | None]) -> None:
    while (job := jobs.get()) is not None:
        job.run()
        del job  # what it holds shall not live until the next one
    jobs.put(None)  # for a second one, whose start a signal handler interrupted


def _drain(jobs: SimpleQueue[Job[Any] | None]) -> None:
    with suppress(Empty):
        while (job := jobs.get_nowait()) is not None:
            job.run()


async def finished(runner: Runner, job: Job[T]) -> T:
    """Wait for a job as `runner` waits, and return what came of it."""
    if runner is ASYNCIO:
        await job.ended()
    else:
        job.wait()
    return job.result()
