"""A curve beside the picture: a row's or a column's values, exactly along the picture's cells."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QFontMetricsF,
    QImage,
    QPainter,
    QPalette,
)
from PySide6.QtWidgets import QSizePolicy

from inspector.analysis.profiles import Curve
from inspector.gui.colours import MARKS
from inspector.gui.curve_image import Steps, curve_image
from inspector.gui.fonts import scaled
from inspector.gui.levels import Levels
from inspector.gui.plot_axis import PlotAxis, line_width
from inspector.gui.text import Texts
from inspector.gui.theme import faint
from inspector.gui.value_scale import thinned, value_scale, value_ticks

ProfileTexts = Texts("ProfileTexts")

#: A cell reaches half a unit to either side of its index.
HALF: Final = 0.5

#: Room between the curve and the pane's edges, and the size of a mark at an edge (px).
_ROOM: Final = 5.0
_MARK: Final = 6.0

#: How wide a mark is at least (px), so that one bad element in a million is seen.
_WIDE: Final = 4

#: At which edge each kind is marked, in marks from it: +inf where the values are largest, -inf
#: where they are smallest, NaN beside it.
_EDGES: Final = {1: 1, 2: -1, 4: 0}

#: Room on an axis of values besides its numbers (px): beside them, and below.
_BESIDE: Final = 6
_BELOW: Final = 6

#: How far a number at an end of the axis may stand out, and the room between two numbers (px).
_BEYOND: Final = 24
_BETWEEN: Final = 4.0


def axis_width(font: QFont) -> int:
    """The room that an axis takes for its numbers (px)."""
    return QFontMetrics(font).horizontalAdvance("−0.0000") + _BESIDE


#: How many captions a pane is high at least, if its curve keeps clear of its own.
_MOST_CAPTION: Final = 3


class ProfilePane(pg.GraphicsWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Draws one curve along one axis of the picture, whatever part of it that shows.

    Parameters
    ----------
    box
        The picture's view, beside which this lies in the same layout.
    upright
        Whether it lies along the picture's rows, with values to the right; else along its
        columns, with values upwards.
    """

    def __init__(self, box: Any, *, upright: bool) -> None:
        super().__init__()
        self._box = box
        self._upright = upright
        self._curve: Curve | None = None
        self._linear: float | None = None
        self._scale: Levels | None = None
        #: What the axis numbers, and px that the curve keeps clear below and above it.
        self._numbered: tuple[Any, ...] = ()
        self._rooms = (_ROOM, _ROOM)
        #: Where zero is, px from the edge; None if it is not between the ends.
        self._zero: float | None = None
        self._cell = 0
        self._image: QImage | None = None
        self._colours: dict[str, QColor] = {}
        self.axis = PlotAxis("bottom" if upright else "left")
        #: What an upright pane says of itself, to lie above it: it has no room for words.
        self.heading = _Heading(self)
        self.axis.setStyle(hideOverlappingLabels=_BEYOND)
        self.setFlag(self.GraphicsItemFlag.ItemClipsToShape)
        for signal in (box.sigRangeChanged, box.sigResized, self.geometryChanged):
            signal.connect(lambda *_: self._arrange())
        self.setToolTip(
            ProfileTexts.tr(
                "{which} The axis spans what is in view, and is logarithmic when the colours are. "
                "Where several cells share a pixel, the band reaches from their minimum to their "
                "maximum. NaN and infinities are marked at the edges. Click to go there; the wheel "
                "zooms",
                which=ProfileTexts.tr("The values of the current cell's column.")
                if upright
                else ProfileTexts.tr("The values of the current cell's row."),
            )
        )

    # What is drawn ------------------------------------------------------------------------------

    @property
    def curve(self) -> Curve | None:
        """The curve that is drawn; None while there is none."""
        return self._curve

    @property
    def scale(self) -> Levels | None:
        """The values at the two ends of the axis; None while nothing finite is in view."""
        return self._scale

    def take_font(self, font: QFont) -> None:
        """Write the axis in a font, and leave it the room that it needs."""
        self.setFont(font)
        self.axis.setTickFont(font)
        if self._upright:
            self.axis.setHeight(QFontMetrics(font).height() + _BELOW)
        else:
            self.axis.setWidth(axis_width(font))

    def show_curve(self, curve: Curve | None) -> None:
        """Draw another curve, or none."""
        self._curve = curve
        self._arrange()
        self.heading.update()

    def show_cell(self, cell: int) -> None:
        """Mark another cell along the curve."""
        if cell != self._cell:
            self._cell = cell
            self.update()

    def set_linear(self, linear: float | None) -> None:
        """Take up the picture's logarithm (see `Levels`), or a linear scale."""
        if linear != self._linear:
            self._linear = linear
            self._arrange()

    def caption(self) -> str:
        """Which line is drawn, and what of it, in words."""
        curve = self._curve
        if curve is None:
            return ""
        parts = [curve.line.text()] if curve.line.others > 1 else []
        if not curve.exact:
            parts.append(ProfileTexts.tr("sample {share}", share=curve.sample))
        elif curve.plan.block > 1 and not self._upright:
            parts.append(
                ProfileTexts.tr("1 pixel = min to max of {count:,}", count=curve.plan.block)
            )
        return "   ".join(parts)

    def along(self, cell: float) -> float:
        """Where a cell's middle is along this pane, in its px."""
        first, last = self._visible()
        return (cell - first) / (last - first) * self._length()

    def cell_at(self, point: QPointF) -> int:
        """The cell at a point of this pane; may lie outside the plane."""
        first, last = self._visible()
        place = point.y() if self._upright else point.x()
        return int((first + place / self._length() * (last - first) + HALF) // 1)

    # Geometry -----------------------------------------------------------------------------------

    def _visible(self) -> tuple[float, float]:
        first, last = self._box.viewRange()[1 if self._upright else 0]
        return float(first), float(last)

    def _length(self) -> float:
        return max(1.0, float(self._box.height() if self._upright else self._box.width()))

    def _breadth(self) -> float:
        return max(1.0, float(self.width() if self._upright else self.height()))

    def _across(self, share: Any) -> Any:
        """Px from the edge of the smallest values for shares of the scale."""
        below, above = self._rooms
        return below + share * max(1.0, self._breadth() - below - above)

    def _part(self) -> slice:
        """The places of the curve of which something is in view."""
        if self._curve is None:
            return slice(0, 0)
        plan = self._curve.plan
        first, last = ((end + HALF - plan.cells.start) / plan.block for end in self._visible())
        start = min(max(int(np.floor(first)), 0), plan.places)
        return slice(start, min(max(int(np.ceil(last)), start), plan.places))

    def _arrange(self) -> None:
        """Choose the scale of what is in view, and number it."""
        self._image = None
        self._scale, self._rooms = None, (_ROOM, _ROOM)
        if self._curve is not None:
            part, low, high = self._part(), self._curve.low, self._curve.high
            if part.start < part.stop:
                self._scale = value_scale(low[part], high[part], self._linear)
            below, above = (bool((self._curve.marks & flags).any()) for flags in (5, 2))
            self._rooms = (
                _ROOM + 2 * _MARK * below,
                _ROOM + _MARK * above + self._caption_room(),
            )
        self.update()
        numbered = self._scale, self._rooms, self._breadth(), self.font()
        if numbered != self._numbered:
            self._numbered = numbered
            self._number()

    def _caption_room(self) -> float:
        """How high the caption is (px), where the curve can keep clear of it."""
        height = QFontMetricsF(_caption_font(self.font())).height()
        fits = bool(self.caption()) and height * _MOST_CAPTION <= self._breadth()
        return 0.0 if self._upright or not fits else height

    def _number(self) -> None:
        """Number the scale, of which there is another."""
        scale, (below, above) = self._scale, self._rooms
        inner = max(1.0, self._breadth() - below - above)
        self.axis.setRange(-below / inner, 1 + above / inner)
        ticks: list[tuple[float, str]] = []
        self._zero = None
        if scale is not None:
            if scale.low < 0 < scale.high:
                self._zero = float(self._across(scale.shares(np.zeros(1))[0]))
            ticks = value_ticks(scale)
            measures = QFontMetricsF(self.font())
            room = measures.height()
            if self._upright:
                room = max(measures.horizontalAdvance(text) for _, text in ticks)
            ticks = thinned(ticks, (room + _BETWEEN) / inner)
        self.axis.setTicks([ticks])

    # Painting -----------------------------------------------------------------------------------

    def _make_image(self, curve: Curve, scale: Levels, ratio: float) -> QImage:
        """The curve in steps as wide as its places, in the screen's pixels."""
        part, plan = self._part(), curve.plan
        places = np.arange(part.start, part.stop + 1)
        cells = np.minimum(plan.cells.start + places * float(plan.block), plan.cells.stop)
        first, last = self._visible()
        along = (cells - HALF - first) / (last - first) * self._length()
        low, high = (self._across(scale.shares(end[part])) for end in (curve.low, curve.high))
        image = curve_image(
            Steps(along * ratio, low * ratio, high * ratio),
            max(1, round(self._length() * ratio)),
            max(1, round(self._breadth() * ratio)),
            line_width(ratio),
            upright=self._upright,
            line=self._colours["line"],
            inside=self._colours["inside"],
        )
        image.setDevicePixelRatio(ratio)
        return image

    def paint(self, painter: QPainter, *_: Any) -> None:
        colours = self._colours
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(self.boundingRect(), colours["base"])
        ratio = painter.device().devicePixelRatioF()
        thin = line_width(ratio) / ratio  # one px would be now one, now two of the screen's
        if self._zero is not None:
            painter.fillRect(self._rect(0, self._length(), self._zero, thin), colours["weak"])
        middle = self.along(self._cell)
        painter.fillRect(self._rect(middle, thin, 0, self._breadth()), colours["cross"])
        if self._curve is None:
            return
        if self._scale is not None:
            self._paint_curve(painter, self._curve, self._scale)
        if not self._upright:
            self._paint_caption(painter, self._curve)
        self._paint_marks(painter, self._curve)

    def _paint_curve(self, painter: QPainter, curve: Curve, scale: Levels) -> None:
        ratio = painter.device().devicePixelRatioF()
        if self._image is None or self._image.devicePixelRatioF() != ratio:
            self._image = self._make_image(curve, scale, ratio)
        painter.drawImage(QPointF(0, 0), self._image)

    def _paint_marks(self, painter: QPainter, curve: Curve) -> None:
        """At the edges, over each place that holds a NaN or an infinity, in its colour."""
        part, plan = self._part(), curve.plan
        marks = curve.marks[part]
        if not marks.any():
            return
        first, last = self._visible()
        scale = self._length() / (last - first)
        for flag, colour in MARKS:
            edge = _EDGES[flag] * _MARK
            across = edge if edge >= 0 else self._breadth() + edge
            places = part.start + np.flatnonzero(marks & flag)
            starts = plan.cells.start + places * float(plan.block)
            stops = np.minimum(starts + plan.block, plan.cells.stop)
            begins, ends = ((cells - HALF - first) * scale for cells in (starts, stops))
            spare = np.maximum(0, _WIDE - (ends - begins)) / 2
            # Whole px, so that marks next to each other are painted as one.
            turns = np.zeros(int(self._length()) + 2, np.int64)
            for px, turn in ((begins - spare, 1), (ends + spare, -1)):
                np.add.at(turns, np.clip(np.rint(px).astype(int), 0, turns.size - 1), turn)
            drawn = np.cumsum(turns) > 0
            # The outline is seen where the colour is not: cyan on white, say.
            painter.setPen(self._colours["outline"])
            for start, stop in _runs(drawn):
                mark = self._rect(start, stop - start, across, _MARK)
                painter.fillRect(mark, QColor(*colour))
                painter.drawRect(mark.adjusted(-1, -1, 0, 0))

    def _paint_caption(self, painter: QPainter, curve: Curve) -> None:
        text = self.caption()
        if not text:
            return
        painter.setFont(_caption_font(self.font()))
        measures = painter.fontMetrics()
        width = min(measures.horizontalAdvance(text) + 10.0, self.width())
        place = QRectF(self.width() - width, 0, width, measures.height())
        if (curve.marks & 2).any():  # the marks there stay in sight
            place.translate(0, _MARK)
        painter.fillRect(place, self._colours["ground"])
        painter.setPen(self._colours["text"])
        text = measures.elidedText(text, Qt.TextElideMode.ElideMiddle, int(width))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _rect(self, along: float, length: float, across: float, breadth: float) -> QRectF:
        """A rectangle from places along and across the pane."""
        if self._upright:
            return QRectF(across, along, breadth, length)
        return QRectF(along, self._breadth() - across - breadth, length, breadth)

    # Mouse and palette --------------------------------------------------------------------------

    def wheelEvent(self, event: Any) -> None:
        """Zoom the picture along this pane."""
        self._box.wheelEvent(event, axis=1 if self._upright else 0)

    def mouseDragEvent(self, event: Any) -> None:
        """Move the picture along this pane."""
        self._box.mouseDragEvent(event, axis=1 if self._upright else 0)

    def take_palette(self, colours: QPalette, width: int) -> None:
        """Take up the colours of the window, and the width of its axis' lines."""
        role = QPalette.ColorRole
        inside, cross = (QColor(colours.color(role.Highlight)) for _ in range(2))
        inside.setAlphaF(0.45)
        cross.setAlphaF(0.9)
        ground, weak = QColor(colours.color(role.Base)), QColor(faint(colours))
        ground.setAlphaF(0.75)
        weak.setAlphaF(0.75)
        self._colours = {
            "base": colours.color(role.Base),
            "ground": ground,
            "line": colours.color(role.Link),
            "inside": inside,
            "cross": cross,
            "weak": weak,
            "text": colours.color(role.Text),
            "outline": faint(colours),
        }
        self.axis.setPen(pg.mkPen(faint(colours), width=width))
        self.axis.setTextPen(faint(colours))
        self._image = None
        self.update()
        self.heading.update()

    def paint_heading(self, painter: QPainter, place: QRectF) -> None:
        """Say above the pane what is drawn in it."""
        painter.setFont(_caption_font(self.font()))
        painter.setPen(self._colours["text"])
        measures = painter.fontMetrics()
        text = measures.elidedText(self.caption(), Qt.TextElideMode.ElideMiddle, int(place.width()))
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, text)


class _Heading(pg.GraphicsWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """The caption of a pane, at the bottom of its own place."""

    def __init__(self, pane: ProfilePane) -> None:
        super().__init__()
        self._pane = pane
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def paint(self, painter: QPainter, *_: Any) -> None:
        self._pane.paint_heading(painter, QRectF(self.rect()))


def _caption_font(font: QFont) -> QFont:
    """The font of what a pane says of itself, beside that of its axis."""
    return scaled(font, 0.9)


def _runs(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """From and to of each run of what is chosen."""
    steps = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False]))))
    return [(int(start), int(stop)) for start, stop in steps.reshape(-1, 2)]
