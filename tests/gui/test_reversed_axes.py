"""Axes that run backwards, by mouse and keys: every view shows what torch's flip makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from driving import idle, show
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QAction, QGuiApplication, QImage, QMouseEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QMenu, QToolButton
from pytestqt.qtbot import QtBot

from inspector.gui.export_dialog import ExportDialog
from inspector.gui.help_boxes import KeysBox, show_keys
from inspector.gui.main_window import MainWindow
from inspector.gui.plot_axis import IndexAxis
from inspector.gui.tensor_page import TensorPage

Key, Modifier = Qt.Key, Qt.KeyboardModifier
LEFT, CONTROL, SHIFT, ALT = (
    Qt.MouseButton.LeftButton,
    Modifier.ControlModifier,
    Modifier.ShiftModifier,
    Modifier.AltModifier,
)


def state() -> dict[str, torch.Tensor]:
    matrix = torch.arange(300.0).reshape(20, 15)
    bad = matrix.clone()
    bad[3, 4] = torch.nan
    bad[17, 14] = torch.inf
    return {
        "matrix": matrix.bfloat16(),
        "bad": bad,
        "deep": torch.arange(4 * 20 * 15).reshape(4, 20, 15),
        "pairs": torch.complex(matrix, matrix + 0.5),
        "flat": torch.arange(50.0),
        "thin": torch.arange(6.0).reshape(1, 6),
        "one": torch.tensor(2.5),
        "none": torch.empty(0, 3, 4),
    }


pytestmark = pytest.mark.usefixtures("every_move_counts")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    torch.save(state(), path)
    return path


class Hands:
    """Uses the window as a user does."""

    def __init__(self, qtbot: QtBot, window: MainWindow, path: Path) -> None:
        self.qtbot, self.window, self.path = qtbot, window, path

    def show(self, name: str) -> TensorPage:
        page = show(self.qtbot, self.window, self.path, name)
        self.activate()
        page.grid.setFocus()
        return page

    def activate(self) -> None:
        """Let the window have the keys, as it has when a dialog before it is closed."""
        with self.qtbot.waitActive(self.window):
            self.window.activateWindow()

    @property
    def page(self) -> TensorPage:
        assert self.window.page is not None
        return self.window.page

    def click(self, button: QToolButton) -> None:
        self.qtbot.mouseClick(button, LEFT)
        idle(self.qtbot, self.window)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = ALT) -> None:
        self.qtbot.keyClick(self.page.grid, key, modifier)
        idle(self.qtbot, self.window)

    def type_index(self, text: str) -> None:
        self.press(Key.Key_G, CONTROL)
        box = self.page.axes.index
        self.qtbot.keyClicks(box, text)
        self.qtbot.keyClick(box, Key.Key_Return)
        idle(self.qtbot, self.window)

    def place(self, row: int, column: int) -> QPoint:
        """Where a cell is in the picture."""
        plot = self.page.heatmap.plot
        found: QPoint = plot.mapFromScene(plot.view.mapViewToScene(QPointF(column, row)))
        return found

    def hover(self, row: int, column: int) -> None:
        viewport, place = self.page.heatmap.plot.viewport(), self.place(row, column)
        everywhere, none = QPointF(viewport.mapToGlobal(place)), Qt.MouseButton.NoButton
        event = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(place), everywhere, none, none, Modifier.NoModifier
        )
        QApplication.sendEvent(viewport, event)
        idle(self.qtbot, self.window)


@pytest.fixture
def hands(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> Hands:
    return Hands(qtbot, window, checkpoint)


def shown(page: TensorPage) -> np.ndarray:
    """The numbers of the grid, all of whose cells have to be there."""
    plane = page.position.plane
    texts = [
        [page.grid.text_at(row, column) for column in range(plane.columns)]
        for row in range(plane.rows)
    ]
    return np.array(texts, dtype=np.float64)


def menu(window: MainWindow, text: str) -> QAction:
    """An entry of the View menu."""
    view = next(each for each in window.findChildren(QMenu) if each.title() == "&View")
    (found,) = (each for each in view.actions() if each.text().replace("&", "") == text)
    return found


# Controls ----------------------------------------------------------------------------------------


def test_the_buttons_turn_the_values_and_the_picture_and_say_so(hands: Hands) -> None:
    page, axes = hands.show("matrix"), hands.page.axes
    expected = state()["matrix"].float()
    for button, dims, text, arrows in (
        (axes.turn_rows, (0,), "[::-1, :]", "↑→"),
        (axes.turn_columns, (0, 1), "[::-1, ::-1]", "↑←"),
        (axes.turn_rows, (1,), "[:, ::-1]", "↓←"),
        (axes.turn_columns, (), "[:, :]", "↓→"),
    ):
        hands.click(button)
        flipped = torch.flip(expected, dims).numpy()
        np.testing.assert_array_equal(shown(page), flipped)
        assert page.heatmap.overview is not None
        np.testing.assert_array_equal(page.heatmap.overview.tile.values, flipped)
        assert axes.index.text() == text
        assert axes.turn_rows.text() + axes.turn_columns.text() == arrows
        assert (axes.turn_rows.isChecked(), axes.turn_columns.isChecked()) == (
            0 in dims,
            1 in dims,
        )


def test_the_keys_and_the_menu_do_the_same(hands: Hands, window: MainWindow) -> None:
    assert not menu(window, "Reverse rows").isEnabled()
    show_keys(window)
    (box,) = window.findChildren(KeysBox)
    assert "<b>Alt+R</b></td><td>Reverse rows<" in box.text()
    box.close()
    page = hands.show("matrix")
    hands.press(Key.Key_R)
    hands.press(Key.Key_C)
    assert page.axes.index.text() == "[::-1, ::-1]"
    assert page.axes.turn_rows.isChecked()
    assert "The last index is on top" in page.axes.turn_rows.toolTip()
    assert menu(window, "Reverse columns").isChecked()
    menu(window, "Reverse columns").trigger()
    idle(hands.qtbot, window)
    assert page.axes.index.text() == "[::-1, :]"
    assert not page.axes.turn_columns.isChecked()
    assert "the last index on the left (Alt+C)" in page.axes.turn_columns.toolTip()


def test_the_buttons_have_names_and_are_reached_by_keys(hands: Hands) -> None:
    page = hands.show("matrix")
    page.axes._rows.setFocus()
    for button, name in ((page.axes.turn_rows, "rows"), (page.axes.turn_columns, "columns")):
        assert button.accessibleName() == f"Reverse {name}"
        while not button.hasFocus():
            focused = QApplication.focusWidget()
            assert focused is not None
            assert focused is not page.axes.index
            hands.qtbot.keyClick(focused, Key.Key_Tab)
        hands.qtbot.keyClick(button, Key.Key_Space)
        idle(hands.qtbot, hands.window)
    assert page.position.plane.text() == "[::-1, ::-1]"


def test_what_cannot_be_turned_has_no_button_that_could_be_pressed(
    hands: Hands, window: MainWindow
) -> None:
    axes = hands.show("thin").axes
    assert (axes.turn_rows.isEnabled(), axes.turn_columns.isEnabled()) == (False, True)
    hands.show("flat")
    assert axes.turn_rows.isVisible()
    assert not axes.turn_columns.isVisible()
    assert not menu(window, "Reverse columns").isEnabled()
    hands.click(axes.turn_rows)
    assert axes.index.text() == "[::-1]"
    page = hands.page
    hands.press(Key.Key_Home, CONTROL)
    assert page.position.element == (49,)
    assert [page.grid.text_at(row, 0) for row in range(3)] == ["49", "48", "47"]
    hands.show("one")
    assert not axes.isVisible()
    assert not menu(window, "Reverse rows").isEnabled()


def test_a_small_window_has_room(hands: Hands, window: MainWindow) -> None:
    page = hands.show("deep")
    window.resize(700, 500)
    idle(hands.qtbot, window)
    assert window.width() == 700
    axes = page.axes
    inside = axes.rect()
    for widget in (axes.turn_rows, axes.turn_columns, axes.index):
        assert inside.contains(widget.geometry())
    text = axes.index.fontMetrics().horizontalAdvance(axes.index.text())
    assert axes.index.width() > text, "the index can be read, though words went for it"
    boxes = (page.heatmap.controls.levels, page.heatmap.controls.maps)
    assert all(box.width() >= box.minimumWidth() for box in boxes)
    assert window.tree.width() > 200


# Where one is ------------------------------------------------------------------------------------


def test_a_click_in_the_picture_leads_to_the_cell_under_it(hands: Hands) -> None:
    page = hands.show("deep")
    hands.click(page.axes.turn_rows)
    hands.click(page.axes.turn_columns)
    hands.qtbot.mouseClick(page.heatmap.plot.viewport(), LEFT, pos=hands.place(2, 5))
    idle(hands.qtbot, hands.window)
    assert page.position.cell == (2, 5)
    assert page.position.element == (0, 17, 9)
    assert page.grid.text_at(2, 5) == str(state()["deep"][0, 17, 9].item())
    assert hands.window.read_out.startswith(f"[0, 17, 9] = {state()['deep'][0, 17, 9]}")
    hands.hover(0, 0)
    assert hands.window.read_out.startswith(f"[0, 19, 14] = {state()['deep'][0, 19, 14]}")


def test_the_cell_stays_the_same_number(hands: Hands) -> None:
    page = hands.show("deep")
    page.position.go_to((3, 18, 2))
    hands.press(Key.Key_R)
    assert (page.position.element, page.position.cell) == ((3, 18, 2), (1, 2))
    hands.click(page.axes._exchange)
    assert (page.position.element, page.position.cell) == ((3, 18, 2), (2, 1))
    assert page.axes.index.text() == "[3, ::-1, :]"
    assert (page.axes.turn_rows.isChecked(), page.axes.turn_columns.isChecked()) == (False, True)
    np.testing.assert_array_equal(shown(page), torch.flip(state()["deep"][3], (0,)).T.numpy())
    hands.press(Key.Key_Left, Modifier.NoModifier)
    assert page.position.element == (3, 19, 2)


def test_slices_are_stepped_through_the_same_way_round(hands: Hands) -> None:
    page = hands.show("deep")
    hands.press(Key.Key_C)
    hands.press(Key.Key_Right, ALT)
    assert page.axes.index.text() == "[1, :, ::-1]"
    np.testing.assert_array_equal(shown(page), torch.flip(state()["deep"][1], (1,)).numpy())


@pytest.mark.parametrize(
    ("text", "shown", "rows", "columns"),
    [
        ("[::-1, 3:9]", "[::-1, :]", range(20), range(3, 9)),
        ("[4:1:-1, 12::-2]", "[::-1, ::-1]", range(15, 18), range(2, 15)),
        ("[2, 3]", "[:, :]", range(2, 3), range(3, 4)),
    ],
)
def test_an_index_with_steps_backwards_leads_there(
    hands: Hands, text: str, shown: str, rows: range, columns: range
) -> None:
    page = hands.show("matrix")
    hands.type_index(text)
    assert page.axes.index.text() == shown
    assert page.grid.selection == (rows, columns)
    first = np.arange(300).reshape(20, 15)[tuple(map(slice_of, text.strip("[]").split(",")))]
    assert page.position.element == np.unravel_index(np.ravel(first)[0], (20, 15))
    hands.type_index("[:, :]")
    assert page.axes.index.text() == "[:, :]"


def slice_of(text: str) -> slice | int:
    if ":" not in text:
        return int(text)
    return slice(*(int(part) if part.strip() else None for part in text.split(":")))


def test_the_next_nan_and_the_extremes_are_where_they_are_shown(hands: Hands) -> None:
    page = hands.show("bad")
    hands.press(Key.Key_R)
    hands.press(Key.Key_C)
    hands.press(Key.Key_N)
    assert (page.position.element, page.position.cell) == ((3, 4), (16, 10))
    assert page.grid.text_at(16, 10) == "nan"
    hands.press(Key.Key_I)
    assert (page.position.element, page.position.cell) == ((17, 14), (2, 0))
    hands.window.go_menu.next_requested.emit("maximum", True)
    idle(hands.qtbot, hands.window)
    assert page.position.element == (19, 14)
    assert page.position.cell == (0, 0)
    assert page.heatmap.overview is not None
    assert np.argwhere(page.heatmap.overview.tile.marks).tolist() == [[2, 0], [16, 10]]


def test_another_tensor_begins_as_it_is_and_another_form_does_not(hands: Hands) -> None:
    page = hands.show("pairs")
    hands.press(Key.Key_R)
    page.position.go_to((19, 3))
    page.show_form("magnitude")
    idle(hands.qtbot, hands.window)
    assert page.axes.index.text() == "[::-1, :]"
    expected = np.abs(torch.flip(state()["pairs"], (0,)).numpy())
    assert page.heatmap.overview is not None
    np.testing.assert_array_equal(page.heatmap.overview.tile.values, expected)
    hands.press(Key.Key_C)
    page.show_form("raw")  # has an axis more, and shows its last two
    idle(hands.qtbot, hands.window)
    assert page.axes.index.text() == "[19, ::-1, :]"
    assert page.position.element == (19, 3, 0)
    page.show_form("values")
    idle(hands.qtbot, hands.window)
    assert page.axes.index.text() == "[::-1, ::-1]"
    hands.show("bad")
    assert page.axes.index.text() == "[:, :]"
    assert not page.axes.turn_rows.isChecked()


# What is drawn -----------------------------------------------------------------------------------


def header(page: TensorPage, row: int) -> QImage:
    """The header of a row, as it is drawn."""
    cell = page.grid.cell_rect(row, 0)
    area = QRect(0, cell.top(), cell.left() - 2, cell.height())
    image: QImage = page.grid.viewport().grab(area).toImage()
    return image


def test_the_headers_are_the_indices_of_the_tensor(hands: Hands, window: MainWindow) -> None:
    page = hands.show("matrix")
    window.resize(1200, 1300)
    page.splitters[0].setSizes([200, 900])
    idle(hands.qtbot, window)
    before = [header(page, row) for row in range(20)]
    assert before[0] != before[1]
    hands.click(page.axes.turn_rows)
    page.heatmap.hovered.emit(None)
    idle(hands.qtbot, window)
    assert [header(page, row) for row in range(20)] == before[::-1]


@pytest.mark.parametrize("total", [7, 1000, 2**40])
@pytest.mark.parametrize("orientation", ["left", "bottom"])
def test_the_ticks_of_a_reversed_axis_are_round_indices(
    hands: Hands, total: int, orientation: str
) -> None:
    axis = IndexAxis(orientation)
    low, high = -0.5, total - 0.5

    def ticks() -> dict[float, str]:
        return {
            place: text
            for spacing, places in axis.tickValues(low, high, 400)
            for place, text in zip(places, axis.tickStrings(places, 1, spacing), strict=True)
        }

    forward = ticks()
    assert len(forward) > 3
    axis.count_down(total - 1)
    backward = ticks()
    assert backward == {total - 1 - place: text for place, text in forward.items()}
    axis.count_down(None)
    assert ticks() == forward


def test_a_near_view_stays_with_its_numbers(hands: Hands) -> None:
    page = hands.show("deep")
    plot = page.heatmap.plot
    plot.view.setRange(xRange=(1.5, 6.5), yRange=(9.5, 14.5), padding=0)
    idle(hands.qtbot, hands.window)
    held = plot.numbers.held
    assert held is not None
    before = {
        page.position.plane.element(row, column): held.texts[row - held.rows.start][
            column - held.columns.start
        ]
        for row in range(10, 15)
        for column in range(2, 7)
    }
    hands.click(page.axes.turn_rows)
    hands.click(page.axes.turn_columns)
    assert plot.viewRange() == [[7.5, 12.5], [4.5, 9.5]]
    held = plot.numbers.held
    assert held is not None
    after = {
        page.position.plane.element(row, column): held.texts[row - held.rows.start][
            column - held.columns.start
        ]
        for row in range(5, 10)
        for column in range(8, 13)
    }
    assert after == before
    assert after[0, 14, 2] == str(14 * 15 + 2)


# What leaves the window --------------------------------------------------------------------------


def test_copies_are_in_the_shown_order(hands: Hands) -> None:
    page = hands.show("matrix")
    hands.press(Key.Key_R)
    flipped = torch.flip(state()["matrix"].float(), (0,)).numpy()
    hands.press(Key.Key_A, CONTROL)
    hands.press(Key.Key_C, CONTROL)
    lines = QGuiApplication.clipboard().text().split("\n")
    found = np.array([line.split("\t") for line in lines], np.float32)
    np.testing.assert_array_equal(found, flipped)
    page.grid.select(range(2, 5), range(1, 4))
    for style in ("csv", "python", "numpy"):
        page.grid.copy(style)
        idle(hands.qtbot, hands.window)
        text = QGuiApplication.clipboard().text()
        if style == "csv":
            made = np.array([line.split(",") for line in text.split("\n")], np.float32)
        else:
            made = np.asarray(eval(text, {"np": np}))
        np.testing.assert_array_equal(made, flipped[2:5, 1:4])


@pytest.mark.parametrize("name", ["matrix", "bad", "deep", "flat", "pairs"])
def test_copied_python_makes_what_torch_flips(hands: Hands, name: str) -> None:
    page = hands.show(name)
    hands.press(Key.Key_R)
    hands.press(Key.Key_C)
    tensor = state()[name]
    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    expected = torch.flip(tensor[0] if name == "deep" else tensor, (0, 1)[: tensor.ndim]).numpy()
    for part, wanted in (
        ("shown", expected),
        ("selected", expected[1:3, :2] if expected.ndim > 1 else expected[1:3]),
    ):
        page.grid.select(range(1, 3), range(min(2, page.position.plane.columns)))
        page.copy_python(part)
        idle(hands.qtbot, hands.window)
        space: dict[str, np.ndarray] = {}
        exec(QGuiApplication.clipboard().text(), space)
        assert space["array"].dtype == wanted.dtype
        assert space["array"].tobytes() == np.ascontiguousarray(wanted).tobytes()


def test_what_is_shown_and_selected_is_exported_in_the_shown_order(
    hands: Hands, tmp_path: Path
) -> None:
    page = hands.show("bad")
    hands.press(Key.Key_R)
    page.grid.select(range(2), range(3, 6))
    idle(hands.qtbot, hands.window)
    expected = torch.flip(state()["bad"], (0,)).numpy()
    keys = CONTROL | SHIFT
    for label, wanted in (
        ("What is shown: [::-1, :]", expected),
        ("Selected values: [19:17:-1, 3:6]", expected[:2, 3:6]),
    ):
        hands.press(Key.Key_E, keys)
        dialog = hands.window.findChild(ExportDialog)
        assert dialog is not None
        assert dialog.scope.label == "What is shown: [::-1, :]"
        scopes = [scope.label for scope in dialog._scopes]
        dialog._what.setCurrentIndex(scopes.index(label))
        (line,) = dialog.findChildren(QLineEdit)
        line.selectAll()
        hands.qtbot.keyClicks(line, str(tmp_path / f"{len(label)}.npy"))
        hands.qtbot.keyClick(line, Key.Key_Return)
        idle(hands.qtbot, hands.window)
        np.testing.assert_array_equal(np.load(tmp_path / f"{len(label)}.npy"), wanted)
        hands.activate()


def pixels(image: QImage) -> np.ndarray:
    return np.array(
        [
            [image.pixelColor(x, y).getRgb() for x in range(image.width())]
            for y in range(image.height())
        ]
    )


def test_the_saved_picture_is_in_the_shown_order(hands: Hands, tmp_path: Path) -> None:
    hands.show("bad")
    images = []
    for name in ("plain.png", "turned.png"):
        hands.press(Key.Key_S, CONTROL | SHIFT)
        chooser = hands.window.findChild(QFileDialog)
        assert chooser is not None
        (way,) = (each for each in chooser.nameFilters() if each.startswith("One pixel a cell"))
        chooser.selectNameFilter(way)
        chooser.fileSelected.emit(str(tmp_path / name))
        chooser.close()
        idle(hands.qtbot, hands.window)
        images.append(QImage(str(tmp_path / name)))
        hands.activate()
        hands.press(Key.Key_R)
        hands.press(Key.Key_C)
    plain, turned = images
    assert (turned.width(), turned.height()) == (15, 20)
    np.testing.assert_array_equal(pixels(turned), np.flip(pixels(plain), (0, 1)))
    assert turned != plain


def test_nothing_shown_has_nothing_of_it_to_export(hands: Hands) -> None:
    hands.show("none")
    hands.press(Key.Key_E, CONTROL | SHIFT)
    dialog = hands.window.findChild(ExportDialog)
    assert dialog is not None
    assert dialog.scope.label == "none"
    dialog.close()


# Statistics --------------------------------------------------------------------------------------


def test_the_statistics_of_a_part_name_the_indices_of_the_tensor(hands: Hands) -> None:
    page = hands.show("deep")
    statistics = page.statistics
    hands.press(Key.Key_R)
    page.grid.select(range(1, 4), range(2, 5))
    hands.qtbot.keyClick(statistics.part_box, Key.Key_End)
    assert statistics.part == "selected"
    idle(hands.qtbot, hands.window)
    found = statistics.statistics
    assert found is not None
    part = state()["deep"][0, 16:19, 2:5]
    assert (found.minimum, found.minimum_at) == (part.min().item(), (0, 16, 2))
    assert (found.maximum, found.maximum_at) == (part.max().item(), (0, 18, 4))
    assert found.count == part.numel()


def test_the_same_numbers_are_not_counted_again(hands: Hands) -> None:
    page = hands.show("deep")
    statistics = page.statistics
    hands.qtbot.keyClick(statistics.part_box, Key.Key_Down)
    assert statistics.part == "shown"
    idle(hands.qtbot, hands.window)
    before = statistics.statistics
    assert before is not None
    assert before.count == 300
    page.position.show_plane(page.position.plane.with_reversed(2))
    hands.qtbot.waitUntil(lambda: statistics._later.isActive())
    hands.qtbot.waitUntil(lambda: not statistics._later.isActive())
    idle(hands.qtbot, hands.window)
    assert statistics.statistics is before
