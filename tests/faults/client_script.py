"""One call in a process of its own, to be killed or stopped: what to do comes on standard input."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from filestore_fsspec import FileStore
from tests.faults.calls import perform


def main() -> None:
    told = json.load(sys.stdin)
    with FileStore(*told["urls"], connection_attempts=told["attempts"]) as store:
        for location in store.locations:
            _ = location.fs  # its import is no part of the call
        started = time.monotonic()
        outcome = perform(store, told["function"], Path(told["source"]), Path(told["dest"]))
        outcome.seconds = time.monotonic() - started
    json.dump(outcome.portable(), sys.stdout)


if __name__ == "__main__":
    main()
