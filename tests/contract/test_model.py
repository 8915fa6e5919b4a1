"""The composite filesystem against a model, while copies are lost and locations go down."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from filestore_fsspec import InvalidKey, LocationUnavailable, PartialWrite
from filestore_fsspec.drivers.memory import MemoryDriver
from filestore_fsspec.filesystem import FileStoreFileSystem
from tests.contract.model import FILE, FOLDER, Model, Place, above
from tests.services.common import FolderRaw
from tests.services.memory import MemoryRaw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.services.common import Raw

SHA, OTHER_SHA = "abcd" + "0" * 60, "a" * 64
KEYS = ["a", "ab", "a b", "b", "a/b", "a/bc", "a/b/c", "a/b/c/d/e", "ab/c", "f/g/h"]
KEYS += [SHA, OTHER_SHA, f"f/{SHA}", f"{SHA}/x"]
FOLDERS = ["a", "ab/x", "ee", "ee/g"]
MODES = ["wb", "xb", "ab", "r+b", "w+b", "x+b", "a+b"]
STEPS = 60


class Large(bytes):
    """Content of several buffers, which is not to be printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "LARGE"


LARGE = Large(b"0123456789" * 30_000)

keys = st.sampled_from(KEYS)
names = st.sampled_from(sorted({*KEYS, *FOLDERS, *(each for key in KEYS for each in above(key))}))
folders = st.sampled_from(["", *sorted({*FOLDERS, *(each for key in KEYS for each in above(key))})])
contents = st.binary(max_size=20) | st.just(LARGE)
bounds = st.none() | st.integers(-12, 12)
numbers = st.integers(0, 9)

steps: Counter[str] = Counter()


class Switch:
    """A location's filesystem, with a server's outage: calls fail, at once or after some more."""

    def __init__(self, fs: Any) -> None:
        self._fs = fs
        self.calls_left: int | None = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._fs, name)
        if not callable(value) or name in ("close", "stop_threads"):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.calls_left is not None:
                if not self.calls_left:
                    raise ConnectionRefusedError("the test's outage")
                self.calls_left -= 1
            return value(*args, **kwargs)

        return call


def outcome(call: Callable[[], Any], members: Sequence[object]) -> Any:
    """Return what `call` returned, or what it raised; of a `PartialWrite`, which were written."""
    try:
        return call()
    except PartialWrite as error:
        return [any(each is member for member in error.written) for each in members]
    except InvalidKey:
        return InvalidKey
    except OSError as error:
        kinds = (FileNotFoundError, FileExistsError, LocationUnavailable, OSError)
        return next(kind for kind in kinds if isinstance(error, kind))


class Composite(RuleBasedStateMachine):
    kinds: ClassVar[tuple[str, ...]]

    @initialize()
    def start(self) -> None:
        self.serial = 0
        self.folder = tempfile.mkdtemp(prefix="filestore-model-")
        urls, self.raws = [], list[Any]()
        for number, kind in enumerate(self.kinds):
            name = f"model-{number}-{secrets.token_hex(6)}"
            if kind == "file":
                urls.append(f"file://{self.folder}/{name}")
                self.raws.append(FolderRaw(Path(self.folder) / name))
            else:
                urls.append(f"memory://{name}")
                self.raws.append(MemoryRaw(f"/{name}"))
        self.fs = FileStoreFileSystem(
            urls,
            connection_attempts=1,
            breaker_failures=0,  # an outage ends at once here
            skip_instance_cache=True,
        )
        self.locations = self.fs.store.locations
        self.switches = [Switch(location.fs) for location in self.locations]
        for location, switch in zip(self.locations, self.switches, strict=True):
            location._fs = switch
        self.model = Model([Place(disk=kind == "file") for kind in self.kinds])

    def teardown(self) -> None:
        if hasattr(self, "model"):
            for location in self.locations:
                location.close()
            shutil.rmtree(self.folder)
            for raw in self.raws:
                if isinstance(raw, MemoryRaw) and raw.paths():
                    MemoryDriver().rm(raw.folder, recursive=True)

    @invariant()
    def every_location_holds_what_it_should(self) -> None:
        if hasattr(self, "model"):
            steps[type(self).__name__] += 1
            for raw, place in zip(self.raws, self.model.places, strict=True):
                assert {path: raw.read(path) for path in raw.paths()} == place.files

    # What happens behind its back

    @rule(number=numbers)
    def goes_down(self, number: int) -> None:
        self._switch(number, up=False)

    @rule(number=numbers)
    def comes_up(self, number: int) -> None:
        self._switch(number, up=True)

    @rule()
    def all_come_up(self) -> None:
        for number in range(len(self.kinds)):
            self._switch(number, up=True)

    def _switch(self, number: int, *, up: bool) -> None:
        number %= len(self.kinds)
        self.model.places[number].up = up
        self.switches[number].calls_left = None if up else 0

    @rule(number=numbers, which=numbers)
    def a_copy_is_lost(self, number: int, which: int) -> None:
        place, raw = self._at(number)
        if place.files:
            path = sorted(place.files)[which % len(place.files)]
            raw.delete(path)
            del place.files[path]

    @rule(number=numbers, key=keys, content=contents)
    def a_copy_comes_from_elsewhere(self, number: int, key: str, content: bytes) -> None:
        place, raw = self._at(number)
        was_up, place.up = place.up, True
        if place.takes(key):
            raw.write(place.path(key), content)
            place.write(key, content)
        place.up = was_up

    def _at(self, number: int) -> tuple[Place, Raw]:
        return self.model.places[number % len(self.kinds)], self.raws[number % len(self.kinds)]

    # Reading

    def same(self, real: Callable[[], Any], expected: Callable[[], Any]) -> None:
        answer = outcome(real, self.locations)
        assert answer == outcome(expected, self.model.places)

    @rule(key=names)
    def cat(self, key: str) -> None:
        self.same(lambda: self.fs.cat_file(key), lambda: self.model.read(key))
        self.same(lambda: self.fs.cat(key), lambda: self.model.read(key))

    @rule(key=keys, start=bounds, end=bounds)
    def cat_range(self, key: str, start: int | None, end: int | None) -> None:
        self.same(
            lambda: self.fs.cat_file(key, start=start, end=end),
            lambda: self.model.read(key)[start:end],
        )
        self.same(
            lambda: self.fs.cat_ranges([key] * 2, [start, 0], [end, 2], on_error="raise"),
            lambda: [self.model.read(key)[start:end], self.model.read(key)[:2]],
        )

    @rule(wanted=st.lists(keys, min_size=1, unique=True))
    def cat_many(self, wanted: list[str]) -> None:
        self.same(
            lambda: dict(self.fs.cat(wanted)), lambda: {key: self.model.read(key) for key in wanted}
        )

    @rule(key=names, seek=st.integers(0, 12), size=st.integers(-1, 12))
    def read_a_file_object(self, key: str, seek: int, size: int) -> None:
        def read() -> tuple[bytes, bytes, bytes]:
            with self.fs.open(key, "rb") as file:
                head = file.read(3)
                file.seek(seek)
                return head, file.read(size), file.read()

        def expected() -> tuple[bytes, bytes, bytes]:
            content = self.model.open_to_read(key)
            rest = content[seek:]
            cut = len(rest) if size < 0 else size
            return content[:3], rest[:cut], rest[cut:]

        self.same(read, expected)

    @rule(key=names)
    def look(self, key: str) -> None:
        def info() -> tuple[str, str, int]:
            found = self.fs.info(key)
            return found["name"], found["type"], found["size"] * (found["type"] == FILE)

        self.same(info, lambda: self.model.info(key))
        self.same(lambda: self.fs.exists(key), lambda: self.model.is_kind(key))
        self.same(lambda: self.fs.isfile(key), lambda: self.model.is_kind(key, FILE))
        self.same(lambda: self.fs.isdir(key), lambda: self.model.is_kind(key, FOLDER))

    @rule(folder=folders | names)
    def list_a_folder(self, folder: str) -> None:
        def ls() -> list[tuple[str, str, int]]:
            infos = self.fs.ls(folder, detail=True)
            return [(i["name"], i["type"], i["size"] * (i["type"] == FILE)) for i in infos]

        self.same(ls, lambda: self.model.ls(folder))
        self.same(
            lambda: self.fs.ls(folder, detail=False),
            lambda: list(dict.fromkeys(info[0] for info in self.model.ls(folder))),
        )

    @rule(folder=folders | names)
    def find(self, folder: str) -> None:
        self.same(lambda: self.fs.find(folder), lambda: list(self.model.find(folder)))
        self.same(lambda: self.fs.du(folder), lambda: sum(self.model.find(folder).values()))
        self.same(
            lambda: {n: i["size"] for n, i in self.fs.find(folder, detail=True).items()},
            lambda: self.model.find(folder),
        )

    @rule(folder=folders)
    def walk(self, folder: str) -> None:
        self.same(
            # fsspec's walk of a file gives a file without a name.
            lambda: {at: (set(dirs), {*files} - {""}) for at, dirs, files in self.fs.walk(folder)},
            lambda: self.model.walk(folder),
        )

    @rule(pattern=st.sampled_from(["*", "a*", "a/*", "a/b*", "*/b", "ab/*", "?", "zz/*"]))
    def glob(self, pattern: str) -> None:
        self.same(lambda: self.fs.glob(pattern), lambda: self.model.glob(pattern))

    # Writing

    @rule(key=keys, content=contents, mode=st.sampled_from(["overwrite", "create"]))
    def pipe(self, key: str, content: bytes, mode: str) -> None:
        self.same(
            lambda: self.fs.pipe_file(key, content, mode=mode),
            lambda: self.model.put(key, content, create=mode == "create"),
        )

    @rule(key=keys, content=contents, mode=st.sampled_from(["overwrite", "create"]))
    def put(self, key: str, content: bytes, mode: str) -> None:
        source = Path(self.folder) / "source"
        source.write_bytes(content)
        self.same(
            lambda: self.fs.put_file(str(source), key, mode=mode),
            lambda: self.model.put(key, content, create=mode == "create"),
        )

    @rule(key=keys)
    def touch(self, key: str) -> None:
        self.same(lambda: self.fs.touch(key), lambda: self.model.put(key, b""))

    @rule(key=keys, content=contents, mode=st.sampled_from(MODES))
    def write_a_file_object(self, key: str, content: bytes, mode: str) -> None:
        def write() -> None:
            with self.fs.open(key, mode) as file:
                file.write(content)

        self.same(write, lambda: self.model.write_file(key, content, mode))

    @rule(key=keys, mode=st.sampled_from(["wb", "xb", "ab"]))
    def a_body_that_raises_writes_nothing(self, key: str, mode: str) -> None:
        def write() -> None:
            with self.fs.open(key, mode) as file:
                file.write(b"half of it")
                raise KeyError(key)

        with suppress(KeyError):
            outcome(write, ())

    @rule(source=keys, dest=keys)
    def copy(self, source: str, dest: str) -> None:
        self.same(lambda: self.fs.copy(source, dest), lambda: self.model.copy(source, dest))

    @rule(source=keys, dest=names)
    def move(self, source: str, dest: str) -> None:
        self.same(lambda: self.fs.mv(source, dest), lambda: self.model.move(source, dest))

    @rule(key=keys)
    def remove(self, key: str) -> None:
        self.same(lambda: self.fs.rm(key), lambda: self.model.remove(key))

    @rule(folder=names)
    def remove_a_tree(self, folder: str) -> None:
        self.same(
            lambda: self.fs.rm(folder, recursive=True), lambda: self.model.remove_tree(folder)
        )

    @rule(folder=st.sampled_from(FOLDERS), exist_ok=st.booleans())
    def make_a_folder(self, folder: str, *, exist_ok: bool) -> None:
        self.same(
            lambda: self.fs.makedirs(folder, exist_ok=exist_ok),
            lambda: self.model.make_folder(folder, exist_ok=exist_ok),
        )

    @rule(folder=names)
    def remove_a_folder(self, folder: str) -> None:
        self.same(lambda: self.fs.rmdir(folder), lambda: self.model.remove_folder(folder))

    # A location that goes down in the middle

    @rule(number=numbers, calls=st.integers(0, 5), name=names | folders, which=numbers)
    def goes_down_in_a_read(self, number: int, calls: int, name: str, which: int) -> None:
        reads: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
            (lambda: self.fs.cat_file(name or "a"), lambda: self.model.read(name or "a")),
            (lambda: self.fs.exists(name), lambda: self.model.is_kind(name)),
            (lambda: self.fs.isfile(name), lambda: self.model.is_kind(name, FILE)),
            (lambda: self.fs.find(name), lambda: list(self.model.find(name))),
            (
                lambda: self.fs.ls(name, detail=False),
                lambda: list(dict.fromkeys(info[0] for info in self.model.ls(name))),
            ),
            (
                lambda: {at: {*files} - {""} for at, _, files in self.fs.walk(name)},
                lambda: {at: files for at, (_, files) in self.model.walk(name).items()},
            ),
        ]
        real, expected = reads[which % len(reads)]
        place, switch = self._at(number)[0], self.switches[number % len(self.kinds)]
        allowed = [LocationUnavailable, outcome(expected, ())]
        was_up, place.up = place.up, False
        allowed.append(outcome(expected, ()))
        place.up = was_up
        switch.calls_left = calls if was_up else 0
        assert outcome(real, ()) in allowed
        switch.calls_left = None if was_up else 0

    @rule(number=numbers, calls=st.integers(0, 4), key=keys, which=numbers)
    def goes_down_in_a_write(self, number: int, calls: int, key: str, which: int) -> None:
        self.serial += 1
        content = b"new content %d" % self.serial
        writes: list[Callable[[], Any]] = [
            lambda: self.fs.pipe_file(key, content),
            lambda: self._write_file(key, content),
            lambda: self.fs.rm(key),
        ]
        place, switch = self._at(number)[0], self.switches[number % len(self.kinds)]
        switch.calls_left = calls if place.up else 0
        done = outcome(writes[which % len(writes)], self.locations)
        switch.calls_left = None if place.up else 0
        self._see_what_was_written(key, None if which % len(writes) == 2 else content, done)

    def _write_file(self, key: str, content: bytes) -> None:
        with self.fs.open(key, "wb") as file:
            file.write(content)

    def _see_what_was_written(self, key: str, content: bytes | None, done: Any) -> None:
        everywhere, nowhere = [True] * len(self.kinds), [False] * len(self.kinds)
        said = done if isinstance(done, list) else nowhere if done else everywhere
        for raw, place, written in zip(self.raws, self.model.places, said, strict=True):
            if written and content is None:
                place.remove(key)
            elif written and content is not None:
                place.write(key, content)
            elif place.disk and raw.folder.exists():
                # What is not written may have left a folder that was made for it.
                place.folders = {
                    each.relative_to(raw.folder).as_posix()
                    for each in raw.folder.rglob("*")
                    if each.is_dir()
                }


class TwoFiles(Composite):
    kinds = ("file", "file")


class FileMemoryFile(Composite):
    kinds = ("file", "memory", "file")


TestTwoFiles = TwoFiles.TestCase
TestFileMemoryFile = FileMemoryFile.TestCase
TestTwoFiles.settings = TestFileMemoryFile.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=STEPS
)


pytestmark = pytest.mark.timeout(900)  # on a machine with other work


@pytest.mark.parametrize("machine", [TwoFiles, FileMemoryFile])
def test_steps_enough_were_taken(machine: type[Composite]) -> None:
    if machine.__name__ not in steps:
        run_state_machine_as_test(machine, settings=machine.TestCase.settings)
    assert steps[machine.__name__] >= 2000
