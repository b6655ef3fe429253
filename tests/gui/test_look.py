"""Colours and size of the interface: by keys, in the dialog of settings, kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import driving
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QPalette
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QLabel
from pytestqt.qtbot import QtBot

from inspector import app
from inspector.gui.about_box import AboutBox
from inspector.gui.help_boxes import KeysBox, show_keys
from inspector.gui.main_window import MainWindow
from inspector.gui.memory import MemoryBudget
from inspector.gui.settings import ZOOMS, SettingsStore
from inspector.gui.settings_dialog import SettingsDialog
from inspector.gui.tensor_page import TensorPage
from inspector.gui.theme import Theme, is_dark

Key = Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    qapp.setStyle("Fusion")
    made = Theme(qapp)
    yield made
    made.set_zoom(100)
    made.set_appearance("system")


@pytest.fixture
def window(qtbot: QtBot, theme: Theme, store: SettingsStore) -> Iterator[MainWindow]:
    with driving.opened(qtbot, theme, store, (1300, 900)) as made:
        driving.take_keys(qtbot, made)
        yield made


def heights(window: MainWindow, page: TensorPage) -> dict[str, float]:
    """How high or wide what holds text is, px."""
    axis = page.heatmap.plot.getPlotItem().getAxis("left")
    title = page.findChildren(QLabel)[0]
    return {
        "rows of the tree": window.tree.view.rowHeight(0),
        "rows of the grid": page.grid.cell_rect(0, 0).height(),
        "columns of the grid": page.grid.cell_rect(0, 0).width(),
        "the tensor's name": title.height(),
        "numbers beside the picture": QFontMetrics(axis.style["tickFont"]).height(),
        "numbers beside a profile": page.heatmap.plot.row_pane.axis.width(),
        "numbers below a profile": page.heatmap.plot.column_pane.axis.height(),
        "name of an axis": axis.label.boundingRect().height(),
        "numbers in the picture": page.heatmap.plot.numbers._height,
        "the one number": QFontMetrics(page.scalar.findChildren(QLabel)[0].font()).height(),
        "figures": page.statistics._figures["mean"].minimumWidth(),
        "menus": window.menuBar().height(),
    }


def test_keys_change_the_size_of_everything(
    qtbot: QtBot, window: MainWindow, theme: Theme, store: SettingsStore, tmp_path: Path
) -> None:
    torch.save({"w": torch.randn(50, 40)}, tmp_path / "some.pt")
    page = driving.show(qtbot, window, tmp_path / "some.pt", "w")
    usual = heights(window, page)
    for _ in range(4):
        qtbot.keyClick(window, Key.Key_Plus, CONTROL)
    driving.idle(qtbot, window)
    assert theme.zoom == store.current.zoom == 175
    for what, large in heights(window, page).items():
        assert large == pytest.approx(1.75 * usual[what], rel=0.25), what
    assert page.grid.text_at(*page.position.cell) is not None
    for _ in range(7):
        qtbot.keyClick(window, Key.Key_Minus, CONTROL)
    driving.idle(qtbot, window)
    assert theme.zoom == 70
    for what, small in heights(window, page).items():
        assert small < usual[what], what
    qtbot.keyClick(window, Key.Key_0, CONTROL)
    driving.idle(qtbot, window)
    assert heights(window, page) == usual
    assert window.read_out == "Interface: 100 %"


def test_there_is_a_largest_and_a_smallest_size(window: MainWindow, theme: Theme) -> None:
    for step, end in ((1, ZOOMS[-1]), (-1, ZOOMS[0])):
        for _ in ZOOMS:
            window.look.step_zoom(step)
        assert theme.zoom == end


def test_the_dialog_does_at_once_what_is_chosen(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, theme: Theme, store: SettingsStore
) -> None:
    qtbot.keyClick(window, Key.Key_Comma, CONTROL)
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    assert dialog.appearance.currentText() == "As the system"
    dialog.appearance.setFocus()
    qtbot.keyClicks(dialog.appearance, "Da")
    dialog.appearance.activated.emit(dialog.appearance.currentIndex())
    assert store.current.appearance == theme.appearance == "dark"
    assert is_dark(qapp.palette())
    dialog.zoom.setCurrentText("125 %")
    dialog.zoom.activated.emit(dialog.zoom.currentIndex())
    assert store.current.zoom == theme.zoom == 125
    window.look.step_zoom(1)
    assert dialog.zoom.currentText() == "150 %"
    qtbot.keyClick(dialog, Key.Key_Escape)
    assert not dialog.isVisible()


def test_memory_is_allowed_at_once(qtbot: QtBot, window: MainWindow, store: SettingsStore) -> None:
    window.show_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    assert dialog.memory.currentText() == "400 MB"
    dialog.memory.setFocus()
    qtbot.keyClick(dialog.memory, Key.Key_Down)
    qtbot.keyClick(dialog.memory, Key.Key_Down)
    assert window.memory.most == store.current.memory == 2_000_000_000
    window.set_memory(MemoryBudget(7))  # less than is offered: it stays so
    assert dialog.memory.currentText() == "400 MB"
    assert store.current.memory == 7


def test_one_window_is_a_choice(qtbot: QtBot, window: MainWindow, store: SettingsStore) -> None:
    window.show_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    assert dialog.one_window.isChecked()
    dialog.one_window.setFocus()
    qtbot.keyClick(dialog.one_window, Key.Key_Space)
    assert not store.current.one_window
    store.update(lambda before: replace(before, one_window=True))  # by another window
    assert dialog.one_window.isChecked()


def test_each_control_of_the_dialog_says_what_it_does(qtbot: QtBot, window: MainWindow) -> None:
    window.show_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    said = {label.text() for label in dialog.findChildren(QLabel)}
    controls = [label.buddy() for label in dialog.findChildren(QLabel) if label.buddy()]
    assert controls
    for control in controls:
        assert control.accessibleDescription() in said
    (buttons,) = dialog.findChildren(QDialogButtonBox)
    qtbot.mouseClick(buttons.buttons()[0], Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()


def test_the_next_start_looks_as_this_one_was_left(
    qapp: QApplication, window: MainWindow, theme: Theme, store: SettingsStore
) -> None:
    size = qapp.font().pointSizeF()
    window.look.set_appearance("dark")
    window.look.set_zoom(150)
    kept = store.current
    theme.set_zoom(100)
    names = qapp.applicationName(), qapp.applicationDisplayName()
    _, again = app.build_application(kept.appearance, kept.zoom)
    try:
        assert qapp.font().pointSizeF() == 1.5 * size
        assert is_dark(qapp.palette())
    finally:
        again.set_zoom(100)
        again.set_appearance("system")
        again.setParent(None)
        qapp.setApplicationName(names[0])
        qapp.setApplicationDisplayName(names[1])


@pytest.mark.parametrize("percent", [100, max(ZOOMS)])
def test_dialogs_stay_on_the_screen_with_their_words_whole(
    qtbot: QtBot, window: MainWindow, theme: Theme, percent: int
) -> None:
    theme.set_zoom(percent)
    window.show_settings()
    show_keys(window)
    window.show_about()
    (about,) = window.findChildren(AboutBox)
    qtbot.waitUntil(about.copy_button.isEnabled)
    driving.idle(qtbot, window)
    (settings,), (keys,) = window.findChildren(SettingsDialog), window.findChildren(KeysBox)
    for dialog in (settings, keys, about):
        qtbot.waitExposed(dialog)
        room = window.screen().availableSize()
        assert dialog.width() <= room.width()
        assert dialog.height() <= room.height()
        for label in dialog.findChildren(QLabel):
            assert label.height() >= label.heightForWidth(label.width())
            assert label.width() >= label.minimumSizeHint().width()
        (buttons,) = dialog.findChildren(QDialogButtonBox)
        assert dialog.rect().contains(buttons.geometry())
        dialog.close()


def test_links_have_the_colour_of_the_appearance(
    qtbot: QtBot, window: MainWindow, theme: Theme, tmp_path: Path
) -> None:
    torch.save({"w": torch.arange(12.0).reshape(3, 4)}, tmp_path / "w.pt")
    theme.set_appearance("light")
    page = driving.show(qtbot, window, tmp_path / "w.pt", "w")
    place = page.statistics._places["maximum"]
    for appearance in ("dark", "light"):
        theme.set_appearance(appearance)
        drawn = place.grab().toImage()
        colours = {
            drawn.pixelColor(x, y).name()
            for x in range(drawn.width())
            for y in range(drawn.height())
        }
        assert page.palette().color(QPalette.ColorRole.Link).name() in colours


def test_a_window_that_grew_with_its_words_shrinks_with_them(
    qtbot: QtBot, window: MainWindow, theme: Theme, tmp_path: Path
) -> None:
    torch.save({"w": torch.arange(24.0).reshape(2, 3, 4)}, tmp_path / "w.pt")
    driving.show(qtbot, window, tmp_path / "w.pt", "w")
    window.resize(720, 500)
    window.move(60, 200)
    before = window.size()
    theme.set_zoom(max(ZOOMS))
    qtbot.waitUntil(lambda: window.width() > before.width() and window.height() > before.height())
    room = window.screen().availableGeometry()
    qtbot.waitUntil(lambda: room.contains(window.frameGeometry()))
    theme.set_zoom(100)
    qtbot.waitUntil(lambda: window.size() == before)
    window.resize(1100, 700)
    theme.set_zoom(125)
    driving.idle(qtbot, window)
    assert (window.width(), window.height()) == (1100, 700)
