"""Windows, workers, and checks that none of them outlives its test."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.gui.main_window import MainWindow
from inspector.gui.tasks import TaskRunner
from inspector.gui.theme import Theme


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[TaskRunner]:
    """A task runner that has stopped when the test is over."""
    made = TaskRunner()
    yield made
    made.close()


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication) -> Iterator[MainWindow]:
    """A shown window without files."""
    qapp.setStyle("Fusion")
    made = MainWindow(Theme(qapp))
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _nothing_is_left(qapp: QApplication) -> Iterator[None]:
    """No test leaves a worker thread behind."""
    yield
    left = [
        thread.name for thread in threading.enumerate() if thread.name.startswith(("quick", "bulk"))
    ]
    assert not left, f"threads left behind: {left}"
