"""Stop work between any two of its steps.

Kill a process between two of its system calls, all of its threads counted; have something done, as
a signal handler would, between two lines of this package; cancel a task at one of its awaits.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import filestore_fsspec
from filestore_fsspec.bridge import wait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import FrameType

_PACKAGE = str(Path(filestore_fsspec.__file__).parent)

# <linux/ptrace.h> and <linux/wait.h>
_TRACE_ME, _SYSCALL, _SET_OPTIONS = 0, 24, 0x4200
_OPTIONS = 0x1 | 0x8 | 0x100000
"""Mark system calls (TRACESYSGOOD), follow threads (TRACECLONE), end with the tracer (EXITKILL)."""
_ALL_THREADS = 0x40000000
_AT_SYSTEM_CALL = signal.SIGTRAP | 0x80

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def run_and_kill(act: Callable[[], object], at: int | None) -> int:
    """Run `act` in a forked child and kill it as it enters or leaves its `at`th system call.

    Return how many times it has entered or left one since it called `count_from_here`. The caller
    may have no other children.
    """
    child = os.fork()
    if not child:
        _ptrace(_TRACE_ME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        _end(act)
    os.waitpid(child, 0)
    _ptrace(_SET_OPTIONS, child, _OPTIONS)
    _ptrace(_SYSCALL, child)
    stops, counting = 0, False
    while True:
        thread, status = os.waitpid(-1, _ALL_THREADS)
        if not os.WIFSTOPPED(status):
            if thread != child:
                continue
            if at is None and status:
                raise RuntimeError("the child failed")
            return stops
        signal_number = os.WSTOPSIG(status)
        if signal_number == _AT_SYSTEM_CALL and counting:
            stops += 1
            if stops == at:
                os.kill(child, signal.SIGKILL)
                continue
        if signal_number == signal.SIGSTOP and thread == child:
            counting = True
        ours = signal_number in (_AT_SYSTEM_CALL, signal.SIGTRAP, signal.SIGSTOP)
        _ptrace(_SYSCALL, thread, 0 if ours else signal_number)


def count_from_here() -> None:
    """Say, in the main thread of the child, that what went before does not count."""
    signal.raise_signal(signal.SIGSTOP)


def run_in_child(act: Callable[[], object]) -> None:
    """Run `act` in a forked child.

    Raises:
        RuntimeError: it raised; the child has written why.
    """
    child = os.fork()
    if not child:
        _end(act)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the child failed")


def run_and_do(act: Callable[[], object], at: int | None, do: Callable[[], object]) -> int:
    """Run `act`, and `do` before the `at`th line of this package in this thread.

    Return how many lines there were until it ended or raised KeyboardInterrupt.
    """
    lines = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Callable[..., Any] | None:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        if event == "line":
            lines += 1
            if lines == at:
                do()
        return trace

    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        if at is None:
            raise
    finally:
        sys.settrace(None)
    return lines


def interrupt() -> NoReturn:
    """Do what Python does at Ctrl-C."""
    raise KeyboardInterrupt


@types.coroutine
def _cancelled(coroutine: Coroutine[Any, Any, object], at: int | None) -> Generator[Any, Any, int]:
    waits = 0
    error: BaseException | None = None
    while True:
        try:
            awaited = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration:
            return waits
        waits += 1
        if waits == at and (task := asyncio.current_task()) is not None:
            task.cancel()
        try:
            error = None
            yield awaited
        except BaseException as raised:  # noqa: BLE001 - handed on
            error = raised


def run_and_cancel(coroutine: Coroutine[Any, Any, object], at: int | None) -> int:
    """Run a coroutine on the I/O loop, and cancel its task as it waits for the `at`th time.

    Return how many times it waited.
    """
    try:
        return wait(_stepped(coroutine, at))
    except asyncio.CancelledError:
        return at or 0


async def _stepped(coroutine: Coroutine[Any, Any, object], at: int | None) -> int:
    return await _cancelled(coroutine, at)


def _end(act: Callable[[], object]) -> NoReturn:
    try:
        act()
    except BaseException:  # noqa: BLE001 - the child ends here
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _ptrace(request: int, thread: int, value: int = 0) -> None:
    if _libc.ptrace(request, thread, None, value) and ctypes.get_errno() != 3:  # ESRCH: killed
        raise OSError(ctypes.get_errno(), "ptrace")
