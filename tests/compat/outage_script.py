"""Run by Assemblyline's Python and by ours: what is logged of an outage.

Standard input: `module` is the store's package, `stores` are lists of URLs with the calls to make.
The answer is, for each store, the levels of the lines that Assemblyline's set-up shows.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.levels.append(record.levelno)


def main() -> None:
    job = json.load(sys.stdin)
    package = importlib.import_module(job["module"])
    lines = Lines()
    logging.root.setLevel(logging.CRITICAL)
    logger = logging.getLogger("assemblyline")
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)
    answer = []
    for urls, calls in job["stores"]:
        lines.levels = []
        with package.FileStore(*urls) as store:
            for name, *arguments in calls:
                getattr(store, name)(*arguments)
        answer.append(lines.levels)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
