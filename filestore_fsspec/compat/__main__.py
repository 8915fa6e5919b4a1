"""`python -m filestore_fsspec.compat [-m MODULE | SCRIPT] [ARGUMENTS]`.

Runs a program with `assemblyline.filestore` and `howler.filestore` from this library, in its own
process and in those that it starts. `--path` prints the folder that does the same in `PYTHONPATH`.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from filestore_fsspec.compat.startup.sitecustomize import FOLDER, install

_USAGE = "usage: python -m filestore_fsspec.compat (--path | -m MODULE | SCRIPT) [ARGUMENTS]"


def main() -> None:
    """Run what the command line names."""
    arguments = sys.argv[1:]
    if arguments == ["--path"]:
        print(FOLDER)  # noqa: T201 - a command
        return
    if not arguments or arguments == ["-m"] or (arguments[0] != "-m" and arguments[0][:1] == "-"):
        sys.exit(_USAGE)
    install()
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = FOLDER + (os.pathsep + others if others else "")
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
