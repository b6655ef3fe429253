"""The picture in the window, by mouse and keys: levels, numbers in cells, and no bad value lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
import torch
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QComboBox, QWidget
from pytestqt.qtbot import QtBot

from inspector.gui.colours import lookup_table
from inspector.gui.levels import Levels
from inspector.gui.main_window import MainWindow
from inspector.gui.tensor_page import TensorPage
from inspector.gui.theme import Theme

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _every_move_counts() -> Iterator[None]:
    """pyqtgraph drops moves that follow each other faster than a hand's."""
    before = pg.getConfigOption("mouseRateLimit")
    pg.setConfigOption("mouseRateLimit", 0)
    yield
    pg.setConfigOption("mouseRateLimit", before)


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication) -> Iterator[MainWindow]:
    qapp.setStyle("Fusion")
    made = MainWindow(Theme(qapp))
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    qtbot.waitActive(made)
    yield made
    made.close()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    path = tmp_path / "model.pt"
    weight = torch.randn(60, 40)
    weight[3, 4], weight[5, 6] = -50, 30
    weight[10, 2] = torch.nan
    torch.save({"weight": weight, "deep": torch.stack((weight.nan_to_num(), weight * 0))}, path)
    return path


def idle(qtbot: QtBot, window: MainWindow) -> None:
    calm = 0

    def is_calm() -> bool:
        nonlocal calm
        calm = calm + 1 if window.runner.is_idle else 0
        return calm > 12

    qtbot.waitUntil(is_calm, timeout=20_000)


def show(qtbot: QtBot, window: MainWindow, path: Path, name: str) -> TensorPage:
    window.open_paths([path], name)
    idle(qtbot, window)
    assert window.page is not None
    return window.page


def choose(qtbot: QtBot, window: MainWindow, box: QComboBox, label: str) -> None:
    """With keys, as a user without a mouse does."""
    box.setFocus()
    target = box.findText(label)
    assert target >= 0
    while box.currentIndex() != target:
        down = box.currentIndex() < target
        qtbot.keyClick(box, Qt.Key.Key_Down if down else Qt.Key.Key_Up)
    idle(qtbot, window)


def move(widget: QWidget, at: QPoint, buttons: Qt.MouseButton = LEFT) -> None:
    """The mouse moves with its left button held, which qtbot's does not."""
    everywhere = QPointF(widget.mapToGlobal(at))
    kind, none = QEvent.Type.MouseMove, Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(kind, QPointF(at), everywhere, Qt.MouseButton.NoButton, buttons, none)
    QApplication.sendEvent(widget, event)


def drag(qtbot: QtBot, widget: QWidget, start: QPoint, end: QPoint) -> None:
    move(widget, start, Qt.MouseButton.NoButton)
    qtbot.mousePress(widget, LEFT, pos=start)
    for part in (0.4, 0.8, 1.0):
        move(widget, start + (end - start) * part)
    qtbot.mouseRelease(widget, LEFT, pos=end)


def levels(page: TensorPage) -> Levels:
    assert page.heatmap.overview is not None
    found = page.heatmap.overview.levels
    assert found is not None
    return found


# Levels ------------------------------------------------------------------------------------------


def test_levels_are_those_of_all_the_numbers(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    finite = torch.load(checkpoint)["weight"].double().numpy()
    finite = finite[np.isfinite(finite)]
    low, high = np.quantile(finite, (0.01, 0.99))
    controls = page.heatmap.controls
    choose(qtbot, window, controls.levels, "1 to 99 %")
    assert (levels(page).low, levels(page).high) == (low, high)
    choose(qtbot, window, controls.levels, "Min to max")
    assert (levels(page).low, levels(page).high) == (-50, 30)
    choose(qtbot, window, controls.levels, "Symmetric")
    assert (levels(page).low, levels(page).high) == (-50, 50)
    # A plane of nothing but zeros: the levels are the tensor's, so that planes compare.
    page = show(qtbot, window, checkpoint, "deep")
    page.axes.held[0].number.setValue(1)
    idle(qtbot, window)
    assert (levels(page).low, levels(page).high) == (-50, 50)


def test_levels_are_dragged_on_the_histogram(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    choose(qtbot, window, page.heatmap.controls.levels, "Min to max")
    lines = page.statistics.level_lines.lines
    assert [line.value() for line in lines] == [-50, 30]
    plot = page.statistics._plot

    def at(value: float) -> QPoint:
        place = plot.getViewBox().mapViewToScene(QPointF(value, plot.viewRange()[1][1] / 2))
        return plot.mapFromScene(place)

    drag(qtbot, plot.viewport(), at(30), at(5))
    idle(qtbot, window)
    assert page.heatmap.controls.mode == "hand"
    assert levels(page).low == -50
    assert levels(page).high == pytest.approx(5, abs=0.6)
    assert lines[1].value() == levels(page).high
    assert page.heatmap.controls.high.text() == f"{levels(page).high:.6g}"
    overview = page.heatmap.overview
    assert overview is not None
    table = lookup_table(overview.colour_map)
    assert tuple(overview.pixels[5, 6, :3]) == tuple(table[-1])  # 30, beyond the level
    # One line dragged across the other: the lower stays the lower.
    drag(qtbot, plot.viewport(), at(levels(page).low), at(20))
    idle(qtbot, window)
    assert levels(page).low == pytest.approx(5, abs=0.6)
    assert levels(page).high == pytest.approx(20, abs=0.6)
    assert [line.value() for line in lines] == [levels(page).low, levels(page).high]


def test_levels_are_typed(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    controls = page.heatmap.controls
    assert not controls.low.isVisible()
    before = levels(page)
    choose(qtbot, window, controls.levels, "By hand")
    assert levels(page) == before
    for edit, text in ((controls.low, "-2.5e-1"), (controls.high, "0.75")):
        edit.setFocus()
        edit.selectAll()
        qtbot.keyClicks(edit, text)
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    idle(qtbot, window)
    assert levels(page) == Levels(-0.25, 0.75)
    assert [line.value() for line in page.statistics.level_lines.lines] == [-0.25, 0.75]
    for nonsense in ("9", "nan", "0,5", "inf", ""):
        controls.low.selectAll()
        qtbot.keyClick(controls.low, Qt.Key.Key_Delete)
        qtbot.keyClicks(controls.low, nonsense)
        qtbot.keyClick(controls.low, Qt.Key.Key_Return)
        idle(qtbot, window)
        assert levels(page) == Levels(-0.25, 0.75)
        assert controls.low.palette().text() != page.palette().text()
    # Another tensor keeps them, to be compared.
    show(qtbot, window, checkpoint, "deep")
    assert levels(page) == Levels(-0.25, 0.75)


def test_the_logarithmic_bar_has_the_values(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    plot = page.heatmap.plot
    assert plot.bar_texts() == []
    qtbot.mouseClick(page.heatmap.controls.logarithmic, LEFT, pos=QPoint(8, 8))
    idle(qtbot, window)
    assert levels(page).linear is not None
    assert {"0", "10", "-10"} <= set(plot.bar_texts())
    qtbot.mouseClick(page.heatmap.controls.logarithmic, LEFT, pos=QPoint(8, 8))
    idle(qtbot, window)
    assert plot.bar_texts() == []
