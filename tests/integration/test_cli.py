"""The command `filestore`: what it prints, what it exits with, on a terminal and in a pipe."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec import FileStore, cli
from filestore_fsspec.cli.exits import Exit, worst

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.common import Service

COMMAND = [sys.executable, "-m", "filestore_fsspec"]
NOBODY = "ftp://127.0.0.1:1/nobody-is-here?connect_timeout=1"


class Shell:
    """Two locations, and the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], urls: list[str]) -> None:
        self.capsys, self.urls = capsys, urls
        self.shared = [word for url in urls for word in ("--url", url)]

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run a command, and return what it wrote to standard output."""
        return self.both(*words, code=code)[0]

    def both(self, *words: str, code: int = 0) -> tuple[str, str]:
        from filestore_fsspec.cli.app import app  # noqa: PLC0415 - as the command does

        with pytest.raises(SystemExit) as ended:
            app(list(words), prog_name="filestore")
        out, err = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, out + err
        return out, err

    def rows(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """Run a command with `--json`; return its rows, without the summary that is the last."""
        *rows, last = map(json.loads, self(*self.shared, "--json", *words, code=code).splitlines())
        assert last["summary"]["exit"] == code
        return rows


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    return Shell(capsys, [f"file://{tmp_path}/near", f"file://{tmp_path}/far?name=archive"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"content")
    return path


def test_a_file_there_and_back(shell: Shell, source: Path, tmp_path: Path) -> None:
    shared = shell.shared
    (stored,) = shell.rows("put", str(source), "a/b")
    assert stored["written"] == [f"file://{tmp_path}/near/", "archive"]
    assert "kept" in shell("put", *shared, str(source), "a/b")
    assert shell("ls", *shared) == "a/b\n"
    assert shell("cat", "a/b", *shared) == "content"
    shell(*shared, "get", "a/b", str(tmp_path / "dest"), "--location", "far")
    assert (tmp_path / "dest").read_bytes() == b"content"
    assert [row["state"] for row in shell.rows("locate", "a/b")] == ["present", "present"]
    assert [row["size"] for row in shell.rows("stat", "a/b")] == [7]
    assert [(row["keys"], row["bytes"]) for row in shell.rows("du")] == [(1, 7), (1, 7)]
    assert shell.rows("exists", "a/b")[1]["location"] == "archive"
    assert shell.rows("rm", "--dry-run", "a/b") == [{"key": "a/b", "state": "planned"}]
    assert shell.rows("exists", "a/b") != []
    shell("rm", "a/b", "another", *shared)
    assert shell("exists", "a/b", *shared, code=Exit.ABSENT) == ""
    assert shell("cleanup", *shared) == ""


def test_a_folder_there_and_back(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (folder / name).write_text(name)
    planned = shell.rows("upload", str(folder), "tree", "--dry-run")
    assert [row["key"] for row in planned] == ["tree/a", "tree/b", "tree/sub/c"]
    assert shell("ls", *shell.shared) == ""
    assert shell("upload", str(folder), "tree", *shell.shared) == "3 of 3 files stored\n"
    shell("download", "tree/", str(tmp_path / "dest"), "--jobs", "2", *shell.shared)
    found = {
        path.relative_to(tmp_path / "dest").as_posix(): path.read_text()
        for path in (tmp_path / "dest").rglob("*")
        if path.is_file()
    }
    assert found == {name: name for name in ("a", "b", "sub/c")}
    (tmp_path / "other").mkdir()
    (tmp_path / "other/sub").write_text("a file, where a folder is needed")
    out = shell("download", "tree/", str(tmp_path / "other"), *shell.shared, code=Exit.FAILED)
    assert out.startswith("failed: tree/sub/c: ")
    assert out.endswith("2 of 3 files brought\n")


def test_what_it_exits_with(shell: Shell, source: Path, tmp_path: Path) -> None:
    for words, code in (
        (["get", "absent", "x"], Exit.ABSENT),
        (["cat", "absent"], Exit.ABSENT),
        (["stat", "absent"], Exit.ABSENT),
        (["locate", "absent"], Exit.ABSENT),
        (["put", str(tmp_path / "nothing"), "a"], Exit.ABSENT),
        (["upload", str(tmp_path / "nothing")], Exit.ABSENT),
        (["ls", "--location", "elsewhere"], Exit.USAGE),
        (["put", str(source), "../a"], Exit.USAGE),
        (["frobnicate"], Exit.USAGE),
        (["rm"], Exit.USAGE),
        (["ls", "--jobs", "0"], Exit.USAGE),
        (["cat", "a", "--json"], Exit.USAGE),
        (["cleanup", "--dry-run"], Exit.USAGE),
        (["ls", "--url", "nonsense://x"], Exit.USAGE),
        (["get", "absent", "x", "--url", NOBODY], Exit.UNKNOWN),
        (["exists", "absent", "--url", NOBODY], Exit.UNKNOWN),
        (["stat", "absent", "--url", NOBODY], Exit.UNKNOWN),
        (["locate", "absent", "--url", NOBODY], Exit.UNKNOWN),
        (["ls", "--url", NOBODY], Exit.UNKNOWN),
        (["put", str(source), "a", "--url", NOBODY], Exit.UNKNOWN),
    ):
        out, err = shell.both(*words, *shell.shared, code=code)
        assert err or words[0] == "locate", words
        assert "Traceback" not in out + err
    assert shell("ls", *shell.shared) == "a\n"  # of the put that one location took
    read_only = f"{shell.urls[0]}?read_only=true"
    shell("put", str(source), "b", "--url", read_only, code=Exit.REFUSED)


def test_the_worst_counts() -> None:
    assert worst([]) == worst([Exit.OK]) == 0
    assert worst([Exit.ABSENT, Exit.FAILED]) == 1
    assert worst([Exit.ABSENT, Exit.UNKNOWN, Exit.FAILED]) == 4
    assert worst([Exit.UNKNOWN, Exit.REFUSED]) == 5
    assert worst([Exit.REFUSED, Exit.USAGE]) == 2


def test_what_a_journal_has_pending(shell: Shell, source: Path, tmp_path: Path) -> None:
    shared = ["--url", shell.urls[0], "--url", NOBODY, "--journal", str(tmp_path / "journal")]
    shell("put", str(source), "a", *shared, code=Exit.UNKNOWN)
    (planned,) = shell("replay", "--dry-run", *shared).splitlines()
    assert planned.startswith("would put a at ftp://127.0.0.1:1/")
    assert shell("replay", *shared, code=Exit.FAILED).startswith("kept ")
    shell("replay", "--journal", "x", code=Exit.USAGE)


def test_no_secret_is_shown(shell: Shell) -> None:
    for url in ("s3://key:topsecret@bad host/?s3_bucket=b", "ftp://u:topsecret@127.0.0.1:1/"):
        out, err = shell.both("ls", "--url", url, "-v", code=4 if "ftp" in url else 2)
        assert err
        assert "topsecret" not in out + err


def test_a_link(shell: Shell, s3_moto: Service) -> None:
    url = s3_moto.url("signed")
    with FileStore(url) as store:
        store.put("a", "content")
    assert "Signature=" in shell("sign", "a", "--expires", "60", "--url", url)
    with FileStore(*shell.urls) as store:
        store.put("a", "content")
    _, err = shell.both("sign", "a", *shell.shared, code=Exit.USAGE)
    assert "signs URLs" in err


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit, match=r"pip install \"filestore-fsspec\[cli\]\""):
        cli.main()


def test_standard_input_output_and_a_reader_that_had_enough(shell: Shell) -> None:
    put = [*COMMAND, "put", "-", "a", *shell.shared]
    content = b"\x00\xff" * 500_000
    subprocess.run(put, input=content, check=True, timeout=60)
    cat = [*COMMAND, "cat", "a", *shell.shared]
    assert subprocess.run(cat, check=True, capture_output=True, timeout=60).stdout == content
    with subprocess.Popen(cat, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt(shell: Shell) -> None:
    put = [*COMMAND, "put", "-", "a", *shell.shared]
    with subprocess.Popen(
        put, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"x" * (1 << 20))  # returns when most of it has been read
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        process.stdin.close()  # a read that began just before would wait on
        assert process.wait(60) == Exit.INTERRUPTED
    assert shell("ls", *shell.shared) == ""


def test_a_bar_on_a_terminal_and_none_in_a_pipe(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(20):
        (folder / str(number)).write_text("content")
    words = [*COMMAND, "upload", str(folder), *shell.shared]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 10_000)
            except OSError:  # its end
                break
        assert process.wait(60) == 0
    os.close(ours)
    assert b"upload" in shown
    assert b"20/20" in shown
    piped = subprocess.run([*words, "--force"], check=True, capture_output=True, timeout=60)
    assert (piped.stdout, piped.stderr) == (b"20 of 20 files stored\n", b"")
