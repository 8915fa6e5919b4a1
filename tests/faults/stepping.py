"""Kill a process between any two of its system calls, all of its threads counted."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

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
