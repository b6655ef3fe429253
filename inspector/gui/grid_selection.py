"""Which cells are selected, and where keys lead. Arithmetic alone, for rows of any number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import Qt

from inspector.gui.text import Texts

Grid = Texts("Grid")

#: What is selected between two cells: those between them, or all of their rows, columns or both.
Span = Literal["cells", "rows", "columns", "all"]

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Selection:
    """A rectangle of cells.

    Attributes
    ----------
    anchor
        Where it began: its other corner is the current cell.
    span
        Whether it reaches over whole rows or columns, wherever these cells are in them.
    """

    anchor: Cell = (0, 0)
    span: Span = "cells"

    def ranges(self, cell: Cell, rows: int, columns: int) -> tuple[range, range]:
        """The selected rows and columns, of so many, with this current cell."""
        top, bottom = sorted((self.anchor[0], cell[0]))
        left, right = sorted((self.anchor[1], cell[1]))
        return (
            range(rows) if self.span in ("columns", "all") else range(top, bottom + 1),
            range(columns) if self.span in ("rows", "all") else range(left, right + 1),
        )


def selection_text(rows: range, columns: range, *, flat: bool) -> str:
    """How much is selected, in words; empty for a single cell.

    Parameters
    ----------
    flat
        Whether there are no columns: a tensor of one axis.
    """
    if len(rows) * len(columns) < 2:
        return ""
    if flat:
        return Grid.tr("{n:,} cells selected", "{n:,} cell selected", len(rows))
    return Grid.tr("{rows:,} × {columns:,} cells selected", rows=len(rows), columns=len(columns))


def key_target(
    key: Qt.Key, *, control: bool, cell: Cell, rows: int, columns: int, page: int
) -> Cell | None:
    """The cell to which a key leads, which may lie outside; None for another key.

    Parameters
    ----------
    control
        Whether Ctrl is held: arrows, Home and End go to the edges.
    page
        Rows that fit the view.
    """
    row, column = cell
    last_row, last_column = rows - 1, columns - 1
    targets = {
        Qt.Key.Key_Up: (0 if control else row - 1, column),
        Qt.Key.Key_Down: (last_row if control else row + 1, column),
        Qt.Key.Key_Left: (row, 0 if control else column - 1),
        Qt.Key.Key_Right: (row, last_column if control else column + 1),
        Qt.Key.Key_PageUp: (row - page, column),
        Qt.Key.Key_PageDown: (row + page, column),
        Qt.Key.Key_Home: (0 if control else row, 0),
        Qt.Key.Key_End: (last_row if control else row, last_column),
    }
    return targets.get(key)
