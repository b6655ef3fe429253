"""The window listens to its own user's launches, and to nobody else for long."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtNetwork import QLocalServer
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from inspector.desktop import listener as module
from inspector.desktop.front import bring_to_front
from inspector.desktop.listener import MOST_CLIENTS, Listener
from inspector.desktop.messages import MOST_BYTES, OPENED, REFUSED, Message, encode
from inspector.desktop.single_instance import Arrival, Meeting, arrive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets of Unix")

ROOT = Path(__file__).parents[2]

#: What a client has got when nobody answered, but hung up.
HUNG_UP = b""


class Heard:
    """A listener, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.messages: list[Message] = []
        found = arrive([], None, "1", environment={})
        assert found.meeting is not None
        self.meeting: Meeting = found.meeting
        self.listener = Listener(self.meeting, self._follow)
        assert self.listener.is_listening

    def _follow(self, message: Message) -> None:
        self.messages.append(message)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A session's folder: for its user alone, and with a short path."""
    made = Path(tempfile.mkdtemp(prefix="ti-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def heard(qtbot: QtBot, folder: Path) -> Iterator[Heard]:
    """A listener in this process."""
    made = Heard(folder)
    yield made
    made.listener.close()
    made.listener.deleteLater()


def client(heard: Heard) -> socket.socket:
    """A connection that waits for nothing."""
    made = socket.socket(socket.AF_UNIX)
    made.setblocking(False)
    try:
        made.connect(heard.meeting.server)
    except OSError:
        made.close()
        raise
    return made


def answer(qtbot: QtBot, caller: socket.socket) -> bytes:
    """What the listener answers before it hangs up."""
    got = bytearray()

    def has_hung_up() -> bool:
        try:
            more = caller.recv(1000)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        got.extend(more)
        return not more

    with caller:
        qtbot.waitUntil(has_hung_up, timeout=30_000)
    return bytes(got)


def ask(qtbot: QtBot, heard: Heard, line: bytes) -> bytes:
    """Say something, and get the answer."""
    caller = client(heard)
    caller.send(line)
    return answer(qtbot, caller)


def test_a_message_is_followed_before_it_is_answered(qtbot: QtBot, heard: Heard) -> None:
    message = Message((Path("/a.pt"),), "w", "token", until=time.monotonic() + 60)
    assert ask(qtbot, heard, encode(message)) == OPENED
    assert heard.messages == [message]


def test_a_message_that_comes_in_pieces(qtbot: QtBot, heard: Heard) -> None:
    line = encode(Message((Path("/a.pt"),)))
    caller = client(heard)
    for start in range(0, len(line), 50):
        assert heard.messages == []
        caller.send(line[start : start + 50])
        qtbot.waitUntil(lambda: heard.listener.clients == 1)
        QApplication.processEvents()
    assert answer(qtbot, caller) == OPENED


def test_a_message_that_comes_twice_is_followed_once(qtbot: QtBot, heard: Heard) -> None:
    line = encode(Message((Path("/a.pt"),)))
    assert ask(qtbot, heard, line) == ask(qtbot, heard, line) == OPENED
    assert len(heard.messages) == 1


def test_what_is_remembered_is_bounded(qtbot: QtBot, heard: Heard) -> None:
    lines = [encode(Message(number=str(number))) for number in range(300)]
    assert {heard.listener._answer(line) for line in lines} == {OPENED}
    assert heard.listener._answer(lines[-1]) == OPENED
    assert len(heard.messages) == 300
    assert len(heard.listener._followed) < 300


def test_a_message_that_comes_too_late_is_not_followed(qtbot: QtBot, heard: Heard) -> None:
    """Whoever sent it has opened the files by now."""
    assert ask(qtbot, heard, encode(Message(until=time.monotonic() - 1))) == REFUSED
    assert heard.messages == []


def test_whoever_hangs_up_keeps_no_place(qtbot: QtBot, heard: Heard) -> None:
    crowd = [client(heard) for _ in range(MOST_CLIENTS)]
    qtbot.waitUntil(lambda: heard.listener.clients == MOST_CLIENTS)
    for caller in crowd:
        caller.close()
    with client(heard):  # gone before it was noticed
        pass
    qtbot.waitUntil(lambda: heard.listener.clients == 0)
    assert ask(qtbot, heard, encode(Message())) == OPENED


# Whoever means ill ------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"\n", b"garbage\n", b"[" * 500_000 + b"\n", b"\0\xff\n"])
def test_garbage_is_refused(qtbot: QtBot, heard: Heard, line: bytes) -> None:
    caller = client(heard)
    say(qtbot, caller, line)
    assert answer(qtbot, caller) == REFUSED
    assert heard.messages == []
    assert ask(qtbot, heard, encode(Message())) == OPENED


def say(qtbot: QtBot, caller: socket.socket, line: bytes) -> int:
    """Send as much as is listened to; how many bytes."""
    sent = 0

    def is_sent() -> bool:
        nonlocal sent
        try:
            sent += caller.send(line[sent : sent + 100_000])
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True
        return sent == len(line)

    qtbot.waitUntil(is_sent, timeout=30_000)
    return sent


def test_a_stream_without_an_end_is_cut(qtbot: QtBot, heard: Heard) -> None:
    caller = client(heard)
    sent = say(qtbot, caller, b"x" * 20_000_000)
    # What was sent and not read is in the kernel's buffer.
    assert MOST_BYTES < sent < MOST_BYTES + 1_000_000
    assert answer(qtbot, caller) == HUNG_UP
    assert heard.listener.clients == 0
    assert ask(qtbot, heard, encode(Message())) == OPENED


def test_whoever_is_slow_is_cut(
    qtbot: QtBot, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_WITHIN", 100)
    slow = [client(heard) for _ in range(3)]
    for caller in slow:
        caller.send(b"{")
    qtbot.waitUntil(lambda: heard.listener.clients == 3)
    assert [answer(qtbot, caller) for caller in slow] == [HUNG_UP] * 3
    assert heard.listener.clients == 0


def test_a_thousand_connections_are_a_few_at_a_time(qtbot: QtBot, heard: Heard) -> None:
    before = open_files()
    most_clients = 0
    with ExitStack() as crowd:
        for number in range(1000):
            caller = crowd.enter_context(client(heard))
            caller.send(b"{")
            QApplication.processEvents()
            most_clients = max(most_clients, heard.listener.clients)
            if number % 100 == 99:
                assert open_files() - before <= 100 + 2 * MOST_CLIENTS
                # All but the last have been hung up on, so nothing is lost by closing them.
                crowd.pop_all().close()
        for _ in range(2 * MOST_CLIENTS):
            crowd.enter_context(client(heard)).send(b"{")
        qtbot.waitUntil(lambda: heard.listener.clients == MOST_CLIENTS)
        # While they keep their places, a launch gets one.
        assert launched(qtbot, "/a.pt") == "handed over"
    assert most_clients == MOST_CLIENTS
    assert [message.paths for message in heard.messages] == [(Path("/a.pt"),)]
    qtbot.waitUntil(lambda: heard.listener.clients == 0)


def open_files() -> int:
    """How many files and sockets this process has open."""
    return psutil.Process().num_fds()


def launched(qtbot: QtBot, path: str, *, meanwhile: object = None) -> str:
    """What becomes of a launch in a process of its own."""
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from inspector.desktop.single_instance import arrive\n"
        "found = arrive([Path(sys.argv[1])], None, '1', environment={})\n"
        "print('handed over' if found.handed_over else\n"
        "      'own window' if found.meeting is None else 'the window')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        if callable(meanwhile):
            meanwhile()
        qtbot.waitUntil(lambda: process.poll() is not None, timeout=30_000)
        assert process.stdout is not None
        return process.stdout.read().strip()


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can be somebody else"
)
def test_another_user_is_not_listened_to(qtbot: QtBot, heard: Heard) -> None:
    def as_somebody_else() -> socket.socket:
        os.seteuid(65534)
        try:
            return client(heard)
        finally:
            os.seteuid(0)

    with pytest.raises(PermissionError):
        as_somebody_else()
    # Even if folder and socket were open to all.
    heard.folder.chmod(0o755)
    Path(heard.meeting.server).chmod(0o777)
    caller = as_somebody_else()
    caller.send(encode(Message((Path("/a.pt"),))))
    assert answer(qtbot, caller) == HUNG_UP
    assert heard.messages == []


# Beginning and end ------------------------------------------------------------------------------


def test_the_socket_is_the_users_alone(heard: Heard) -> None:
    assert Path(heard.meeting.server).stat().st_mode & 0o077 == 0


def test_a_launch_that_meets_a_closing_window_opens_its_own(qtbot: QtBot, heard: Heard) -> None:
    def close_once_it_is_there() -> None:
        server = heard.listener.findChild(QLocalServer)
        assert isinstance(server, QLocalServer)
        caller = select.poll()
        caller.register(int(server.socketDescriptor()), select.POLLIN)
        assert caller.poll(30_000)
        heard.listener.close()

    assert launched(qtbot, "/a.pt", meanwhile=close_once_it_is_there) == "the window"
    assert heard.messages == []


def test_closing_hangs_up_on_whoever_was_not_answered(qtbot: QtBot, heard: Heard) -> None:
    caller = client(heard)
    qtbot.waitUntil(lambda: heard.listener.clients == 1)
    heard.listener.close()
    assert not heard.listener.is_listening
    assert heard.listener.clients == 0
    assert answer(qtbot, caller) == HUNG_UP


def test_where_it_cannot_listen_the_lock_is_released(qtbot: QtBot, folder: Path) -> None:
    def found() -> Arrival:
        return arrive([], None, "1", environment={})

    meeting = found().meeting
    assert meeting is not None
    Path(meeting.server, "full").mkdir(parents=True)
    listener = Listener(meeting, lambda _: None)
    assert not listener.is_listening
    again = found().meeting
    assert again is not None
    again.lock.release()


def test_an_unknown_protocol_has_a_window_of_its_own(
    qtbot: QtBot, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.desktop.messages.PROTOCOL", 2)
    assert launched(qtbot, "/a.pt") == "own window"


# To the front -----------------------------------------------------------------------------------


class Window(QWidget):
    """Notes which permission there is when it is to become active."""

    tokens: list[str | None]

    def activateWindow(self) -> None:  # noqa: N802 - Qt's name
        self.tokens.append(os.environ.get("XDG_ACTIVATION_TOKEN"))
        super().activateWindow()


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
@pytest.mark.parametrize("state", [Qt.WindowState.WindowNoState, Qt.WindowState.WindowMaximized])
def test_a_minimised_window_comes_to_the_front_as_it_was(
    qtbot: QtBot, state: Qt.WindowState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_ACTIVATION_TOKEN", raising=False)
    window = Window()
    window.tokens = []
    qtbot.addWidget(window)
    window.setWindowState(state | Qt.WindowState.WindowMinimized)
    window.show()
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    qtbot.waitUntil(other.isActiveWindow)
    bring_to_front(window, "token")
    assert window.windowState() & ~Qt.WindowState.WindowActive == state
    qtbot.waitUntil(window.isActiveWindow)
    assert window.tokens == ["token"]
    # It is good for once.
    bring_to_front(window)
    assert window.tokens == ["token", None]
