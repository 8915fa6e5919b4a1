from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fsspec.asyn import get_loop

from filestore_fsspec.bridge import ASYNCIO, SYNC, THREADS, iterate, on_io_loop, run, wait
from filestore_fsspec.drivers import DRIVERS, load_driver
from filestore_fsspec.drivers.shared.driver import Driver


class SyncFileSystem:
    async_impl = False
    may_wait = True
    direct: frozenset[str] = frozenset()
    threads = ThreadPoolExecutor(1)

    def name(self, text: str) -> tuple[str, str]:
        return text, threading.current_thread().name


class AsyncFileSystem(SyncFileSystem):
    async_impl = True
    direct = frozenset({"thread"})

    def thread(self) -> str:
        return threading.current_thread().name

    async def _name(self, text: str) -> tuple[str, str]:
        await asyncio.sleep(0)
        return text, "awaited"


async def fail(error: BaseException) -> None:
    raise error


def test_a_blocking_call_is_made_in_this_thread() -> None:
    here = threading.current_thread().name
    assert run(SYNC.call(SyncFileSystem(), SyncFileSystem.name, "a")) == ("a", here)
    assert run(SYNC.call(AsyncFileSystem(), AsyncFileSystem.thread)) == here


def test_a_blocking_call_waits_for_a_coroutine() -> None:
    assert run(SYNC.call(AsyncFileSystem(), AsyncFileSystem.name, "a")) == ("a", "awaited")


def test_an_awaitable_call_awaits_or_leaves_the_loop_to_a_thread() -> None:
    assert wait(ASYNCIO.call(AsyncFileSystem(), AsyncFileSystem.name, "a")) == ("a", "awaited")
    assert (
        wait(ASYNCIO.call(SyncFileSystem(), SyncFileSystem.name, "a"))[1]
        != threading.current_thread().name
    )


@pytest.mark.parametrize(("step", "runner"), [(run, SYNC), (run, THREADS), (wait, ASYNCIO)])
def test_each_returns_every_outcome_in_order(step: Any, runner: Any) -> None:
    error = ValueError("b")
    calls = (runner.call(SyncFileSystem(), SyncFileSystem.name, "a"), fail(error))
    (text, _thread), failed = step(runner.each(calls))
    assert (text, failed) == ("a", error)


@pytest.mark.parametrize("step", [run, wait])
def test_an_exception_comes_out_as_it_is(step: Any) -> None:
    error = ValueError("x")
    with pytest.raises(ValueError, match="x") as caught:
        step(fail(error))
    assert caught.value is error


def test_a_coroutine_that_suspends_cannot_be_stepped() -> None:
    with pytest.raises(RuntimeError, match="suspended"):
        run(asyncio.sleep(0))


def test_waiting_on_the_io_loop_for_itself_is_refused() -> None:
    async def inner() -> None:
        wait(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="wait for itself"):
        wait(inner())


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_cancels_and_waits_until_another(interrupts: int) -> None:
    told: list[str] = []
    main = threading.main_thread().ident or 0

    async def work() -> None:
        signal.pthread_kill(main, signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            told.append("cancelled")
            if interrupts > 1:
                signal.pthread_kill(main, signal.SIGINT)
                await asyncio.sleep(60)
            await asyncio.sleep(0)
            told.append("put away")

    with pytest.raises(KeyboardInterrupt):
        wait(work())
    assert told == ["cancelled", "put away"][: 3 - interrupts]


@pytest.mark.parametrize("begun", [False, True])
def test_an_interrupt_ahead_of_the_wait(begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    loop, began = get_loop(), threading.Event()
    hand_over = loop.call_soon_threadsafe

    def interrupted(*args: Any) -> None:
        monkeypatch.undo()
        if begun:
            hand_over(*args)
            assert began.wait(10)
        raise KeyboardInterrupt

    async def work() -> None:
        began.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(loop, "call_soon_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        wait(work())
    assert began.is_set() == begun


def test_any_loop_reaches_the_io_loop() -> None:
    async def which() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def through_both() -> asyncio.AbstractEventLoop:
        return await on_io_loop(on_io_loop(which()))

    assert asyncio.run(through_both()) is get_loop()


def test_cancelling_the_awaiting_task_cancels_the_work() -> None:
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(on_io_loop(work()), 0.05)

    asyncio.run(give_up())
    assert ended.wait(5)


def test_iterate_steps_an_async_generator() -> None:
    async def generate() -> Any:
        yield 1
        yield 2

    assert list(iterate(generate())) == [1, 2]


_SYNC_ONLY = {"open", "prepare", "commit", "stop_threads"}
"""What runners call from threads alone, so that it needs no coroutine."""


@pytest.mark.parametrize("name", DRIVERS)
def test_every_driver_has_what_a_runner_calls(name: str) -> None:
    driver = load_driver(name)
    methods = {each for each in vars(Driver) if callable(getattr(Driver, each)) and each[0] != "_"}
    coroutines = {f"_{each}" for each in methods - _SYNC_ONLY} if driver.async_impl else set()
    missing = {each for each in methods | coroutines if not hasattr(driver, each)}
    assert missing <= ({"_rmdir"} if name.startswith("http") else set())  # HTTP is read-only
