"""The grid by mouse and keys, at any size: what is selected, copied, coloured, and read for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from inspector.analysis.tiles import TilePlan, render_tile
from inspector.gui.colours import (
    AUTOMATIC_MAP,
    COLOUR_MAPS,
    Colouring,
    Picture,
    lookup_table,
    picture,
)
from inspector.gui.grid_painter import takes_black
from inspector.gui.levels import LevelsChoice
from inspector.gui.position import Position
from inspector.gui.tasks import TaskRunner
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY
from inspector.gui.value_grid import ValueGrid
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.regions import Plane, Region

Key, Button = Qt.Key, Qt.MouseButton
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


class Counted(InMemoryArray):
    """An array that remembers what was asked of it, and waits at a gate if told to."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self.asked: list[Region] = []
        self.gate = threading.Event()
        self.gate.set()

    def read(self, region: Region) -> Array:
        self.asked.append(region)
        assert self.gate.wait(30)
        return super().read(region)


@dataclass
class Hands:
    """A grid, and what a user does with it."""

    qtbot: QtBot
    runner: TaskRunner
    position: Position = field(default_factory=Position)
    told: list[str] = field(default_factory=list)
    selected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grid = ValueGrid(self.position, self.runner)
        self.qtbot.addWidget(self.grid)
        self.grid.message.connect(self.told.append)
        self.grid.selection_changed.connect(self.selected.append)
        self.grid.resize(600, 400)
        self.grid.show()
        self.qtbot.waitExposed(self.grid)

    def show(self, array: Array) -> Counted:
        source = Counted(array)
        self.position.choose(source)
        self.rest()
        return source

    def rest(self) -> None:
        self.qtbot.waitUntil(lambda: self.runner.is_idle, timeout=30_000)

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        self.qtbot.keyClick(self.grid, key, modifiers)

    def place(self, row: int, column: int) -> QPoint:
        return self.grid.cell_rect(row, column).center()

    def click(self, point: QPoint, modifiers: Qt.KeyboardModifier = NONE) -> None:
        self.qtbot.mouseClick(self.grid.viewport(), Button.LeftButton, modifiers, point)

    def drag(self, start: QPoint, *stops: QPoint) -> None:
        """Press, and move to each of the stops. The button stays down."""
        self.qtbot.mousePress(self.grid.viewport(), Button.LeftButton, NONE, start)
        for stop in stops:
            place = QPointF(self.grid.viewport().mapToGlobal(stop))
            kind, moved = QMouseEvent.Type.MouseMove, QPointF(stop)
            event = QMouseEvent(kind, moved, place, Button.NoButton, Button.LeftButton, NONE)
            QApplication.sendEvent(self.grid.viewport(), event)

    def drop(self, point: QPoint) -> None:
        self.qtbot.mouseRelease(self.grid.viewport(), Button.LeftButton, NONE, point)


@pytest.fixture
def hands(qtbot: QtBot, runner: TaskRunner) -> Iterator[Hands]:
    made = Hands(qtbot, runner)
    yield made
    made.grid.close()


HUGE = np.broadcast_to(np.float32(0.5), (2**20, 2**20))
LONG = np.broadcast_to(np.float32(0.5), (2**40,))


# Selecting ---------------------------------------------------------------------------------------


def test_keys_select_to_the_edges_of_a_tensor_of_any_size(hands: Hands) -> None:
    hands.show(HUGE)
    last = 2**20 - 1
    hands.key(Key.Key_Down)
    hands.key(Key.Key_Right)
    hands.key(Key.Key_End, SHIFT)
    assert hands.grid.selection == (range(1, 2), range(1, last + 1))
    hands.key(Key.Key_End, CONTROL | SHIFT)
    assert hands.grid.selection == (range(1, last + 1), range(1, last + 1))
    assert hands.selected[-1] == "1,048,575 × 1,048,575 cells selected"
    hands.key(Key.Key_Home, CONTROL | SHIFT)
    assert hands.grid.selection == (range(2), range(2))
    hands.key(Key.Key_Left)
    assert hands.grid.selection == (range(1), range(1))
    assert hands.selected[-1] == ""


def test_a_shift_click_selects_as_far_as_it(hands: Hands) -> None:
    hands.show(HUGE)
    hands.click(hands.place(2, 1))
    hands.key(Key.Key_End, CONTROL)
    hands.click(hands.place(2**20 - 4, 2**20 - 3), SHIFT)
    assert hands.grid.selection == (range(2**20 - 4, 2**20), range(2**20 - 3, 2**20))
    hands.grid.verticalScrollBar().setValue(0)
    hands.grid.horizontalScrollBar().setValue(0)
    hands.click(hands.place(5, 1), SHIFT)
    assert hands.grid.selection == (range(5, 2**20), range(1, 2**20))
    assert hands.selected[-1] == "1,048,571 × 1,048,575 cells selected"
    hands.click(hands.place(5, 1))
    assert hands.selected[-1] == ""


def test_a_drag_selects_and_the_view_follows_it_beyond_the_edge(hands: Hands) -> None:
    hands.show(HUGE)
    hands.drag(hands.place(1, 1), hands.place(3, 2))
    assert hands.grid.selection == (range(1, 4), range(1, 3))
    view = hands.grid.viewport()
    beyond = QPoint(view.width() + 200, view.height() + 60)
    hands.drag(hands.place(1, 1), beyond)
    # The mouse rests; the view goes on by itself.
    hands.qtbot.waitUntil(lambda: hands.position.cell[0] > 100, timeout=20_000)
    row, column = hands.position.cell
    assert column > 20
    assert hands.grid.selection == (range(1, row + 1), range(1, column + 1))
    hands.drop(beyond)
    stopped = hands.position.cell
    hands.qtbot.wait(100)
    assert hands.position.cell == stopped


def test_a_drag_above_the_first_row_comes_back_to_it(hands: Hands) -> None:
    hands.show(HUGE)
    hands.key(Key.Key_End, CONTROL)
    hands.grid.select(range(30, 31), range(1))
    hands.drag(hands.place(30, 0), QPoint(hands.place(30, 0).x(), -300))
    hands.qtbot.waitUntil(lambda: hands.position.cell == (0, 0), timeout=20_000)
    assert hands.grid.selection == (range(31), range(1))
    hands.drop(QPoint(0, 0))


def test_headers_select_rows_columns_and_everything_without_moving(hands: Hands) -> None:
    hands.show(HUGE)
    hands.key(Key.Key_End, CONTROL)
    seen = hands.grid.visible
    row, column = seen[0][2], seen[1][1]
    at_row = QPoint(3, hands.place(row, column).y())
    at_column = QPoint(hands.place(row, column).x(), 3)
    hands.click(at_row)
    assert hands.grid.selection == (range(row, row + 1), range(2**20))
    hands.click(at_row + QPoint(0, hands.grid.cell_rect(row, column).height() * 3), SHIFT)
    assert hands.grid.selection == (range(row, row + 4), range(2**20))
    assert hands.selected[-1] == "4 × 1,048,576 cells selected"
    hands.key(Key.Key_Up, SHIFT)
    assert hands.grid.selection == (range(row, row + 3), range(2**20))
    hands.drag(at_column, at_column + QPoint(hands.grid.cell_rect(row, column).width(), 0))
    assert hands.grid.selection == (range(2**20), range(column, column + 2))
    hands.drop(at_column)
    assert hands.selected[-1] == "1,048,576 × 2 cells selected"
    hands.click(QPoint(3, 3))
    assert hands.grid.selection == (range(2**20), range(2**20))
    assert hands.grid.visible == seen
    hands.click(hands.place(row, column))
    hands.key(Key.Key_A, CONTROL)
    assert hands.selected[-1] == "1,048,576 × 1,048,576 cells selected"
    assert hands.position.cell == (row, column)
    hands.click(hands.place(row, column))
    hands.key(Key.Key_Space, SHIFT)
    assert hands.grid.selection == (range(row, row + 1), range(2**20))
    hands.key(Key.Key_Space, CONTROL)
    assert hands.grid.selection == (range(2**20), range(column, column + 1))
    assert hands.grid.visible == seen


def test_a_tensor_of_one_axis_is_selected_as_a_list(hands: Hands) -> None:
    hands.show(LONG)
    hands.key(Key.Key_End, CONTROL | SHIFT)
    assert hands.selected[-1] == "1,099,511,627,776 cells selected"
    assert hands.grid.text_at(2**40 - 1, 0) is None
    hands.rest()
    assert hands.grid.text_at(2**40 - 1, 0) == "0.5"
    hands.click(QPoint(hands.grid.viewport().width() // 4, 3))
    assert hands.grid.selection == (range(2**40), range(1))


def test_a_press_on_nothing_selects_nothing(hands: Hands) -> None:
    hands.show(np.zeros((0, 3), np.float32))
    hands.click(QPoint(100, 100))
    hands.key(Key.Key_A, CONTROL)
    hands.key(Key.Key_C, CONTROL)
    assert hands.selected == []
    assert hands.told == []


# Copying -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["tsv", "csv", "python", "numpy"])
def test_the_selection_is_copied_in_every_style(hands: Hands, style: str) -> None:
    array = np.array([[1, np.nan], [-0.0, 1e-30], [np.inf, 3]], np.float32)
    hands.show(array)
    hands.key(Key.Key_Down, SHIFT)
    hands.key(Key.Key_Right, SHIFT)
    QGuiApplication.clipboard().clear()
    hands.grid.copy(style)  # type: ignore[arg-type]
    hands.rest()
    text = QGuiApplication.clipboard().text()
    if style in ("python", "numpy"):
        found = np.array(eval(text, {"np": np}), np.float32)
    else:
        between = "\t" if style == "tsv" else ","
        rows = [line.split(between) for line in text.split("\n")]
        found = np.array(rows, np.float32)
    np.testing.assert_array_equal(found.view(np.uint32), array[:2].view(np.uint32))
    assert hands.told[0].startswith("Copied 4 cells as ")


def test_bits_are_copied_as_they_are_written(hands: Hands) -> None:
    hands.show(np.array([[1, 255]], np.uint16))
    hands.grid.set_format("hex")
    hands.key(Key.Key_A, CONTROL)
    for style, expected in (("csv", "0x0001,0x00FF"), ("python", "[\n    [1, 255],\n]")):
        hands.grid.copy(style)  # type: ignore[arg-type]
        hands.rest()
        assert QGuiApplication.clipboard().text() == expected


def test_too_large_a_copy_offers_an_export_instead(hands: Hands) -> None:
    source = hands.show(HUGE)
    before = len(source.asked)
    asked: list[bool] = []
    hands.grid.export_requested.connect(lambda: asked.append(True))
    hands.key(Key.Key_A, CONTROL)
    hands.key(Key.Key_C, CONTROL)
    (box,) = hands.grid.findChildren(QMessageBox)
    assert "1,048,576 × 1,048,576 cells are selected" in box.text()
    assert "4.0 TiB" in box.text()
    assert "At most 1,048,576" in box.informativeText()
    assert len(source.asked) == before
    hands.qtbot.keyClick(box, Key.Key_Return)
    assert asked == [True]
    assert QApplication.activeModalWidget() is None


def test_a_copy_can_be_cancelled(hands: Hands) -> None:
    source = hands.show(HUGE)
    hands.grid.select(range(2**10), range(2**10))
    hands.rest()
    QGuiApplication.clipboard().setText("before")
    source.gate.clear()
    hands.grid.copy("numpy")
    (activity,) = (each for each in hands.runner.activities if each.key == "copy")
    assert activity.title == "Copying 1,048,576 cells"
    before = len(source.asked)
    hands.runner.cancel("copy")
    source.gate.set()
    hands.rest()
    hands.runner.close()
    assert hands.told == ["Copying stopped"]
    assert QGuiApplication.clipboard().text() == "before"
    assert len(source.asked) <= before + 1


# Reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [(2**40,), (2**40, 1), (1, 2**40), (2**20, 2**20), (2**10,) * 4, (2,) * 40, (2**38, 2, 2)],
)
def test_a_page_of_2_to_the_40_elements_reads_a_bounded_region(
    hands: Hands, shape: tuple[int, ...]
) -> None:
    hands.grid.resize(1600, 1000)
    source = hands.show(np.broadcast_to(np.float32(2), shape))
    hands.key(Key.Key_End, CONTROL)
    hands.rest()
    rows, columns = hands.grid.visible
    last = Plane.first(shape)
    assert (rows.stop, columns.stop) == (last.rows, last.columns)
    assert hands.grid.text_at(rows.stop - 1, columns.stop - 1) == "2"
    # What is visible, and as much again on every side; a page before the numbers' width is known
    # has narrower columns.
    assert 1 <= len(source.asked) <= 4
    assert max(region.numel for region in source.asked) < 100_000
    if last.rows > 1:
        hands.position.show_plane(hands.position.plane.with_reversed(last.row_axis or 0))
        hands.rest()
        assert hands.grid.visible[0].start == 0  # the last index, which was chosen, is on top now
        assert hands.grid.text_at(0, columns.stop - 1) == "2"
        assert max(region.numel for region in source.asked) < 100_000


# Colours -----------------------------------------------------------------------------------------


def luminance(colour: tuple[int, ...]) -> float:
    """WCAG 2.2's relative luminance of an sRGB colour."""
    share = [part / 255 for part in colour]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in share
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", [item.name for item in COLOUR_MAPS])
def test_text_can_be_read_on_every_colour(name: str) -> None:
    marks = np.array([NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY], np.uint8)
    colours = np.concatenate([lookup_table(name), marks])
    for colour, is_black in zip(colours.tolist(), takes_black(colours).tolist(), strict=True):
        light, dark = sorted((luminance(colour), 0.0 if is_black else 1.0), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def ground(hands: Hands, row: int, column: int) -> tuple[int, ...]:
    """The colour of a cell beside its text."""
    rect = hands.grid.cell_rect(row, column)
    image = hands.grid.viewport().grab().toImage()
    return image.pixelColor(rect.left() + 4, rect.center().y()).getRgb()[:3]


ODD = np.array([[-2, 0, 2, 9], [np.nan, np.inf, -np.inf, 1]], np.float32)


def picture_of(array: Array) -> Picture:
    """As the heatmap draws it."""
    plan = TilePlan(range(array.shape[0]), range(array.shape[1]), 1, 1)
    tile = render_tile(
        InMemoryArray(array),
        Plane.first(array.shape),
        plan,
        "largest magnitude",
        check=lambda: None,
        progress=lambda _: None,
    )
    return picture(tile, Colouring(LevelsChoice(), AUTOMATIC_MAP))


def test_cells_have_the_colours_of_the_picture_when_asked_for(hands: Hands) -> None:
    hands.show(ODD)
    drawn = picture_of(ODD)
    hands.grid.colour_like(drawn)
    base = hands.grid.palette().base().color().getRgb()[:3]
    assert ground(hands, 0, 3) == base
    hands.grid.set_coloured(True)
    cells = [(row, column) for row in range(2) for column in range(4)]
    for row, column in cells[1:]:
        assert ground(hands, row, column) == tuple(drawn.pixels[row, column, :3])
    hands.grid.set_coloured(False)
    assert ground(hands, 0, 3) == base


@pytest.mark.parametrize("coloured", [False, True])
def test_nan_and_infinities_always_have_their_colours(hands: Hands, coloured: bool) -> None:
    hands.show(ODD)
    hands.grid.set_coloured(coloured)
    marks = (NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY)
    assert tuple(ground(hands, 1, column) for column in range(3)) == marks
    hands.show(np.array([[complex(1, np.nan), complex(np.inf, 0)]]))
    assert (ground(hands, 0, 0), ground(hands, 0, 1)) == (NAN, POSITIVE_INFINITY)


def test_a_selection_on_colours_is_framed_and_changes_none_of_them(hands: Hands) -> None:
    hands.show(ODD)
    drawn = picture_of(ODD)
    hands.grid.colour_like(drawn)
    hands.grid.set_coloured(True)
    hands.grid.select(range(2), range(1, 3))
    for row, column in ((0, 2), (1, 2)):
        assert ground(hands, row, column) == tuple(drawn.pixels[row, column, :3])
    image = hands.grid.viewport().grab().toImage()
    highlight = hands.grid.palette().highlight().color()
    for row in range(2):
        rect = hands.grid.cell_rect(row, 2)
        assert image.pixelColor(rect.right(), rect.center().y()) == highlight
    hands.grid.set_coloured(False)
    assert ground(hands, 0, 2) != hands.grid.palette().base().color().getRgb()[:3]
