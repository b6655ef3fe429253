"""Our axis looks as pyqtgraph's own does, whatever happens to it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import pyqtgraph as pg
import pytest
from PySide6.QtGui import QFont, QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.gui.plot_axis import BarAxis, PlotAxis


class Plots:
    """Two plots side by side: one with pyqtgraph's axes, one with ours."""

    def __init__(self, qtbot: QtBot) -> None:
        self._axes = {side: (pg.AxisItem(side), PlotAxis(side)) for side in ("left", "bottom")}
        for theirs, _ in self._axes.values():
            theirs.setStyle(maxTickLevel=0)
            theirs.enableAutoSIPrefix(False)
        self._plots = tuple(
            pg.PlotWidget(axisItems={side: pair[number] for side, pair in self._axes.items()})
            for number in range(2)
        )
        for plot in self._plots:
            plot.setFixedSize(400, 300)
            plot.getViewBox().invertY(True)
            qtbot.addWidget(plot)
            plot.show()

    def do(self, side: str, name: str, *arguments: Any) -> None:
        """Call a method of either axis."""
        for axis in self._axes[side]:
            getattr(axis, name)(*arguments)

    def show(self, across: tuple[float, float], down: tuple[float, float]) -> None:
        """Have another part in view."""
        for plot in self._plots:
            plot.getViewBox().setRange(xRange=across, yRange=down, padding=0)

    def resize(self, width: int, height: int) -> None:
        """Give either another size."""
        for plot in self._plots:
            plot.setFixedSize(width, height)

    def images(self) -> tuple[QImage, QImage]:
        """What is painted."""
        QApplication.sendPostedEvents()  # or the axes have yet to be laid out
        theirs, ours = (plot.grab().toImage() for plot in self._plots)
        return theirs, ours


def plain(plots: Plots) -> QImage:
    """What both show, which is the same."""
    theirs, ours = plots.images()
    # The numbers' width is known once they are painted, and moves the axis.
    theirs, ours = plots.images()
    assert theirs == ours
    return ours


@pytest.mark.parametrize(
    ("across", "down"),
    [
        ((0, 10), (0, 1)),
        ((-0.5, 1023.5), (-0.5, 16383.5)),
        ((3.25, 7.75), (2**40 - 5.5, 2**40 + 5.5)),
        ((-1e-5, 2e-5), (1e30, 3e30)),
    ],
)
def test_the_same_is_painted(
    qtbot: QtBot, across: tuple[float, float], down: tuple[float, float]
) -> None:
    plots = Plots(qtbot)
    empty = plain(plots)
    plots.show(across, down)
    assert plain(plots) != empty


def test_nothing_stays_as_it_was(qtbot: QtBot) -> None:
    plots = Plots(qtbot)
    seen = [plain(plots)]
    for side, name, arguments in (
        ("left", "setTicks", ([[(0.2, "low"), (0.9, "high")]],)),
        ("left", "setTicks", ([[(0.2, "low"), (0.9, "higher than that")]],)),
        ("bottom", "setTicks", ([[]],)),
        ("bottom", "setTicks", (None,)),
        ("bottom", "setLabel", ("axis 1",)),
        ("left", "setWidth", (120,)),
        ("left", "setTickFont", (QFont("monospace", 14),)),
        ("left", "setPen", ("#ff0000",)),
        ("bottom", "setTextPen", ("#00ff00",)),
    ):
        plots.do(side, name, *arguments)
        seen.append(plain(plots))
    plots.show((100, 200), (0, 1))
    seen.append(plain(plots))
    plots.resize(500, 200)
    seen.append(plain(plots))
    assert [one != other for one, other in pairwise(seen)] == [True] * (len(seen) - 1)


@pytest.mark.parametrize("made", [lambda: PlotAxis("left"), BarAxis])
def test_numbers_in_a_large_font_do_not_overlap(
    qtbot: QtBot, made: Callable[[], pg.AxisItem]
) -> None:
    axis = made()
    plot = pg.PlotWidget(axisItems={axis.orientation: axis})
    plot.hideAxis("bottom")
    qtbot.addWidget(plot)
    plot.setFixedSize(300, 110)
    plot.getViewBox().setRange(yRange=(0, 100), padding=0)
    plot.show()
    image, drawn = QImage(10, 10, QImage.Format.Format_RGB32), []
    for size in (7, 30):
        font = QFont()
        font.setPointSizeF(size)
        axis.setTickFont(font)
        axis.setWidth(100)
        QApplication.sendPostedEvents()
        painter = QPainter(image)
        painter.setFont(font)
        _, ticks, numbers = axis.generateDrawSpecs(painter)
        painter.end()
        places = [place for place, _, _ in numbers]
        assert not any(one.intersects(other) for one, other in combinations(places, 2))
        drawn.append((len(ticks), len(numbers)))
    # Where they have no room, their ticks are still there.
    assert drawn[1][0] == drawn[0][0]
    assert 0 < drawn[1][1] < drawn[0][1]
