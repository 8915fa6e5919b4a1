"""The command `filestore`: a store from the shell. It needs the extra `cli`."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command with the process's arguments, and exit with its code."""
    if find_spec("typer") is None or find_spec("rich") is None:
        sys.exit('filestore: the command needs: pip install "filestore-fsspec[cli]"')
    # Imported here: typer and rich are an extra.
    from filestore_fsspec.cli.app import app  # noqa: PLC0415

    app(prog_name="filestore")
