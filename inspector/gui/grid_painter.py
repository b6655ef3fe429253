"""Draws a grid's cells and headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPalette

from inspector.gui.direction import arrows
from inspector.gui.grid_geometry import Geometry
from inspector.gui.grid_page import Page
from inspector.gui.grid_selection import Cell
from inspector.gui.text import Texts
from inspector.gui.theme import faint, is_dark, mixed
from inspector.values.regions import Plane

Grid = Texts("Grid")

#: px on either side of a cell's text.
PADDING: Final = 8

#: How much of the highlight a selected cell has.
_WASH: Final = 0.22

#: Stands in a cell whose text is not there yet.
_WAITING: Final = "·"

_RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

#: The relative luminance from which black text has more contrast than white; either has at least
#: 4.5:1 then. WCAG 2.2, 1.4.3, and its definitions of contrast ratio and relative luminance.
_EVEN: Final = 0.179


def takes_black(colours: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether black text is easier to read than white on each colour.

    Parameters
    ----------
    colours
        uint8, shape (..., 3): sRGB.
    """
    share = colours / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    dark: NDArray[np.bool_] = linear @ np.array([0.2126, 0.7152, 0.0722]) > _EVEN
    return dark


@dataclass(frozen=True, slots=True)
class Look:
    """All that is drawn.

    Attributes
    ----------
    page
        The texts; None while there are none.
    pixels
        uint8, shape (rows, columns, 4), of the page's cells: their colours, where alpha is not 0.
    coloured
        Whether colours fill the cells; else they stand out from plain ones.
    selection
        The selected rows and columns.
    cell
        The current one.
    """

    geometry: Geometry
    plane: Plane
    page: Page | None
    pixels: NDArray[np.uint8] | None
    coloured: bool
    selection: tuple[range, range]
    cell: Cell


class GridPainter:
    """Draws one look with one palette. For a paint event.

    Parameters
    ----------
    painter
        On the viewport, with the grid's font.
    """

    def __init__(self, painter: QPainter, colours: QPalette, look: Look) -> None:
        self._painter = painter
        self._colours = colours
        self._look = look
        self._text = colours.color(QPalette.ColorRole.Text)
        self._highlight = colours.color(QPalette.ColorRole.Highlight)
        self._rows, self._columns = look.geometry.visible

    def paint(self) -> None:
        """Everything."""
        self._paint_cells()
        self._paint_frames()
        self._paint_headers()

    def _paint_cells(self) -> None:
        # The loop of a frame while one scrolls: nothing is made in it that need not be.
        look, painter, geometry = self._look, self._painter, self._look.geometry
        grounds, black = self._grounds()
        width, height = geometry.cell_width, geometry.cell_height
        pens = self._text, faint(self._colours), Qt.GlobalColor.black, Qt.GlobalColor.white
        chosen = None
        rows, columns = look.selection
        for row, shades, blacks in zip(self._rows, grounds, black, strict=True):
            texts = self._texts(row)
            in_row = row in rows
            rect = geometry.cell_rect(row, geometry.left)
            x, y = rect.x(), rect.y()
            for column, text, shade, is_black in zip(
                self._columns, texts, shades, blacks, strict=True
            ):
                if shade[3] or (in_row and column in columns):
                    self._fill(QRect(x, y, width, height), shade, in_row and column in columns)
                pen = (2 if is_black else 3) if shade[3] else 1 if text is None else 0
                if text is None:
                    text = _WAITING
                if pen != chosen:
                    painter.setPen(pens[pen])
                    chosen = pen
                painter.drawText(x, y, width - PADDING, height, _RIGHT, text)
                x += width

    def _texts(self, row: int) -> Sequence[str | None]:
        """The texts of a visible row's visible cells; None for those that are not there yet."""
        page, columns = self._look.page, self._columns
        if page is None or row not in page.rows:
            return [None] * len(columns)
        texts = page.texts[row - page.rows.start]
        if page.covers(range(0), columns):
            return texts[columns.start - page.columns.start : columns.stop - page.columns.start]
        return [page.text_at(row, column) for column in columns]

    def _fill(self, rect: QRect, shade: list[int], selected: bool) -> None:
        """The ground of a cell that has one."""
        red, green, blue, alpha = shade
        coloured = self._look.coloured
        if selected and not (alpha and coloured):
            wash = QColor(self._highlight)
            wash.setAlphaF(_WASH)
            self._painter.fillRect(rect, wash)
        if alpha:
            edge = 0 if coloured else 2
            self._painter.fillRect(
                rect.adjusted(edge, edge, -edge, -edge), QColor(red, green, blue)
            )

    def _grounds(self) -> tuple[list[Any], list[Any]]:
        """For each visible cell red, green, blue and alpha; and whether its text is black."""
        look, page = self._look, self._look.page
        shown = np.zeros((len(self._rows), len(self._columns), 4), np.uint8)
        if page is not None and look.pixels is not None:
            down, across = _overlap(self._rows, page.rows), _overlap(self._columns, page.columns)
            shown[down[0], across[0]] = look.pixels[down[1], across[1]]
        return shown.tolist(), takes_black(shown[..., :3]).tolist()

    def _paint_frames(self) -> None:
        """The current cell's frame; on colours also the selection's, which changes none of them."""
        look, rows, columns = self._look, self._rows, self._columns
        if look.coloured and max(map(len, look.selection)) > 1:
            top, bottom = _near(look.selection[0], rows)
            left, right = _near(look.selection[1], columns)
            whole = look.geometry.cell_rect(top, left) | look.geometry.cell_rect(bottom, right)
            self._frame(whole, self._highlight)
        if look.cell[0] in rows and look.cell[1] in columns:
            rect = look.geometry.cell_rect(*look.cell)
            self._frame(rect, self._text if look.coloured else self._highlight)

    def _frame(self, rect: QRect, colour: QColor) -> None:
        painter = self._painter
        painter.setPen(colour)
        painter.drawRect(rect.adjusted(0, 0, -1, -1))
        if self._look.coloured:
            # Two lines, of which one stands out from any colour.
            painter.drawRect(rect.adjusted(1, 1, -2, -2))
            painter.setPen(self._colours.color(QPalette.ColorRole.Base))
            painter.drawRect(rect.adjusted(2, 2, -3, -3))

    def _paint_headers(self) -> None:
        look, painter, geometry = self._look, self._painter, self._look.geometry
        ground = self._colours.color(QPalette.ColorRole.Window)
        weak = faint(self._colours)
        line = mixed(ground, self._text, 0.3 if is_dark(self._colours) else 0.18)
        across, down = geometry.header_width, geometry.header_height
        painter.fillRect(0, 0, geometry.width, down, ground)
        painter.fillRect(0, 0, across, geometry.height, ground)
        painter.setPen(line)
        painter.drawLine(0, down - 1, geometry.width, down - 1)
        painter.drawLine(across - 1, 0, across - 1, geometry.height)
        selected_rows, selected_columns = look.selection
        for column in self._columns:
            is_flat = look.plane.column_axis is None
            label = Grid.tr("value") if is_flat else str(look.plane.column_index(column))
            rect = geometry.cell_rect(geometry.top, column)
            rect.moveTop(0)
            painter.setPen(self._text if column in selected_columns else weak)
            painter.drawText(rect.adjusted(0, 0, -PADDING, -1), _RIGHT, label)
        for row in self._rows:
            rect = geometry.cell_rect(row, geometry.left)
            rect.setLeft(0)
            rect.setWidth(across - PADDING)
            painter.setPen(self._text if row in selected_rows else weak)
            painter.drawText(rect, _RIGHT, str(look.plane.row_index(row)))
        painter.fillRect(0, 0, across - 1, down - 1, ground)
        painter.setPen(weak)
        painter.drawText(QRect(0, 0, across - PADDING, down), _RIGHT, _corner(look.plane))


def _overlap(mine: range, other: range) -> tuple[slice, slice]:
    """Where two ranges of step 1 overlap, as a part of each."""
    start = max(mine.start, other.start)
    stop = max(start, min(mine.stop, other.stop))
    return (
        slice(start - mine.start, stop - mine.start),
        slice(start - other.start, stop - other.start),
    )


def _near(selected: range, visible: range) -> tuple[int, int]:
    """The first and last selected row that is visible, or the next one beyond the edge."""
    return (
        min(max(selected.start, visible.start - 1), visible.stop),
        max(min(selected.stop - 1, visible.stop), visible.start - 1),
    )


def _corner(plane: Plane) -> str:
    if plane.column_axis is None:
        return ""
    down, across = arrows(plane)
    return f"{plane.row_axis}{down}{plane.column_axis}{across}"
