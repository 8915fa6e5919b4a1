"""What the FTP driver makes of servers that hang, lie, drop, or speak nonsense.

No real server does these on demand, so a small one of our own speaks a script.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from filestore_fsspec.drivers.ftp.driver import FTPDriver
from tests.services.common import HOST, PASSWORD, USERNAME, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGIN = {
    "USER": "331 Password?",
    "PASS": "230 In.",
    "FEAT": "211-Features:\r\n SIZE\r\n211 End",
    "TYPE": "200 Binary.",
    "SIZE /": "550 Not a file.",
    "PWD": '257 "/d"',
}


class Script:
    """A server whose answers are those of `replies`, by the line or its command.

    None closes the connection.

    `data` is what a data connection sends, `after_data` the reply that follows (None: it hangs up).
    """

    def __init__(self, replies: dict[str, str | None], greeting: str = "220 Here.") -> None:
        self.replies: dict[str, str | None] = {**LOGIN, **replies}
        self.greeting = greeting
        self.data = b""
        self.after_data: str | None = "226 Done."
        self.swallow = True
        self.commands: list[str] = []
        self.forgotten: list[socket.socket] = []
        """Connections on which nothing is answered any more."""
        self.sockets: list[socket.socket] = []
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.data_listener = socket.create_server((HOST, 0))
        port = self.data_listener.getsockname()[1]
        self.replies.setdefault("PASV", f"227 (127,0,0,1,{port >> 8},{port & 255})")
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                self.sockets.append(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            self._say(connection, self.greeting)
            for line in lines:
                command = line.decode().strip()
                self.commands.append(command)
                if connection in self.forgotten:
                    continue
                word = command.partition(" ")[0]
                reply = self.replies.get(command, self.replies.get(word, "502 What?"))
                if reply is None:
                    return
                self._say(connection, reply)
                if reply.startswith("150") and not self._transfer(connection, word):
                    return

    def _transfer(self, connection: socket.socket, word: str) -> bool:
        data = self.data_listener.accept()[0]
        self.sockets.append(data)
        if word in {"STOR", "APPE"}:
            while self.swallow and data.recv(65536):
                pass
        else:
            data.sendall(self.data)
        if self.after_data == "hang":
            return True
        data.close()
        if self.after_data is None:
            return False
        self._say(connection, self.after_data)
        return True

    @staticmethod
    def _say(connection: socket.socket, reply: str | None) -> None:
        if reply:
            connection.sendall(reply.encode() + b"\r\n")

    def stop(self) -> None:
        for each in (self.listener, self.data_listener, *self.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Script, FTPDriver]]]:
    scripts, drivers = [], []

    def make(replies: dict[str, str | None], **more: Any) -> tuple[Script, FTPDriver]:
        script = Script(replies, **more)
        driver = FTPDriver(
            HOST, script.port, USERNAME, PASSWORD, connect_timeout=0.5, read_timeout=0.5
        )
        scripts.append(script)
        drivers.append(driver)
        return script, driver

    yield make
    for driver in drivers:
        driver.close()
    for script in scripts:
        script.stop()


CALLS: list[Callable[[FTPDriver], Any]] = [
    lambda driver: driver.cat_file("/x"),
    lambda driver: driver.isfile("/x"),
    lambda driver: driver.exists("/x"),
    lambda driver: driver.ls("/"),
    lambda driver: driver.pipe_file("/x", b"1"),
    lambda driver: driver.rm_file("/x"),
    lambda driver: driver.list_page("/"),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_mute_server(start: Any, call: Callable[[FTPDriver], Any]) -> None:
    _, driver = start({}, greeting="")
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        call(driver)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_falls_silent(start: Any, call: Callable[[FTPDriver], Any]) -> None:
    quiet = dict.fromkeys(("SIZE", "PASV", "DELE", "CWD", "MKD"), "")
    _, driver = start(quiet)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        call(driver)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("greeting", ["SSH-2.0-OpenSSH", "999 What", "421 Too many", "x" * 20_000])
def test_a_greeting_that_is_none(start: Any, greeting: str) -> None:
    _, driver = start({}, greeting=greeting)
    for call in CALLS:
        with pytest.raises(ConnectionError):
            call(driver)


@pytest.mark.parametrize("reply", [None, "hello", "226-a\r\n" * 2000, "421 Later."])
def test_odd_replies_are_not_missing_files(start: Any, reply: str | None) -> None:
    script, driver = start(dict.fromkeys(("SIZE", "PASV", "DELE", "CWD"), reply))
    for call in CALLS:
        with pytest.raises(ConnectionError):
            call(driver)
    assert not driver.requests.pool.idle
    script.replies["SIZE"] = "213 5"
    assert driver.isfile("/x")


@pytest.mark.parametrize("reply", ["227 (1,2)", "227 (127,0,0,1,999,999)", "227 no", "200 Ok"])
def test_an_answer_to_pasv_that_is_none(start: Any, reply: str) -> None:
    _, driver = start({"PASV": reply})
    with pytest.raises(ConnectionError):
        driver.cat_file("/x")


@pytest.mark.parametrize(
    ("opening", "after"),
    [
        ("150 Here.", None),
        ("150 Here.", "426 Cut."),
        ("150 Here.", "451 Disk."),
        ("150 Here it comes (10 bytes)", "226 Done."),
        ("150 Here.", "nonsense"),
    ],
)
def test_a_part_is_not_a_file(start: Any, opening: str, after: str | None, tmp_path: Any) -> None:
    script, driver = start({"RETR": opening})
    script.data, script.after_data = b"half", after
    with pytest.raises(ConnectionError):
        driver.cat_file("/x")
    with pytest.raises(ConnectionError):
        driver.get_file("/x", str(tmp_path / "x"))
    assert not list(tmp_path.iterdir())
    script.after_data, script.data = "226 Done.", b"0123456789"
    assert driver.cat_file("/x") == b"0123456789"


def test_a_read_that_was_cut_is_not_the_end(start: Any) -> None:
    script, driver = start({"REST": "350 On.", "RETR": "150 Here.", "SIZE": "213 10"})
    script.data = b"half"
    for start_byte, came in ((None, 4), (3, 7)):
        with pytest.raises(ConnectionError, match=f"{came} of 10 bytes came"):
            driver.cat_file("/x", start_byte)
    script.data = b"0123456789"
    assert driver.cat_file("/x") == b"0123456789"
    script.replies["SIZE"] = "502 What?"
    assert driver.cat_file("/x") == b"0123456789"


def test_a_write_that_was_cut_is_not_shown(start: Any) -> None:
    moving = {"STOR": "150 Send.", "RNFR": "350 To?", "RNTO": "250 Done.", "DELE": "250 Gone."}
    script, driver = start({**moving, "SIZE": "213 4"})
    with pytest.raises(ConnectionError, match="4 of 10 bytes arrived"):
        driver.pipe_file("/x", b"0123456789")
    with (
        pytest.raises(ConnectionError, match="4 of 10 bytes arrived"),
        driver.open("/x", "wb") as file,
    ):
        file.write(b"0123456789")
    words = [command.partition(" ")[0] for command in script.commands]
    assert "RNTO" not in words
    assert words.count("DELE") == 2
    for reply in ("213 10", "502 What?"):
        script.replies["SIZE"] = reply
        driver.pipe_file("/x", b"0123456789")
        assert script.commands[-1] == "RNTO /x"


def test_a_listing_that_was_cut_is_not_the_end(start: Any) -> None:
    script, driver = start({"CWD": "250 In.", "LIST": "150 Here."})
    line = b"-rw-r--r-- 1 a a 5 Nov 22 16:48 "
    script.data = line + b"a\r\n" + line
    with pytest.raises(ConnectionError, match="in the middle of a line"):
        driver.ls("/")
    script.data = line + b"a\r\n"
    assert driver.ls("/", detail=False) == ["/a"]


def test_a_download_that_hangs(start: Any) -> None:
    script, driver = start({"RETR": "150 Here."})
    script.data, script.after_data = b"half", "hang"
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        driver.cat_file("/x")
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize(
    ("after", "error"),
    [
        (None, ConnectionError),
        ("426 Cut.", ConnectionError),
        ("452 Full.", OSError),
        ("552 Quota.", OSError),
        ("hang", TimeoutError),
    ],
)
def test_an_upload_without_its_reply(start: Any, after: str | None, error: type[OSError]) -> None:
    script, driver = start({"STOR": "150 Send.", "DELE": "250 Gone."})
    script.after_data = after
    with pytest.raises(error) as caught:
        driver.pipe_file("/d/x", b"1" * 100_000)
    assert not isinstance(caught.value, FileNotFoundError)
    assert not any(command.startswith("RNTO") for command in script.commands)
    stored = next(command for command in script.commands if command.startswith("STOR"))
    assert f"DELE{stored[4:]}" in script.commands


def test_a_server_that_stops_listening_says_why(start: Any) -> None:
    script, driver = start({"STOR": "150 Send.", "DELE": "250 Gone."})
    script.swallow, script.after_data = False, "552 Quota exceeded."
    with pytest.raises(OSError, match="Quota"):
        driver.pipe_file("/x", b"1" * 20_000_000)


def test_an_upload_nobody_reads(start: Any) -> None:
    script, driver = start({"STOR": "150 Send.", "DELE": "250 Gone."})
    script.swallow, script.after_data = False, "hang"
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        driver.pipe_file("/x", b"1" * 50_000_000)
    assert time.monotonic() - started < 3


def test_a_reply_that_drips(start: Any) -> None:
    script, driver = start({"SIZE": ""})
    stop = threading.Event()

    def drip() -> None:
        with suppress(OSError):
            while not stop.wait(0.1):
                for each in script.sockets:
                    each.sendall(b"2")

    thread = threading.Thread(target=drip)
    started = time.monotonic()
    with driver.requests.pool.lease():
        pass
    thread.start()
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - which of two, below
            driver.isfile("/x")
        assert isinstance(caught.value, (ConnectionError, TimeoutError))
        assert time.monotonic() - started < 3
    finally:
        stop.set()
        thread.join()


def test_a_refused_login_says_nothing_of_the_password(start: Any) -> None:
    _, driver = start({"PASS": f"530 No {USERNAME} with {PASSWORD}."})
    with pytest.raises(PermissionError, match="530") as caught:
        driver.isfile("/x")
    assert PASSWORD not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_an_idle_connection_that_has_ended_is_made_anew(start: Any) -> None:
    script, driver = start({"SIZE": "213 5"})
    assert driver.isfile("/x")
    ends: list[Callable[[socket.socket], None]] = [
        lambda last: last.sendall(b"421 Time-out.\r\n"),
        lambda last: last.shutdown(socket.SHUT_RDWR),
    ]
    for end in ends:
        end(script.sockets[-1])
        wait_until(lambda: not driver.requests.pool.idle[-1].is_quiet(), "the end to arrive")
        assert driver.isfile("/x")
    assert len(script.sockets) == 3


def test_a_reply_too_many_is_not_the_next_ones(start: Any) -> None:
    script, driver = start({"SIZE": "213 5\r\n213 6"})
    for _ in range(3):
        assert driver.info("/x")["size"] == 5
        wait_until(lambda: not driver.requests.pool.idle[-1].is_quiet(), "the reply too many")
    assert len(script.sockets) == 3


def test_a_dropped_connection_takes_the_idle_ones_with_it(start: Any) -> None:
    script, driver = start({"SIZE": "213 5"})
    with driver.requests.pool.lease(), driver.requests.pool.lease(), driver.requests.pool.lease():
        pass
    assert len(driver.requests.pool.idle) == 3
    script.replies["SIZE"] = None
    with pytest.raises(ConnectionError):
        driver.isfile("/x")
    assert not driver.requests.pool.idle
    script.replies["SIZE"] = "213 5"
    assert driver.isfile("/x")


def test_waiting_lasts_as_long_as_somebody_moves(start: Any) -> None:
    _, driver = start({"SIZE": "213 5"})
    driver = FTPDriver(HOST, driver.port, USERNAME, PASSWORD, read_timeout=0.4, connections=1)
    found: list[bool] = []
    with driver.requests.pool.lease():
        waiter = threading.Thread(target=lambda: found.append(driver.isfile("/x")))
        waiter.start()
        for _ in range(10):
            driver.requests.pool.settings.activity.latest = time.monotonic()
            time.sleep(0.1)
        assert waiter.is_alive()
    waiter.join(5)
    assert found == [True]
    driver.close()


def test_clear_text_before_the_handshake_is_refused(start: Any) -> None:
    script, _ = start({"AUTH": "234 Go.\r\n230 You are in."})
    driver = FTPDriver(HOST, script.port, USERNAME, PASSWORD, tls="explicit", connect_timeout=1)
    with pytest.raises(ConnectionError, match="clear text"):
        driver.isfile("/x")


def test_a_listing_that_cannot_be_read(start: Any) -> None:
    script, driver = start({"CWD": "250 In.", "LIST": "150 Here."})
    line = b"-rw-r--r-- 1 user group 5 Nov 22 16:48 a\r\n"
    script.replies["SIZE"] = "213 5"
    for odd in (b"what is this", b"", b"-rw-r--r-- a", b"total 8"):
        script.data = line + odd + b"\r\n" + line
        with pytest.raises(ConnectionError, match="listing"):
            driver.ls("/d")


def test_lines_of_all_sorts_are_read(start: Any) -> None:
    script, driver = start({"CWD": "250 In.", "LIST": "150 Here."})
    script.data = (
        b"total 8\n"
        b"drwxr-xr-x+  2 user group     4096 Nov 22  2025  lead\n"
        b"-rwsr-sr-t.  1 user group 12345678 Jan  1 00:00 a -> b\r\n"
        b"crw-rw-rw-   1 root root    1,   3 Nov 22 16:48 null\r\n"
        b"-rw-r--r--   1 user group        0 Feb 29 23:59 total 8\r\n"
    )
    assert [(info["name"], info["type"], info["size"]) for info in driver.ls("/d")] == [
        ("/d/ lead", "directory", None),
        ("/d/a -> b", "file", 12345678),
        ("/d/total 8", "file", 0),
    ]


@pytest.mark.parametrize("call", [CALLS[0], CALLS[1], CALLS[3]])
def test_an_idle_connection_that_was_dropped_in_silence(
    start: Any, call: Callable[[FTPDriver], Any]
) -> None:
    """A firewall forgets it: nothing comes any more, not even its end."""
    script, driver = start({"SIZE": "213 5", "RETR": "150 Here.", "LIST": "150 Here."})
    script.data = b"-rw-r--r-- 1 a a 5 Nov 22 16:48 .\r\n"
    script.replies |= {"CWD": "250 In.", "SIZE": "213 35", "PWD": '257 "/"'}
    right = call(driver)
    script.forgotten = list(script.sockets)
    started = time.monotonic()
    assert call(driver) == right
    assert time.monotonic() - started < 3
