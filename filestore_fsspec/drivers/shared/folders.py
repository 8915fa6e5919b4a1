"""`FolderDriver`: fsspec's methods, once, over a protocol's requests about folders and files.

A protocol says what is at a path and in a folder, moves bytes, renames and removes
(`FolderRequests`). What follows from that is decided here, for all of them: what a listing shows,
what a folder is, what a recursive delete touches, where a temporary file goes.

- A listing shows files and folders. Left out: our temporary files, devices and pipes, names that
  are not UTF-8, links that lead nowhere, to themselves, upward or where we may not look. Any other
  link is what it leads to.
- A recursive delete goes through no link, and removes nothing that a listing does not show, but
  our own temporary files.
"""

from __future__ import annotations

import errno
import filecmp
import shutil
from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.spec import AbstractFileSystem
from fsspec.utils import isfilelike

from filestore_fsspec.bridge import ASYNCIO, SYNC, iterate, run, sync
from filestore_fsspec.calls import cleaning_up, ensure_running
from filestore_fsspec.drivers.shared.driver import DriverBase
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    absent,
    already_there,
    checksum_mismatch,
    local_failures,
    temporary_folder,
)
from filestore_fsspec.drivers.shared.files import Content, ReadFile, WrittenFile
from filestore_fsspec.drivers.shared.readahead import READ_BYTES, cache_type
from filestore_fsspec.keys import is_temporary, temporary_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

    from fsspec.callbacks import Callback

    from filestore_fsspec.bridge import Runner
    from filestore_fsspec.drivers.shared.driver import Info, Page
    from filestore_fsspec.drivers.shared.files import Handle

T = TypeVar("T")
_WRITE_MODES = {"wb": "overwrite", "xb": "create"}
_MAX_PATH_LENGTH = 2**13
"""No disk has longer paths: below one, a server goes in circles."""


class FolderRequests(Protocol):
    """What a protocol asks of its server. A blocking protocol's coroutines never suspend.

    Each raises `Absent` where the server said that nothing is there, and the builtin that fits
    where anything else went wrong. Paths are the driver's.
    """

    async def stat(self, path: str) -> Info:
        """Return what is at `path`, a link followed; `type` may be `other`."""
        ...

    async def entries(self, folder: str) -> list[Info]:
        """Return all that is in a folder, `name` being the whole path.

        `type` is `file`, `directory`, `link` (not followed) or `other`. A folder that the protocol
        cannot tell from a link to it has its `identity` as well.

        Raises:
            NotADirectoryError: it is no folder.
        """
        ...

    async def identity(self, folder: str) -> str:
        """Return what tells a folder from all others: its path without links, or a number."""
        ...

    async def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return `content[start:end]`, as in Python's slices; a folder is absent."""
        ...

    async def fetch(self, path: str, file: IO[bytes], callback: Callback) -> None:
        """Write a file's content to `file`, an empty one of this machine; a folder is absent."""
        ...

    async def open(self, path: str) -> Handle:
        """Return what reads one version of a file; a folder is absent."""
        ...

    async def send(self, path: str, content: Content) -> None:
        """Write a new file, and make the folders above it that are missing.

        Raises:
            OSError: not all of it arrived. What did is removed by the caller.
        """
        ...

    async def rename(self, source: str, path: str, *, replace: bool) -> None:
        """Rename a file or folder in one step.

        Raises:
            FileExistsError: without `replace`, something is at `path`.
            IsADirectoryError: a directory is at `path`.
        """
        ...

    async def remove(self, path: str) -> None:
        """Delete a file or a link; a folder is absent."""
        ...

    async def make_folder(self, path: str) -> None:
        """Make one folder.

        Raises:
            FileExistsError: something is at `path`.
            Absent: the folder above it is missing.
        """
        ...

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder.

        Raises:
            NotADirectoryError: it is no folder.
            OSError: it is not empty (ENOTEMPTY).
        """
        ...

    async def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        ...


class _Ancestors:
    """Tells whether following a link, or what may be one, leads back to where a walk came from."""

    def __init__(self, fs: FolderDriver) -> None:
        self._fs = fs
        self._known: dict[str, str] = {}

    async def are_held_by(self, identity: str, folder: str) -> bool:
        """Tell whether a folder in `folder` is one of those above, or holds one of them."""
        folders = above(folder)
        asked = [each for each in folders if each not in self._known]
        told = await self._fs._all(map(self._fs.requests.identity, asked))  # noqa: SLF001 - ours
        self._known |= dict(zip(asked, told, strict=True))
        self._known = {each: self._known[each] for each in folders}
        return holds_any(identity, self._known.values())

    def note(self, folder: str, info: Info | None) -> None:
        """Remember what a listing said of a folder that is now entered."""
        if info is not None and "identity" in info:
            self._known[folder] = info["identity"]


def above(folder: str) -> list[str]:
    """Return `folder` and all above it."""
    found = [folder]
    while (parent := parent_of(found[-1])) != found[-1]:
        found.append(parent)
    return found


def holds_any(identity: str, others: Iterable[str]) -> bool:
    """Tell whether a folder is one of others, or holds one of them."""
    inside = identity.rstrip("/") + "/"
    return any(each == identity or each.startswith(inside) for each in others)


def parent_of(path: str) -> str:
    """Return the folder that holds `path`; that of the root is the root."""
    return path.rpartition("/")[0] or path[: path.startswith("/")]


def _is_shown(info: Info) -> bool:
    """Tell whether an entry's name is one that a key can have: text that UTF-8 can encode."""
    name: str = info["name"]
    if name.isascii():
        return True
    with suppress(UnicodeEncodeError):
        return bool(name.encode())
    return False


def _may_hold(folder: str, prefix: str) -> bool:
    """Tell whether a path that starts with `prefix` may lie in `folder`."""
    return folder.startswith(prefix) or prefix.startswith(f"{folder}/")


def _bounded(folder: str) -> str:
    if len(folder) > _MAX_PATH_LENGTH:
        raise OSError(errno.ELOOP, "folders without end", folder[:100] + "...")
    return folder


class FolderDriver(DriverBase):
    """All of fsspec's methods, as coroutines over `requests`.

    Put one of its two forms before the protocol's fsspec class: `BlockingFolderDriver`, whose
    coroutines never suspend, or `AsyncFolderDriver`.
    """

    requests: FolderRequests
    runner: ClassVar[Runner]
    ask_first_bytes: ClassVar[int] = 2**16
    """From here on, creating asks first whether something is there: sending costs more."""
    read_bytes: ClassVar[int] = READ_BYTES
    """What an open file reads ahead at its start."""
    replace: Literal["atomic", "aside"] = "atomic"
    """Whether a rename replaces, or the old file is renamed out of the way first."""
    temporary_prefix: str = "."
    """What the names of temporary files begin with."""

    _strip_protocol: Callable[[Any], Any]
    _expand_path: Callable[..., Coroutine[Any, Any, list[str]]]

    # Looking

    async def _info(self, path: Any, **_kwargs: Any) -> Info:
        path = self._strip_protocol(path)
        info = await self.requests.stat(path)
        if info["type"] not in {"file", "directory"}:
            raise absent(path)
        if info["type"] == "directory" and info.get("islink", True):
            await self._refuse_upward(path, info.get("identity"))
        return info

    async def _refuse_upward(self, path: str, identity: str | None = None) -> None:
        """Raise `Absent` for a link that leads upward, which no listing shows."""
        if parent_of(path) == path:
            return
        identity = identity or await self.requests.identity(path)
        if identity != path and await _Ancestors(self).are_held_by(identity, parent_of(path)):
            raise absent(path)

    async def _kind(self, path: Any) -> str | None:
        try:
            return str((await self._info(path))["type"])
        except Absent:
            return None

    async def _exists(self, path: Any, **_kwargs: Any) -> bool:
        return await self._kind(path) is not None

    async def _isfile(self, path: Any) -> bool:
        return await self._kind(path) == "file"

    async def _isdir(self, path: Any) -> bool:
        return await self._kind(path) == "directory"

    async def _modified(self, path: Any) -> Any:
        return (await self._info(path))["modified"]

    async def _ls(self, path: Any, detail: bool = True, **_kwargs: Any) -> list[Any]:
        path = self._strip_protocol(path)
        try:
            infos = await self._shown(path, _Ancestors(self))
            await self._refuse_upward(path)
        except (Absent, NotADirectoryError):
            infos = [await self._info(path)]
            if infos[0]["type"] == "directory":
                raise
        return infos if detail else sorted(info["name"] for info in infos)

    async def _shown(self, folder: str, ancestors: _Ancestors) -> list[Info]:
        """Return what a listing of `folder` shows."""
        found = await self.requests.entries(_bounded(folder))
        kept = [info for info in found if _is_shown(info) and not is_temporary(info["name"])]
        links = [info["name"] for info in kept if info["type"] == "link"]
        leads = dict(zip(links, await self._all(map(self._follow, links)), strict=True))
        shown: list[Info] = []
        for entry in kept:
            info = leads.get(entry["name"], entry)
            if info is None or info["type"] not in {"file", "directory"}:
                continue
            identity = info.get("identity") if info["type"] == "directory" else None
            if identity is None or not await ancestors.are_held_by(identity, folder):
                shown.append(info)
        return shown

    async def _follow(self, link: str) -> Info | None:
        """Return what a link leads to, if it leads anywhere that we may look at."""
        try:
            info = await self.requests.stat(link)
            if info["type"] == "directory" and "identity" not in info:
                info["identity"] = await self.requests.identity(link)
        except (Absent, PermissionError):
            return None
        info["islink"] = True
        return info

    async def _all(self, coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """Run all of them, a bounded number at a time; raise the first failure."""
        waiting, results = iter(coroutines), []
        while some := list(islice(waiting, max(self.max_concurrency, 1))):
            for outcome in await self.runner.each(some):
                if isinstance(outcome, Exception):
                    raise outcome
                results.append(outcome)
        return results

    async def _walk(
        self,
        path: Any,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = "omit",
        detail: bool = False,
        **_kwargs: Any,
    ) -> AsyncIterator[tuple[str, Any, Any]]:
        """Yield `(folder, folders, files)`; a folder that cannot be listed raises.

        fsspec's own passes over it, so that the walk comes out short.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        try:
            info = await self._info(path)
        except OSError as error:
            self._tell(error, on_error)
            return
        if info["type"] == "file":
            yield path, {} if detail else [], {"": info} if detail else [""]
            if not await self._isdir(path):  # in memory, a folder may have the same name
                return
        async for step in self._walk_folders(path, maxdepth, topdown, on_error, detail):
            yield step

    async def _walk_folders(
        self, path: str, maxdepth: int | None, topdown: bool, on_error: Any, detail: bool
    ) -> AsyncIterator[tuple[str, Any, Any]]:
        ancestors = _Ancestors(self)
        left: list[_Step] = [_Step(path, 1)]
        while left:
            step = left.pop()
            if step.found is not None:
                yield step.found
                continue
            ancestors.note(step.folder, step.info)
            try:
                shown = await self._shown(step.folder, ancestors)
            except OSError as error:
                self._tell(error, on_error)
                continue
            folders: Any = {_name(each): each for each in shown if each["type"] == "directory"}
            below = dict(folders)
            files: Any = {_name(each): each for each in shown if each["type"] != "directory"}
            if not detail:
                folders, files = list(folders), list(files)
            found = (step.folder, folders, files)
            if topdown:
                yield found
            else:
                left.append(step._replace(found=found))
            if maxdepth is None or step.depth < maxdepth:
                # A caller may take names out of `folders`: those are not walked.
                entered = [below[name] for name in folders if name in below]
                left += [_Step(each["name"], step.depth + 1, each) for each in reversed(entered)]

    @staticmethod
    def _tell(error: OSError, on_error: Any) -> None:
        if callable(on_error):
            on_error(error)
        elif on_error == "raise" or not isinstance(error, Absent):
            raise error

    async def _du(
        self, path: Any, total: bool = True, maxdepth: int | None = None, **_kwargs: Any
    ) -> Any:
        # fsspec asks for each file again.
        sizes: dict[str, int] = {}
        async for _folder, _folders, files in self._walk(path, maxdepth, detail=True):
            sizes |= {info["name"]: info["size"] or 0 for info in files.values()}
        return sum(sizes.values()) if total else sizes

    async def _list_page(self, prefix: str, token: Any = None) -> Page:
        """List one folder; the token is what is known of those above, and those left."""
        ancestors, left = token or (_Ancestors(self), [(self._start(prefix), None)])
        folder, info = left.pop()
        ancestors.note(folder, info)
        try:
            shown = await self._shown(folder, ancestors)
        except (Absent, NotADirectoryError):
            shown = []
        shown.sort(key=lambda info: str(info["name"]))
        left += [
            (info["name"], info)
            for info in reversed(shown)
            if info["type"] == "directory" and _may_hold(info["name"], prefix)
        ]
        files = [info for info in shown if info["type"] == "file"]
        page = [info for info in files if info["name"].startswith(prefix)]
        return page, (ancestors, left) if left else None

    async def _stale_files(self, prefix: str, token: Any = None) -> Page:
        """List the temporary files of one folder, going through no link."""
        left: list[str] = token or [self._start(prefix)]
        try:
            found = await self.requests.entries(_bounded(left.pop()))
        except (Absent, NotADirectoryError):
            found = []
        found = [info for info in found if _is_shown(info)]
        left += [
            info["name"]
            for info in found
            if info["type"] == "directory" and _may_hold(info["name"], prefix)
        ]
        files = [info for info in found if info["type"] == "file" and is_temporary(info["name"])]
        return [info for info in files if info["name"].startswith(prefix)], left or None

    def _start(self, prefix: str) -> str:
        """Return the deepest folder that holds every path starting with `prefix`."""
        folder: str = self._strip_protocol(parent_of(prefix))
        return folder

    # Reading

    async def _cat_file(
        self, path: Any, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        return await self.requests.read(self._strip_protocol(path), start, end)

    async def _get_file(
        self,
        rpath: Any,
        lpath: Any,
        callback: Callback = DEFAULT_CALLBACK,
        outfile: Any = None,
        **_kwargs: Any,
    ) -> None:
        """Copy a file to a path of this machine or to a file object; of a folder, make one."""
        path, target = self._strip_protocol(rpath), lpath if outfile is None else outfile
        if isfilelike(target):
            with TemporaryFile() as spool:
                await self.requests.fetch(path, spool, callback)
                spool.seek(0)
                shutil.copyfileobj(spool, target, 2**20)
            return
        local_path = Path(target)
        local_path.parent.mkdir(parents=True, exist_ok=True)
        if local_path.is_dir():
            return  # fsspec's `get` made it for the folder
        partial = Path(temporary_path(str(local_path)))
        ensure_running()
        try:
            with partial.open("xb") as file:
                await self.requests.fetch(path, file, callback)
            ensure_running()
            partial.replace(local_path)
        except Absent:
            if local_path.exists() or not await self._isdir(path):
                raise
            local_path.mkdir()
        finally:
            partial.unlink(missing_ok=True)

    def _open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> Any:
        path = self._strip_protocol(path)
        if mode == "rb":
            kwargs.setdefault("cache_type", cache_type(block_size))
            kwargs.pop("size", None)  # the server's word counts
            handle = self._wait(self._open_to_read(path))
            length = block_size or self.read_bytes
            return ReadFile(self, path, handle, length, cache_options=cache_options, **kwargs)
        if mode not in _WRITE_MODES:
            allowed = ", ".join(("rb", *_WRITE_MODES))
            raise ValueError(f"mode {mode!r}: files open as {allowed}, and as text")
        self._wait(self._refuse_to_write(path, _WRITE_MODES[mode]))
        return WrittenFile(self, path, mode, autocommit=autocommit)

    async def _open_to_read(self, path: str) -> Handle:
        try:
            return await self.requests.open(path)
        except Absent:
            if await self._isdir(path):
                raise IsADirectoryError(errno.EISDIR, "is a directory", path) from None
            raise

    # Writing: to a temporary file in the same folder, which is renamed when it is complete.

    async def _refuse_to_write(self, path: str, mode: str) -> None:
        kind = await self._kind(path)
        if kind == "directory":
            raise IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
        if kind is not None and mode == "create":
            raise already_there(path)

    async def _write(self, path: str, content: Content, mode: str) -> None:
        file = await self._send(path, content, mode)
        try:
            await self._commit(file)
        except BaseException as error:
            await self._drop(file.temporary, error)
            raise

    async def _send(self, path: str, content: Content, mode: str) -> Unnamed:
        """Write to a temporary file for `path`."""
        if mode == "create" and content.size > self.ask_first_bytes:
            await self._refuse_to_write(path, mode)
        file = Unnamed(self, temporary_path(path, self.temporary_prefix), path, mode)
        try:
            await self.requests.send(file.temporary, content)
        except BaseException as error:
            await self._drop(file.temporary, error)
            raise
        return file

    async def _drop(self, temporary: str, reason: BaseException) -> None:
        """Remove a temporary file because of `reason`, which gets a note if that fails."""
        try:
            with cleaning_up():
                await self.requests.remove(temporary)
        except Absent:
            return
        except OSError as error:
            reason.add_note(f"{temporary} may be left behind: {error}")

    async def _pipe_file(
        self, path: Any, value: Any, mode: str = "overwrite", **_kwargs: Any
    ) -> None:
        await self._write(self._strip_protocol(path), Content(memoryview(value).cast("B")), mode)

    async def _put_file(
        self,
        lpath: Any,
        rpath: Any,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **_kwargs: Any,
    ) -> None:
        """Write a file of this machine, a path or a file object; of a folder, make one."""
        path = self._strip_protocol(rpath)
        if isfilelike(lpath):
            await self._write(path, Content(lpath, callback), mode)
            return
        if Path(lpath).is_dir():
            await self._makedirs(path, exist_ok=True)
            return
        with Path(lpath).open("rb", buffering=0) as file:
            await self._write(path, Content(file, callback), mode)

    async def _prepare(self, lpath: str, path: str, mode: str) -> Unnamed:
        path = self._strip_protocol(path)
        if self.folders_refuse_late:
            await self._refuse_to_write(path, mode)
        with Path(lpath).open("rb", buffering=0) as file:
            return await self._send(path, Content(file), mode)

    async def _commit(self, file: Unnamed) -> None:
        if file.mode == "create":
            await self.requests.rename(file.temporary, file.path, replace=False)
        else:
            await self._replace(file.temporary, file.path)

    async def _replace(self, source: str, path: str, attempts: int = 3) -> None:
        """Rename `source`, over a file at `path` if one is there.

        With `replace=aside` that takes two steps, and begins anew where another writer is faster.
        """
        if self.replace == "atomic":
            await self.requests.rename(source, path, replace=True)
            return
        old = await self._set_aside(path)
        try:
            await self.requests.rename(source, path, replace=False)
        except FileExistsError:
            await self._forget(old)
            if attempts == 1:
                raise
            await self._replace(source, path, attempts - 1)
        except BaseException as error:
            await self._restore(old, path, error)
            raise
        else:
            await self._forget(old)

    async def _set_aside(self, path: str) -> str | None:
        """Give a file a temporary name, and return that; None if there is no file."""
        kind = await self._kind(path)
        if kind == "directory":
            raise IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
        if kind is None:
            return None
        old = temporary_path(path, self.temporary_prefix)
        try:
            await self.requests.rename(path, old, replace=False)
        except Absent:
            return None
        return old

    async def _restore(self, old: str | None, path: str, reason: BaseException) -> None:
        """Give a file its name again because of `reason`, which gets a note if that fails."""
        if old is not None:
            try:
                await self.requests.rename(old, path, replace=False)
            except OSError as error:
                reason.add_note(f"the old content of {path} is in {old}: {error}")

    async def _forget(self, old: str | None) -> None:
        if old is not None:
            with suppress(OSError):  # what replaced it is there; the cleanup removes it later
                await self.requests.remove(old)

    async def _put_verified(self, lpath: str, path: str, mode: str) -> None:
        file = await self._prepare(lpath, path, mode)
        try:
            with temporary_folder() as folder:
                stored = f"{folder}/stored"
                with local_failures(stored), Path(stored).open("wb") as copy:
                    await self.requests.fetch(file.temporary, copy, DEFAULT_CALLBACK)
                same = await self.runner.work(filecmp.cmp, lpath, stored, False)  # noqa: FBT003 - filecmp's
            if not same:
                raise checksum_mismatch(path)  # noqa: TRY301 - what was stored is to be dropped
            await self._commit(file)
        except BaseException as error:
            await self._drop(file.temporary, error)
            raise

    async def _cp_file(self, path1: Any, path2: Any, **_kwargs: Any) -> None:
        """Copy a file by way of this machine; of a folder, make one."""
        source, path = self._strip_protocol(path1), self._strip_protocol(path2)
        with TemporaryFile() as spool:
            try:
                await self.requests.fetch(source, spool, DEFAULT_CALLBACK)
            except Absent:
                if not await self._isdir(source):
                    raise
                await self._makedirs(path, exist_ok=True)
                return
            spool.seek(0)
            await self._write(path, Content(spool), "overwrite")

    async def _mv(self, path1: Any, path2: Any, **_kwargs: Any) -> None:
        """Rename a file, or a folder with all in it, in one step; make the folders above."""
        source, path = self._strip_protocol(path1), self._strip_protocol(path2)
        try:
            await self._replace(source, path)
        except Absent:
            if await self._kind(source) is None:
                raise absent(source) from None
            await self._make_parents(path)
            await self._replace(source, path)

    # Removing, and folders

    async def _rm_file(self, path: Any, **_kwargs: Any) -> None:
        await self.requests.remove(self._strip_protocol(path))

    async def _rm_files(self, paths: Any) -> dict[str, OSError]:
        failed: dict[str, OSError] = {}
        for path in paths:
            try:
                await self._rm_file(path)
            except Absent:
                continue
            except OSError as error:
                failed[path] = error
        return failed

    async def _rm(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, **_kwargs: Any
    ) -> None:
        """Delete files and empty folders; with `recursive`, what a listing shows in them first."""
        if recursive and maxdepth is None:
            for each in await self._expand_path(path):
                await self._rm_tree(each)
            return
        for each in reversed(await self._expand_path(path, recursive, maxdepth)):
            try:
                await self._rm_file(each)
            except Absent:
                await self.requests.remove_folder(each)

    async def _rm_tree(self, path: str) -> None:
        with suppress(Absent):  # it is no file
            await self.requests.remove(path)
            return
        left, folders = [path], []
        while left:
            folder = left.pop()
            folders.append(folder)
            infos = [each for each in await self.requests.entries(folder) if _is_shown(each)]
            names = [each["name"] for each in infos if each["type"] in {"file", "link"}]
            await self._all(map(self._remove, names))
            left += [
                each["name"]
                for each in infos
                if each["type"] == "directory"
                and not (self.hides_links and await self._remove(each["name"]))
            ]
        kept: OSError | None = None
        for folder in reversed(folders):
            try:
                await self.requests.remove_folder(folder)
            except Absent:
                continue  # removed by somebody else, or gone with its files
            except OSError as error:
                kept = kept or error
        if kept is not None:
            raise kept

    async def _remove_stale(self, info: Info) -> None:
        await self._rm_file(info["name"])

    async def _remove_hidden(self, folder: str, *, links: bool) -> bool:
        folder = self._strip_protocol(folder)
        shown = {info["name"] for info in await self._shown(folder, _Ancestors(self))}
        hidden = [
            info["name"]
            for info in await self.requests.entries(folder)
            if _is_shown(info)
            and (is_temporary(info["name"]) or (links and info["type"] == "link"))
        ]
        return any(await self._all(self._remove(path) for path in hidden if path not in shown))

    async def _remove(self, path: str) -> bool:
        """Remove a file or a link; return False if neither is there."""
        try:
            await self.requests.remove(path)
        except Absent:
            return False
        return True

    async def _mkdir(self, path: Any, create_parents: bool = True, **_kwargs: Any) -> None:
        path = self._strip_protocol(path)
        try:
            await self.requests.make_folder(path)
        except Absent:
            if not create_parents:
                raise
            await self._make_parents(path)
            await self.requests.make_folder(path)

    async def _make_parents(self, path: str) -> None:
        folder = parent_of(path)
        try:
            await self._makedirs(folder, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder) from error

    async def _makedirs(self, path: Any, exist_ok: bool = False) -> None:
        path = self._strip_protocol(path)
        try:
            await self._mkdir(path)
        except FileExistsError:
            if not exist_ok or not await self._isdir(path):
                raise

    async def _rmdir(self, path: Any) -> None:
        await self.requests.remove_folder(self._strip_protocol(path))

    async def _touch(self, path: Any, truncate: bool = True, **_kwargs: Any) -> None:
        if not truncate and await self._exists(path):
            raise NotImplementedError("the time of a stored file cannot be changed alone")
        await self._pipe_file(path, b"")

    async def _close(self) -> None:
        await self.requests.close()

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run one of the coroutines to its end from a method that blocks."""
        raise NotImplementedError


class _Step(NamedTuple):
    """A folder that is to be walked, or one that was and is to be yielded after those below it."""

    folder: str
    depth: int
    info: Info | None = None
    found: tuple[str, Any, Any] | None = None


def _name(info: Info) -> str:
    return str(info["name"].rpartition("/")[2])


class Unnamed:
    """What was sent to a temporary file and has yet to be renamed."""

    def __init__(self, fs: FolderDriver, temporary: str, path: str, mode: str) -> None:
        self._fs, self.temporary, self.path, self.mode = fs, temporary, path, mode

    def discard(self) -> None:
        """Remove it."""
        with suppress(Absent), cleaning_up():
            self._fs._wait(self._fs.requests.remove(self.temporary))  # noqa: SLF001 - our driver


def _stepped(name: str) -> Callable[..., Any]:
    """Return the blocking form of a coroutine that never suspends."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return run(getattr(self, name)(*args, **kwargs))

    call.__name__ = name[1:]
    return call


def _synced(name: str) -> Callable[..., Any]:
    """Return the blocking form of a coroutine, whichever class has it.

    fsspec's own form is bound to the coroutine of the class that it stands in: a subclass's own
    would be passed over.
    """

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return sync(self.loop, getattr(self, name), *args, **kwargs)

    call.__name__ = name[1:]
    return call


class BlockingFolderDriver(FolderDriver):
    """For a protocol whose requests block; put `AbstractFileSystem` or a kind of it behind."""

    runner = SYNC
    find = AbstractFileSystem.find  # a protocol's own has other entries than `ls`

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return run(coroutine)

    async def _expand_path(self, path: Any, *args: Any, **kwargs: Any) -> list[str]:
        found: list[str] = self.expand_path(path, *args, **kwargs)  # type: ignore[attr-defined]
        return found

    def walk(self, path: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield `(folder, folders, files)`; a folder that cannot be listed raises."""
        return iterate(self._walk(path, *args, **kwargs))


class AsyncFolderDriver(FolderDriver):
    """For a protocol whose requests are awaited; put `AsyncFileSystem` or a kind of it behind."""

    max_concurrency = 32
    direct: ClassVar[frozenset[str]] = frozenset()
    """Which methods have a blocking form that needs no event loop."""
    runner = ASYNCIO
    loop: Any

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        async def awaited() -> T:
            return await coroutine

        result: T = sync(self.loop, awaited)
        return result

    def walk(self, path: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield `(folder, folders, files)`; a folder that cannot be listed raises."""
        steps = self._walk(path, *args, **kwargs)
        while (step := self._wait(_next(steps))) is not None:
            yield step


async def _next(steps: AsyncIterator[T]) -> T | None:
    return await anext(steps, None)


_BOTH = (
    *("info", "exists", "isfile", "isdir", "modified", "ls", "du", "list_page", "stale_files"),
    *("remove_stale", "remove_hidden"),
    *("cat_file", "get_file", "pipe_file", "put_file", "prepare", "commit", "put_verified"),
    *("cp_file", "mv", "rm_file", "rm_files", "rm", "mkdir", "makedirs", "rmdir", "touch", "close"),
)
for _method in _BOTH:
    setattr(BlockingFolderDriver, _method, _stepped(f"_{_method}"))
    setattr(AsyncFolderDriver, _method, _synced(f"_{_method}"))
