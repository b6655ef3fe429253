"""Everything can be reached and done by keys alone, and one sees where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import idle, show
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QAction, QColor, QImage
from PySide6.QtWidgets import QApplication, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid
from test_contrast import DRAWN, contrast

from inspector.gui.export_dialog import ExportDialog
from inspector.gui.help_boxes import KeysBox, show_keys
from inspector.gui.main_window import MainWindow
from inspector.gui.tab_order import tab_stops
from inspector.gui.theme import Appearance
from inspector.gui.tree_sorting import Column

Key, Modifier = Qt.Key, Qt.KeyboardModifier


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Tensors of four axes, of one, of none, and a larger one."""
    path = tmp_path / "model.pt"
    content = {
        "deep": torch.arange(360.0).reshape(3, 4, 5, 6),
        "line": torch.arange(50.0),
        "one": torch.tensor(2.5),
        "wide": torch.arange(20_000.0).reshape(100, 200),
    }
    torch.save(content, path)
    return path


def round_trip(qtbot: QtBot, key: Key) -> list[QWidget]:
    """What has the keys one after the other, until it is the first again."""
    met: list[QWidget] = []
    while (control := QApplication.focusWidget()) not in met:
        assert control is not None
        met.append(control)
        qtbot.keyClick(control, key)
    assert control is met[0], f"trapped at {control.accessibleName()}"
    return met


def name(control: QWidget) -> str:
    known = control.accessibleName()
    return known if known or not hasattr(control, "text") else str(control.text())


def active(qtbot: QtBot, window: MainWindow) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def test_tab_leads_through_all_controls_as_they_are_read_and_back(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    active(qtbot, window)
    for tensor in ("deep", "line", "one"):
        page = show(qtbot, window, model, tensor)
        window.tree.focus_filter()
        forwards = round_trip(qtbot, Key.Key_Tab)
        assert set(forwards) == {stop for stop in tab_stops(window) if stop.isVisible()}
        assert round_trip(qtbot, Key.Key_Backtab) == [forwards[0], *forwards[:0:-1]]
        if tensor == "deep":
            assert [name(control) for control in forwards] == IN_ORDER
            # New controls for other axes take the place of those before.
            page.axes.index.setFocus()
            page.position.show_plane(page.position.plane.with_row_axis(0))
            idle(qtbot, window)
            window.tree.focus_filter()
            other = [name(control) for control in round_trip(qtbot, Key.Key_Tab)]
            assert other == [each.replace("axis 0", "axis 2") for each in IN_ORDER_AFTER]


IN_ORDER = [
    "Filter of the tensors",
    "Tensors",
    "Divider of the tensors and the chosen one",
    "Copy as Python",
    "Export…",
    "How the values were made",
    "Show as",
    "Number format",
    "Rows",
    "Reverse rows",
    "Exchange rows and columns",
    "Columns",
    "Reverse columns",
    "Index",
    "Index on axis 0",
    "Slider for axis 0",
    "Play axis 0",
    "Index on axis 1",
    "Slider for axis 1",
    "Play axis 1",
    "Levels",
    "Colours",
    "One pixel shows",
    "Log",
    "Square",
    "Profiles",
    "Fit",
    "Picture",
    "Divider of the picture and the statistics",
    "Statistics of",
    "Log counts",
    "More figures",
    "Divider of the picture and the values",
    "Values",
]
_HELD = IN_ORDER[14:20]
IN_ORDER_AFTER = [*IN_ORDER[:14], *_HELD[3:], *_HELD[:3], *IN_ORDER[20:]]


def test_tab_leads_through_the_welcome_and_the_page_of_a_file(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    active(qtbot, window)
    welcome = round_trip(qtbot, Key.Key_Tab)
    assert [name(each) for each in welcome] == ["Open a checkpoint…", "Open the sample"]
    window.open_paths([model])
    idle(qtbot, window)
    window.tree.select(window.files[0].number, None)
    idle(qtbot, window)
    window.tree.focus_filter()
    names = [name(each) for each in round_trip(qtbot, Key.Key_Tab)]
    assert names[3:] == ["Reload", "Close", "About this file"]


def pixels(window: MainWindow, area: QRect) -> NDArray[Any]:
    image = window.grab(area).toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1).copy()


@pytest.mark.parametrize("appearance", ["light", "dark"])
def test_one_sees_what_has_the_keys(
    qtbot: QtBot, window: MainWindow, model: Path, appearance: Appearance
) -> None:
    """Around every control something appears that stands out from what was there before."""
    window.look.set_appearance(appearance)
    try:
        show(qtbot, window, model, "deep")
        active(qtbot, window)
        window.tree.focus_filter()
        for _ in IN_ORDER:
            control = QApplication.focusWidget()
            assert control is not None
            area = QRect(control.mapTo(window, QPoint()), control.size()).adjusted(-3, -3, 3, 3)
            there = pixels(window, area)
            control.clearFocus()
            gone = pixels(window, area)
            changed = there != gone
            pairs = set(zip(there[changed].tolist(), gone[changed].tolist(), strict=True))
            assert changed.sum() > 100, name(control)
            best = max(contrast(QColor(after), QColor(before)) for after, before in pairs)
            assert best >= DRAWN, name(control)
            control.setFocus(Qt.FocusReason.TabFocusReason)
            qtbot.keyClick(control, Key.Key_Tab)
        assert QApplication.focusWidget() is window.tree.filter_box
    finally:
        window.look.set_appearance("system")


def test_the_keys_begin_in_the_tree(qtbot: QtBot, window: MainWindow, model: Path) -> None:
    active(qtbot, window)
    show(qtbot, window, model, "deep")
    # In the filter, Ctrl+E would go to the end of the line, on X11.
    assert window.tree.view.hasFocus()


def test_a_click_needs_no_frame(qtbot: QtBot, window: MainWindow, model: Path) -> None:
    page = show(qtbot, window, model, "deep")
    active(qtbot, window)
    plot = page.heatmap.plot
    area = QRect(plot.mapTo(window, QPoint()), plot.size())
    before = pixels(window, area)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert plot.hasFocus()
    assert (pixels(window, area) == before).all()


def test_the_cell_moves_in_the_picture_as_in_the_values(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    page = show(qtbot, window, model, "wide")
    active(qtbot, window)
    plot, position = page.heatmap.plot, page.position
    plot.setFocus()
    for key, modifier, cell in (
        (Key.Key_Down, Modifier.NoModifier, (1, 0)),
        (Key.Key_Right, Modifier.NoModifier, (1, 1)),
        (Key.Key_Right, Modifier.ShiftModifier, (1, 21)),
        (Key.Key_Down, Modifier.ShiftModifier, (11, 21)),
        (Key.Key_End, Modifier.NoModifier, (11, 199)),
        (Key.Key_Down, Modifier.ControlModifier, (99, 199)),
        (Key.Key_Down, Modifier.NoModifier, (99, 199)),
        (Key.Key_Home, Modifier.ControlModifier, (0, 0)),
        (Key.Key_Up, Modifier.ShiftModifier, (0, 0)),
    ):
        qtbot.keyClick(plot, key, modifier)
        assert position.cell == cell, key
    idle(qtbot, window)
    assert plot.cell == (0, 0)
    assert plot.hasFocus()


def test_the_picture_zooms_by_keys_around_the_cell_and_follows_it(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    page = show(qtbot, window, model, "wide")
    active(qtbot, window)
    plot = page.heatmap.plot
    plot.setFocus()
    page.position.move_to(50, 100)
    whole = plot.view.viewRange()
    for _ in range(4):
        qtbot.keyClick(plot, Key.Key_Plus)
    (left, right), (top, bottom) = plot.view.viewRange()
    assert right - left == pytest.approx(200 / 1.5**4)
    assert bottom - top == pytest.approx(100 / 1.5**4)
    assert left < 99.5
    assert right > 100.5
    qtbot.keyClick(plot, Key.Key_End)
    (left, right), _ = plot.view.viewRange()
    assert right == pytest.approx(199.5)  # no farther than it had to
    qtbot.keyClick(plot, Key.Key_Minus)
    assert np.diff(plot.view.viewRange()[0])[0] == pytest.approx(200 / 1.5**3)
    qtbot.keyClick(plot, Key.Key_0)
    np.testing.assert_allclose(plot.view.viewRange(), whole)
    idle(qtbot, window)


def test_keys_move_along_a_tensor_of_one_axis(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    page = show(qtbot, window, model, "line")
    active(qtbot, window)
    page.heatmap.plot.setFocus()
    qtbot.keyClick(page.heatmap.plot, Key.Key_Right)
    assert page.position.element == (1,)
    qtbot.keyClick(page.heatmap.plot, Key.Key_End)
    assert page.position.element == (49,)


def test_arrows_move_a_divider(qtbot: QtBot, window: MainWindow, model: Path) -> None:
    page = show(qtbot, window, model, "wide")
    active(qtbot, window)
    for splitter, keys in (
        (page.splitters[0], (Key.Key_Up, Key.Key_Down)),
        (page.splitters[1], (Key.Key_Left, Key.Key_Right)),
        (window._splitter, (Key.Key_Left, Key.Key_Right)),
    ):
        handle, before = splitter.handle(1), splitter.sizes()
        handle.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.keyClick(handle, keys[0])
        assert splitter.sizes() == [before[0] - 20, before[1] + 20]
        qtbot.keyClick(handle, keys[1])
        assert splitter.sizes() == before
    idle(qtbot, window)


def actions_below(menu: QMenu) -> Iterator[QAction]:
    for action in menu.actions():
        below = action.menu()
        if isinstance(below, QMenu):
            yield from actions_below(below)
        else:
            yield action


def action(window: MainWindow, text: str) -> QAction:
    (found,) = (
        each
        for top in window.menuBar().actions()
        if isinstance(menu := top.menu(), QMenu)
        for each in actions_below(menu)
        if each.text().replace("&", "") == text
    )
    return found


def test_what_the_mouse_does_with_headers_and_arrows_the_menus_do_too(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    page = show(qtbot, window, model, "deep")
    by_name = [window.tree.view.rows.at(number).key.name for number in range(1, 5)]
    action(window, "By size").trigger()
    idle(qtbot, window)
    assert window.tree._sort is not None
    assert window.tree._sort.column == Column.SIZE
    by_size = [window.tree.view.rows.at(number).key.name for number in range(1, 5)]
    assert by_size == ["one", "line", "deep", "wide"]
    action(window, "As in the file").trigger()
    idle(qtbot, window)
    assert [window.tree.view.rows.at(n).key.name for n in range(1, 5)] == by_name
    speed = action(window, "25 slices a second")
    assert speed.isEnabled()
    speed.trigger()
    assert page.axes.player._timer.interval() == 40
    # Other held axes, and another tensor: the menu is still there, and only for slices.
    show(qtbot, window, model, "wide")
    assert not page.axes.play_menu.menuAction().isEnabled()
    show(qtbot, window, model, "deep")
    assert page.axes.play_menu.menuAction().isEnabled()


def test_the_overview_names_the_keys_that_are_in_no_menu(qtbot: QtBot, window: MainWindow) -> None:
    show_keys(window)
    (box,) = window.findChildren(KeysBox)
    for keys in ("Tab, Shift+Tab", "+, −, 0 in the picture", "Arrows on a divider", "Shift+F1"):
        assert keys in box.text()
    assert [each.toolTip() for each in box.findChildren(QPushButton)] == ["Close (Esc)"]
    box.close()


def test_the_frame_goes_with_a_dialog_that_goes_while_it_shows(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    show(qtbot, window, model, "deep")
    window.chosen.export()
    (dialog,) = window.findChildren(ExportDialog)
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    for control in round_trip(qtbot, Key.Key_Tab):
        assert dialog.isAncestorOf(control)
    dialog.deleteLater()
    QCoreApplication.sendPostedEvents(dialog, QEvent.Type.DeferredDelete)
    assert not isValid(dialog)
    active(qtbot, window)
    window.tree.focus_filter()
    qtbot.keyClick(window.tree.filter_box, Key.Key_Tab)
    assert window.tree.view.hasFocus()
    idle(qtbot, window)
