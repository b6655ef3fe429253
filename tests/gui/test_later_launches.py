"""The window that listens opens the files of later launches, until it is closed."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from driving import idle, shown_page
from pytestqt.qtbot import QtBot

from inspector.app import listen
from inspector.desktop.messages import OPENED, Message, encode
from inspector.desktop.single_instance import Meeting, arrive
from inspector.gui.main_window import MainWindow

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="sockets of Unix"),
    pytest.mark.qt_log_ignore("This plugin does not support", extend=True),
]


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meeting]:
    """Where nobody else listens."""
    folder = Path(tempfile.mkdtemp(prefix="ti-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    found = arrive([], None, "1").meeting
    assert found is not None
    yield found
    shutil.rmtree(folder)


def test_files_are_opened_until_the_window_is_closed(
    qtbot: QtBot, window: MainWindow, meeting: Meeting, tmp_path: Path
) -> None:
    listen(meeting, window)
    torch.save({"first": torch.ones(3, 3), "second": torch.zeros(2, 2)}, tmp_path / "a.pt")
    window.showMinimized()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(30)
        caller.connect(meeting.server)
        caller.send(encode(Message((tmp_path / "a.pt",), "second")))
        qtbot.waitUntil(lambda: len(window.files) == 1)
        assert caller.recv(100) == OPENED
    assert not window.isMinimized()
    idle(qtbot, window)
    shown_page(window, "second")
    window.close()
    # The next launch is the one that listens, although this process has not ended.
    after = arrive([], None, "1").meeting
    assert after is not None
    after.lock.release()
