"""What a journal remembers of two local folders, one of which is in the way at times."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import secrets
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import AsyncFileStore, FileStore
from filestore_fsspec.bridge import SYNC, run
from filestore_fsspec.errors import (
    FileStoreException,
    InvalidKey,
    JournalError,
    LocationUnavailable,
    PartialWrite,
    TransportException,
)
from filestore_fsspec.filesystem import FileStoreFileSystem
from filestore_fsspec.journal.pending import identity
from filestore_fsspec.journal.records import Outcomes, digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filestore_fsspec.journal.owned import Owned
    from filestore_fsspec.journal.records import Journal, Recorded
    from filestore_fsspec.operations import Locations
    from filestore_fsspec.store import Store


class Folders:
    """A near and a far folder, which can be taken away: then nobody can say what is there."""

    def __init__(self, base: Path) -> None:
        self.near, self.far = base / "near" / "root", base / "far" / "root"
        self.journal = base / "journal.db"
        self.urls = [f"file://{self.near}?name=one", f"file://{self.far}?name=two"]
        self.near.mkdir(parents=True)
        self.far.mkdir(parents=True)

    def lose(self, place: str = "far") -> None:
        folder: Path = getattr(self, place).parent
        folder.rename(folder.with_name(f"{place}-away"))
        folder.symlink_to(folder)

    def bring_back(self, place: str = "far") -> None:
        folder: Path = getattr(self, place).parent
        folder.unlink()
        folder.with_name(f"{place}-away").rename(folder)

    def store(self, **options: Any) -> FileStore:
        return FileStore(*self.urls, journal=self.journal, **options)

    def far_content(self, key: str = "k") -> bytes | None:
        path = self.far / key
        return path.read_bytes() if path.exists() else None


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def store(folders: Folders) -> Iterator[FileStore]:
    with folders.store() as found:
        yield found


def journal_of(store: Store) -> Journal:
    if store.journal is None:
        raise ValueError("no journal")
    return store.journal


def pending(store: FileStore) -> list[tuple[str, str, str]]:
    return [(Path(leg.location).parent.name, leg.key, leg.action) for leg in store.pending()]


def replayed(store: FileStore) -> list[tuple[str | None, str, str, str]]:
    return [(each.location.name, each.key, each.action, each.state) for each in store.replay()]


def fail_to_put(store: FileStore, content: bytes, *, force: bool = False) -> None:
    with pytest.raises(PartialWrite):
        store.put("k", content, force=force)


def fail_to_delete(store: FileStore, key: str = "k") -> None:
    with pytest.raises(PartialWrite):
        store.delete(key)


def test_what_succeeds_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"content")
    store.put("k", b"content")
    store.put("k", b"other")
    store.upload(tmp_path / "source", "u")
    assert store.upload_batch([(tmp_path / "source", "b")]) == []
    store.delete("k")
    store.delete_batch(["u", "b", "none"])
    fs = store.fs
    fs.pipe_file("k", b"content")
    fs.cp_file("k", "copied/k")
    fs.mv("k", "moved")
    with fs.open("w", "wb") as file:
        file.write(b"content")
    fs.rm("copied", recursive=True)
    fs.rm("moved")
    assert ([*store.pending()], [*store.replay()]) == ([], [])
    assert list(store.list()) == ["w"]


def test_a_failed_put_is_carried_out_later(folders: Folders, store: FileStore) -> None:
    folders.lose()
    fail_to_put(store, b"content")
    (leg,) = [*store.pending()]
    assert (leg.key, leg.action, leg.size) == ("k", "put", 7)
    assert leg.sha256 == hashlib.sha256(b"content").hexdigest()
    assert "symbolic links" in leg.error
    store.close()
    with folders.store() as other:
        assert replayed(other) == [("two", "k", "put", "kept")]
        folders.bring_back()
        assert replayed(other) == [("two", "k", "put", "done")]
        assert folders.far_content() == b"content"
        assert (replayed(other), pending(other)) == ([], [])


def test_an_awaited_store_remembers_as_well(folders: Folders) -> None:
    async def main() -> None:
        async with AsyncFileStore(*folders.urls, journal=folders.journal) as store:
            with pytest.raises(PartialWrite):
                await store.put("k", b"content")
            assert [leg.key for leg in [leg async for leg in store.pending()]] == ["k"]
            folders.bring_back()
            (done,) = [each async for each in store.replay()]
            assert (done.key, done.state, [leg async for leg in store.pending()]) == (
                "k",
                "done",
                [],
            )

    folders.lose()
    asyncio.run(main())
    assert folders.far_content() == b"content"


def test_enough_copies_are_a_success_and_the_rest_is_remembered(folders: Folders) -> None:
    folders.lose()
    with folders.store(min_copies=1) as store:
        assert len(store.put("k", b"content")) == 1
        with store.fs.open("w", "wb") as file:
            file.write(b"written")
        assert pending(store) == [("far", "k", "put"), ("far", "w", "put")]
        folders.bring_back()
        list(store.replay())
    assert (folders.far_content(), folders.far_content("w")) == (b"content", b"written")


def test_a_file_that_shows_nowhere_leaves_nothing(folders: Folders, store: FileStore) -> None:
    folders.lose()
    with pytest.raises(PartialWrite), store.fs.open("k", "wb") as file:
        file.write(b"content")
    assert ([*store.pending()], store.get("k", "near")) == ([], None)


def test_an_invalid_key_is_not_recorded(store: FileStore) -> None:
    for act in (lambda: store.put("../k", b""), lambda: store.delete("../k")):
        with pytest.raises(InvalidKey):
            act()
    assert [*store.pending()] == []


def test_without_a_journal_there_is_nothing_to_replay(folders: Folders) -> None:
    with FileStore(*folders.urls) as store:
        for ask in (store.replay, store.pending):
            with pytest.raises(ValueError, match="journal"):
                ask()


# What was deleted stays deleted.


def test_a_location_that_missed_a_delete_counts_as_absent(
    folders: Folders, store: FileStore, tmp_path: Path
) -> None:
    store.put("k", b"old")
    folders.lose()
    fail_to_delete(store)
    folders.bring_back()
    assert folders.far_content() == b"old"
    assert (store.get("k"), store.exists("k"), store.exists("k", "all")) == (None, [], [])
    assert (list(store.list()), list(store.get_many(["k"]))) == ([], [None])
    assert [each.state for each in store.locate("k")] == ["absent", "absent"]
    with pytest.raises(FileNotFoundError):
        store.download("k", tmp_path / "dest")
    fs = store.fs
    assert (fs.exists("k"), fs.ls(""), fs.find("")) == (False, [], [])
    for ask in (fs.cat_file, fs.info, fs.open, fs.sign):
        with pytest.raises(FileNotFoundError):
            ask("k")
    assert replayed(store) == [("two", "k", "delete", "done")]
    assert folders.far_content() is None


def test_a_put_of_what_was_deleted_does_not_find_it_there(
    folders: Folders, store: FileStore
) -> None:
    store.put("k", b"old")
    folders.lose()
    fail_to_delete(store)
    folders.bring_back()
    assert [each.name for each in store.put("k", b"new")] == ["one", "two"]
    assert (folders.far_content(), [*store.pending()]) == (b"new", [])


def test_a_put_that_never_happened_brings_nothing_back(folders: Folders, store: FileStore) -> None:
    store.put("k", b"old")
    folders.lose()
    fail_to_delete(store)
    folders.lose("near")
    fail_to_put(store, b"new")
    folders.bring_back("near")
    folders.bring_back()
    assert store.get("k") is None
    assert replayed(store) == [
        ("one", "k", "put", "dropped"),
        ("two", "k", "put", "dropped"),
        ("two", "k", "delete", "done"),
    ]
    assert (folders.far_content(), store.get("k"), [*store.pending()]) == (None, None, [])


def test_a_put_is_not_carried_out_after_a_later_delete(folders: Folders, store: FileStore) -> None:
    folders.lose()
    fail_to_put(store, b"content")
    fail_to_delete(store)
    assert pending(store) == [("far", "k", "delete")]
    folders.bring_back()
    list(store.replay())
    assert (folders.far_content(), [*store.pending()]) == (None, [])


def test_all_keys_of_a_batch_that_failed_are_remembered(folders: Folders, store: FileStore) -> None:
    for key in "abc":
        store.put(key, b"content")
    folders.lose()
    with pytest.raises(PartialWrite):
        store.delete_batch(["a", "b"])
    folders.bring_back()
    assert list(store.list()) == ["c"]
    assert replayed(store) == [("two", "a", "delete", "done"), ("two", "b", "delete", "done")]


def test_of_a_batch_only_what_failed_is_remembered(folders: Folders, store: FileStore) -> None:
    store.put("a", b"content")
    (folders.far / "loop").symlink_to("loop")
    with pytest.raises(PartialWrite):
        store.delete_batch(["a", "loop/b"])
    assert pending(store) == [("far", "loop/b", "delete")]


def test_a_tree_that_could_not_be_removed(folders: Folders) -> None:
    with folders.store() as store:
        fs = store.fs
        fs.pipe({"t/a": b"1", "t/b/c": b"2"})
        folders.lose()
        with pytest.raises(PartialWrite):
            fs.rm("t", recursive=True)
        assert pending(store) == [("far", "t/a", "delete"), ("far", "t/b/c", "delete")]
        folders.bring_back()
        assert fs.find("") == []
        list(store.replay())
    assert [path for path in folders.far.rglob("*") if path.is_file()] == []


# What is out of date does not answer first.


def test_old_content_does_not_answer_before_the_new(folders: Folders, store: FileStore) -> None:
    """With near and far changed places: the old content is at the nearer one."""
    store.put("k", b"old")
    folders.lose()
    fail_to_put(store, b"new", force=True)
    folders.bring_back()
    with FileStore(*folders.urls[::-1], journal=folders.journal) as other:
        assert other.get("k") == other.fs.cat_file("k") == other.fs.open("k").read() == b"new"
        assert other.get("k", "near") == b"old"
        folders.lose("near")
        for ask in (other.get, other.fs.cat_file, other.fs.open):
            with pytest.raises(TransportException, match="symbolic links"):
                ask("k")
        folders.bring_back("near")
        (folders.near / "k").rename(folders.near / "elsewhere")
        assert other.get("k") == b"old"  # where no other has it
        (folders.near / "elsewhere").rename(folders.near / "k")
        assert replayed(other) == [("two", "k", "put", "done")]
        assert (folders.far_content(), other.get("k")) == (b"new", b"new")


def test_a_put_by_force_is_mended_by_one_without(folders: Folders, store: FileStore) -> None:
    """What is left alone for being there may be what was to be replaced."""
    store.put("k", b"old")
    folders.lose()
    fail_to_put(store, b"new", force=True)
    folders.bring_back()
    assert store.put("k", b"new") == []
    assert pending(store) == [("far", "k", "put")]
    list(store.replay())
    assert (folders.far_content(), [*store.pending()]) == (b"new", [])


def test_a_file_that_shows_nowhere_takes_no_earlier_leg_with_it(
    folders: Folders, store: FileStore
) -> None:
    folders.lose()
    for _ in range(3):
        fail_to_put(store, b"content", force=True)
    with pytest.raises(PartialWrite), store.fs.open("k", "wb") as file:
        file.write(b"content")
    assert pending(store) == [("far", "k", "put")]


def test_puts_that_failed_everywhere_do_not_pile_up(folders: Folders, store: FileStore) -> None:
    folders.lose()
    folders.lose("near")
    for force in (False, False, True, True, False, False):
        fail_to_put(store, b"content", force=force)
    assert [leg.overwrite for leg in store.pending()] == [1, 1, 0, 0]


def test_a_name_that_is_no_utf8_may_stand_in_an_error(store: FileStore, tmp_path: Path) -> None:
    source = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    Path(source).write_bytes(b"content")
    (Path(store.locations[1].fs_path("k"))).mkdir()
    with pytest.raises(PartialWrite):
        store.upload(source, "k", force=True)
    assert pending(store) == [("far", "k", "put")]


def test_only_the_latest_of_several_puts_is_carried_out(folders: Folders, store: FileStore) -> None:
    folders.lose()
    for number in range(5):
        fail_to_put(store, b"%d" % number, force=True)
    assert pending(store) == [("far", "k", "put")]
    folders.bring_back()
    list(store.replay())
    assert folders.far_content() == b"4"


def test_a_put_without_force_leaves_alone_what_came_in_between(
    folders: Folders, store: FileStore
) -> None:
    folders.lose()
    fail_to_put(store, b"content")
    folders.bring_back()
    (folders.far / "k").write_bytes(b"another's")
    assert replayed(store) == [("two", "k", "put", "done")]
    assert (folders.far_content(), [*store.pending()]) == (b"another's", [])


def test_what_no_location_has_is_dropped_and_told(folders: Folders, store: FileStore) -> None:
    folders.lose()
    fail_to_put(store, b"content")
    (folders.near / "k").write_bytes(b"another's")
    folders.bring_back()
    (told,) = [*store.replay()]
    assert told.state == "dropped"
    assert "no location has what was to be put" in str(told.error)
    assert [*store.pending()] == []


def test_nothing_is_dropped_while_a_location_cannot_say(folders: Folders, store: FileStore) -> None:
    folders.lose()
    fail_to_put(store, b"content")
    folders.bring_back()
    with FileStore(folders.urls[1], journal=folders.journal) as other:
        (told,) = [*other.replay()]
        assert (told.state, type(told.error)) == ("kept", LocationUnavailable)
        assert str(folders.near) in str(told.error)
    folders.lose("near")
    assert replayed(store) == [("two", "k", "put", "kept")]
    folders.bring_back("near")
    assert replayed(store) == [("two", "k", "put", "done")]


def test_a_location_that_this_store_lacks_is_left_as_it_is(
    folders: Folders, store: FileStore
) -> None:
    folders.lose()
    fail_to_put(store, b"content")
    with FileStore(folders.urls[0], journal=folders.journal) as other:
        assert (replayed(other), pending(other)) == ([], [("far", "k", "put")])
    with FileStore(f"{folders.urls[1]}&read_only=true", journal=folders.journal) as other:
        assert replayed(other) == [("two", "k", "put", "kept")]


def test_flat_keys_that_share_a_place_are_one_leg(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.urls[1] += "&layout=flat"
    with folders.store() as store:
        store.put("x/k", b"old")
        folders.lose()
        fail_to_delete(store, "x/k")
        folders.bring_back()
        assert store.get("y/k", "far") is None
        store.put("y/k", b"new")
        assert (folders.far_content(), [*store.pending()]) == (b"new", [])


# Replays beside what goes on.


def put_begun(store: FileStore, content: bytes, key: str = "k") -> Owned[Recorded]:
    """Record a put, as `write` does, that is to end later."""
    journal = journal_of(store)
    owned = journal.put(store.locations, key, digest(content), Outcomes(), overwrite=True)
    run(owned.begin(SYNC, durable=True))
    return owned


def test_what_is_under_way_is_not_replayed(folders: Folders, store: FileStore) -> None:
    owned = put_begun(store, b"content")
    with folders.store() as other:
        assert (replayed(other), len([*other.pending()])) == ([], 2)
        run(owned.end(SYNC))
        assert (replayed(other), [*other.pending()]) == ([], [])  # nothing had gone out


def test_what_comes_after_a_replay_that_was_killed_stays_recorded(
    folders: Folders, store: FileStore
) -> None:
    """The replay's own write may end last, and bring back what was deleted in the meantime."""
    folders.lose()
    fail_to_put(store, b"content")
    folders.bring_back()
    (leg,) = store.pending()
    killed = journal_of(store).replay(leg, lambda: None)
    assert run(killed.begin(SYNC, durable=False))
    run(killed.end(SYNC))
    store.delete("k")
    (folders.far / "k").write_bytes(b"content")  # the replay's write, which ends last
    assert (store.get("k"), pending(store)) == (None, [("far", "k", "delete")])
    assert replayed(store) == [("two", "k", "delete", "done")]
    assert (folders.far_content(), [*store.pending()]) == (None, [])


def test_threads_share_a_store_and_its_journal(folders: Folders, store: FileStore) -> None:
    folders.lose()

    def work(number: int) -> None:
        for turn in range(10):
            key = f"{number}-{turn}"
            with pytest.raises(PartialWrite):
                store.put(key, b"content")
            if turn % 2:
                fail_to_delete(store, key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([*store.pending()]) == 40
    folders.bring_back()
    assert {each.state for each in store.replay()} == {"done"}
    kept = {f"{number}-{turn}" for number in range(4) for turn in range(0, 10, 2)}
    assert {path.name for path in folders.far.iterdir()} == kept


SCRIPT = """
import sys
from filestore_fsspec import FileStore
from filestore_fsspec.errors import PartialWrite

journal, mark, *urls = sys.argv[1:]
with FileStore(*urls, journal=journal) as store:
    for number in range(25):
        try:
            store.put(f"{mark}-{number}", b"content")
        except PartialWrite:
            pass
"""


def test_two_processes_share_a_journal(folders: Folders, store: FileStore) -> None:
    """Which neither of them finds there."""
    store.close()
    folders.journal.unlink()
    folders.lose()
    command = [sys.executable, "-c", SCRIPT, str(folders.journal)]
    writers = [subprocess.Popen([*command, mark, *folders.urls]) for mark in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len([*store.pending()]) == 50
    folders.bring_back()
    assert {each.state for each in store.replay()} == {"done"}
    assert len(list(folders.far.iterdir())) == 50


def delete(journal: Journal, locations: Locations, key: str) -> None:
    """Record a delete that has begun, and of which nothing is known."""
    outcomes = Outcomes()
    outcomes.begun = True
    owned = journal.delete(locations, [key], outcomes)
    run(owned.begin(SYNC, durable=True))
    run(owned.end(SYNC))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_parent_and_child_of_a_fork_both_go_on(folders: Folders, store: FileStore) -> None:
    folders.lose()
    one = store.locations[1:]
    journal = journal_of(store)
    delete(journal, one, "before")
    child = os.fork()
    if not child:
        try:
            for number in range(20):
                delete(journal, one, f"child-{number}")
            os._exit(0)
        finally:
            os._exit(1)
    for number in range(20):
        delete(journal, one, f"parent-{number}")
        journal.close()
    assert os.waitpid(child, 0)[1] == 0
    assert len([*store.pending()]) == 41


# The file.


def test_a_store_travels_with_its_journal(folders: Folders, store: FileStore) -> None:
    folders.lose()
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own
    fail_to_put(copy, b"content")
    fs = FileStoreFileSystem(folders.urls, journal=str(folders.journal))
    for each in (fs, pickle.loads(pickle.dumps(fs)), FileStoreFileSystem(**fs.storage_options)):  # noqa: S301
        with pytest.raises(PartialWrite):
            each.pipe_file("p", b"content")
    assert pending(store) == [("far", "k", "put"), ("far", "p", "put")]
    assert store.fs.store.journal is store.journal
    journal_of(copy).close()
    journal_of(fs.store).close()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no database at all\n" * 100, "not a database"), (b"short", "not a database")],
)
def test_a_file_that_is_no_journal(folders: Folders, content: bytes, message: str) -> None:
    folders.journal.write_bytes(content)
    with pytest.raises(JournalError, match=message):
        folders.store()
    assert folders.journal.read_bytes() == content


def test_another_programs_database_and_another_version(folders: Folders, store: FileStore) -> None:
    store.close()
    connection = sqlite3.connect(folders.journal)
    connection.execute("PRAGMA user_version=9")
    connection.close()
    with pytest.raises(JournalError, match="version is 9"):
        folders.store()
    folders.journal.unlink()
    connection = sqlite3.connect(folders.journal)
    connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(JournalError, match="another program's"):
        folders.store()


def test_what_cannot_be_recorded_does_not_go_out(folders: Folders, store: FileStore) -> None:
    store.close()
    folders.journal.unlink()
    folders.journal.mkdir()
    with pytest.raises(FileStoreException, match="unable to open"):
        store.put("k", b"content")
    assert not (folders.near / "k").exists()


def test_no_secret_is_stored(tmp_path: Path) -> None:
    secret = secrets.token_hex(16)
    urls = [
        f"file://{tmp_path}/near",
        f"s3://key:{secret}@localhost:1/root?s3_bucket=bucket&use_ssl=false&aws_region=x",
        f"ftp://user:{secret}@localhost:1/root",
        f"azure://localhost:1/container?account=account&access_key={secret}&use_ssl=false",
    ]
    with FileStore(*urls, journal=tmp_path / "journal", connection_attempts=1) as store:
        with pytest.raises(PartialWrite):
            store.put("k", b"content")
        assert [leg.location for leg in store.pending()] == [
            "s3://localhost:1/bucket/root/",
            "ftp://user@localhost:1/root/",
            "azure://localhost:1/container/?account=account",
        ]
    for path in tmp_path.glob("journal*"):
        assert secret.encode() not in path.read_bytes()


def damage(folders: Folders) -> None:
    """Overwrite what stands behind the file's first page."""
    content = folders.journal.read_bytes()
    folders.journal.write_bytes(content[:4096] + secrets.token_bytes(len(content) - 4096))


def test_a_damaged_journal_stops_no_read(
    folders: Folders, store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.put("k", b"content")
    store.close()
    damage(folders)
    assert (store.get("k"), store.exists("k") != [], [*store.list()]) == (b"content", True, ["k"])
    assert len([each for each in caplog.messages if "damaged" in each]) == 1
    for act in (
        lambda: store.put("k", b"new", force=True),
        lambda: store.delete("k"),
        lambda: [*store.pending()],
        lambda: [*store.replay()],
    ):
        with pytest.raises(JournalError, match=r"damaged.*move it away.*compare the locations"):
            act()
    assert folders.far_content() == b"content"
    store.close()
    for path in folders.journal.parent.glob("journal.db*"):
        path.unlink()
    store.put("k", b"new", force=True)
    assert (store.get("k"), [*store.pending()]) == (b"new", [])


@pytest.mark.parametrize("how", ["deleted", "replaced", "its log deleted"])
def test_a_journal_that_is_taken_away_is_noticed_before_the_next_record(
    folders: Folders, store: FileStore, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    folders.lose()
    fail_to_put(store, b"content")
    if how == "replaced":
        with FileStore(*folders.urls, journal=folders.journal.with_name("new")) as other:
            other.locate("k")
        folders.journal.with_name("new").replace(folders.journal)
    for path in folders.journal.parent.glob("journal.db*"):
        if how == "deleted" or path.name.endswith("-wal"):
            path.unlink()
    with pytest.raises(PartialWrite):
        store.put("second", b"content")
    assert "deleted or replaced" in caplog.text
    with folders.store() as other:
        assert {leg.key for leg in other.pending()} >= {"second"}
        assert {leg.key for leg in store.pending()} == {leg.key for leg in other.pending()}


def test_a_location_that_is_no_more_is_forgotten(folders: Folders, store: FileStore) -> None:
    folders.lose("near")
    with folders.store(min_copies=1) as lenient:
        lenient.put("k", b"content")
    folders.lose("far")
    fail_to_put(store, b"other", force=True)
    owned = put_begun(store, b"content", "under way")
    folders.bring_back("near")
    folders.bring_back("far")
    with FileStore(folders.urls[1], journal=folders.journal) as other:
        assert [state for *_, state in replayed(other)] == ["kept"]  # near may have it
        gone = identity(store.locations[0])
        assert other.forget(gone) == 2
        assert [state for *_, state in replayed(other)] == ["dropped"]
        assert {leg.key for leg in other.pending()} == {"under way"}
        with pytest.raises(ValueError, match="no location is called"):
            other.forget("elsewhere")
    run(owned.end(SYNC))


def test_many_are_listed_in_little_memory(store: FileStore) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO legs SELECT i, 's3://gone/bucket/', 'k' || i, 'k' || i, 'delete', '', 0,"
            " 0, '', 0, '', 0, 0, 0 FROM n"
        )

    journal_of(store).file.execute(fill, durable=False, busy_seconds=1)
    tracemalloc.start()
    try:
        assert sum(1 for _ in store.pending()) == 20_000
        assert list(store.replay()) == []
        assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    finally:
        tracemalloc.stop()
    store.put("k5", b"content")
    assert store.forget("s3://gone/bucket/") == 20_000
    assert [*store.pending()] == []


def test_a_call_that_waits_for_another_ends_with_its_deadline(store: FileStore) -> None:
    owned = put_begun(store, b"content")

    def put() -> None:
        with pytest.raises(LocationUnavailable, match="deadline"):
            store.put("k", b"other", deadline_seconds=0.05)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join()
    run(owned.end(SYNC))
    assert (store.get("k"), [*store.pending()]) == (None, [])


def test_where_no_thread_can_be_had_records_are_made_in_this_one(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_thread = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name == "filestore-journal":
            raise RuntimeError("can't start new thread")
        start_thread(thread)

    store.close()
    monkeypatch.setattr(threading.Thread, "start", start)
    store.put("k", b"content")
    assert (store.get("k"), [*store.pending()]) == (b"content", [])


def test_what_could_not_be_ended_is_ended_by_the_next(store: FileStore) -> None:
    """Another process writes for so long that a put's end cannot be recorded."""
    owned = put_begun(store, b"content")
    file = journal_of(store).file
    file.unended.append(owned)
    store.put("other", b"content")
    assert [*store.pending()] == []
