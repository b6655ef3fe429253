"""Where the cells of a grid are: arithmetic between pixels and rows of any number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPoint, QRect

from inspector.gui.scrolling import ScrollMap

#: Where a point is: over the cells, over the numbers of rows or of columns, or where these meet.
Area = Literal["cells", "rows", "columns", "corner"]


@dataclass(frozen=True, slots=True)
class Geometry:
    """A window over rows and columns.

    Attributes
    ----------
    rows, columns
        How many there are, of any size.
    top, left
        The first visible row and column.
    width, height
        The viewport, px.
    cell_width, cell_height
        px; every cell has the same.
    header_width, header_height
        The rows' numbers on the left, and the columns' on top, px.
    """

    rows: int
    columns: int
    top: int
    left: int
    width: int
    height: int
    cell_width: int
    cell_height: int
    header_width: int
    header_height: int

    @property
    def row_map(self) -> ScrollMap:
        """How the rows scroll."""
        room = self.height - self.header_height
        return ScrollMap(self.rows, max(1, room // self.cell_height))

    @property
    def column_map(self) -> ScrollMap:
        """How the columns scroll."""
        room = self.width - self.header_width
        return ScrollMap(self.columns, max(1, room // self.cell_width))

    @property
    def visible(self) -> tuple[range, range]:
        """The rows and columns of which at least a part is in view."""
        rows = -(-max(0, self.height - self.header_height) // self.cell_height)
        columns = -(-max(0, self.width - self.header_width) // self.cell_width)
        return (
            range(self.top, min(self.rows, self.top + rows)),
            range(self.left, min(self.columns, self.left + columns)),
        )

    def cell_rect(self, row: int, column: int) -> QRect:
        """Where a cell of the visible ones, or near them, is in the viewport."""
        return QRect(
            self.header_width + (column - self.left) * self.cell_width,
            self.header_height + (row - self.top) * self.cell_height,
            self.cell_width,
            self.cell_height,
        )

    def area_at(self, point: QPoint) -> Area:
        """What is at a point of the viewport."""
        if point.y() < self.header_height:
            return "corner" if point.x() < self.header_width else "columns"
        return "rows" if point.x() < self.header_width else "cells"

    def cell_at(self, point: QPoint) -> tuple[int, int]:
        """The cell at a point; from a header or beyond the edge, the nearest that is visible.

        Not of a plane without cells.
        """
        rows, columns = self.visible
        row = self.top + (point.y() - self.header_height) // self.cell_height
        column = self.left + (point.x() - self.header_width) // self.cell_width
        return (
            min(max(row, self.top), max(rows.stop - 1, self.top)),
            min(max(column, self.left), max(columns.stop - 1, self.left)),
        )

    def pull(self, point: QPoint) -> tuple[int, int]:
        """By how many rows and columns a drag to a point beyond the cells scrolls at a time."""
        return (
            drag_steps(point.y(), self.header_height, self.height, self.cell_height),
            drag_steps(point.x(), self.header_width, self.width, self.cell_width),
        )


def drag_steps(at: int, start: int, stop: int, size: int) -> int:
    """How far a drag pulls: 0 from ``start`` to ``stop`` (px), one more for each cell beyond.

    Parameters
    ----------
    size
        Of a cell, px.
    """
    if at < start:
        return -1 - (start - 1 - at) // size
    return 1 + (at - stop) // size if at >= stop else 0
