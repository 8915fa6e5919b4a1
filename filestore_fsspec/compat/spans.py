"""Spans of Elastic's APM, where that is installed; else nothing is recorded."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F = TypeVar("F", bound="Callable[..., Any]")

_TYPE = "filestore"


def spanned(function: F) -> F:
    """Record each call of a function as a span of its name."""
    if find_spec("elasticapm") is None:
        return function
    import elasticapm  # noqa: PLC0415 - it is not a dependency

    captured: F = elasticapm.capture_span(span_type=_TYPE)(function)
    return captured


def span(name: str, labels: Mapping[str, object]) -> AbstractContextManager[Any]:
    """Record what the body does as a span with labels."""
    if find_spec("elasticapm") is None:
        return nullcontext()
    import elasticapm  # noqa: PLC0415 - it is not a dependency

    found: AbstractContextManager[Any] = elasticapm.capture_span(
        name=name, span_type=_TYPE, labels=dict(labels)
    )
    return found
