"""The only place where sync and async differ, and threads are left and entered.

Every operation is written once, as coroutines over a caller:

- `SYNC` calls a filesystem's sync methods and never suspends, so that `run` can step an
  operation to its end in the caller's own thread, without an event loop.
- `ASYNCIO` awaits a filesystem's coroutines, or runs its sync methods in its threads. It works
  on fsspec's I/O loop alone, where every filesystem lives; `wait` and `on_io_loop` lead there.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from types import coroutine as generator_coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

import fsspec.asyn

from filestore_fsspec.calls import Call, ensure_running, stopped_by
from filestore_fsspec.deadline import seconds_left
from filestore_fsspec.errors import FileStoreException
from filestore_fsspec.green import Hub, is_patched, mailbox, native_loop, start_thread
from filestore_fsspec.threads import Threads

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Callable,
        Coroutine,
        Generator,
        Iterator,
    )
    from concurrent.futures import Future, ThreadPoolExecutor
    from contextvars import Context

    from filestore_fsspec.green import Mailbox

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")

_CLEANUP_SECONDS = 2.0
"""How long the work of a call that has ended may take to remove what nobody can see."""
_MOMENT_SECONDS = 0.1
"""How long one is waited for that cannot be stopped: a disk has done its part by then."""
_LOOP_THREADS = 32


class Callee(Protocol):
    """What a runner calls: a filesystem, or a journal."""

    @property
    def async_impl(self) -> bool:
        """Whether each method has a coroutine, named with a leading underscore."""

    @property
    def direct(self) -> frozenset[str]:
        """Which of these methods have a blocking form that needs no event loop."""

    @property
    def may_wait(self) -> bool:
        """Whether a call may have to wait for another machine."""

    @property
    def threads(self) -> ThreadPoolExecutor:
        """The threads for callers that await a sync method."""


F = TypeVar("F", bound=Callee)


class Runner(Protocol):
    """How an operation reaches the world."""

    async def call(
        self, fs: F, method: Callable[Concatenate[F, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the method of `fs` that has the name of `method`, as `method` is typed."""

    async def each(self, coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
        """Run all of them; return each one's result or exception, in order."""

    async def work(self, function: Callable[..., T], *args: Any) -> T:  # noqa: ANN401
        """Call a function that keeps a processor busy."""

    async def pause(self, seconds: float) -> None:
        """Wait."""


class _Blocking:
    async def call(
        self, fs: F, method: Callable[Concatenate[F, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        ensure_running()
        if seconds_left() is not None and fs.may_wait:
            # Only on the I/O loop can a call be left that does not come back.
            return wait(ASYNCIO.call(fs, method, *args, **kwargs))
        if fs.async_impl and (method.__name__ not in fs.direct or is_patched()):
            return wait(_coroutine(fs, method)(*args, **kwargs))
        return _bound(fs, method)(*args, **kwargs)

    async def each(self, coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
        outcomes: list[T | Exception] = []
        for coroutine in coroutines:
            try:
                outcomes.append(await coroutine)
            except Exception as error:  # noqa: BLE001 - handed on as a value
                outcomes.append(error)
        return outcomes

    async def work(self, function: Callable[..., T], *args: Any) -> T:  # noqa: ANN401
        return function(*args)

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - stepped in the caller's own thread


class _Threaded(_Blocking):
    """Blocking, but each of several in a thread of its own: for file objects, which only block."""

    async def call(
        self, fs: F, method: Callable[Concatenate[F, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        ensure_running()
        if seconds_left() is not None and fs.may_wait and not fs.async_impl:
            return wait(ASYNCIO.call(fs, method, *args, **kwargs))
        return _bound(fs, method)(*args, **kwargs)

    async def each(self, coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
        ended = mailbox()  # first: where it is refused, no coroutine has been made
        waiting = list(coroutines)
        if len(waiting) <= 1:
            return await super().each(waiting)
        threads = Threads(len(waiting), "filestore")
        jobs: list[Job[T]] = []
        try:
            jobs.extend(start_in_thread(threads, partial(run, each), ended) for each in waiting)
            left = set(jobs)
            while left:
                left.discard(ended.get())
        except BaseException:
            end_all(jobs, ended)
            raise
        finally:
            threads.shutdown()
        return [_outcome(job) for job in jobs]


class _Awaitable:
    async def call(
        self, fs: F, method: Callable[Concatenate[F, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        ensure_running()
        limit = asyncio.timeout(seconds_left())
        try:
            async with limit:
                if fs.async_impl and hasattr(fs, f"_{method.__name__}"):
                    return await _coroutine(fs, method)(*args, **kwargs)
                job = partial(_bound(fs, method), *args, **kwargs)
                return await in_thread(fs.threads, job)
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError("the deadline has passed") from error
            raise

    async def each(self, coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
        outcomes = await asyncio.gather(*coroutines, return_exceptions=True)
        return [_not_cancelled(outcome) for outcome in outcomes]

    async def work(self, function: Callable[..., T], *args: Any) -> T:  # noqa: ANN401
        return await asyncio.to_thread(function, *args)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Leaving:
    """Here, in the caller's thread, up to the first call that may wait: then `then` goes on.

    So what a location of this machine has costs no change of threads. One for each operation.
    """

    def __init__(self, then: Runner) -> None:
        """Go on by `then`, where `begin` leads to."""
        self._then = then
        self._left = False

    async def _rest(self) -> Runner:
        if not self._left:
            self._left = True
            await _leave()
        return self._then

    async def call(
        self, fs: F, method: Callable[Concatenate[F, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call it here, if it cannot have to wait and nothing has so far."""
        if not (self._left or fs.may_wait):
            return await SYNC.call(fs, method, *args, **kwargs)
        return await (await self._rest()).call(fs, method, *args, **kwargs)

    async def each(self, coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
        """Run all of them."""
        return await (await self._rest()).each(coroutines)

    async def work(self, function: Callable[..., T], *args: Any) -> T:  # noqa: ANN401
        """Call a function that keeps a processor busy."""
        return await (await self._rest()).work(function, *args)

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await (await self._rest()).pause(seconds)


@generator_coroutine
def _leave() -> Generator[None, None, None]:
    """Suspend once: whoever steps the coroutine hands it over, and it goes on there."""
    yield


def _bound(fs: F, method: Callable[Concatenate[F, P], T]) -> Callable[P, T]:
    return getattr(fs, method.__name__)  # type: ignore[no-any-return]  # typed by `method`


def _coroutine(
    fs: F, method: Callable[Concatenate[F, P], T]
) -> Callable[P, Coroutine[Any, Any, T]]:
    return getattr(fs, f"_{method.__name__}")  # type: ignore[no-any-return]  # typed by `method`


def _not_cancelled(outcome: T | BaseException) -> T | Exception:
    if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
        raise outcome
    return outcome


SYNC: Runner = _Blocking()
THREADS: Runner = _Threaded()
ASYNCIO: Runner = _Awaitable()


# What is done elsewhere


class NoThread(FileStoreException):
    """There is no thread to be had for the I/O loop: too many run, or the process ends."""


class Job(Protocol[T_co]):
    """Work that was begun elsewhere; it puts itself into its mailbox when it has ended."""

    def done(self) -> bool:
        """Tell whether it has ended."""

    def result(self) -> T_co:
        """Return what an ended job returned, or raise what it raised."""

    def cancel(self) -> bool:
        """Stop it, from any thread; called again, stop its cleanup.

        Returns whether it ends soon: else it goes on, and changes nothing any more.
        """


class _ThreadJob(Generic[T]):
    """A function in a thread."""

    def __init__(self, submit: Callable[..., Future[T]], function: Callable[[], T]) -> None:
        self._call = Call()
        self._future = submit(copy_context().run, self._run, function)

    def _run(self, function: Callable[[], T]) -> T:
        with self._call.running():
            ensure_running()
            return function()

    def when_done(self, tell: Callable[[], object]) -> None:
        self._future.add_done_callback(lambda _future: tell())

    def done(self) -> bool:
        return self._future.done()

    def result(self) -> T:
        return self._future.result()

    def cancel(self) -> bool:
        return self._future.cancel() or self._call.end()


class _LoopJob(Generic[T]):
    """A coroutine on an event loop."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[], object],
        context: Context | None = None,
    ) -> None:
        self._coroutine, self._loop, self._tell = coroutine, loop, tell
        self._context = copy_context() if context is None else context
        self._task: asyncio.Task[T] | None = None

    def hand_over(self) -> None:
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> asyncio.Task[T]:
        if self._task is None:
            self._task = self._loop.create_task(self._coroutine, context=self._context)
            self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[T]) -> None:
        _ = task.cancelled() or task.exception()  # else one that nobody asks for is complained of
        self._tell()

    def done(self) -> bool:
        return self._task is not None and self._task.done()

    def result(self) -> T:
        return self._begin().result()

    def cancel(self) -> bool:
        # Begun, if the hand-over was interrupted: its `finally` is to run.
        self._loop.call_soon_threadsafe(lambda: self._begin().cancel())
        return True


class _DoneJob(Generic[T]):
    """What was done at once."""

    def __init__(self, outcome: T | Exception) -> None:
        self._outcome = outcome

    def done(self) -> bool:
        return True

    def result(self) -> T:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def cancel(self) -> bool:
        return True


def start_in_thread(
    threads: Threads, function: Callable[[], T], ended: Mailbox[Job[Any]]
) -> Job[T]:
    """Begin to call `function` in a thread."""
    job = _ThreadJob(threads.submit, function)
    job.when_done(lambda: ended.put(job))
    return job


def begin(
    coroutine: Coroutine[Any, Any, T], ended: Mailbox[Job[Any]], threads: Threads | None
) -> Job[T]:
    """Step a coroutine over `Leaving` here, until it leaves: to a thread, or to the I/O loop."""
    context = copy_context()
    try:
        context.run(coroutine.send, None)
    except StopIteration as done:
        job: Job[T] = _DoneJob(done.value)
    except Exception as error:  # noqa: BLE001 - handed on as a value
        job = _DoneJob(error)
    else:
        return hand_over(coroutine, ended, threads, context)
    ended.put(job)
    return job


def hand_over(
    coroutine: Coroutine[Any, Any, T],
    ended: Mailbox[Job[Any]],
    threads: Threads | None,
    context: Context | None = None,
) -> Job[T]:
    """Have a coroutine run on the I/O loop; in one of `threads`, if it is over `SYNC`."""
    context = context or copy_context()
    if threads is not None:
        return start_in_thread(threads, partial(context.run, run, coroutine), ended)
    job = _LoopJob(coroutine, io_loop(), lambda: ended.put(job), context)
    job.hand_over()
    return job


def end_all(jobs: Iterable[Job[Any]], ended: Mailbox[Job[Any]]) -> None:
    """Stop what is under way, and give it the time for its cleanup."""
    left = [job for job in jobs if not job.done()]
    end_soon = [job.cancel() for job in left]
    latest = time.monotonic() + (_CLEANUP_SECONDS if any(end_soon) else _MOMENT_SECONDS)
    while any(not job.done() for job in left) and (seconds := latest - time.monotonic()) > 0:
        with suppress(queue.Empty):
            ended.get(timeout=seconds)
    for job in left:
        if not job.done():
            job.cancel()


def _outcome(job: Job[T]) -> T | Exception:
    try:
        return job.result()
    except Exception as error:  # noqa: BLE001 - handed on as a value
        return error


async def in_thread(threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    """Await a function in a thread. If nobody waits for it any more, it is stopped.

    Under gevent in a greenlet of the thread that uses the library, where its sockets belong.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    job = _ThreadJob(_io.hub.submit if _io.hub else threads.submit, function)
    job.when_done(partial(_tell, loop, ended))
    try:
        await ended.wait()
    except BaseException:
        seconds = _CLEANUP_SECONDS if job.cancel() else _MOMENT_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
        if not job.done():
            job.cancel()
        raise
    result: T = job.result()
    return result


def _tell(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop was closed: nobody waits
        loop.call_soon_threadsafe(ended.set)


class Worker:
    """A thread for what is the caller's, where coroutines call it: it may block, and use a store.

    One and the same for each call, for what may not change its thread.
    """

    def __init__(self) -> None:
        """Start it when it is needed."""
        self._threads = Threads(1, "filestore-caller")

    async def call(self, function: Callable[..., T], *args: Any) -> T:  # noqa: ANN401 - `function`'s
        """Await `function` there. Raises FileStoreException where no loop of asyncio runs."""
        running_loop()
        return await in_thread(self._threads, partial(function, *args))

    def leave(self, function: Callable[[], object]) -> None:
        """Have `function` called there after all else, not waited for, and let the thread end."""
        self._threads.submit(function)
        self._threads.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_raised: object) -> None:
        self._threads.shutdown()


def advanced(items: Iterable[T] | AsyncIterable[T]) -> Iterable[T]:
    """Return items that any thread may take: those of an async iterator come from this loop."""
    return items if isinstance(items, Iterable) else _advanced(items, running_loop())


def _advanced(items: AsyncIterable[T], loop: asyncio.AbstractEventLoop) -> Iterator[T]:
    iterator = aiter(items)

    async def step() -> list[T]:
        try:
            return [await anext(iterator)]
        except StopAsyncIteration:
            return []

    while True:
        future = asyncio.run_coroutine_threadsafe(step(), loop)
        with stopped_by(future.cancel):
            found = future.result()
        if not found:
            return
        yield from found


# The I/O loop


class _Io:
    """fsspec's I/O loop, as it was made ready for what runs here."""

    loop: asyncio.AbstractEventLoop | None = None
    hub: Hub | None = None


_io = _Io()


def io_loop() -> asyncio.AbstractEventLoop:
    """Return fsspec's I/O loop, in its thread.

    Raises:
        NoThread: it cannot be started.
        FileStoreException: eventlet has replaced the threads.
    """
    loop: asyncio.AbstractEventLoop | None = fsspec.asyn.loop[0]
    if loop is not None and loop is _io.loop:
        return loop
    return _make_ready()


def _make_ready() -> asyncio.AbstractEventLoop:
    try:
        if is_patched():
            loop = _native_io_loop()
        else:
            with fsspec.asyn.get_lock():
                if fsspec.asyn.iothread[0] is None:
                    fsspec.asyn.loop[0] = None  # its thread could not be started
            loop = fsspec.asyn.get_loop()
            _io.hub = None
    except RuntimeError as error:
        raise NoThread(f"there is no thread to be had for the I/O loop: {error}") from error
    loop.set_default_executor(Threads(_LOOP_THREADS, "filestore-io", native=True))
    _io.loop = loop
    return loop


def _native_io_loop() -> asyncio.AbstractEventLoop:
    hub, loop = Hub(), native_loop()
    start_thread(loop.run_forever, "fsspecIO", native=True)
    _io.hub = hub
    fsspec.asyn.loop[0], fsspec.asyn.iothread[0] = loop, threading.main_thread()
    return loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Step a coroutine that never suspends to its end, and return its result.

    Raises:
        RuntimeError: it suspended, which nothing built on `SYNC` may do.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # typed by the coroutine
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} suspended: it cannot be stepped without an event loop")


def wait(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None) -> T:
    """Run a coroutine on the I/O loop and block until it ends.

    An interrupt cancels it, and is raised when it has finished its cleanup; another one is raised
    at once. fsspec's own `sync` lets it go on unseen, and takes 30 us more of a call.

    Raises:
        CallEnded: the call that this belongs to has ended meanwhile.
        NoThread: there is no thread for the loop.
    """
    try:
        loop = loop or io_loop()
        if sys.is_finalizing():
            raise NoThread("the interpreter is shutting down: the I/O loop has ended")  # noqa: TRY301 - one way out
        if asyncio._get_running_loop() is loop:  # noqa: SLF001 - asyncio's documented low-level call
            raise RuntimeError("a blocking call on the I/O loop would wait for itself")  # noqa: TRY301 - as above
        ended: Mailbox[None] = mailbox()
    except BaseException:
        coroutine.close()
        raise
    job = _LoopJob(coroutine, loop, lambda: ended.put(None))

    def block() -> None:
        # Not the mailbox alone: an interrupt may come when it is emptied already. Without a
        # time-out, Windows lets nothing interrupt it.
        while not job.done():
            with suppress(queue.Empty):
                ended.get(timeout=1)

    try:
        with stopped_by(job.cancel):
            job.hand_over()
            block()
    except BaseException:
        job.cancel()
        block()
        raise
    try:
        return job.result()
    except asyncio.CancelledError:
        ensure_running()
        raise


def sync(
    loop: asyncio.AbstractEventLoop,
    function: Callable[P, Coroutine[Any, Any, T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call a coroutine function on the I/O loop and block until it ends, as `wait` does."""
    return wait(function(*args, **kwargs), loop)


def start(coroutine: Coroutine[Any, Any, object]) -> None:
    """Have a coroutine run on the I/O loop, without waiting: for what ends in any thread."""
    asyncio.run_coroutine_threadsafe(coroutine, io_loop())


async def on_io_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine on the I/O loop, from whichever loop is running.

    If the awaiting task is cancelled, the coroutine is, and has finished its cleanup.

    Raises:
        FileStoreException: no loop of asyncio is running.
    """
    try:
        here, loop = running_loop(), io_loop()
    except BaseException:
        coroutine.close()
        raise
    if here is loop:
        return await coroutine
    ended = asyncio.Event()
    job = _LoopJob(coroutine, loop, partial(_tell, here, ended))
    job.hand_over()
    try:
        await ended.wait()
    except BaseException:
        job.cancel()
        await ended.wait()
        raise
    return job.result()


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of asyncio that is running.

    Raises:
        FileStoreException: there is none.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        raise FileStoreException(
            "AsyncFileStore needs a running event loop of asyncio (or uvloop); under trio use "
            "FileStore, each call in trio.to_thread.run_sync()"
        ) from error


def iterate(generator: AsyncIterator[T]) -> Iterator[T]:
    """Yield what an async generator yields, each step by `run`."""

    async def step() -> T | None:
        return await anext(generator, None)

    while (item := run(step())) is not None:
        yield item
