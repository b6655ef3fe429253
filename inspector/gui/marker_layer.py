"""Dots that keep one NaN or infinity among many small cells from being overlooked."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyqtgraph as pg

from inspector.gui.colours import MARKS, Picture

#: Side of a dot, in px: no larger than it takes to be seen.
_SIZE: Final = 4

#: More marked cells than these are seen without help.
_MOST: Final = 2000


class MarkerLayer(pg.ScatterPlotItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Draws a dot of the marker's colour in each marked cell, of the same size at every zoom.

    A pixel that stands for several cells needs none: there, markers are widened.
    """

    def __init__(self) -> None:
        super().__init__(pxMode=True, size=_SIZE, symbol="s", pen=None)
        self.setAcceptedMouseButtons(pg.QtCore.Qt.MouseButton.NoButton)

    def show_picture(self, made: Picture | None) -> None:
        """Mark the cells of the uppermost picture; None, or one of larger blocks, has no dots."""
        self.clear()
        if made is None or made.tile.plan.block_rows * made.tile.plan.block_columns > 1:
            return
        tile = made.tile
        if not 0 < np.count_nonzero(tile.marks) <= _MOST:
            return
        rows, columns = np.nonzero(tile.marks)
        flags = tile.marks[rows, columns]
        brushes: list[Any] = [
            pg.mkBrush(next(colour for bit, colour in reversed(MARKS) if flag & bit))
            for flag in flags.tolist()
        ]
        self.setData(
            x=columns + tile.plan.columns.start, y=rows + tile.plan.rows.start, brush=brushes
        )
