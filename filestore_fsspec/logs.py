"""The names of the loggers: this package's, or as the environment has it."""

from __future__ import annotations

import logging
import os

_PACKAGE = "filestore_fsspec"
LOGGER_VARIABLE = "FILESTORE_LOGGER"
"""In the environment: the name that takes the place of this package's."""


def logger_of(module: str = _PACKAGE) -> logging.Logger:
    """Return the logger of a module of this package, or the package's own."""
    root = os.environ.get(LOGGER_VARIABLE) or _PACKAGE
    return logging.getLogger(root + module.removeprefix(_PACKAGE))
