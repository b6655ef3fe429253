"""Curves beside the picture and in its place: what they show, and how they follow."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import idle, show, turn_wheel
from PySide6.QtCore import QPoint, QPointF, QRect, Qt, QTimer
from PySide6.QtGui import QAction, QFontMetrics, QImage, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.analysis.profiles import Curve
from inspector.checkpoints.errors import TensorError
from inspector.gui.axis_bar import AxisBar
from inspector.gui.heatmap import Heatmap
from inspector.gui.main_window import MainWindow
from inspector.gui.picture_export import cells_image
from inspector.gui.position import Position
from inspector.gui.profile_pane import ProfilePane
from inspector.gui.settings import SettingsStore
from inspector.gui.tasks import Task, TaskRunner
from inspector.gui.tensor_page import TensorPage
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Theme, palette
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.regions import Region

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
Key = Qt.Key


pytestmark = pytest.mark.usefixtures("every_move_counts")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    path = tmp_path / "model.pt"
    weight = torch.randn(60, 40)
    weight[30, 20] = 50
    bad = torch.randn(90, 80)
    bad[10, 40], bad[10, 60], bad[50, 40] = torch.nan, torch.inf, -torch.inf
    line = torch.randn(100_000)
    line[70_123] = torch.nan
    torch.save(
        {
            "weight": weight,
            "bad": bad,
            "deep": torch.stack((weight, -weight)),
            "wave": torch.randn(5, 6, dtype=torch.complex64),
            "ten": torch.randn(10),
            "line": line,
            "nans": torch.full((30,), torch.nan),
            "same": torch.full((30,), 3.5),
            "mask": torch.rand(30) > 0.5,
            "one": torch.tensor([2.5]),
            "column": torch.randn(70, 1),
        },
        path,
    )
    return path


def ready(qtbot: QtBot, window: MainWindow, path: Path, name: str) -> TensorPage:
    """It has the keys too."""
    page = show(qtbot, window, path, name)
    window.activateWindow()
    qtbot.waitActive(window)
    page.grid.setFocus()
    return page


def drawn(pane: ProfilePane) -> Array:
    """The values of a curve whose places are elements."""
    curve = pane.curve
    assert curve is not None
    assert curve.exact
    assert curve.plan.block == 1
    np.testing.assert_array_equal(curve.low, curve.high)
    return curve.low


def panes(page: TensorPage) -> tuple[ProfilePane, ProfilePane]:
    plot = page.heatmap.plot
    return plot.row_pane, plot.column_pane


def seen(page: TensorPage) -> tuple[Array, Array]:
    row, column = panes(page)
    return drawn(row), drawn(column)


def spot(page: TensorPage, pane: ProfilePane, cell: float) -> QPoint:
    """Where a cell is in the middle of a pane, in the viewport."""
    place = pane.along(cell)
    if pane is page.heatmap.plot.column_pane:
        inside = QPointF(pane.width() / 2, place)
    else:
        inside = QPointF(place, pane.height() / 2)
    found: QPoint = page.heatmap.plot.mapFromScene(pane.mapToScene(inside))
    return found


def image_of(page: TensorPage, pane: ProfilePane) -> QImage:
    plot = page.heatmap.plot
    area: QRect = plot.mapFromScene(pane.sceneBoundingRect()).boundingRect()
    found: QImage = plot.grab(area).toImage()
    return found


def places_of(image: QImage, colour: tuple[int, ...]) -> list[tuple[int, int]]:
    return [
        (x, y)
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).getRgb()[:3] == colour
    ]


# What they show, and what they follow ------------------------------------------------------------


def test_row_and_column_of_the_current_cell(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "weight")
    weight = torch.load(checkpoint)["weight"].numpy()

    def assert_at(row: int, column: int) -> None:
        idle(qtbot, window)
        assert page.position.cell == (row, column)
        across, down = seen(page)
        np.testing.assert_array_equal(across, weight[row])
        np.testing.assert_array_equal(down, weight[:, column])
        assert panes(page)[0].caption() == f"[{row}, :]"
        assert panes(page)[1].caption() == f"[:, {column}]"

    assert_at(0, 0)
    qtbot.keyClick(page.grid, Key.Key_Down)
    assert_at(1, 0)
    qtbot.keyClick(page.grid, Key.Key_Right)
    assert_at(1, 1)
    qtbot.keyClick(page.grid, Key.Key_End, CONTROL)
    assert_at(59, 39)
    plot = page.heatmap.plot
    at = plot.mapFromScene(plot.view.mapViewToScene(QPointF(20, 30)))
    qtbot.mouseClick(plot.viewport(), LEFT, pos=at)
    assert_at(30, 20)


def test_another_plane_and_another_form_have_other_curves(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "deep")
    deep = torch.load(checkpoint)["deep"].numpy()
    page.position.move_to(30, 20)
    page.axes.held[0].number.setValue(1)
    idle(qtbot, window)
    np.testing.assert_array_equal(seen(page)[0], deep[1, 30])
    assert panes(page)[0].caption() == "[1, 30, :]"
    page.position.show_plane(page.position.plane.turned)
    idle(qtbot, window)
    np.testing.assert_array_equal(seen(page)[0], deep[1, :, 20])
    np.testing.assert_array_equal(seen(page)[1], deep[1, 30])
    page = ready(qtbot, window, checkpoint, "wave")
    wave = torch.load(checkpoint)["wave"].to(torch.complex128).numpy()
    page.position.move_to(2, 3)
    idle(qtbot, window)
    np.testing.assert_allclose(seen(page)[0], np.abs(wave[2]), rtol=1e-15)
    page.show_form("imaginary")
    idle(qtbot, window)
    np.testing.assert_array_equal(seen(page)[0], wave[2].imag)
    np.testing.assert_array_equal(seen(page)[1], wave[:, 3].imag)


def test_reversed_axes_reverse_the_curves(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "weight")
    weight = torch.load(checkpoint)["weight"].numpy()
    page.position.show_plane(page.position.plane.with_reversed(0).with_reversed(1))
    page.position.go_to((30, 20))
    idle(qtbot, window)
    np.testing.assert_array_equal(seen(page)[0], weight[30, ::-1])
    np.testing.assert_array_equal(seen(page)[1], weight[::-1, 20])
    assert panes(page)[0].caption() == "[30, ::-1]"
    page = ready(qtbot, window, checkpoint, "ten")
    ten = torch.load(checkpoint)["ten"].numpy()
    page.position.show_plane(page.position.plane.with_reversed(0))
    page.position.go_to((7,))
    idle(qtbot, window)
    row = panes(page)[0]
    np.testing.assert_array_equal(drawn(row), ten[::-1])
    assert page.heatmap.plot.cell == (0, 2)
    qtbot.mouseClick(page.heatmap.plot.viewport(), LEFT, pos=spot(page, row, 0))
    assert page.position.element == (9,)


def test_the_scale_is_logarithmic_when_the_colours_are(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "weight")
    page.position.move_to(30, 0)
    idle(qtbot, window)
    row = panes(page)[0]
    assert row.scale is not None
    assert row.scale.linear is None
    assert row.scale.low < torch.load(checkpoint)["weight"][30].min()
    assert row.scale.high >= 50
    qtbot.mouseClick(page.heatmap.controls.logarithmic, LEFT, pos=QPoint(8, 8))
    idle(qtbot, window)
    overview = page.heatmap.overview
    assert overview is not None
    assert overview.levels is not None
    assert row.scale is not None
    assert row.scale.linear == overview.levels.linear is not None


# Along the picture -------------------------------------------------------------------------------


def test_the_spike_is_exactly_beside_its_cell_at_every_zoom(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "weight")
    page.position.move_to(30, 20)
    idle(qtbot, window)
    plot = page.heatmap.plot
    before = plot.viewRange()

    def assert_beside() -> None:
        cell = QPointF(plot.view.mapViewToScene(QPointF(20, 30)))
        left, right = (plot.view.mapViewToScene(QPointF(20 + end, 30)).x() for end in (-0.5, 0.5))
        top, bottom = (plot.view.mapViewToScene(QPointF(20, 30 + end)).y() for end in (-0.5, 0.5))
        for pane, along, ends in (
            (plot.row_pane, cell.x(), (left, right)),
            (plot.column_pane, cell.y(), (top, bottom)),
        ):
            upright = pane is plot.column_pane
            centre = pane.mapFromScene(cell)
            assert pane.along(20 if not upright else 30) == pytest.approx(
                centre.y() if upright else centre.x(), abs=1e-6
            )
            assert pane.cell_at(centre) == (30 if upright else 20)
            # Where 50 is drawn, and nothing else is: in the outer half of the pane.
            image = image_of(page, pane)
            line = page.palette().link().color().getRgb()[:3]
            size = image.width() if upright else image.height()
            found = [
                y if upright else x
                for x, y in places_of(image, line)
                if (x > 0.6 * size if upright else y < 0.4 * size)
            ]
            corner = pane.sceneBoundingRect().topLeft()
            start = corner.y() if upright else corner.x()
            assert min(found) + start == pytest.approx(ends[0], abs=1.5)
            assert max(found) + start == pytest.approx(ends[1], abs=1.5)
            assert min(found) + start < along < max(found) + start + 1

    assert_beside()
    for pane in panes(page):
        for _ in range(3):
            turn_wheel(
                plot.viewport(), QPointF(spot(page, pane, 33 if pane is plot.column_pane else 22))
            )
        idle(qtbot, window)
        assert_beside()
    (left, right), (top, bottom) = plot.viewRange()
    for first, last, whole in ((left, right, before[0]), (top, bottom, before[1])):
        assert last - first < 0.9 * (whole[1] - whole[0])
    qtbot.mouseClick(page.heatmap.controls.square, LEFT, pos=QPoint(8, 8))
    idle(qtbot, window)
    assert_beside()


def test_the_wheel_over_a_profile_zooms_along_it_only(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "weight")
    plot = page.heatmap.plot
    across, down = plot.viewRange()
    turn_wheel(plot.viewport(), QPointF(spot(page, plot.row_pane, 20)))
    assert plot.viewRange()[0] != across
    assert plot.viewRange()[1] == down
    plot.fit()
    turn_wheel(plot.viewport(), QPointF(spot(page, plot.column_pane, 20)))
    assert plot.viewRange()[0] == across
    assert plot.viewRange()[1] != down


def test_a_profile_is_hovered_and_clicked_as_the_picture_is(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "weight")
    weight = torch.load(checkpoint)["weight"]
    row, column = panes(page)
    viewport = page.heatmap.plot.viewport()
    for pane, place, cell in ((row, 25, (0, 25)), (column, 17, (17, 25))):
        qtbot.mouseMove(viewport, spot(page, pane, place))
        idle(qtbot, window)
        assert window.read_out.startswith(f"{list(cell)} = {weight[cell].item():.9g}"[:14])
        assert page.position.cell != cell
        qtbot.mouseClick(viewport, LEFT, pos=spot(page, pane, place))
        idle(qtbot, window)
        assert page.position.cell == cell


# The switch --------------------------------------------------------------------------------------


def action(window: MainWindow, text: str) -> QAction:
    (found,) = (
        each for each in window.findChildren(QAction) if each.text().replace("&", "") == text
    )
    return found


def test_profiles_are_switched_by_mouse_and_key_and_that_is_kept(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, checkpoint: Path
) -> None:
    settings = SettingsStore(tmp_path / "settings.ini")
    qapp.setStyle("Fusion")
    window = MainWindow(Theme(qapp), settings)
    qtbot.addWidget(window)
    window.resize(1200, 800)
    window.show()
    page = ready(qtbot, window, checkpoint, "weight")
    plot, box = page.heatmap.plot, page.heatmap.controls.profiles
    switch = action(window, "Row and column profiles")
    with_them = plot.view.height()
    assert plot.panes == panes(page)
    qtbot.mouseClick(box, LEFT, pos=QPoint(8, 8))
    idle(qtbot, window)
    assert plot.panes == ()
    assert not any(pane.isVisible() for pane in panes(page))
    assert plot.view.height() > with_them
    assert not switch.isChecked()
    page.position.move_to(3, 3)  # nothing is read for nobody
    idle(qtbot, window)
    assert panes(page)[0].curve is None
    qtbot.keyClick(window, Key.Key_L, CONTROL)
    idle(qtbot, window)
    assert box.isChecked()
    assert plot.view.height() == with_them
    np.testing.assert_array_equal(seen(page)[0], torch.load(checkpoint)["weight"][3])
    qtbot.keyClick(window, Key.Key_L, CONTROL)
    window.close()
    again = MainWindow(Theme(qapp), settings)
    qtbot.addWidget(again)
    again.resize(1200, 800)
    again.show()
    page = ready(qtbot, again, checkpoint, "weight")
    assert not action(again, "Row and column profiles").isChecked()
    assert not page.heatmap.controls.profiles.isChecked()
    assert page.heatmap.plot.panes == ()
    again.close()


def test_in_a_small_window_the_picture_has_the_room(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "weight")
    box = page.heatmap.controls.profiles
    assert box.isVisible()
    window.resize(700, 500)
    qtbot.waitUntil(lambda: not box.isVisible())
    assert window.width() == 700
    assert page.heatmap.plot.panes == ()
    window.resize(1200, 800)
    qtbot.waitUntil(box.isVisible)
    idle(qtbot, window)
    assert len(page.heatmap.plot.panes) == 2
    assert seen(page)[0].size == 40


# NaN and infinities ------------------------------------------------------------------------------


def test_nan_and_infinities_have_their_colours_at_the_edges(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "bad")
    page.position.move_to(10, 40)
    idle(qtbot, window)
    row, column = panes(page)
    image = image_of(page, row)
    for colour, cell in ((NAN, 40), (POSITIVE_INFINITY, 60)):
        found = places_of(image, colour)
        assert len(found) >= 12
        middle = sum(x for x, _ in found) / len(found)
        assert middle == pytest.approx(row.along(cell), abs=3)
        # NaN below, +inf above.
        assert all((y < image.height() / 2) is (colour != NAN) for _, y in found)
    assert places_of(image, NEGATIVE_INFINITY) == []
    assert np.isnan(drawn(row)[[40, 60]]).all()
    image = image_of(page, column)
    for colour, cell in ((NAN, 10), (NEGATIVE_INFINITY, 50)):
        found = places_of(image, colour)
        middle = sum(y for _, y in found) / len(found)
        assert middle == pytest.approx(column.along(cell), abs=3)
        assert max(x for x, _ in found) < image.width() / 2


@pytest.mark.parametrize("size", [(1000, 700), (1600, 900)])
def test_the_words_of_a_profile_are_not_over_its_curve(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, size: tuple[int, int]
) -> None:
    torch.save({"w": torch.randn(2, 3, 300, 4000).clamp(-1, 1) + 5}, tmp_path / "w.pt")
    page = ready(qtbot, window, tmp_path / "w.pt", "w")
    window.resize(*size)
    idle(qtbot, window)
    row, column = panes(page)
    assert "1 pixel" in row.caption()
    words, line = window.palette().color(QPalette.ColorRole.Text), column._colours["line"]
    image = image_of(page, row)
    curve = [y for _, y in places_of(image, line.getRgb()[:3])]
    text = [y for _, y in places_of(image, words.getRgb()[:3])]
    assert text
    assert max(text) < min(curve)
    # The column has no room for words: they are above it, as wide as they are.
    heading, bar = column.heading.sceneBoundingRect(), page.heatmap.plot._bar
    assert heading.bottom() <= column.sceneBoundingRect().top()
    assert places_of(image_of(page, column), words.getRgb()[:3]) == []
    assert heading.right() == pytest.approx(bar.sceneBoundingRect().right())
    assert QFontMetrics(column.font()).horizontalAdvance(column.caption()) <= heading.width()


def test_one_nan_of_many_is_seen_at_every_zoom(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "line")
    plot = page.heatmap.plot
    for extent in (1e6, 20_000, 1000, 50, 5):
        ends = max(-0.5, 70_123 - extent / 3), min(99_999.5, 70_123 + extent)
        plot.view.setRange(xRange=ends, padding=0)
        idle(qtbot, window)
        found = places_of(image_of(page, plot.row_pane), NAN)
        assert len(found) >= 12
        middle = sum(x for x, _ in found) / len(found)
        assert middle == pytest.approx(plot.row_pane.along(70_123), abs=3)
        assert len(places_of(page.heatmap.image(), NAN)) > len(found)  # the band has it too


# A tensor of one axis ----------------------------------------------------------------------------


def test_a_tensor_of_one_axis_is_a_curve_over_a_band(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "ten")
    ten = torch.load(checkpoint)["ten"].numpy()
    plot, controls = page.heatmap.plot, page.heatmap.controls
    assert plot.panes == (plot.row_pane,)
    np.testing.assert_array_equal(drawn(plot.row_pane), ten)
    assert plot.row_pane.height() > 3 * plot.view.height()
    assert not controls.square.isVisible()
    assert not controls.profiles.isVisible()
    assert page.heatmap.overview is not None
    np.testing.assert_array_equal(page.heatmap.overview.tile.values, ten.reshape(1, 10))
    # Its band is the same picture as ever, and so is what leaves the window.
    image = cells_image(
        page.position.source,
        page.heatmap.plane,
        page.heatmap.overview,
        page.heatmap.reduction,
        Task(lambda _: None),
    )
    assert (image.width(), image.height()) == (10, 1)
    viewport = plot.viewport()
    for cell, at in (
        (7, spot(page, plot.row_pane, 7)),
        (4, plot.mapFromScene(plot.view.mapViewToScene(QPointF(4, 0)))),
    ):
        qtbot.mouseMove(viewport, at)
        idle(qtbot, window)
        assert window.read_out.startswith(f"[{cell}] = {ten[cell]:.9g}"[:10])
        qtbot.mouseClick(viewport, LEFT, pos=at)
        idle(qtbot, window)
        assert page.position.cell == (cell, 0)
    # Of a plane, all is as it was.
    page = ready(qtbot, window, checkpoint, "weight")
    assert controls.square.isVisible()
    assert plot.view.height() > plot.row_pane.height()


def test_zooming_into_a_long_curve_reads_it_finer(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "line")
    line = torch.load(checkpoint)["line"].numpy()
    plot = page.heatmap.plot
    curve = plot.row_pane.curve
    assert curve is not None
    assert curve.plan.cells == range(100_000)
    assert curve.plan.block > 1
    assert f"min to max of {curve.plan.block}" in plot.row_pane.caption()
    np.testing.assert_array_equal(
        curve.low, np.fmin.reduceat(line, np.arange(0, line.size, curve.plan.block))
    )
    np.testing.assert_array_equal(
        curve.high, np.fmax.reduceat(line, np.arange(0, line.size, curve.plan.block))
    )
    for _ in range(30):
        turn_wheel(plot.viewport(), QPointF(spot(page, plot.row_pane, 40_000)))
    idle(qtbot, window)
    near = plot.row_pane.curve
    assert near is not None
    assert near.plan.block < curve.plan.block
    assert 40_000 in near.plan.cells


def test_curves_are_those_of_where_the_view_comes_to_rest(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = ready(qtbot, window, checkpoint, "bad")
    plot = page.heatmap.plot
    plot.view.setRange(xRange=(10.5, 30.5), yRange=(20.5, 40.5), padding=0)
    idle(qtbot, window)
    for row, column in ((20, 10), (20, 11), (21, 11)):
        plot.view.translateBy(x=3, y=2)
        page.position.move_to(row, column)
    idle(qtbot, window)
    for pane, is_row, index in ((plot.row_pane, True, 21), (plot.column_pane, False, 11)):
        assert pane.curve is not None
        assert pane.curve.line.at == index
        assert pane.curve.plan == plot.visible_line(is_row)


@pytest.mark.parametrize("name", ["nans", "same", "mask", "one", "column"])
def test_every_kind_of_line(qtbot: QtBot, window: MainWindow, checkpoint: Path, name: str) -> None:
    page = ready(qtbot, window, checkpoint, name)
    values = torch.load(checkpoint)[name].numpy().reshape(-1)
    pane = page.heatmap.plot.row_pane
    np.testing.assert_array_equal(drawn(pane), values.astype(np.float64))
    image = image_of(page, pane)
    line = page.palette().link().color().getRgb()[:3]
    marked = places_of(image, NAN)
    if name == "nans":
        assert pane.scale is None
        assert len({x for x, _ in marked}) >= image.width() - 2
        return
    assert marked == []
    assert pane.scale is not None
    assert pane.scale.low <= values.min()
    assert pane.scale.high >= values.max()
    assert pane.scale.low < pane.scale.high
    if name in ("same", "one"):  # from edge to edge
        assert len({x for x, _ in places_of(image, line)}) >= image.width() - 3
    # All of the column's cells are where the grid has them.
    if name == "column":
        qtbot.keyClick(page.grid, Key.Key_Down)
        idle(qtbot, window)
        assert page.position.cell == (1, 0)
        assert page.heatmap.plot.cell == (0, 1)


@pytest.mark.parametrize("dark", [False, True])
def test_curves_take_the_palette(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, checkpoint: Path, dark: bool
) -> None:
    page = ready(qtbot, window, checkpoint, "ten")
    qapp.setPalette(palette(dark))
    idle(qtbot, window)
    image = image_of(page, page.heatmap.plot.row_pane)
    assert places_of(image, palette(dark).link().color().getRgb()[:3])
    assert (image.pixelColor(image.width() - 30, image.height() - 3).lightnessF() < 0.5) is dark


def test_a_picture_after_a_curve_is_read_for_its_own_size(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    """Not for that of the band which was in its place."""
    page = ready(qtbot, window, checkpoint, "line")
    blocks: list[int] = []
    page.heatmap.drawn.connect(lambda made: blocks.append(made.tile.plan.block_rows))
    ready(qtbot, window, checkpoint, "bad")
    assert set(blocks) == {1}


# Races, failures, and lines of any length --------------------------------------------------------


class Gated(InMemoryArray):
    """An array whose rows can be held back, or can not be read at all."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self.gates: dict[int, threading.Event] = {}
        self.begun = threading.Event()
        self.broken = False

    def read(self, region: Region) -> Array:
        if self.broken:
            raise TensorError("The disk is gone.")
        rows = region.axes[-2]
        if isinstance(rows, range) and len(rows) == 1 and rows[0] in self.gates:
            self.begun.set()
            assert self.gates[rows[0]].wait(30)
        return super().read(region)


class Stage:
    """A picture with profiles over a source of its own."""

    def __init__(self, qtbot: QtBot, runner: TaskRunner, array: Array) -> None:
        self.qtbot, self.runner = qtbot, runner
        self.position = Position()
        self.heatmap = Heatmap(self.position, runner)
        qtbot.addWidget(self.heatmap)
        self.heatmap.resize(700, 500)
        self.heatmap.show()
        qtbot.waitExposed(self.heatmap)
        self.source = Gated(array)
        self.errors: list[object] = []
        self.heatmap.failed.connect(self.errors.append)
        self.row = self.heatmap.plot.row_pane
        self.position.choose(self.source)

    def rest(self) -> None:
        calm = 0

        def is_calm() -> bool:
            nonlocal calm
            calm = calm + 1 if self.runner.is_idle else 0
            return calm > 12

        self.qtbot.waitUntil(is_calm, timeout=30_000)

    def until(self, caption: str) -> None:
        self.qtbot.waitUntil(lambda: self.row.caption() == caption, timeout=30_000)


def test_a_row_that_comes_late_is_never_drawn(
    qtbot: QtBot, runner: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    show_curve = ProfilePane.show_curve

    def remember(pane: ProfilePane, curve: Curve | None) -> None:
        if curve is not None and curve.line.is_row:
            rows.append(curve.line.at)
        show_curve(pane, curve)

    monkeypatch.setattr(ProfilePane, "show_curve", remember)
    stage = Stage(qtbot, runner, np.arange(1200.0).reshape(30, 40))
    stage.rest()
    gate = stage.source.gates[7] = threading.Event()
    stage.position.move_to(7, 0)
    assert stage.source.begun.wait(30)
    stage.position.move_to(8, 0)
    stage.until("[8, :]")
    gate.set()
    stage.rest()
    assert set(rows) == {0, 8}
    assert stage.row.caption() == "[8, :]"
    np.testing.assert_array_equal(drawn(stage.row), np.arange(320.0, 360))


def test_playing_waits_for_the_curve_of_each_slice(qtbot: QtBot, runner: TaskRunner) -> None:
    stage = Stage(qtbot, runner, np.arange(3600.0).reshape(3, 30, 40))
    bar = AxisBar(stage.position, runner)
    qtbot.addWidget(bar)
    bar.player.set_speed(1000)
    stage.position.choose(stage.source)
    stage.rest()
    slices: list[int] = []
    stage.position.plane_changed.connect(lambda: slices.append(stage.position.plane.index[0]))
    gate = stage.source.gates[0] = threading.Event()
    bar.play()
    qtbot.waitUntil(lambda: slices == [1] and not runner.is_running("overview"), timeout=30_000)
    turns: list[int] = []
    beat = QTimer()
    beat.timeout.connect(lambda: turns.append(len(slices)))
    beat.start(2)  # slower than the player
    qtbot.waitUntil(lambda: len(turns) > 20, timeout=30_000)
    beat.stop()
    assert slices == [1]
    gate.set()
    qtbot.waitUntil(lambda: bar.player.axis is None, timeout=30_000)
    stage.rest()
    assert slices == [1, 2]
    np.testing.assert_array_equal(drawn(stage.row), np.arange(2400.0, 2440))


def test_a_read_that_fails_is_told_and_leaves_no_curve(qtbot: QtBot, runner: TaskRunner) -> None:
    stage = Stage(qtbot, runner, np.arange(1200.0).reshape(30, 40))
    stage.rest()
    stage.source.broken = True
    stage.position.move_to(7, 0)
    stage.rest()
    assert stage.row.curve is None
    assert [str(error) for error in stage.errors] == ["The disk is gone."]
    stage.source.broken = False
    stage.position.move_to(8, 0)
    stage.until("[8, :]")


def test_a_long_line_has_a_sample_first_and_can_be_cancelled(
    qtbot: QtBot, runner: TaskRunner
) -> None:
    """2**40 elements in no memory; the exact curve would take an hour."""
    stage = Stage(qtbot, runner, np.broadcast_to(np.float32(2), (2, 1 << 40)))
    qtbot.waitUntil(lambda: stage.row.curve is not None, timeout=30_000)
    curve = stage.row.curve
    assert curve is not None
    assert not curve.exact
    assert stage.row.caption() == f"[0, :]   sample 1:{curve.plan.block:,}"

    def is_read() -> bool:
        return runner.is_running("Row profile")

    qtbot.waitUntil(is_read, timeout=30_000)
    assert "Row profile" in [each.title for each in runner.activities]
    # What is close by is read exactly, at once, though the rest is not known.
    half = 1 << 39
    stage.heatmap.plot.view.setRange(xRange=(half, half + 200), padding=0)
    qtbot.waitUntil(lambda: stage.row.curve is not None and stage.row.curve.exact, timeout=30_000)
    assert stage.row.curve.plan.block == 1
    assert not is_read()
    stage.heatmap.plot.fit()
    qtbot.waitUntil(is_read, timeout=30_000)
    stage.until(f"[0, :]   sample 1:{curve.plan.block:,}")
    runner.cancel("Row profile")
    stage.position.move_to(1, 0)
    assert not is_read()  # not before the cell rests
    stage.until(f"[1, :]   sample 1:{curve.plan.block:,}")
    qtbot.waitUntil(is_read, timeout=30_000)
    for lane in ("Row profile", "Column profile", "overview"):
        runner.cancel(lane)
    stage.rest()
    assert stage.row.caption() == f"[1, :]   sample 1:{curve.plan.block:,}"
    stage.position.choose(None)
    assert stage.row.curve is None
