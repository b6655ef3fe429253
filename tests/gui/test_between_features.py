"""Where one feature of the window meets another, with the real window."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from driving import idle, show, shown_page
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.gui import tensor_page
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow
from inspector.gui.tensor_page import TensorPage
from inspector.gui.theme import POSITIVE_INFINITY

Key, Modifier = Qt.Key, Qt.KeyboardModifier
ALT, CONTROL = Modifier.AltModifier, Modifier.ControlModifier


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    torch.save(
        {
            "cube": torch.arange(4 * 30 * 20.0).reshape(4, 30, 20),
            "small": torch.tensor([[5.0, 1.0, 2.0], [3.0, 9.0, 4.0]]),
            "pairs": torch.complex(torch.arange(200.0).reshape(20, 10), torch.ones(20, 10)),
        },
        path,
    )
    return path


# Statistics of what is selected -------------------------------------------------------------------


def count_selected(qtbot: QtBot, page: TensorPage) -> None:
    qtbot.keyClick(page.statistics.part_box, Key.Key_End)
    assert page.statistics.part == "selected"


def wait_for(qtbot: QtBot, page: TensorPage, count: int) -> None:
    def is_counted() -> bool:
        found = page.statistics.statistics
        return found is not None and found.count == count

    qtbot.waitUntil(is_counted)


def test_a_form_with_another_shape_has_its_own_selection(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "pairs")
    page.grid.select(range(4), range(3))
    count_selected(qtbot, page)
    wait_for(qtbot, page, 12)
    page.show_form("raw")
    idle(qtbot, window)
    assert page.source is not None
    assert page.source.shape == (20, 10, 2)
    wait_for(qtbot, page, 1)


def test_all_that_is_selected_by_one_key_is_counted(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "small")
    count_selected(qtbot, page)
    wait_for(qtbot, page, 1)
    qtbot.keyClick(page.grid, Key.Key_A, CONTROL)
    wait_for(qtbot, page, 6)


def test_another_cell_does_not_count_what_is_shown_again(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "small")
    qtbot.keyClick(page.statistics.part_box, Key.Key_Down)
    assert page.statistics.part == "shown"
    wait_for(qtbot, page, 6)
    qtbot.keyClick(page.grid, Key.Key_Right)
    assert not page.statistics._later.isActive()


# Between two tensors ------------------------------------------------------------------------------


def test_axes_do_nothing_while_the_next_tensor_is_coming(
    qtbot: QtBot, window: MainWindow, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = show(qtbot, window, checkpoint, "cube")
    gate, plain = threading.Event(), tensor_page.tensor_source

    def slow(*arguments: Any) -> Any:
        assert gate.wait(30)
        return plain(*arguments)

    monkeypatch.setattr(tensor_page, "tensor_source", slow)
    window.open_paths([checkpoint], "small")
    qtbot.waitUntil(lambda: page.source is None)
    try:
        (held,) = page.axes.held.values()
        qtbot.keyClick(page.axes._rows, Key.Key_End)
        qtbot.keyClick(page.axes._columns, Key.Key_Home)
        qtbot.keyClick(held.number, Key.Key_Up)
        held.play.click()
        assert page.axes.player.axis is None
    finally:
        gate.set()
    idle(qtbot, window)
    page = shown_page(window, "small")
    assert page.position.plane.index == (0, 0)
    assert (page.axes._rows.currentIndex(), page.axes._columns.currentIndex()) == (0, 1)


# Forms --------------------------------------------------------------------------------------------


def test_the_bytes_of_blocks_are_looked_at_where_the_numbers_were(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    kind = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(path, "llama")
    numbers = np.arange(5 * 3 * 64, dtype=np.float32).reshape(5, 3, 64)
    writer.add_tensor("q", gguf.quants.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    page = show(qtbot, window, path, "q")
    page.position.show_plane(page.position.plane.with_reversed(1))
    page.position.go_to((3, 2, 0))
    page.show_form("raw")
    idle(qtbot, window)
    assert page.source is not None
    assert page.source.shape == (5, 3, 2, 34)
    assert page.position.plane.reversed_axes == {1}
    page.show_form("values")
    idle(qtbot, window)
    assert page.position.plane.reversed_axes == {1}


# Room ---------------------------------------------------------------------------------------------


def test_the_picture_is_as_fine_as_the_room_that_profiles_leave_it(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    torch.save({"w": torch.arange(1000.0 * 1000).reshape(1000, 1000)}, tmp_path / "w.pt")
    page = show(qtbot, window, tmp_path / "w.pt", "w")
    heatmap = page.heatmap

    def is_as_fine() -> bool:
        shown = heatmap.overview
        return shown is not None and shown.tile.plan == heatmap.plot.whole_plan()

    plans = set()
    for _ in range(2):
        heatmap.controls.profiles.click()
        qtbot.waitUntil(is_as_fine)
        plans.add(heatmap.plot.whole_plan())
    assert len(plans) == 2


# Numbers so large that their range is not one -----------------------------------------------------


@pytest.mark.parametrize("largest", [1e308, sys.float_info.max])
def test_a_range_wider_than_any_number_is_shown(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, largest: float
) -> None:
    numbers = torch.tensor([[-largest, 1.0], [largest, largest]], dtype=torch.float64)
    torch.save({"w": numbers}, tmp_path / "w.pt")
    page = show(qtbot, window, tmp_path / "w.pt", "w")
    window.grab()
    bar, statistics = page.heatmap.plot._bar, page.statistics
    assert bar.levels() == (0.0, 1.0)
    assert "0" in page.heatmap.plot.bar_texts()
    first, last = statistics.plot.getViewBox().viewRange()[0]
    low, high = (line.value() for line in statistics.plot.lines.lines)
    assert first < low < 0 < high < last
    statistics.plot.lines.lines[1].setValue(high / 2)
    statistics.plot.lines._drag(statistics.plot.lines.lines[1])
    idle(qtbot, window)
    assert page.heatmap.overview is not None
    levels = page.heatmap.overview.levels
    assert levels is not None
    assert (levels.low, levels.high) == (-largest, largest / 2)
    window.grab()


def test_a_row_far_below_the_logarithm_of_the_picture_is_drawn(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    numbers = torch.full((60, 60), 1000.0)
    numbers[7] = torch.linspace(-1e-3, 1e-3, 60)
    torch.save({"w": numbers}, tmp_path / "w.pt")
    page = show(qtbot, window, tmp_path / "w.pt", "w")
    page.heatmap.controls.logarithmic.click()
    page.position.go_to((7, 0))
    idle(qtbot, window)
    pane = page.heatmap.plot.row_pane
    assert pane.scale is not None
    assert pane.scale.linear is not None
    assert (pane.scale.low, pane.scale.high) == pytest.approx((-1e-3, 1e-3))
    assert [text for _, text in pane.axis._tickLevels[0]] == ["0", "-0.001", "0.001"]


# Parts --------------------------------------------------------------------------------------------


def test_the_selected_values_of_nothing_are_none(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    torch.save({"w": torch.zeros(0, 5), "x": torch.ones(3)}, tmp_path / "w.pt")
    page = show(qtbot, window, tmp_path / "w.pt", "x")
    count_selected(qtbot, page)
    wait_for(qtbot, page, 1)
    window.open_paths([tmp_path / "w.pt"], "w")
    wait_for(qtbot, page, 0)
    assert page.notice == ""


def test_the_next_maximum_is_the_tensors_whatever_the_figures_are_of(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "small")
    count_selected(qtbot, page)
    wait_for(qtbot, page, 1)
    page.go_to_next("maximum", True)
    idle(qtbot, window)
    assert page.position.element == (1, 1)
    window.close_all()
    page = show(qtbot, window, checkpoint, "small")
    page.go_to_next("maximum", True)
    idle(qtbot, window)
    assert page.position.element == (0, 0)
    assert "not counted" in window.read_out


# Marks --------------------------------------------------------------------------------------------


def test_words_do_not_hide_an_infinity(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    numbers = torch.zeros(20_000)
    numbers[19_000] = torch.inf
    torch.save({"w": numbers}, tmp_path / "w.pt")
    page = show(qtbot, window, tmp_path / "w.pt", "w")
    plot = page.heatmap.plot
    pane = plot.row_pane
    area = plot.mapFromScene(pane.sceneBoundingRect()).boundingRect()
    words = plot.fontMetrics().horizontalAdvance(pane.caption())
    assert words > 0.05 * area.width()  # the infinity is where they stand
    drawn = plot.grab(area).toImage()
    place = int(pane.along(19_000) * drawn.width() / area.width())
    there = [(place + beside, row) for beside in (-1, 0, 1) for row in (2, 4)]
    colours = {drawn.pixelColor(*pixel).getRgb()[:3] for pixel in there}
    assert colours == {POSITIVE_INFINITY}


# Exports ------------------------------------------------------------------------------------------


def test_an_export_from_a_file_that_was_closed_meanwhile_says_so(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    show(qtbot, window, checkpoint, "small")
    qtbot.keyClick(window, Key.Key_E, CONTROL)
    dialog = window.findChild(ExportDialog)
    assert dialog is not None
    idle(qtbot, window)
    window.close_all()
    idle(qtbot, window)
    qtbot.keyClick(dialog, Key.Key_Return)
    idle(qtbot, window)
    assert "closed" in window.notice.text
    assert window.notice.isVisible()
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["model.pt"]
