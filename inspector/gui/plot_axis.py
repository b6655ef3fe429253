"""Axes of plots that are drawn with few calls, and only when something about them has changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QFont, QPainter, QPen

#: Texts whose size is remembered.
_REMEMBERED: Final = 1000


def line_width(ratio: float) -> int:
    """How many of the screen's pixels a thin line is wide, where that many are one px.

    pyqtgraph's lines are as wide as they are told in the screen's pixels, whatever its resolution.
    """
    return max(1, int(ratio))


class PlotAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis on the left or at the bottom, with one level of ticks that all have a number.

    It looks as pyqtgraph's own does. That one spends more on its numbers than all the rest of a
    frame costs: they are found anew whenever the view moves, even if nothing comes of it.
    """

    def __init__(self, orientation: str) -> None:
        self._rect, self._rect_size = QRectF(), QSizeF()
        self._text_sizes: dict[str, tuple[float, float]] = {}
        self._widest: float | None = None
        self.range: list[float] = []
        super().__init__(orientation=orientation)
        self.setStyle(maxTickLevel=0)
        self.enableAutoSIPrefix(False)

    # Numbers ------------------------------------------------------------------------------------

    def setRange(self, mn: float, mx: float) -> None:
        """Take up another range; finite."""
        if [mn, mx] != self.range:
            super().setRange(mn, mx)

    def setTicks(self, ticks: list[list[tuple[float, str]]] | None) -> None:
        """Number these places, by their one level, or with None round ones."""
        if ticks != self._tickLevels:
            super().setTicks(ticks)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Spacing and places of the ticks of a range, ``low <= high``."""
        spacing, _ = self.tickSpacing(low, high, size)[0]
        first = math.ceil(low / spacing) * spacing
        count = int((high - first) / spacing) + 1
        return [(spacing, [number * spacing + first for number in range(count)])]

    def _ticks(self, length: float) -> list[tuple[float, str]]:
        if self._tickLevels is not None:
            return [tick for level in self._tickLevels for tick in level]
        low, high = sorted(self.range)
        if low == high:
            return []
        ((spacing, places),) = self.tickValues(low, high, length)
        return list(zip(places, self.tickStrings(places, 1.0, spacing), strict=True))

    # Painting -----------------------------------------------------------------------------------

    def boundingRect(self) -> QRectF:
        # Asked for at every paint of whatever is in the same scene.
        size = self.size()
        if size != self._rect_size:
            self._rect, self._rect_size = super().boundingRect(), size
        return QRectF(self._rect)

    def setStyle(self, **style: Any) -> None:
        """See pyqtgraph's."""
        self._rect_size = QSizeF()
        self._text_sizes.clear()
        super().setStyle(**style)

    def setTickFont(self, font: QFont | None) -> None:
        """Write the numbers in a font."""
        self._text_sizes.clear()
        super().setTickFont(font)

    def generateDrawSpecs(self, painter: QPainter) -> tuple[Any, list[Any], list[Any]]:
        """The line, the ticks and the numbers with their places. What pyqtgraph then draws."""
        is_left = self.orientation == "left"
        width, height = self.size().toTuple()
        start, end = self.range
        length = height if is_left else width
        scale = (-length if is_left else length) / ((end - start) or 1.0)
        offset = start * scale - (height if is_left else 0.0)
        tick = -float(self.style["tickLength"])
        pen = self._tick_pen()
        lines, numbers, across = [], [], [0.0]
        # The line stands out by a pixel at either end.
        for place, text in self._ticks(length + 2):
            along = place * scale - offset
            if not 0 <= along <= length:
                continue
            if is_left:
                ends = QPointF(width, along), QPointF(width + tick, along)
            else:
                ends = QPointF(along, 0.0), QPointF(along, -tick)
            lines.append((pen, *ends))
            rect = self._place(painter, along, text)
            across.append(rect.width() if is_left else rect.height())
            if self.boundingRect() & rect == rect:
                numbers.append((rect, _ALIGNED[is_left], text))
        numbers = _apart(numbers)
        if max(across) != self._widest:
            self._widest = max(across)
            self._updateMaxTextSize(self._widest)
        if is_left:
            line = self.pen(), QPointF(width - 1, -1.0), QPointF(width - 1, height + 1)
        else:
            line = self.pen(), QPointF(-1.0, 1.0), QPointF(width + 1, 1.0)
        return line, lines, numbers

    def _tick_pen(self) -> QPen:
        pen = QPen(self.tickPen())
        colour = pen.color()
        colour.setAlpha(255)
        pen.setColor(colour)
        return pen

    def _place(self, painter: QPainter, along: float, text: str) -> QRectF:
        """Where a number stands whose tick is at a place along the axis."""
        if text not in self._text_sizes:
            if len(self._text_sizes) >= _REMEMBERED:
                self._text_sizes.clear()
            room = QRectF(0, 0, 100, 100)
            rect = painter.boundingRect(room, Qt.AlignmentFlag.AlignCenter, text)
            # The full height has room for accents, which no number has.
            self._text_sizes[text] = rect.width(), rect.height() * 0.8
        width, height = self._text_sizes[text]
        beside, below = self.style["tickTextOffset"]
        if self.orientation == "left":
            return QRectF(self.size().width() - beside - width, along - height / 2, width, height)
        return QRectF(along - width / 2, below, width, height)


#: How a number is aligned in its room, at the bottom and on the left.
_ALIGNED: Final = (
    Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextDontClip,
    Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip,
)


class BarAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """pyqtgraph's axis to the right of a bar of colours, less the numbers that overlap others."""

    def __init__(self) -> None:
        super().__init__("right")
        # Each tick is several calls from Python: most of what a repaint costs.
        self.setStyle(maxTickLevel=0)
        self.enableAutoSIPrefix(False)

    def generateDrawSpecs(self, painter: QPainter) -> tuple[Any, list[Any], list[Any]]:
        """The line, the ticks and the numbers with their places."""
        line, lines, numbers = super().generateDrawSpecs(painter)
        return line, lines, _apart(numbers)


def _apart(numbers: list[tuple[QRectF, Any, str]]) -> list[tuple[QRectF, Any, str]]:
    """As many of some numbers with their places as can be read, where the font is large."""
    kept: list[tuple[QRectF, Any, str]] = []
    for number in numbers:
        if not any(number[0].intersects(other[0]) for other in kept):
            kept.append(number)
    return kept


class IndexAxis(PlotAxis):
    """An axis of whole numbers: between two cells there is nothing to number.

    Places are counted from 0 up; the numbers beside them may be counted down.
    """

    def __init__(self, orientation: str) -> None:
        self._last: int | None = None
        super().__init__(orientation)

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """Spacing and offset of each level of ticks, the widest first."""
        levels = [level for level in super().tickSpacing(low, high, size) if level[0] >= 1]
        return levels or [(1.0, 0.0)]

    def count_down(self, last: int | None) -> None:
        """Number the places from this index down to 0; or, with None, from 0 up."""
        if last != self._last:
            self._last = last
            self.picture = None  # what was drawn with other numbers
            self.update()

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Spacing and places of the ticks; round is what stands beside them."""
        if self._last is None:
            return super().tickValues(low, high, size)
        levels = super().tickValues(self._last - high, self._last - low, size)
        return [(spacing, [self._last - index for index in level]) for spacing, level in levels]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """The numbers beside ticks at these places."""
        if self._last is not None:
            values = [self._last - place for place in values]
        texts: list[str] = super().tickStrings(values, scale, spacing)
        return texts
