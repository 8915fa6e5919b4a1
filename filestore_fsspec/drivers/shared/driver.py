"""What a location asks of its filesystem, beyond fsspec's own signatures.

Every driver keeps these promises, in its sync methods and, where `async_impl` is true, in the
coroutines named with a leading underscore:

- Absent means absent: `errors.Absent` is raised, and `isfile` is False, only when the server said
  that the object is not there (or is a folder). Any other `FileNotFoundError` is about a file of
  this machine that the configuration names, and what the location has is unknown. Whatever else
  went wrong is raised as the builtin that fits, the driver's own exception as its `__cause__`:
  `PermissionError` for refused credentials and rights, `ConnectionError` for what another attempt
  may mend (`RetryAfter` after the pause that the server asks for), `CertificateError` for a
  certificate or host key, `TimeoutError` for a server that was silent for too long, any other
  `OSError` for the rest. No other exception type leaves a driver.
- `cat_file(path, start, end)`, `get_file`, `isfile`, `pipe_file`, `put_file` and `rm_file` take
  one trip where the protocol allows it. `info` gives `name`, `size` (bytes, None if unknown),
  `type` (`file` or `directory`) and `modified` (an aware datetime, or None).
- `pipe_file` and `put_file` are atomic, make missing parents and buckets, and take `mode`:
  `overwrite`, or `create`, which raises `FileExistsError` and keeps what exists. An interrupted
  write leaves nothing under the final name; where the backend shows unfinished ones, files are
  written to a temporary one (`keys.temporary_path`) and renamed.
- `put_verified(lpath, path, mode)` is `put_file`, and compares what is stored with what was sent:
  the server's own checksum where it has one, else it is read again. `ChecksumMismatch`
  says that it is not; nothing of it is left.
- Nothing is cached. A call after a dropped connection may fail once with a `ConnectionError`;
  the next one connects anew. No call retries, and none waits longer than its time-outs allow.
- Connections are made on first use. One driver may be used from many threads at once.
"""

from __future__ import annotations

import errno
import shutil
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from filestore_fsspec.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import ThreadPoolExecutor

_COPY_BYTES = 2**20

SECRETS = (
    *("password", "private_key_pass", "secret", "account_key", "client_secret"),
    *("options", "secrets"),
)
"""The arguments that no text may show, unless it is to make the driver anew."""
Info = dict[str, Any]
Page = tuple[list[Info], Any]


class Driver(Protocol):
    """What a location asks of a filesystem, typed: fsspec has no types.

    Where `async_impl` is true the same is awaited, in coroutines with a leading underscore.
    """

    async_impl: bool
    direct: frozenset[str]
    """Which methods of an async driver have a blocking form that needs no event loop."""
    may_wait: bool
    delete_batch_chunk_size: int
    max_concurrency: int
    folders_refuse_late: bool
    hides_links: bool
    threads: ThreadPoolExecutor

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, /) -> bytes:
        """Return the content, or `content[start:end]`."""
        ...

    def get_file(self, rpath: str, lpath: str, /) -> None:
        """Copy a file to this machine."""
        ...

    def pipe_file(self, path: str, value: bytes, /, mode: str = "overwrite") -> None:
        """Write bytes; `mode` is `overwrite` or `create`."""
        ...

    def put_file(self, lpath: str, path: str, /, *, mode: str = "overwrite") -> None:
        """Write a file of this machine."""
        ...

    def put_verified(self, lpath: str, path: str, /, *, mode: str) -> None:
        """Write a file of this machine; compare what is stored with what was sent."""
        ...

    def isfile(self, path: str, /) -> bool:
        """Tell whether a file is there."""
        ...

    def isdir(self, path: str, /) -> bool:
        """Tell whether a folder exists, whether or not a file has that name too."""
        ...

    def info(self, path: str, /) -> Info:
        """Return what is known of a file or folder."""
        ...

    def ls(self, path: str, /, *, detail: bool) -> list[Info]:
        """Return what is in a folder; of a file, itself."""
        ...

    def list_page(self, prefix: str, token: Any = None, /) -> Page:
        """Return the infos of some files whose path starts with `prefix`, and a token for more."""
        ...

    def stale_files(self, prefix: str, token: Any = None, /) -> Page:
        """Return the infos of some of our temporary files, and a token for more."""
        ...

    def remove_stale(self, info: Info, /) -> None:
        """Remove what `stale_files` returned."""
        ...

    def remove_hidden(self, folder: str, /, *, links: bool) -> bool:
        """Remove temporary files of ours, and `links`, that no listing of a folder shows."""
        ...

    def rm_file(self, path: str, /) -> None:
        """Delete a file."""
        ...

    def rm_files(self, paths: Sequence[str], /) -> dict[str, OSError]:
        """Delete up to `delete_batch_chunk_size` files in one request; return what failed."""
        ...

    def rm(self, path: str, /, *, recursive: bool) -> None:
        """Delete a file, or with `recursive` a folder and what a listing of it shows."""
        ...

    def makedirs(self, path: str, /, *, exist_ok: bool) -> None:
        """Make a folder and those above it."""
        ...

    def rmdir(self, path: str, /) -> None:
        """Remove an empty folder."""
        ...

    def open(self, path: str, mode: str, /, **options: Any) -> Any:
        """Return a file object."""
        ...

    def prepare(self, lpath: str, path: str, mode: str, /) -> Any:
        """Take a local file in under no name; `commit` gives it `path`, its `discard` drops it."""
        ...

    def commit(self, file: Any, /) -> None:
        """Give what `prepare` took in its name."""
        ...

    def stop_threads(self) -> None:
        """Let the threads end, if there are any."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class DriverBase:
    """The methods that a location needs and that fsspec has no name for."""

    delete_batch_chunk_size: ClassVar[int] = 1
    """How many paths one `rm_files` may be given; 1 where the backend has no batch delete."""
    max_concurrency: ClassVar[int] = 16
    """How many calls a bulk operation has under way unless it is told otherwise."""
    may_wait: ClassVar[bool] = True
    """Whether a call may have to wait for another machine."""
    folders_refuse_late: ClassVar[bool] = False
    """Whether a folder may be in a file's way and is noticed when the file is shown, no sooner."""
    hides_links: ClassVar[bool] = False
    """Whether a listing may show a link as the folder it leads to."""
    max_threads: ClassVar[int] = 8
    """How many threads run sync methods for callers that await them."""

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """The threads for callers that await a sync method."""
        return Threads(self.max_threads, "filestore")

    def stop_threads(self) -> None:
        """Let the threads end, if there are any."""
        threads: ThreadPoolExecutor | None = vars(self).pop("threads", None)
        if threads is not None:
            threads.shutdown(wait=False)

    def prepare(self, lpath: str, path: str, mode: str) -> Any:
        """Take a local file in under no name; `commit` gives it `path`, its `discard` drops it."""
        if self.folders_refuse_late and self.isdir(path):  # type: ignore[attr-defined]  # the filesystem's
            raise IsADirectoryError(errno.EISDIR, "a directory exists at that path", path)
        with open(lpath, "rb") as content:
            file = self.open(  # type: ignore[attr-defined]  # the filesystem's
                path, "xb" if mode == "create" else "wb", autocommit=False
            )
            try:
                shutil.copyfileobj(content, file, _COPY_BYTES)
                file.close()
            except BaseException:
                file.discard()
                raise
        return file

    def commit(self, file: Any) -> None:
        """Give what `prepare` took in its name."""
        file.commit()

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Return what makes the driver anew, or all of it but the secrets.

        fsspec's own fails where an argument is None, and leaves out no secret but `password`.
        """
        hidden = () if include_password else SECRETS
        options: dict[str, Any] = self.storage_options  # type: ignore[attr-defined]  # the filesystem's
        given = {
            name: value
            for name, value in options.items()
            if value is not None and name not in hidden
        }
        protocol = self.protocol  # type: ignore[attr-defined]
        first = protocol if isinstance(protocol, str) else protocol[0]
        kind = type(self)
        return {"cls": f"{kind.__module__}:{kind.__name__}", "protocol": first, "args": [], **given}


def is_name(name: str) -> bool:
    """Tell whether an entry of a folder can have this name: a server may send any.

    Below a folder of this machine, `../x` would lead a recursive download out of it.
    """
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name
