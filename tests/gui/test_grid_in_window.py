"""The grid with the window around it: menus, the status bar, the export of what is selected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import driving
import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication, QComboBox, QMessageBox
from pytestqt.qtbot import QtBot

from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow
from inspector.gui.settings import SettingsStore
from inspector.gui.status_line import SelectionLabel
from inspector.gui.tensor_page import TensorPage
from inspector.gui.theme import Theme

Key = Qt.Key
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, store: SettingsStore) -> Iterator[MainWindow]:
    qapp.setStyle("Fusion")
    with driving.opened(qtbot, Theme(qapp), store) as made:
        yield made


def show(qtbot: QtBot, window: MainWindow, path: Path, name: str) -> TensorPage:
    """It has the keys too."""
    page = driving.show(qtbot, window, path, name)
    window.activateWindow()
    qtbot.waitActive(window)
    page.grid.setFocus()
    return page


def action(window: MainWindow, text: str) -> QAction:
    (found,) = (
        each for each in window.findChildren(QAction) if each.text().replace("&", "") == text
    )
    return found


def selected(window: MainWindow) -> str:
    """What the status bar says of the selection; empty if it says nothing."""
    (label,) = window.statusBar().findChildren(SelectionLabel)
    return label.text() if label.isVisible() else ""


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.bfloat16, np.float32),
        (torch.complex64, np.complex64),
        (torch.int64, np.int64),
        (torch.bool, np.bool_),
    ],
)
def test_the_menu_copies_the_selection_as_a_numpy_array(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, dtype: torch.dtype, expected: type
) -> None:
    tensor = (torch.randn(5, 6) * 3).to(dtype)
    if dtype == torch.int64:
        tensor += 2**60
    path = tmp_path / "some.pt"
    torch.save({"w": tensor, "b": torch.zeros(2, 2)}, path)
    page = show(qtbot, window, path, "w")
    qtbot.keyClick(page.grid, Key.Key_Down)
    qtbot.keyClick(page.grid, Key.Key_End, CONTROL | SHIFT)
    assert selected(window) == "4 × 6 cells selected"
    assert window.copy_menu.menuAction() in page.grid.actions()
    driving.idle(qtbot, window)
    action(window, "NumPy array").trigger()
    driving.idle(qtbot, window)
    found = eval(QGuiApplication.clipboard().text(), {"np": np})
    wide = tensor.float() if dtype == torch.bfloat16 else tensor
    assert found.dtype == expected
    assert found.tobytes() == wide[1:].contiguous().numpy().tobytes()
    assert "Copied 24 cells as a NumPy array" in window.read_out
    qtbot.keyClick(page.grid, Key.Key_Up)
    assert selected(window) == ""


def test_the_selection_is_forgotten_with_its_tensor(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "some.pt"
    torch.save({"w": torch.zeros(3, 3), "v": torch.zeros(9)}, path)
    page = show(qtbot, window, path, "w")
    qtbot.keyClick(page.grid, Key.Key_A, CONTROL)
    assert selected(window) == "3 × 3 cells selected"
    show(qtbot, window, path, "v")
    assert selected(window) == ""
    qtbot.keyClick(page.grid, Key.Key_A, CONTROL)
    assert selected(window) == "9 cells selected"
    window.close_all()
    assert selected(window) == ""


def test_what_is_too_large_to_copy_is_exported(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "wide.pt"
    torch.save({"w": torch.zeros(2, 1100, 1000)}, path)
    page = show(qtbot, window, path, "w")
    qtbot.keyClick(page.grid, Key.Key_A, CONTROL)
    qtbot.keyClick(page.grid, Key.Key_C, CONTROL)
    (box,) = window.findChildren(QMessageBox)
    assert "1,100 × 1,000 cells are selected: 1,100,000 numbers, 4.2 MiB." in box.text()
    qtbot.keyClick(box, Key.Key_Return)
    dialog = window.findChild(ExportDialog)
    assert dialog is not None
    assert dialog.scope.label == "Selected values: [0, :, :]"
    dialog.reject()
    driving.idle(qtbot, window)


def test_colours_are_switched_in_the_menu_and_kept(
    qtbot: QtBot, window: MainWindow, store: SettingsStore, tmp_path: Path, qapp: QApplication
) -> None:
    path = tmp_path / "some.pt"
    torch.save({"w": torch.linspace(-1, 1, 48).reshape(6, 8)}, path)
    page = show(qtbot, window, path, "w")

    def shown() -> tuple[int, ...]:
        rect = page.grid.cell_rect(2, 3)
        image = page.grid.viewport().grab().toImage()
        return image.pixelColor(rect.left() + 4, rect.center().y()).getRgb()[:3]

    base = page.grid.palette().base().color().getRgb()[:3]
    assert shown() == base
    switch = action(window, "Colour the values")
    assert not switch.isChecked()
    switch.trigger()
    overview = page.heatmap.overview
    assert overview is not None
    assert shown() == tuple(overview.pixels[2, 3, :3])
    boxes = page.heatmap.findChildren(QComboBox)
    colours = next(box for box in boxes if box.accessibleName() == "Colours")
    colours.setCurrentText("Viridis")
    driving.idle(qtbot, window)
    changed = page.heatmap.overview
    assert changed is not None
    assert shown() == tuple(changed.pixels[2, 3, :3]) != tuple(overview.pixels[2, 3, :3])
    window.close()
    again = MainWindow(Theme(qapp), store)
    qtbot.addWidget(again)
    assert action(again, "Colour the values").isChecked()
    again.close()
