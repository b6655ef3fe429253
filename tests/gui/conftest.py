"""Windows, workers, and checks that none of them outlives its test."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.gui.tasks import TaskRunner


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[TaskRunner]:
    """A task runner that has stopped when the test is over."""
    made = TaskRunner()
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
