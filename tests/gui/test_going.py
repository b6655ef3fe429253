"""Going through a tensor: to a typed index, and to the next element of a kind, by real keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.gui.help_boxes import KeysBox
from inspector.gui.main_window import MainWindow
from inspector.gui.tensor_page import TensorPage

Key, Modifier = Qt.Key, Qt.KeyboardModifier


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> TensorPage:
    torch.manual_seed(0)
    deep = torch.randn(4, 30, 20, dtype=torch.bfloat16)
    deep[1, 2, 3] = deep[3, 29, 19] = float("nan")
    deep[2, 7, 1] = float("-inf")
    path = tmp_path / "model.pt"
    torch.save({"deep": deep, "flat": torch.arange(50.0), "one": torch.tensor(1.5)}, path)
    return choose(qtbot, window, path, "deep")


def choose(qtbot: QtBot, window: MainWindow, path: Path, name: str) -> TensorPage:
    window.open_paths([path], name)

    def is_shown() -> bool:
        page = window.page
        return (
            page is not None
            and page.source is not None
            and page.source.entry.name == name
            and page.statistics.quantiles is not None
        )

    qtbot.waitUntil(is_shown, timeout=30_000)
    assert window.page is not None
    return window.page


def type_index(qtbot: QtBot, window: MainWindow, page: TensorPage, text: str) -> None:
    qtbot.keyClick(page.grid, Key.Key_G, Modifier.ControlModifier)
    box = page.axes.index
    qtbot.waitUntil(box.hasFocus)
    assert box.selectedText() == box.text()
    qtbot.keyClicks(box, text)
    qtbot.keyClick(box, Key.Key_Return)


@pytest.mark.parametrize(
    ("text", "plane", "rows", "columns"),
    [
        ("[2, 7, 1]", "[2, :, :]", range(7, 8), range(1, 2)),
        ("-1, 3:5, ::2", "[3, :, :]", range(3, 5), range(19)),
        ("[:, 4]", "[:, 4, :]", range(1), range(1)),
        ("[..., -1]", "[:, :, 19]", range(1), range(1)),
    ],
)
def test_a_typed_index_is_shown_and_selected(
    qtbot: QtBot,
    window: MainWindow,
    page: TensorPage,
    text: str,
    plane: str,
    rows: range,
    columns: range,
) -> None:
    if text == "[..., -1]":
        rows, columns = range(1), range(1)  # all of the plane: nothing to select
    type_index(qtbot, window, page, text)
    assert page.position.plane.text() == plane
    assert page.axes.index.text() == plane
    assert page.grid.selection == (rows, columns)
    assert page.position.cell == (rows[0], columns[0])
    assert page.grid.hasFocus()


def test_a_wrong_index_is_said_and_stays_to_be_mended(
    qtbot: QtBot, window: MainWindow, page: TensorPage
) -> None:
    type_index(qtbot, window, page, "[9, 0, 0]")
    assert "outside axis 0, which has 4 elements" in page.notice
    assert page.axes.index.hasFocus()
    assert page.axes.index.text() == "[9, 0, 0]"
    qtbot.keyClick(page.axes.index, Key.Key_Escape)
    assert page.axes.index.text() == "[0, :, :]"
    assert page.grid.hasFocus()
    type_index(qtbot, window, page, "3")
    assert page.notice == ""
    assert page.position.plane.text() == "[3, :, :]"


def test_next_and_previous(qtbot: QtBot, window: MainWindow, page: TensorPage) -> None:
    grid, position = page.grid, page.position

    def pressed(key: Qt.Key, modifiers: Qt.KeyboardModifier, to: tuple[int, ...]) -> None:
        qtbot.keyClick(grid, key, modifiers)
        qtbot.waitUntil(lambda: position.element == to, timeout=10_000)

    alt = Modifier.AltModifier
    pressed(Key.Key_N, alt, (1, 2, 3))
    assert grid.text_at(2, 3) in (None, "nan")
    pressed(Key.Key_N, alt, (3, 29, 19))
    pressed(Key.Key_N, alt, (1, 2, 3))
    pressed(Key.Key_I, alt, (2, 7, 1))
    pressed(Key.Key_N, alt | Modifier.ShiftModifier, (1, 2, 3))
    qtbot.waitUntil(lambda: grid.text_at(2, 3) == "nan", timeout=10_000)
    found = page.statistics.statistics
    assert found is not None
    window.go_menu.next_requested.emit("maximum", True)
    qtbot.waitUntil(lambda: position.element == found.maximum_at, timeout=10_000)


def test_what_is_not_there_is_said(qtbot: QtBot, window: MainWindow, page: TensorPage) -> None:
    said: list[str] = []
    page.message.connect(said.append)
    page.position.go_to((2, 7, 1))
    window.go_menu.next_requested.emit("infinite", True)
    qtbot.waitUntil(lambda: said == ["This is the only infinity."], timeout=10_000)
    said.clear()
    window.go_menu.next_requested.emit("zero", True)
    qtbot.waitUntil(lambda: said == ["There is no zero in this tensor."], timeout=10_000)
    assert page.position.element == (2, 7, 1)


def test_a_vector_has_an_index_and_a_number_has_none(
    qtbot: QtBot, window: MainWindow, page: TensorPage, tmp_path: Path
) -> None:
    choose(qtbot, window, tmp_path / "model.pt", "flat")
    assert page.axes.index.text() == "[:]"
    type_index(qtbot, window, page, "[-3]")
    assert page.position.element == (47,)
    qtbot.waitUntil(lambda: page.grid.text_at(47, 0) == "47", timeout=10_000)
    choose(qtbot, window, tmp_path / "model.pt", "one")
    assert not page.axes.isVisible()
    assert np.prod(page.position.plane.shape) == 1


def test_the_keys_of_every_menu_are_in_the_overview(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.keyClick(window, Key.Key_F1)
    (box,) = window.findChildren(KeysBox)
    for keys in ("Ctrl+O", "Ctrl+G", "Alt+N", "Alt+Shift+I", "Ctrl+E", "Ctrl+Shift+C", "F5"):
        assert f"<b>{keys}</b>" in box.text()
    box.close()
