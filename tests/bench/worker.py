"""A contender's own process: reads commands from stdin, answers with the seconds seen inside.

Only the standard library is imported here: the predecessor's Python runs this too.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.contenders import CONTENDERS
from tests.bench.works import WORKS, Job


def _memory_mib(line: str) -> float:
    """Return a line of /proc: `VmRSS` is now, `VmHWM` the most since `_forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) / 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


class Worker:
    """One contender, opened on one place after the other."""

    def __init__(self, contender: str) -> None:
        module, _, name = CONTENDERS[contender].partition(":")
        self.contender = getattr(import_module(f"tests.bench.contenders.{module}"), name)
        self.client: Any = None
        self.start_mib = 0.0

    def open(self, place: dict[str, Any]) -> dict[str, Any]:
        if self.client is not None:
            self.client.close()
        self.client = self.contender(place)
        self.start_mib = self.start_mib or _memory_mib("VmRSS")
        return {"can": [name for name in dir(self.client) if not name.startswith("_")]}

    def run(self, work: str, job: dict[str, Any]) -> dict[str, Any]:
        asked, before = Job(**job), _memory_mib("VmRSS")
        _ = asked.pairs  # the caller's own lists, which are no contender's memory
        lists_mib = _memory_mib("VmRSS") - before
        _forget_peak()
        seconds = WORKS[work].run(self.client, asked)
        return {"seconds": seconds, "peak_mib": _memory_mib("VmHWM") - self.start_mib - lists_mib}


def main() -> None:
    # Not stdout itself: a package may print.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        worker = Worker(sys.argv[1])
        for line in sys.stdin:
            command = json.loads(line)
            try:
                answer = getattr(worker, command.pop("do"))(**command)
            except Exception:  # noqa: BLE001 - handed over
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
