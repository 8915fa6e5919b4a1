"""What all commands share: their options, the store that these mean, and how the parts ended."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from filestore_fsspec.cli.exits import Exit, code_of, worst
from filestore_fsspec.cli.output import Output
from filestore_fsspec.errors import FileStoreException
from filestore_fsspec.filestore import FileStore
from filestore_fsspec.loader import get_filestore

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Call:
    """One call of the command."""

    urls: list[str]
    journal: str | None
    location: str | None
    dry_run: bool
    jobs: int | None
    output: Output
    codes: list[Exit] = field(default_factory=list)
    """How parts ended that did not end well; the worst counts."""

    @contextmanager
    def store(self) -> Iterator[FileStore]:
        """Yield the store that is meant, and close it."""
        if self.urls:
            store = FileStore(*self.urls, journal=self.journal)
        elif self.journal is None:
            store = get_filestore()
        else:
            raise ValueError("--journal goes with --url")
        with store:
            yield store

    def failed(self, key: str, why: str) -> None:
        """Print that one of several parts failed."""
        self.codes.append(Exit.FAILED)
        self.output.row(f"failed: {key}: {why}", key=key, state="failed", why=why)


class Group(TyperGroup):
    """Takes the shared options after the command's name as well as before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's
        """Move the shared options to the front."""
        takes_value = {
            name: not getattr(option, "is_flag", False)
            for option in self.params
            if option.name not in {"install_completion", "show_completion"}
            for name in option.opts
        }
        shared, rest, words = list[str](), list[str](), iter(args)
        for word in words:
            name, equals, _ = word.partition("=")
            if word == "--":
                rest += [word, *words]
            elif name not in takes_value:
                rest.append(word)
            else:
                shared.append(word)
                if takes_value[name] and not equals:
                    shared += [value for value in (next(words, None),) if value is not None]
        return super().parse_args(ctx, shared + rest)

    def invoke(self, ctx: Any) -> NoReturn:  # noqa: ANN401 - click's
        """Run a command, tell what went wrong, and exit with what that means."""
        ended = Exit.OK
        try:
            super().invoke(ctx)
        except KeyboardInterrupt:
            ended = Exit.INTERRUPTED
        except BrokenPipeError:
            # The reader had enough, as `head` has. Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(Exit.OK)
        except (FileStoreException, OSError, ValueError, NotImplementedError) as error:
            ended = code_of(error)
            ctx.obj.output.error(str(error))
        code = worst([ended, *ctx.obj.codes])
        ctx.obj.output.end(code)
        sys.exit(code)


def shared(  # noqa: PLR0913 - the shared options
    ctx: typer.Context,
    *,
    url: Annotated[
        list[str] | None, typer.Option(help="A location; once for each, near first.")
    ] = None,
    journal: Annotated[str | None, typer.Option(help="The file of the store's journal.")] = None,
    location: Annotated[
        str | None, typer.Option(help="near, far, all, any, or a location's name.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line, the summary last.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be written; write nothing.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="How many files are under way.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log on standard error.")
    ] = False,
) -> None:
    """Store files at several locations, and read them from the first that has them.

    Without --url the locations are those of FILESTORE_URLS or of the configuration. The options
    above may stand after the command's name as well. Exit codes: 0 all well, 1 something failed,
    2 wrong use, 3 not found, 4 a location is unknown, 5 not permitted, 130 interrupted.
    """
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, stream=sys.stderr)
    ctx.obj = Call(url or [], journal, location, dry_run, jobs, Output(as_json=as_json))
