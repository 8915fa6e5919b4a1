"""What the command prints: a row a line, for people or, with `--json`, for programs."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Output:
    """Standard output in one form, and messages on standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.summary: dict[str, Any] = {}
        """What is printed last, with `--json`."""
        self._errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

    def row(self, text: str, **values: Any) -> None:  # noqa: ANN401 - whatever JSON has
        """Print a row: `text` for people, `values` as a JSON object."""
        typer.echo(_json(values) if self.as_json else text)

    def end_of(self, what: str, number: int, failed: int) -> None:
        """Print how many files were moved and failed; with `--json` in the summary."""
        self.summary = {"files": number, "failed": failed}
        if not self.as_json:
            typer.echo(f"{number - failed} of {number} files {what}")

    def error(self, text: str) -> None:
        """Tell on standard error what went wrong."""
        self._errors.print(f"filestore: {text}")

    def end(self, code: int) -> None:
        """Print the summary, where there is one to print."""
        if self.as_json:
            typer.echo(_json({"summary": {**self.summary, "exit": code}}))
        sys.stdout.flush()

    @contextmanager
    def progress(self, what: str) -> Iterator[Callback]:
        """Yield a callback whose bar is shown on a terminal, and nowhere else."""
        if self.as_json or not self._errors.is_terminal:
            yield DEFAULT_CALLBACK
            return
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._errors, transient=True) as progress:
            yield _Bar(progress)


class _Bar(Callback):  # type: ignore[misc]  # fsspec has no types
    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def call(self, hook_name: str | None = None, **kwargs: Any) -> None:  # noqa: ANN401, ARG002 - fsspec's
        self._progress.update(self._task, completed=self.value, total=self.size)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, default=str, ensure_ascii=False)
