"""The contenders' processes, seen from the bench."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
PREDECESSOR = REPOSITORY / ".services/predecessor/bin/python"
PATIENCE_SECONDS = 300


@dataclass
class Worker:
    """A contender's process; it takes one command at a time."""

    process: subprocess.Popen[str]

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Return its answer.

        Raises:
            RuntimeError: it failed, ended or was silent too long; the text is its traceback.
        """
        if self.process.stdin is None or self.process.stdout is None:
            raise TypeError("a worker is spoken to through pipes")
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise RuntimeError("the worker has ended") from error
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        answer: dict[str, Any] = json.loads(line or '{"error": "ended, or silent too long"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def end(self) -> None:
        """Let it end by itself, which closes and removes what is its own, or kill it."""
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


@dataclass
class Crew:
    """One process a contender, started when it is first asked for."""

    log: Path
    workers: dict[str, Worker] = field(default_factory=dict)

    def __getitem__(self, contender: str) -> Worker:
        if contender not in self.workers:
            python = PREDECESSOR if contender == "predecessor" else sys.executable
            with self.log.open("a") as log:
                process = subprocess.Popen(
                    [python, "-m", "tests.bench.worker", contender],
                    cwd=REPOSITORY,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            self.workers[contender] = Worker(process)
        return self.workers[contender]

    def dismiss(self, contender: str) -> None:
        """End its process, however it is."""
        self.workers.pop(contender).end()

    def dismiss_all(self) -> None:
        for contender in list(self.workers):
            self.dismiss(contender)
