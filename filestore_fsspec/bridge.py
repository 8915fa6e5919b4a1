"""The only place where sync and async differ.

Every operation is written once, as coroutines over a caller:

- `SYNC` calls a filesystem's sync methods and never suspends, so that `run` can step an
  operation to its end in the caller's own thread, without an event loop.
- `ASYNCIO` awaits a filesystem's coroutines, or runs its sync methods in its threads. It works
  on fsspec's I/O loop alone, where every filesystem lives; `wait` and `on_io_loop` lead there.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from fsspec.asyn import get_loop

from filestore_fsspec.deadline import seconds_left

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

T = TypeVar("T")
P = ParamSpec("P")


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
        if seconds_left() is not None and fs.may_wait:
            # Only on the I/O loop can a call be left that does not come back.
            return wait(ASYNCIO.call(fs, method, *args, **kwargs))
        if fs.async_impl and method.__name__ not in fs.direct:
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
        return _bound(fs, method)(*args, **kwargs)

    async def each(self, coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
        jobs = list(coroutines)
        if len(jobs) == 1:
            return await super().each(jobs)
        with ThreadPoolExecutor(len(jobs)) as threads:
            futures = [threads.submit(copy_context().run, run, job) for job in jobs]
        return [_not_cancelled(future.exception() or future.result()) for future in futures]


class _Awaitable:
    async def call(
        self, fs: F, method: Callable[Concatenate[F, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        limit = asyncio.timeout(seconds_left())
        try:
            async with limit:
                if fs.async_impl:
                    return await _coroutine(fs, method)(*args, **kwargs)
                job = partial(_bound(fs, method), *args, **kwargs)
                return await asyncio.get_running_loop().run_in_executor(fs.threads, job)
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


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the I/O loop and block until it ends.

    An interrupt cancels it, and is raised when it has put its things away; another one is raised
    at once. fsspec's own `sync` lets it go on unseen, and takes 30 us more of a call.
    """
    loop = get_loop()
    if asyncio._get_running_loop() is loop:  # noqa: SLF001 - asyncio's documented low-level call
        coroutine.close()
        raise RuntimeError("a blocking call on the I/O loop would wait for itself")
    ended = Lock()
    ended.acquire()
    tasks: list[asyncio.Task[T]] = []

    def begin() -> None:
        task = loop.create_task(coroutine)
        task.add_done_callback(lambda _task: ended.release())
        tasks.append(task)

    def cancel() -> None:
        if not tasks:
            begin()  # the interrupt came ahead of it
        tasks[0].cancel()

    def block() -> None:
        # Not the lock alone: an interrupt may come when it is ours already. Without a time-out,
        # Windows lets nothing interrupt it.
        while not (tasks and tasks[0].done()):
            ended.acquire(timeout=1)

    try:
        loop.call_soon_threadsafe(begin)
        block()
    except BaseException:
        loop.call_soon_threadsafe(cancel)
        block()
        raise
    return tasks[0].result()


def start(coroutine: Coroutine[Any, Any, object]) -> None:
    """Have a coroutine run on the I/O loop, without waiting: for what ends in any thread."""
    asyncio.run_coroutine_threadsafe(coroutine, get_loop())


async def on_io_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine on the I/O loop, from whichever loop is running."""
    loop = get_loop()
    if asyncio.get_running_loop() is loop:
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))


def iterate(generator: AsyncIterator[T]) -> Iterator[T]:
    """Yield what an async generator yields, each step by `run`."""

    async def step() -> T | None:
        return await anext(generator, None)

    while (item := run(step())) is not None:
        yield item
