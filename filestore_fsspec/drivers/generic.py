"""Any filesystem of fsspec's as a location, at that filesystem's own guarantees.

It is made on first use, and anew after a failure that is no answer; called from outside, so that
one that hangs does not hang the call; and believed: what it says is there is there. A call that was
given up is cancelled where the filesystem is asynchronous; in a thread it may still come to its
end there.
"""

from __future__ import annotations

import errno
import inspect
import os
import re
import time
import traceback
from asyncio import run_coroutine_threadsafe
from concurrent.futures import Future, wait
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from tempfile import TemporaryFile
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING, Any

from fsspec import get_filesystem_class
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.dircache import DirCache
from fsspec.spec import AbstractFileSystem
from fsspec.utils import stringify_path

from filestore_fsspec.drivers.shared.driver import is_name
from filestore_fsspec.drivers.shared.errors import (
    Absent,
    absent,
    already_there,
    only_os_errors,
    temporary_folder,
    unusable_answer,
)
from filestore_fsspec.drivers.shared.folders import BlockingFolderDriver, parent_of
from filestore_fsspec.keys import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fsspec.callbacks import Callback

    from filestore_fsspec.drivers.shared.driver import Info
    from filestore_fsspec.drivers.shared.files import Content

_LOOK_SECONDS = 0.5
_JOIN_SECONDS = 1.0
_BLOCK_BYTES = 2**20
_SMALL_BYTES = 8 * 2**20
"""Up to here a file is read or written by one call, whose progress nobody sees."""
_ANSWERS = (
    *(FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError),
    *(PermissionError, NotImplementedError),
)
"""After any other failure the filesystem is made anew: its connection may be lost."""
_MODIFIED = (
    *("mtime", "modified", "LastModified", "last_modified", "Last-Modified", "updated"),
    *("last_write_time", "modify", "modified_at", "created"),
)
"""Under these names filesystems tell when a file was written; the last, where files only begin."""
_PLAIN = re.compile(r"[A-Za-z0-9_./ -]*")
"""Names that every filesystem has as they are."""
_VERSION = (
    *(*_MODIFIED, "size", "ino"),
    *("etag", "ETag", "md5", "sha", "generation", "version_id", "VersionId"),
)
"""What differs when a file has been replaced."""


class _Call:
    """One call of a filesystem: a task of its event loop, or a thread of its own."""

    def __init__(self, function: Callable[..., Any], loop: Any = None) -> None:
        """Begin; with `loop`, `function` returns a coroutine for it."""
        self._ended = Event()
        self._future: Future[Any]
        if loop is None:
            self._future = Future()
            self._future.set_running_or_notify_cancel()
            # No pool of threads: the interpreter would wait for one that hangs.
            Thread(target=self._run, args=(function,), name="filestore-fsspec", daemon=True).start()
        else:
            self._future = run_coroutine_threadsafe(self._awaited(function), loop)

    def _run(self, function: Callable[..., Any]) -> None:
        try:
            self._future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - handed on to who waits
            self._future.set_exception(error)

    async def _awaited(self, function: Callable[..., Any]) -> Any:
        try:
            return await function()
        finally:
            self._ended.set()

    def result(self, seconds: float, progress: Callable[[], int] | None = None) -> Any:
        """Wait for the result, for `seconds` without an end or progress.

        Raises:
            TimeoutError: it takes longer; the call is given up.
            Exception: what the call raised.
        """
        try:
            self._wait(seconds, progress)
        except BaseException:
            if self._future.cancel():
                self._ended.wait(_JOIN_SECONDS)
            raise
        return self._future.result()

    def _wait(self, seconds: float, progress: Callable[[], int] | None) -> None:
        seen, end = progress and progress(), time.monotonic() + seconds
        while not wait([self._future], min(_LOOK_SECONDS, seconds)).done:
            now = progress and progress()
            if now != seen:
                seen, end = now, time.monotonic() + seconds
            elif time.monotonic() >= end:
                raise TimeoutError(errno.ETIMEDOUT, f"no answer within {seconds:g} s")


@only_os_errors
class GenericRequests:
    """What is asked of a filesystem of fsspec's. Paths are that filesystem's."""

    def __init__(
        self,
        make: Callable[[], Any],
        secrets: Sequence[str],
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        """See `GenericDriver`; `make` returns the filesystem."""
        self._make, self._secrets = make, secrets
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._fs: Any = None
        self._lock = Lock()

    @property
    def fs(self) -> Any:
        """The filesystem, which is made on first use."""
        with self._lock:
            if self._fs is None:
                try:
                    self._fs = _Call(self._make).result(self._connect_timeout)
                except (TypeError, ValueError, ImportError) as error:
                    text = f"the filesystem does not take these options: {error}"
                    raise self._shown(OSError(errno.EINVAL, self._masked(text)), error) from None
                except OSError as error:
                    # Of a file that is missing here: nothing is known of any object.
                    kind = OSError if isinstance(error, FileNotFoundError) else _builtin(error)
                    fitting = kind(error.errno or errno.EIO, self._masked(str(error)))
                    raise self._shown(fitting, error) from None
            return self._fs

    def _ask(
        self,
        method: Callable[..., Any],
        path: str,
        *args: Any,
        progress: Callable[[], int] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call the filesystem's method that has the name of `method`.

        Raises:
            Absent: it said that nothing is at `path`.
            OSError: whatever else went wrong, as the builtin that fits.
        """
        fs, name = self.fs, method.__name__
        coroutine = getattr(fs, f"_{name}", None) if fs.async_impl else None
        if inspect.iscoroutinefunction(coroutine):
            function, loop = partial(coroutine, path, *args, **kwargs), fs.loop
        else:
            function, loop = partial(getattr(fs, name), path, *args, **kwargs), None
        return self._answer(path, function, loop, progress)

    def _answer(
        self,
        path: str,
        function: Callable[..., Any],
        loop: Any = None,
        progress: Callable[[], int] | None = None,
    ) -> Any:
        try:
            return _Call(function, loop).result(self._read_timeout, progress)
        except Exception as error:  # noqa: BLE001 - another's code may raise anything
            if not isinstance(error, _ANSWERS):
                self._fs = None
            raise self._shown(self._fitting(error, path), error) from None

    def _fitting(self, error: Exception, path: str) -> OSError:
        """Return the builtin that fits what the filesystem raised."""
        if isinstance(error, FileNotFoundError):
            if _is_about(error, path):
                return absent(path)
            return FileNotFoundError(errno.ENOENT, self._masked(str(error)))
        if isinstance(error, NotImplementedError):
            return OSError(errno.ENOTSUP, "the filesystem cannot do this", path)
        text = self._masked(str(error))
        if not isinstance(error, OSError):
            return unusable_answer(f"{type(error).__name__}: {text}", path)
        kind = _builtin(error)
        if kind is OSError and error.errno is None:  # what requests raises, for one
            return unusable_answer(f"{type(error).__name__}: {text}", path)
        return kind(error.errno or errno.EIO, self._masked(error.strerror or text), path)

    def _shown(self, fitting: OSError, error: Exception) -> OSError:
        """Return `fitting` with `error` as its cause, unless that shows a secret."""
        text = "".join(traceback.format_exception(error))
        if not any(secret in text for secret in self._secrets):
            fitting.__cause__ = error
        return fitting

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def stat(self, path: str) -> Info:
        """Return what is at `path`."""
        try:
            found = self._ask(AbstractFileSystem.info, path)
        except NotADirectoryError:  # the path runs through a file
            raise absent(path) from None
        if found.get("name", path).strip("/") != path.strip("/"):
            # webdav4 0.11 reads `%41` in a path as `A`: that is another key's file.
            raise OSError(errno.EINVAL, f"the filesystem takes it for {found['name']!r}", path)
        # A link to a folder is shown nowhere: nobody can tell whether it leads upward.
        linked = found.get("islink") and found["type"] == "directory"
        return {**_info_of(path, found), **({"type": "other"} if linked else {})}

    async def _file(self, path: str) -> Info:
        """Return what is known of a file; a folder is absent."""
        info = await self.stat(path)
        if info["type"] != "file":
            raise absent(path)
        return info

    def _listing(self, folder: str) -> list[Info]:
        """Return what the filesystem lists in a folder, not the folder itself."""
        found = self._ask(AbstractFileSystem.ls, folder, detail=True)
        start = folder.strip("/")
        infos = [each for each in found if each["name"].strip("/") != start]
        if len(infos) < len(found) == 1 and found[0]["type"] == "file":
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder)
        for each in infos:
            if parent_of(each["name"].strip("/")) != start:
                raise unusable_answer(f"{each['name']!r} in the listing of {folder!r}", folder)
        return infos

    async def entries(self, folder: str) -> list[Info]:
        """Return all that is in a folder."""
        infos = []
        for each in self._listing(folder):
            name = each["name"].rstrip("/").rpartition("/")[2]
            if is_name(name):
                info = _info_of(_join(folder, name), each)
                infos.append({**info, "type": "link"} if each.get("islink") else info)
        return infos

    async def identity(self, folder: str) -> str:
        """Return the path: no links to folders are shown."""
        return folder

    async def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return `content[start:end]`."""
        size: int | None = (await self._file(path))["size"]
        if size is None or (start is None and end is None):
            return (await self._whole(path, size))[start:end]
        first, last, _step = slice(start, end).indices(size)
        return self.part(path, first, last, size)

    async def _whole(self, path: str, size: int | None) -> bytes:
        if size is not None and size <= _SMALL_BYTES:
            return _as_bytes(self._ask(AbstractFileSystem.cat_file, path), path)
        with TemporaryFile() as spool:
            await self.fetch(path, spool, DEFAULT_CALLBACK)
            spool.seek(0)
            return spool.read()

    def part(self, path: str, start: int, end: int, size: int) -> bytes:
        """Return the bytes from `start` to before `end` of a file of `size` bytes."""
        if start >= end:
            return b""
        content = _as_bytes(
            self._ask(AbstractFileSystem.cat_file, path, start=start, end=end), path
        )
        if len(content) == size:  # some have no ranges
            content = content[start:end]
        if len(content) != end - start:
            raise unusable_answer(f"{len(content)} bytes for [{start}:{end}]", path)
        return content

    async def fetch(self, path: str, file: IO[bytes], callback: Callback) -> None:
        """Write a file's content to `file`."""
        callback.set_size((await self._file(path))["size"])
        with temporary_folder() as folder:
            local_path = f"{folder}/content"

            def arrived() -> int:
                return os.path.getsize(local_path) if os.path.exists(local_path) else -1

            self._ask(AbstractFileSystem.get_file, path, local_path, progress=arrived)
            with open(local_path, "rb") as content:
                while block := content.read(_BLOCK_BYTES):
                    file.write(block)
                    callback.relative_update(len(block))

    async def open(self, path: str) -> _Handle:
        """Return what reads a file, and notices when another replaces it."""
        info = await self._file(path)
        if info["size"] is not None:
            return _Handle(self, info)
        content = await self._whole(path, None)
        return _Handle(self, {**info, "size": len(content)}, content)

    async def send(self, path: str, content: Content) -> None:
        """Write a new file, and the folders above it; look whether all of it arrived."""
        self._make_parents(path)
        sent = content.size
        if content.in_memory and content.size <= _SMALL_BYTES:
            self._ask(AbstractFileSystem.pipe_file, path, b"".join(content.blocks(_BLOCK_BYTES)))
        else:
            sent = self._stream(path, content)
        size = (await self._file(path))["size"]
        if size not in {sent, None}:
            raise unusable_answer(f"{size} of {sent} bytes arrived", path)

    def _stream(self, path: str, content: Content) -> int:
        """Write a new file block by block; return its size."""
        fs, given_up, sent = self.fs, Event(), 0

        def write() -> None:
            nonlocal sent
            try:
                with fs.open(path, "wb") as file:
                    for block in content.blocks(_BLOCK_BYTES):
                        if given_up.is_set():
                            break
                        file.write(bytes(block))  # some take no view of memory
                        sent += len(block)
            finally:
                if given_up.is_set():
                    with suppress(Exception):  # nobody waits to be told
                        fs.rm_file(path)

        try:
            self._answer(path, write, progress=lambda: sent)
        except BaseException:
            given_up.set()
            if content.failure is not None:
                raise content.failure from None  # the caller's own, not the filesystem's
            raise
        return sent

    def _make_parents(self, path: str) -> None:
        folder = parent_of(path)
        if not folder.strip("/"):
            return
        try:
            self._ask(AbstractFileSystem.makedirs, folder, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", folder) from error
        except PermissionError:
            return  # who may write files may not be allowed to make folders; the write will tell

    async def rename(self, source: str, path: str, *, replace: bool) -> None:
        """Rename a file, or a folder file by file; what is at `path` is looked for first.

        Raises:
            FileExistsError: as well where the filesystem's own rename does not replace.
        """
        taken = await self._kind(path)
        if taken == "directory":
            raise IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
        if taken is not None and not replace:
            raise already_there(path)
        if not is_temporary(source) and await self._kind(source) == "directory":
            await self._move_folder(source, path)
            return
        try:
            self._move(source, path)
        except OSError as error:
            if taken is None or isinstance(error, TimeoutError) or await self._kind(source) is None:
                raise
            raise already_there(path) from error
        if not _PLAIN.fullmatch(path):
            await self._look_for_alias(path)

    async def _look_for_alias(self, path: str) -> None:
        """Remove what has just been written to `path` if it is under another name."""
        try:
            await self.stat(path)
        except Absent as error:
            message = "the filesystem has written it to another place"
            raise OSError(errno.EINVAL, message, path) from error
        except OSError as error:
            if error.errno == errno.EINVAL:
                self._ask(AbstractFileSystem.rm_file, path)
            raise

    async def _kind(self, path: str) -> str | None:
        try:
            return str((await self.stat(path))["type"])
        except Absent:
            return None

    def _move(self, source: str, path: str) -> None:
        renames = getattr(self.fs.mv, "__func__", None) is not AbstractFileSystem.mv
        # fsspec's own mv takes these characters for a pattern, and moves what matches.
        if renames and not set(source) & set("*?["):
            self._ask(AbstractFileSystem.mv, source, path)
        else:
            self._ask(AbstractFileSystem.cp_file, source, path)
            self._ask(AbstractFileSystem.rm_file, source)

    async def _move_folder(self, source: str, path: str) -> None:
        self._ask(AbstractFileSystem.makedirs, path, exist_ok=True)
        for info in await self.entries(source):
            await self.rename(
                info["name"], _join(path, info["name"].rpartition("/")[2]), replace=True
            )
        await self.remove_folder(source)

    async def remove(self, path: str) -> None:
        """Delete a file or a link; some filesystems would delete a folder with all in it."""
        kind = await self._kind(path)
        if kind == "directory" or (
            kind is None and not self._ask(AbstractFileSystem.lexists, path)
        ):
            raise absent(path)
        try:
            self._ask(AbstractFileSystem.rm_file, path)
        except IsADirectoryError:
            raise absent(path) from None

    async def make_folder(self, path: str) -> None:
        """Make one folder; some filesystems have none that are empty."""
        if await self._kind(path) is not None:
            raise already_there(path)
        self._ask(AbstractFileSystem.mkdir, path, create_parents=False)

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder; some filesystems would remove one that is not."""
        if self._listing(path):
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", path)
        self._ask(AbstractFileSystem.rmdir, path)

    async def close(self) -> None:
        """Let go of the filesystem, whose connections end when it is collected."""
        self._fs = None


class _Handle:
    """Reads a file by its path, and looks after each part whether it is still the same."""

    def __init__(self, requests: GenericRequests, info: Info, content: bytes | None = None) -> None:
        self._requests, self.info, self._content = requests, info, content

    async def read(self, start: int, end: int) -> bytes:
        if self._content is not None:
            return self._content[start:end]
        path, size = self.info["name"], self.info["size"]
        content = self._requests.part(path, start, min(end, size), size)
        if _version_of(await self._requests.stat(path)) != _version_of(self.info):
            raise OSError(errno.EBUSY, "the file was changed while it was read", path)
        return content

    def close(self) -> None:
        pass


class GenericDriver(BlockingFolderDriver, AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A filesystem of fsspec's, by its protocol and its own arguments. Paths are its own."""

    protocol = "fsspec"
    cachable = False
    folders_refuse_late = True
    requests: GenericRequests

    def __init__(
        self,
        fsspec_protocol: str,
        options: Mapping[str, Any],
        secrets: Sequence[str] = (),
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        **kwargs: Any,
    ) -> None:
        """Take what makes the filesystem, which is made on first use.

        Args:
            fsspec_protocol: a protocol that fsspec knows.
            options: the arguments of its filesystem.
            secrets: what no message may show.
            connect_timeout: seconds that making it may take.
            read_timeout: seconds that a call may take, or, where that shows, without progress.
            **kwargs: fsspec's own.
        """
        super().__init__(**kwargs)
        make = partial(_make, fsspec_protocol, options)
        self.requests = GenericRequests(make, secrets, connect_timeout, read_timeout)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = stringify_path(path)
        return text.rstrip("/") or text[:1]

    async def _replace(self, source: str, path: str, attempts: int = 3) -> None:
        try:
            await super()._replace(source, path, attempts)
        except FileExistsError:
            if self.replace == "aside":
                raise
            self.replace = "aside"  # the filesystem's own rename does not replace
            await super()._replace(source, path, attempts)


def _make(protocol: str, options: Mapping[str, Any]) -> Any:
    fs = get_filesystem_class(protocol)(**options, skip_instance_cache=True)
    fs.dircache = DirCache(use_listings_cache=False)
    return fs


def _builtin(error: OSError) -> type[OSError]:
    """Return the builtin class that an OSError of any class is a kind of."""
    return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")


def _is_about(error: FileNotFoundError, path: str) -> bool:
    """Tell whether an error says that nothing is at `path`, not that a file of ours is missing."""
    named = error.filename
    if named is None and error.errno is None and len(error.args) == 1:
        named = error.args[0]
    if not isinstance(named, str):
        return True
    text, known = named.strip("/"), path.strip("/")
    is_path = error.filename is not None or os.path.isabs(named)
    return not is_path or known in text or (bool(text) and f"/{known}".endswith(f"/{text}"))


def _as_bytes(content: Any, path: str) -> bytes:
    if not isinstance(content, bytes | bytearray | memoryview):
        raise unusable_answer(f"a {type(content).__name__} as content", path)
    return bytes(content)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder.strip("/") else folder + name


def _info_of(path: str, found: Mapping[str, Any]) -> Info:
    """Return fsspec's info of a file or folder, with `modified`."""
    size = found.get("size")
    times = (_time(found.get(name)) for name in _MODIFIED)
    modified = next((each for each in times if each is not None), None)
    kind = found["type"] if found["type"] in {"file", "directory"} else "other"
    return {
        **found,
        "name": path,
        "type": kind,
        "size": None if size is None or kind == "directory" else int(size),
        "modified": modified,
        "mtime": modified and modified.timestamp(),
    }


def _time(value: object) -> datetime | None:
    """Return what a filesystem tells of a time as an aware datetime; UTC where it does not say."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
    return None


def _version_of(info: Info) -> list[Any]:
    return [info.get(name) for name in _VERSION]
