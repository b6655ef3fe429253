"""On a screen of twice the resolution, twice as much is seen, and no line is half as wide."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from driving import idle, show
from PySide6.QtCore import QEvent
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.gui.main_window import MainWindow
from inspector.gui.picture_plot import PicturePlot

ROOT = Path(__file__).parents[2]

#: Columns of the stripes: more than the picture is wide in px, less than in twice as many.
COUNT = 480


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """A tensor in which each column is another than those beside it."""
    torch.save({"w": torch.arange(COUNT).remainder(2).float().expand(40, COUNT)}, tmp_path / "w.pt")
    return tmp_path / "w.pt"


def screenshot(path: Path, target: Path, scale: str) -> QImage:
    """The window as it is on a screen of some resolution."""
    arguments = (str(path), "--tensor", "w", "--size", "1200x800", "--screenshot", str(target))
    done = subprocess.run(
        [sys.executable, "-m", "inspector", *arguments],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": scale},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return QImage(str(target))


def most_changes(image: QImage) -> int:
    """How often the colour changes along a row of pixels, in the row where it does most."""
    return max(
        sum(one != other for one, other in pairwise(image.pixel(x, y) for x in across))
        for across in (range(image.width() // 3, image.width() * 2 // 3),)
        for y in range(image.height() // 5, image.height() // 2, 7)
    )


def test_every_pixel_of_the_screen_is_drawn_for_itself(stripes: Path, tmp_path: Path) -> None:
    usual = screenshot(stripes, tmp_path / "1.png", "1")
    fine = screenshot(stripes, tmp_path / "2.png", "2")
    assert (usual.width(), usual.height()) == (1200, 800)
    assert (fine.width(), fine.height()) == (2400, 1600)
    # At the usual resolution two columns share a pixel, which shows the larger one.
    assert most_changes(usual) < COUNT // 2 < most_changes(fine)


def test_a_window_that_comes_to_a_finer_screen_is_drawn_finer(
    qtbot: QtBot, window: MainWindow, stripes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plot = show(qtbot, window, stripes, "w").heatmap.plot
    coarse, line = plot.whole_plan(), plot.visible_line(is_row=True)
    widths = [each.pen.width() for each in plot._cross]
    monkeypatch.setattr(PicturePlot, "devicePixelRatioF", lambda _: 2.0)
    QApplication.sendEvent(plot, QEvent(QEvent.Type.DevicePixelRatioChange))
    fine = plot.whole_plan()
    assert (coarse.block_columns, fine.block_columns) == (2, 1)
    assert plot.visible_line(is_row=True).block * 2 == line.block
    assert [each.pen.width() for each in plot._cross] == [2 * width for width in widths]
    idle(qtbot, window)
    overview = window.page.heatmap.overview if window.page is not None else None
    assert overview is not None
    assert overview.tile.plan == fine


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_a_curve_is_as_wide_on_every_screen(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, ratio: int
) -> None:
    torch.save({"w": torch.tensor([[1.0, 3.0, 2.0]]).expand(3, 3)}, tmp_path / "w.pt")
    pane = show(qtbot, window, tmp_path / "w.pt", "w").heatmap.plot.row_pane
    size = pane.size().toSize() * ratio
    image = QImage(size, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    painter = QPainter(image)
    pane.paint(painter)
    painter.end()
    line = pane._colours["line"].rgb()
    for cell in range(3):
        place = int(pane.along(cell) * ratio) + 5 * ratio  # beside the line of the current cell
        column = [image.pixel(place, y) for y in range(size.height())]
        assert column.count(line) == ratio
