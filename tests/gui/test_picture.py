"""The picture in the window, by mouse and keys: levels, numbers in cells, and no bad value lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import idle, show, turn_wheel
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QGuiApplication, QImage, QMouseEvent
from PySide6.QtWidgets import QApplication, QComboBox, QWidget
from pytestqt.qtbot import QtBot

from inspector.analysis.summary import Analysis, analyse
from inspector.gui import statistics_panel
from inspector.gui.cell_numbers import fitting_texts
from inspector.gui.colours import lookup_table
from inspector.gui.levels import Levels
from inspector.gui.main_window import MainWindow
from inspector.gui.tensor_page import TensorPage
from inspector.gui.theme import NAN
from inspector.values.regions import Region

LEFT = Qt.MouseButton.LeftButton


pytestmark = pytest.mark.usefixtures("every_move_counts")


@pytest.fixture
def window(qtbot: QtBot, window: MainWindow) -> MainWindow:
    """It has the keys too."""
    window.activateWindow()
    qtbot.waitActive(window)
    return window


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    path = tmp_path / "model.pt"
    weight = torch.randn(60, 40)
    weight[3, 4], weight[5, 6] = -50, 30
    weight[10, 2] = torch.nan
    torch.save({"weight": weight, "deep": torch.stack((weight.nan_to_num(), weight * 0))}, path)
    return path


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


def test_levels_stay_while_the_statistics_are_of_a_part(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    choose(qtbot, window, page.heatmap.controls.levels, "Min to max")
    choose(qtbot, window, page.statistics.part_box, "Selected values")
    found = page.statistics.statistics
    assert found is not None
    assert found.count == 1
    assert (levels(page).low, levels(page).high) == (-50, 30)
    choose(qtbot, window, page.statistics.part_box, "Whole tensor")
    assert (levels(page).low, levels(page).high) == (-50, 30)


def test_levels_of_all_the_numbers_are_had_while_the_statistics_are_of_a_part(
    qtbot: QtBot, window: MainWindow, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    choose(qtbot, window, page.heatmap.controls.levels, "Min to max")
    choose(qtbot, window, page.statistics.part_box, "What is shown")
    # Of this one, nothing but the plane of zeros is shown.
    page = show(qtbot, window, checkpoint, "deep")
    page.axes.held[0].number.setValue(1)

    def is_of_plane() -> bool:
        found = page.statistics.statistics
        return found is not None and (found.minimum, found.maximum) == (0, 0)

    qtbot.waitUntil(is_of_plane)
    idle(qtbot, window)
    assert (levels(page).low, levels(page).high) == (-50, 30)
    assert "not yet exact" not in page.heatmap._caption.text()
    # They are known now: other planes and other parts do not count them again.
    counted: list[Region] = []

    def noted(source: Any, region: Region, **heard: Any) -> Analysis:
        counted.append(region)
        return analyse(source, region, **heard)

    monkeypatch.setattr(statistics_panel, "analyse", noted)
    page.axes.held[0].number.setValue(0)
    page.grid.select(range(2), range(2))
    choose(qtbot, window, page.statistics.part_box, "Selected values")
    qtbot.waitUntil(lambda: counted != [])
    idle(qtbot, window)
    assert page.source is not None
    assert Region.whole(page.source.shape) not in counted


def test_levels_that_are_not_exact_yet_say_so(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = torch.randn(1500, 1500)
    weight[3, 4], weight[5, 6] = -50, 30
    torch.save({"weight": weight}, tmp_path / "model.pt")
    gate = threading.Event()

    def held(*arguments: Any, **heard: Any) -> Analysis:
        assert gate.wait(30)
        return analyse(*arguments, **heard)

    monkeypatch.setattr(statistics_panel, "analyse", held)
    window.open_paths([tmp_path / "model.pt"], "weight")
    qtbot.waitUntil(lambda: window.page is not None and window.page.heatmap.overview is not None)
    page = window.page
    assert page is not None
    words = page.heatmap._caption
    try:
        assert "not yet exact" not in words.text()  # the automatic ones are the picture's own
        # The mean of the pixels' cells: its range is not that of the numbers.
        page.heatmap.controls.reductions.setCurrentText("Mean")
        page.heatmap.controls.levels.setCurrentText("Min to max")
        qtbot.waitUntil(lambda: words.text().startswith("levels not yet exact"))
        assert (levels(page).low, levels(page).high) != (-50, 30)
        assert "those of the pixels" in words.toolTip()
    finally:
        gate.set()
    idle(qtbot, window)
    assert (levels(page).low, levels(page).high) == (-50, 30)
    assert "not yet exact" not in words.text()


def test_levels_are_dragged_on_the_histogram(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    choose(qtbot, window, page.heatmap.controls.levels, "Min to max")
    lines = page.statistics.plot.lines.lines
    assert [line.value() for line in lines] == [-50, 30]
    plot = page.statistics.plot

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
    assert [line.value() for line in page.statistics.plot.lines.lines] == [-0.25, 0.75]
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


# Numbers in cells --------------------------------------------------------------------------------


def zoom(
    qtbot: QtBot, window: MainWindow, page: TensorPage, cell: tuple[int, int], steps: int
) -> None:
    """Turn the wheel over a cell."""
    plot = page.heatmap.plot
    for _ in range(steps):
        at = plot.view.mapViewToScene(QPointF(cell[1], cell[0]))
        turn_wheel(plot.viewport(), QPointF(plot.mapFromScene(at)))
    idle(qtbot, window)


def cell_image(page: TensorPage, row: int, column: int) -> QImage:
    """What is drawn in the inner part of a cell."""
    plot = page.heatmap.plot
    corners = [
        plot.mapFromScene(plot.view.mapViewToScene(QPointF(column + x, row + y)))
        for x, y in ((-0.45, -0.45), (0.45, 0.45))
    ]
    drawn: QImage = plot.grab(QRect(*corners)).toImage()
    return drawn


def shades(image: QImage) -> set[tuple[int, ...]]:
    return {
        image.pixelColor(x, y).getRgb()[:3]
        for x in range(image.width())
        for y in range(image.height())
    }


@pytest.mark.parametrize("square", [False, True])
def test_close_cells_hold_their_numbers(
    qtbot: QtBot, window: MainWindow, checkpoint: Path, square: bool
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    numbers = page.heatmap.plot.numbers
    assert not numbers.characters
    if square:
        qtbot.mouseClick(page.heatmap.controls.square, LEFT, pos=QPoint(8, 8))
    zoom(qtbot, window, page, (3, 4), 24)
    assert numbers.held is not None
    values = torch.load(checkpoint)["weight"]
    for row, texts in zip(numbers.held.rows, numbers.held.texts, strict=True):
        for column, text in zip(numbers.held.columns, texts, strict=True):
            assert len(text) <= numbers.characters
            assert float(text) == pytest.approx(values[row, column].item(), rel=0.05, nan_ok=True)
    # -50 lies on the darkest blue; its neighbours are next to white.
    dark, light = (shades(cell_image(page, 3, column)) for column in (4, 5))
    assert any(min(shade) > 224 for shade in dark)
    assert not any(max(shade) < 32 for shade in dark)
    assert any(max(shade) < 32 for shade in light)
    if square:
        image = cell_image(page, 3, 5)
        assert abs(image.width() - image.height()) <= 2
    for act in (qtbot.mouseClick, qtbot.mouseDClick, qtbot.mouseRelease):
        act(page.heatmap.plot.viewport(), LEFT, pos=QPoint(200, 150))
    idle(qtbot, window)
    assert numbers.held is None


def test_no_hole_is_seen_while_the_picture_is_moved(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    zoom(qtbot, window, page, (30, 20), 14)
    plot = page.heatmap.plot
    viewport, centre = plot.viewport(), QPoint(250, 130)
    qtbot.mousePress(viewport, LEFT, pos=centre)
    for step in range(1, 9):
        move(viewport, centre + QPoint(20 * step, 15 * step))
        area = plot.mapFromScene(plot.view.sceneBoundingRect()).boundingRect()
        drawn = shades(plot.grab(area.adjusted(3, 3, -3, -3)).toImage())
        ground = page.palette().window().color().getRgb()[:3]
        assert ground not in drawn
    qtbot.mouseRelease(viewport, LEFT, pos=centre + QPoint(160, 120))


def test_another_index_keeps_the_view(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    """As where one part of every slice is looked at in turn; other axes show all of theirs."""
    page = show(qtbot, window, checkpoint, "deep")
    zoom(qtbot, window, page, (30, 20), 14)
    plot, position = page.heatmap.plot, page.position
    near = plot.viewRange()
    position.show_plane(position.plane.with_index(0, 1))
    idle(qtbot, window)
    assert plot.viewRange() == near
    assert page.heatmap.overview is not None
    assert np.nanmax(np.abs(page.heatmap.overview.tile.values)) == 0  # it is the other slice
    position.show_plane(position.plane.with_row_axis(2))
    idle(qtbot, window)
    assert plot.viewRange() != near


@given(
    st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(1, 14),
)
def test_numbers_fit_or_are_not_there(rows: list[list[float]], characters: int) -> None:
    array = np.array(rows, np.float32)
    texts = fitting_texts(array, characters)
    written = [
        (text, value)
        for line, values in zip(texts, rows, strict=True)
        for text, value in zip(line, values, strict=True)
        if text
    ]
    assert not written or 4 * len(written) >= 3 * array.size
    for text, value in written:
        assert len(text) <= characters
        assert float(text) == pytest.approx(value, rel=0.05, nan_ok=True)


def test_integers_are_written_with_all_their_digits() -> None:
    numbers = np.array([[-128, 7, 2**62 + 1]])
    assert fitting_texts(numbers, 4) == [["", "", ""]]
    few = np.array([[-128, 7, 0, 2**62 + 1]])
    assert fitting_texts(few, 4) == [["-128", "7", "0", ""]]
    assert fitting_texts(numbers, 19) == [["-128", "7", str(2**62 + 1)]]
    assert fitting_texts(np.array([[True]]), 4) == [["True"]]
    assert fitting_texts(np.array([[1.5 - 2j]]), 6) == [["1.5-2j"]]


# Markers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("square", [False, True])
def test_one_nan_among_cells_of_one_pixel_is_seen(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, square: bool
) -> None:
    path = tmp_path / "model.pt"
    weight = torch.zeros(250, 440)
    weight[70, 80] = torch.nan
    torch.save({"weight": weight}, path)
    page = show(qtbot, window, path, "weight")
    if square:
        qtbot.mouseClick(page.heatmap.controls.square, LEFT, pos=QPoint(8, 8))
        idle(qtbot, window)
    image = page.heatmap.image()
    seen = [
        (x, y)
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).getRgb()[:3] == NAN
    ]
    assert len(seen) >= 9
    # Close by it is a cell among others.
    zoom(qtbot, window, page, (70, 80), 30)
    assert shades(cell_image(page, 70, 81)).isdisjoint({NAN})


# Copying -----------------------------------------------------------------------------------------


def test_the_picture_is_copied(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "weight")
    QGuiApplication.clipboard().clear()
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(window, Qt.Key.Key_P, keys)
    copied, drawn = QGuiApplication.clipboard().image(), page.heatmap.image()
    kind = QImage.Format.Format_RGB32
    assert copied.convertToFormat(kind) == drawn.convertToFormat(kind)
    assert f"{drawn.width():,} × {drawn.height():,} pixels" in window.read_out
