"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import pytest

import filestore_fsspec
from filestore_fsspec import filestore

if TYPE_CHECKING:
    from types import ModuleType


@pytest.mark.parametrize("module", [filestore_fsspec, filestore])
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
