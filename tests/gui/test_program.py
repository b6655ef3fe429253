"""The program as a whole, from its start to its last window."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from driving import idle
from PySide6.QtCore import QEvent, Qt, QTimer, QUrl
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector import app
from inspector.desktop import association
from inspector.desktop.single_instance import Arrival
from inspector.gui.main_window import MainWindow
from inspector.gui.settings import SettingsStore


@pytest.fixture
def run(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[MainWindow], None]], None]]:
    """Runs the program of a new user, and in it what is given, with its window."""
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    settings = SettingsStore(tmp_path / "window.ini")
    monkeypatch.setattr(SettingsStore, "of_user", lambda: settings)
    before = signal.getsignal(signal.SIGINT)

    def run_program(act: Callable[[MainWindow], None]) -> None:
        problems: list[BaseException] = []

        def step() -> None:
            shown = [found for found in qapp.topLevelWidgets() if isinstance(found, MainWindow)]
            windows = [window for window in shown if window.isVisible()]
            if not windows:
                return
            timer.stop()
            try:
                (window,) = windows
                act(window)
            except BaseException as problem:  # noqa: BLE001 - it is raised below
                problems.append(problem)
            finally:
                for window in windows:
                    window.close()

        timer = QTimer(interval=1)
        timer.timeout.connect(step)
        timer.start()
        assert app.run_window(Arrival(), None, "light") == 0
        if problems:
            raise problems[0]

    yield run_program
    signal.signal(signal.SIGINT, before)


Run = Callable[[Callable[[MainWindow], None]], None]


def test_a_file_that_the_system_hands_over_is_opened(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, run: Run
) -> None:
    """As the Finder does on macOS, once the program runs."""
    path = tmp_path / "häuser model.ckpt"
    torch.save({"layer.weight": torch.ones(3)}, path)

    def act(window: MainWindow) -> None:
        QApplication.sendEvent(qapp, QFileOpenEvent(QUrl.fromLocalFile(str(path))))
        idle(qtbot, window)
        assert [file.path for file in window.files] == [path]
        assert window.windowTitle().startswith("layer.weight — häuser model.ckpt")
        QApplication.sendEvent(qapp, QFileOpenEvent(QUrl("https://example.org/model.pt")))
        QApplication.sendEvent(qapp, QEvent(QEvent.Type.User))
        idle(qtbot, window)
        assert len(window.files) == 1

    run(act)


@pytest.mark.skipif(
    not all(map(shutil.which, ("update-mime-database", "update-desktop-database"))),
    reason="not installed: shared-mime-info, desktop-file-utils",
)
def test_a_new_user_is_asked_and_a_yes_registers(qtbot: QtBot, run: Run) -> None:
    def act(window: MainWindow) -> None:
        idle(qtbot, window)
        assert not association.is_registered()
        assert window.double_click.bar.isVisible()
        qtbot.mouseClick(window.double_click.bar.yes_button, Qt.MouseButton.LeftButton)
        idle(qtbot, window)
        assert association.is_registered()
        association.set_registered(False)

    run(act)
