"""The numbers written into the cells of the picture where these are large enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from inspector.gui.colours import Picture
from inspector.gui.fonts import fixed_font
from inspector.gui.grid_painter import takes_black
from inspector.gui.plot_axis import line_width
from inspector.values.arrays import Array, ArraySource
from inspector.values.planes import plane_values
from inspector.values.regions import Plane
from inspector.values.text import number_text

#: Numbers that are written at a time, at most: some milliseconds of painting.
MOST: Final = 2000

#: Significant digits of floats: as many of these as all of them have room for.
_DIGITS: Final = (6, 5, 4, 3, 2)

#: Characters that a cell must have room for, and the room around them in px.
_LEAST: Final = 2
_ROOM: Final = 4.0

#: Stands in a cell among others that has too little room for its number.
_TOO_LONG: Final = "…"


@dataclass(frozen=True, slots=True, eq=False)
class CellTexts:
    """Numbers of a part of a plane as texts, a row for each of its rows."""

    rows: range
    columns: range
    texts: list[list[str]]


def read_texts(
    source: ArraySource, plane: Plane, rows: range, columns: range, characters: int
) -> CellTexts:
    """The numbers of at most `MOST` cells, each in at most this many characters. In a worker.

    A number that does not fit is an empty text.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    texts = fitting_texts(plane_values(source, plane, rows, columns), characters)
    return CellTexts(rows, columns, texts)


def fitting_texts(elements: Array, characters: int) -> list[list[str]]:
    """A 2-D array's numbers, floats with the most digits with which all fit, or else two.

    Where less than three in four fit, none is written: a few would look as if they meant more.
    """
    texts: list[list[str]] = []
    for digits in _DIGITS:
        texts = [[_text(value, digits) for value in row] for row in elements.tolist()]
        if elements.dtype.kind in "biu" or all(
            len(text) <= characters for row in texts for text in row
        ):
            break
    kept = [[text if len(text) <= characters else "" for text in row] for row in texts]
    fitting = sum(text != "" for row in kept for text in row)
    return kept if 4 * fitting >= 3 * elements.size else [[""] * len(row) for row in kept]


def _text(value: Any, digits: int) -> str:
    if isinstance(value, complex):
        real, imaginary = f"{value.real:.{digits}g}", f"{value.imag:+.{digits}g}"
        return f"{real}{imaginary}j"
    return f"{value:.{digits}g}" if isinstance(value, float) else number_text(value)


class CellNumbers(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """Writes numbers over the view of a picture, black on light cells and white on dark ones.

    Parameters
    ----------
    box
        pyqtgraph's view, with a cell as the square of one unit around its index.
    """

    def __init__(self, box: Any) -> None:
        super().__init__()
        self._box = box
        self._held: CellTexts | None = None
        self._pictures: tuple[Picture | None, ...] = ()
        self._cell = (0, 0)
        self.frame = QColor()
        self.take_font(QFont())
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)  # they are for the picture below
        self.setParentItem(box)
        self.setZValue(20)
        box.sigResized.connect(lambda: self.prepareGeometryChange())
        box.sigRangeChanged.connect(lambda: self.update())

    def take_font(self, font: QFont) -> None:
        """Write in the size of a font."""
        self._font = QFont(fixed_font().resolve(font))
        measures = QFontMetricsF(self._font)
        self._advance, self._height = measures.horizontalAdvance("0"), measures.height()
        self.update()

    @property
    def held(self) -> CellTexts | None:
        """The numbers there are; those are written that are in view and have room."""
        return self._held

    @property
    def characters(self) -> int:
        """For how many characters a cell has room at present; 0 where it has too little."""
        width, height = self._cell_size()
        count = int((width - _ROOM) // self._advance)
        return count if count >= _LEAST and height >= self._height else 0

    def show_texts(self, held: CellTexts | None) -> None:
        """Write other numbers, or none."""
        self._held = held
        self.update()

    def show_pictures(self, *pictures: Picture | None) -> None:
        """Tell on which pictures they are written, the uppermost first."""
        self._pictures = pictures
        self.update()

    def show_cell(self, row: int, column: int) -> None:
        """Put the frame around another cell."""
        self._cell = (row, column)
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(self._box.rect())

    def _cell_size(self) -> tuple[float, float]:
        (left, right), (top, bottom) = self._box.viewRange()
        return self._box.width() / (right - left), self._box.height() / (bottom - top)

    def paint(self, painter: QPainter, *_: Any) -> None:
        if self._held is None or not self.characters or not any(map(any, self._held.texts)):
            return
        (left, right), (top, bottom) = self._box.viewRange()
        width, height = self._cell_size()
        rows = _inside(self._held.rows, top, bottom)
        columns = _inside(self._held.columns, left, right)
        light = self._light_cells(rows, columns)
        if light is None:
            return
        painter.setFont(self._font)
        painter.setClipRect(self.boundingRect())
        most, centre = self.characters, Qt.AlignmentFlag.AlignCenter
        for row, shades in zip(rows, light, strict=True):
            texts = self._held.texts[row - self._held.rows.start]
            for column, is_light in zip(columns, shades, strict=True):
                text = texts[column - self._held.columns.start]
                if not text or len(text) > most:
                    text = _TOO_LONG
                painter.setPen(Qt.GlobalColor.black if is_light else Qt.GlobalColor.white)
                x, y = (column - 0.5 - left) * width, (row - 0.5 - top) * height
                painter.drawText(QRectF(x, y, width, height), centre, text)
        row, column = self._cell
        pen = pg.mkPen(self.frame, width=2 * line_width(painter.device().devicePixelRatioF()))
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        x, y = (column - 0.5 - left) * width, (row - 0.5 - top) * height
        painter.drawRect(QRectF(x, y, width, height).adjusted(1, 1, -1, -1))

    def _light_cells(self, rows: range, columns: range) -> list[list[bool]] | None:
        """Which cells have a light colour; None if no picture shows them one by one."""
        for made in self._pictures:
            if made is None or made.tile.plan.block_rows * made.tile.plan.block_columns != 1:
                continue
            down, across = made.tile.plan.rows, made.tile.plan.columns
            if rows and columns and _covers(down, rows) and _covers(across, columns):
                part = made.pixels[
                    rows.start - down.start : rows.stop - down.start,
                    columns.start - across.start : columns.stop - across.start,
                ]
                light: list[list[bool]] = takes_black(part[..., :3]).tolist()
                return light
        return None


def _inside(held: range, first: float, last: float) -> range:
    """The cells of a range of which a part lies between two places of the view."""
    start = max(held.start, int(np.floor(first + 0.5)))
    return range(start, max(start, min(held.stop, int(np.ceil(last + 0.5)))))


def _covers(whole: range, part: range) -> bool:
    return whole.start <= part.start and part.stop <= whole.stop
