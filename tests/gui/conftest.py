"""Windows, workers, and checks that none of them outlives its test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyqtgraph as pg
import pytest
from driving import opened
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.gui.main_window import MainWindow
from inspector.gui.settings import SettingsStore
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
    with opened(qtbot, Theme(qapp)) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> SettingsStore:
    """Settings that are kept, in a file of the test's own."""
    return SettingsStore(tmp_path / "window.ini")


@pytest.fixture
def every_move_counts() -> Iterator[None]:
    """pyqtgraph drops moves that follow each other faster than a hand's."""
    before = pg.getConfigOption("mouseRateLimit")
    pg.setConfigOption("mouseRateLimit", 0)
    yield
    pg.setConfigOption("mouseRateLimit", before)


@pytest.fixture(autouse=True)
def _nothing_is_left(qapp: QApplication) -> Iterator[None]:
    """No test leaves a worker thread behind."""
    yield
    left = [
        thread.name for thread in threading.enumerate() if thread.name.startswith(("quick", "bulk"))
    ]
    assert not left, f"threads left behind: {left}"
