"""What is asked for before it can be done is done as soon as it can be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import idle, show, take_keys
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtWidgets import QApplication, QComboBox
from pytestqt.qtbot import QtBot

from inspector.gui import dragging, page_loader, tensor_page
from inspector.gui.dragging import TensorDrag
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


class Gate:
    """Holds up a function until it is opened."""

    def __init__(self, plain: Any) -> None:
        self._open = threading.Event()
        self._plain = plain

    def __call__(self, *arguments: Any) -> Any:
        assert self._open.wait(30)
        return self._plain(*arguments)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Before it is opened, a new window has nothing to show a tensor with."""
    gate = Gate(page_loader.import_views)
    monkeypatch.setattr(page_loader, "import_views", gate)
    yield gate
    gate.open()


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Before it is opened, no tensor is ready to be shown."""
    gate = Gate(tensor_page.tensor_source)
    yield gate
    gate.open()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    tensors = {
        "a": torch.randn(6, 5),
        "b": torch.randn(3, 4, 5),
        "meta": torch.empty(3, device="meta"),
        "waves": torch.randn(3, 3, dtype=torch.complex64),
    }
    torch.save(tensors, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def choose(qtbot: QtBot, window: MainWindow, path: Path, name: str) -> None:
    """Choose a tensor, and do not wait until it is shown."""
    window.open_paths([path], name)

    def is_chosen() -> bool:
        choice = window.tree.choice
        return choice is not None and choice.entry is not None and choice.entry.name == name

    qtbot.waitUntil(is_chosen)
    take_keys(qtbot, window)


def dialogs(window: MainWindow) -> list[ExportDialog]:
    return window.findChildren(ExportDialog)


def scopes(dialog: ExportDialog) -> list[str]:
    """What can be written, the proposed one first."""
    (box,) = (each for each in dialog.findChildren(QComboBox) if each.accessibleName() == "What")
    labels = [box.itemText(number) for number in range(box.count())]
    return [labels.pop(box.currentIndex()), *labels]


def test_an_export_that_is_asked_for_before_there_are_views(
    views: Gate, qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    choose(qtbot, window, checkpoint, "a")
    qtbot.keyClick(window, Qt.Key.Key_E, CONTROL)
    qtbot.keyClick(window, Qt.Key.Key_E, CONTROL)  # impatient: it is still one
    assert dialogs(window) == []
    views.open()
    qtbot.waitUntil(lambda: dialogs(window) != [])
    idle(qtbot, window)
    (dialog,) = dialogs(window)
    assert scopes(dialog)[0].startswith("a")
    dialog.reject()


def test_what_is_shown_is_exported_once_it_is(
    numbers: Gate,
    qtbot: QtBot,
    window: MainWindow,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = show(qtbot, window, checkpoint, "waves")
    page.show_form("imaginary")
    idle(qtbot, window)
    monkeypatch.setattr(tensor_page, "tensor_source", numbers)
    choose(qtbot, window, checkpoint, "b")
    qtbot.keyClick(window, Qt.Key.Key_E, CONTROL | SHIFT)
    assert dialogs(window) == []
    numbers.open()
    qtbot.waitUntil(lambda: dialogs(window) != [])
    idle(qtbot, window)
    (dialog,) = dialogs(window)
    assert "[0, :, :]" in scopes(dialog)[0]
    assert page.form == "values"  # not the imaginary part of the tensor before, which it has not
    dialog.reject()


def test_a_tensor_without_values_says_so_where_it_was_to_be_exported(
    numbers: Gate,
    qtbot: QtBot,
    window: MainWindow,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    show(qtbot, window, checkpoint, "a")
    monkeypatch.setattr(tensor_page, "tensor_source", numbers)
    choose(qtbot, window, checkpoint, "meta")
    qtbot.keyClick(window, Qt.Key.Key_E, CONTROL)
    numbers.open()
    qtbot.waitUntil(lambda: dialogs(window) != [])
    idle(qtbot, window)
    dialogs(window)[0].reject()


def test_nothing_is_asked_of_a_file_that_was_closed_meanwhile(
    views: Gate, qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    choose(qtbot, window, checkpoint, "a")
    qtbot.keyClick(window, Qt.Key.Key_E, CONTROL)
    window.close_all()
    views.open()
    idle(qtbot, window)
    show(qtbot, window, checkpoint, "b")
    assert dialogs(window) == []


def test_a_tensor_is_dragged_out_before_there_are_views(
    views: Gate,
    qtbot: QtBot,
    window: MainWindow,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dragged: list[QMimeData] = []
    monkeypatch.setattr(TensorDrag, "drag", lambda _, data: dragged.append(data))
    monkeypatch.setattr(dragging.QGuiApplication, "mouseButtons", lambda: Qt.MouseButton.LeftButton)
    choose(qtbot, window, checkpoint, "a")
    window.tree.dragged.emit(window.tree.choice)
    QApplication.processEvents()
    views.open()
    qtbot.waitUntil(lambda: dragged != [])
    ((url,),) = (data.urls() for data in dragged)
    wanted = torch.load(checkpoint)["a"].numpy()
    np.testing.assert_array_equal(np.load(url.toLocalFile()), wanted)
    idle(qtbot, window)
