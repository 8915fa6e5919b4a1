"""Stores of two locations for the users of the composite filesystem."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import fsspec
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(params=["file_service", "s3_moto"])
def locations(request: pytest.FixtureRequest) -> list[str]:
    """Two empty locations: near is a folder, far a folder or a bucket."""
    root, near = secrets.token_hex(6), request.getfixturevalue("file_service")
    far = request.getfixturevalue(request.param)
    return [near.url(f"near-{root}"), far.url(f"far-{root}")]


@pytest.fixture
def options(locations: list[str]) -> dict[str, Any]:
    """What users call `storage_options`."""
    return {"locations": locations}


@pytest.fixture
def fs(options: dict[str, Any]) -> Iterator[Any]:
    fs = fsspec.filesystem("filestore", **options)
    yield fs
    for location in fs.store.locations:
        location.close()


@pytest.fixture
def lose_near(fs: Any) -> Callable[[], list[str]]:
    """Check that both locations hold the same, empty the near one, and return the keys."""

    def lose() -> list[str]:
        near, far = fs.store.locations
        keys = sorted(near.list())
        assert keys
        assert sorted(far.list()) == keys
        for key in keys:
            near.delete(key)
        assert list(near.list()) == []
        return keys

    return lose
