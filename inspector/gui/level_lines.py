"""Two lines on a histogram: the values at the ends of the picture's colours."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Final

import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QPalette

from inspector.gui.levels import Levels
from inspector.gui.text import Texts

Histograms = Texts("Histograms")

#: Levels beyond the histogram widen it by this share of itself, at most; farther ones stand at
#: the edge, where they can still be taken hold of.
_WIDER: Final = 1.0

#: The largest number that there is.
_MOST: Final = sys.float_info.max


class LevelLines(QObject):
    """Shows the levels, and lets the user drag them. Lives on the GUI thread.

    Parameters
    ----------
    plot
        pyqtgraph's item, with values across.
    """

    #: To the low and the high level, ``low < high``.
    dragged = Signal(float, float)

    def __init__(self, plot: Any) -> None:
        super().__init__()
        self._levels: Levels | None = None
        self._counted: tuple[float, float] | None = None
        self._unit = 1.0
        #: The level that is not being dragged; None while no line is.
        self._other: float | None = None
        self.lines = tuple(pg.InfiniteLine(angle=90, movable=True) for _ in range(2))
        tips = (
            Histograms.tr(
                "The lowest level of the picture's colours: drag it, or type it (By hand)"
            ),
            Histograms.tr(
                "The highest level of the picture's colours: drag it, or type it (By hand)"
            ),
        )
        for line, tip in zip(self.lines, tips, strict=True):
            line.setToolTip(tip)
            line.setCursor(Qt.CursorShape.SplitHCursor)
            line.setZValue(5)
            line.setVisible(False)
            line.sigDragged.connect(self._drag)
            line.sigPositionChangeFinished.connect(self._release)
            plot.addItem(line, ignoreBounds=True)

    @property
    def range(self) -> tuple[float, float] | None:
        """The values that the plot should span: the histogram's and, where near, the levels."""
        if self._counted is None or self._levels is None:
            return self._counted
        first, last = self._counted
        room = (last - first) * _WIDER
        low = min(first, max(self._levels.low, first - room))
        high = max(last, min(self._levels.high, last + room))
        return low, high

    @property
    def unit(self) -> float:
        """How long one is on the plot."""
        return self._unit

    def set_range(self, counted: tuple[float, float] | None, unit: float = 1.0) -> None:
        """Take the values from which to which there is a histogram; None hides the lines.

        Parameters
        ----------
        unit
            How long one is on the plot: less where the plot could not count to its other end.
        """
        self._counted, self._unit = counted, unit
        self._place()

    def show_levels(self, levels: Levels | None) -> None:
        """Show other levels; None hides the lines. The hand goes first while a line is dragged."""
        if levels is not None and any(line.moving for line in self.lines):
            return
        self._levels = levels
        self._place()

    def _place(self) -> None:
        span = self.range
        for line in self.lines:
            line.setVisible(span is not None and self._levels is not None)
        if span is not None and self._levels is not None:
            for line, value in zip(self.lines, (self._levels.low, self._levels.high), strict=True):
                if not line.moving:
                    line.setValue(min(max(value, span[0]), span[1]) * self._unit)

    def _drag(self, dragged: Any) -> None:
        """Only the line that is dragged changes its level: the other may stand at the edge."""
        if self._levels is None:
            return
        if self._other is None:
            self._other = self._levels.high if dragged is self.lines[0] else self._levels.low
        value = min(max(float(dragged.value()) / self._unit, -_MOST), _MOST)
        low, high = sorted((value, self._other))
        if low < high:
            self._levels = replace(self._levels, low=low, high=high)
            self.dragged.emit(low, high)

    def _release(self) -> None:
        self._other = None
        self._place()

    def take_palette(self, colours: QPalette, width: int) -> None:
        """Take up the colours of the window, and how many of its pixels a thin line is wide."""
        text = colours.color(QPalette.ColorRole.Text)
        for line in self.lines:
            line.setPen(pg.mkPen(text, width=width, style=Qt.PenStyle.DashLine))
            line.setHoverPen(pg.mkPen(colours.color(QPalette.ColorRole.Highlight), width=3 * width))
