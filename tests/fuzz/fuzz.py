"""Fuzz one target: `python -m tests.fuzz.fuzz urls|listing CORPUS [libFuzzer's options]`."""

from __future__ import annotations

import sys
from importlib import import_module

import atheris  # of the group `fuzz`

with atheris.instrument_imports(include=["filestore_fsspec"]):
    from filestore_fsspec.schemes import SCHEMES
    from tests.fuzz.targets import TARGETS

    for scheme in SCHEMES.values():
        # Imported by the first URL of its scheme otherwise, and not seen.
        import_module(f"filestore_fsspec.schemes.{scheme.module}")

if __name__ == "__main__":
    target, *options = sys.argv[1:]
    # Its first word is what libFuzzer runs, by a shell, for each step of a merge.
    atheris.Setup([f"{sys.executable} -m tests.fuzz.fuzz {target}", *options], TARGETS[target])
    atheris.Fuzz()
