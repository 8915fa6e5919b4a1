"""Threads that end with the process: it does not wait for them, and they work to its last moment.

Those of `concurrent.futures` and of `asyncio.to_thread` refuse work in `atexit` handlers, and a
process waits for them before it ends.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from filestore_fsspec.green import allocate_lock, original, start_thread

P = ParamSpec("P")
T = TypeVar("T")
Job = Callable[[], object]


class _Work:
    """What the threads of a pool share; it outlives the pool, for them to end."""

    def __init__(self, size: int, name: str, *, native: bool) -> None:
        self.jobs: queue.SimpleQueue[Job | None]
        if native:
            self.jobs, self.lock = original("queue", "SimpleQueue")(), allocate_lock()
        else:
            self.jobs, self.lock = queue.SimpleQueue(), threading.Lock()
        self.size, self.name, self.native = size, name, native
        self.started = self.free = self.queued = 0

    def put(self, job: Job) -> None:
        """Have a thread do `job`, a new one if none is free; this one if there is none to be had.

        Raises:
            RuntimeError: the pool is closed.
        """
        with self.lock:
            if not self.size:
                raise RuntimeError("the pool is closed")
            self.queued += 1
            more = self.queued > self.free and self.started < self.size
            self.started += more
        self.jobs.put(job)
        if not more:
            return
        try:
            start_thread(self.run, self.name, native=self.native)
        except RuntimeError:
            with self.lock:
                self.started -= 1
                if self.started:
                    return  # another thread will come to it
            self.work_off()

    def work_off(self) -> None:
        """Do what is queued in this thread."""
        while True:
            try:
                job = self.jobs.get_nowait()
            except queue.Empty:
                return
            with self.lock:
                self.queued -= 1
            if job is not None:
                job()

    def run(self) -> None:
        """Do one job after the other, until there is to be no more."""
        while True:
            with self.lock:
                self.free += 1
            job = self.jobs.get()
            with self.lock:
                self.free -= 1
                self.queued -= 1
            if job is None:
                return
            job()
            del job

    def stop(self) -> None:
        """Let the threads end when what is queued is done."""
        with self.lock:
            self.size = 0
            self.queued += self.started
        for _ in range(self.started):
            self.jobs.put(None)


class Threads(ThreadPoolExecutor):
    """Up to `size` threads, started as they are needed, none of which keeps a process alive.

    An executor in kind, for event loops take no other.
    """

    def __init__(self, size: int, name: str, *, native: bool = False) -> None:
        """With `native`, they are the system's threads, whatever gevent has made of others."""
        super().__init__(size, name)
        self._ours = _Work(size, name, native=native)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` in a thread; in this one, if the process can have no other."""
        future: Future[T] = Future()
        self._ours.put(partial(_do, future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - an executor's signature
        """Let the threads end when what was submitted is done; nothing waits for that."""
        self._ours.stop()

    def __del__(self) -> None:
        self._ours.stop()  # its threads hold what they share, not the pool


def _do(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - handed on
        future.set_exception(error)
    else:
        future.set_result(result)
