"""The commands."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filestore_fsspec.bridge import SYNC, iterate
from filestore_fsspec.cli.exits import Exit
from filestore_fsspec.cli.options import Call, Group, shared
from filestore_fsspec.errors import NotFound
from filestore_fsspec.operations import list_merged, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from filestore_fsspec.location import Location

_STANDARD = "-"
"""Instead of a file's name: standard input or output."""

app = typer.Typer(
    cls=Group, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
app.callback()(shared)

Key = Annotated[str, typer.Argument(metavar="KEY")]
Keys = Annotated[list[str], typer.Argument(metavar="KEY...")]
Prefix = Annotated[str, typer.Argument(metavar="[PREFIX]")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what exists.")]


def _names(locations: Iterable[Location]) -> list[str]:
    return [location.name or str(location) for location in locations]


@app.command()
def ls(ctx: typer.Context, prefix: Prefix = "") -> None:
    """List the keys that start with PREFIX, those of all locations merged."""
    call: Call = ctx.obj
    keys = 0
    with call.store() as store:
        for key in store.list(prefix, call.location or "all"):
            call.output.row(key, key=key)
            keys += 1
    call.output.summary = {"keys": keys}


@app.command()
def du(ctx: typer.Context, prefix: Prefix = "") -> None:
    """Count the keys that start with PREFIX, and their bytes, at each location."""
    call: Call = ctx.obj
    with call.store() as store:
        for location in select(store.locations, call.location or "all"):
            pages = list_merged((location,), SYNC, prefix, strict=True)
            sizes = [info["size"] or 0 for page in iterate(pages) for info in page]
            (name,) = _names([location])
            call.output.row(
                f"{sum(sizes):>16,} bytes {len(sizes):>10,} keys  {name}",
                location=name,
                keys=len(sizes),
                bytes=sum(sizes),
            )


@app.command()
def cat(ctx: typer.Context, key: Key) -> None:
    """Write the content of KEY to standard output."""
    get(ctx, key, _STANDARD)


@app.command()
def get(ctx: typer.Context, key: Key, file: Annotated[str, typer.Argument(metavar="FILE")]) -> None:
    """Bring KEY to the local FILE, or to standard output (`-`)."""
    call: Call = ctx.obj
    if file == _STANDARD and call.output.as_json:
        raise ValueError("standard output is either the content or --json")
    with call.store() as store:
        if file == _STANDARD:
            with store.fs.open(key, "rb", location=call.location or "any") as source:
                shutil.copyfileobj(source, sys.stdout.buffer)
            return
        answered = _names(store.download(key, file, call.location or "any"))
        call.output.row(
            f"{key} -> {file} ({answered[0]})", key=key, file=file, location=answered[0]
        )


@app.command()
def put(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE")],
    key: Key,
    *,
    force: Force = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare what arrived.")] = False,
) -> None:
    """Store the local FILE, or standard input (`-`), under KEY. What exists is kept."""
    call: Call = ctx.obj
    where = call.location or "all"
    with call.store() as store:
        if call.dry_run:
            call.output.row(f"would store {file} as {key}", key=key, file=file, state="planned")
            return
        if file == _STANDARD:
            written = store.put(key, sys.stdin.buffer, where, force)
        else:
            written = store.upload(file, key, where, force, verify)
        names = _names(written)
        text = f"{file} -> {key} ({', '.join(names)})" if names else f"{key}: exists, kept"
        call.output.row(text, key=key, file=file, written=names)


@app.command()
def rm(ctx: typer.Context, keys: Keys) -> None:
    """Delete each KEY; one that is absent is no error."""
    call: Call = ctx.obj
    with call.store() as store:
        for key in keys:
            if call.dry_run:
                call.output.row(f"would delete {key}", key=key, state="planned")
                continue
            store.delete(key, call.location or "all")
            call.output.row(f"deleted {key}", key=key, state="done")


@app.command()
def exists(ctx: typer.Context, key: Key) -> None:
    """Name the locations that have KEY; exit with 3 if none has."""
    call: Call = ctx.obj
    with call.store() as store:
        found = _names(store.exists(key, call.location or "all"))
    for name in found:
        call.output.row(name, key=key, location=name)
    if not found:
        call.codes.append(Exit.ABSENT)


@app.command()
def locate(ctx: typer.Context, key: Key) -> None:
    """Print what each location says of KEY: present, absent or unknown."""
    call: Call = ctx.obj
    with call.store() as store:
        found = store.locate(key)
        for each in found:
            (name,) = _names([each.location])
            size = "" if each.size is None else f"{each.size:,} bytes"
            why = "" if each.error is None else str(each.error)
            call.output.row(
                f"{each.state:8} {size:>16}  {name}  {why}".rstrip(),
                key=key,
                location=name,
                state=each.state,
                size=each.size,
                modified=each.modified,
                why=why or None,
            )
    states = {each.state for each in found}
    if "unknown" in states:
        call.codes.append(Exit.UNKNOWN)
    if "present" not in states:
        call.codes.append(Exit.ABSENT)


@app.command()
def stat(ctx: typer.Context, key: Key) -> None:
    """Print the size and time of KEY, from the first location that has it."""
    call: Call = ctx.obj
    with call.store() as store:
        for each in store.locate(key):
            if each.state == "present":
                (name,) = _names([each.location])
                call.output.row(
                    f"{key}: {each.size:,} bytes, {each.modified}, {name}",
                    key=key,
                    size=each.size,
                    modified=each.modified,
                    location=name,
                )
                return
        store.exists(key)  # raises if one is unknown
    raise NotFound(f"{key!r} is at no location", None)


@app.command()
def sign(
    ctx: typer.Context,
    key: Key,
    expires: Annotated[int, typer.Option(help="Seconds that the link is good for.")] = 3600,
) -> None:
    """Print a link by which anybody can read KEY for a time (S3, Azure)."""
    call: Call = ctx.obj
    with call.store() as store:
        link = store.fs.sign(key, expires)
        call.output.row(link, key=key, url=link)


@app.command()
def upload(
    ctx: typer.Context, folder: Folder, prefix: Prefix = "", *, force: Force = False
) -> None:
    """Store all files below the local FOLDER, under PREFIX and their relative names."""
    call: Call = ctx.obj
    if not folder.is_dir():
        raise NotFound(f"there is no local folder {str(folder)!r}", None)
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    pairs = [
        (path, start + path.relative_to(folder).as_posix())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    if call.dry_run:
        for path, key in pairs:
            call.output.row(f"would store {path} as {key}", key=key, file=path, state="planned")
        return
    with call.store() as store, call.output.progress("upload") as callback:
        callback.set_size(len(pairs))
        failed = store.upload_batch(
            pairs, call.location or "all", force, max_concurrency=call.jobs, callback=callback
        )
    for _, key, why in failed:
        call.failed(key, why)
    call.output.end_of("stored", len(pairs), len(failed))


@app.command()
def download(ctx: typer.Context, prefix: Key, folder: Folder) -> None:
    """Bring all keys that start with PREFIX to the local FOLDER, under their names below it."""
    call: Call = ctx.obj
    cut = len(prefix.rpartition("/")[0]) + 1 if "/" in prefix else 0
    with call.store() as store, call.output.progress("download") as callback:
        keys = list(store.list(prefix, call.location or "all"))
        callback.set_size(len(keys))
        if call.dry_run:
            for key in keys:
                call.output.row(f"would bring {key}", key=key, state="planned")
            return
        failed = store.download_batch(
            ((key, folder / key[cut:]) for key in keys),
            call.location or "any",
            max_concurrency=call.jobs,
            callback=callback,
        )
    for key, _, why in failed:
        call.failed(key, why)
    call.output.end_of("brought", len(keys), len(failed))


@app.command()
def replay(ctx: typer.Context) -> None:
    """Carry out what the journal has pending."""
    call: Call = ctx.obj
    with call.store() as store:
        if call.dry_run:
            for pending in store.pending():
                call.output.row(
                    f"would {pending.action} {pending.key} at {pending.location}",
                    key=pending.key,
                    location=pending.location,
                    action=pending.action,
                    state="planned",
                )
            return
        for done in store.replay():
            call.output.row(
                f"{done.state:8} {done.action} {done.key} at {done.location}",
                key=done.key,
                location=str(done.location),
                action=done.action,
                state=done.state,
                why=done.error,
            )
            if done.state == "kept":
                call.codes.append(Exit.FAILED)


@app.command()
def cleanup(
    ctx: typer.Context,
    older_than: Annotated[int, typer.Option(help="Seconds since the last write.")] = 3600,
) -> None:
    """Remove stale temporary files of killed writers, on S3 unfinished uploads."""
    call: Call = ctx.obj
    if call.dry_run:
        raise ValueError("cleanup has no --dry-run")
    with call.store() as store:
        for path in store.cleanup(older_than, call.location or "all"):
            call.output.row(f"removed {path}", path=path, state="done")
