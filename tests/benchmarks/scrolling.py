"""A script: how many pages a second a table shows while it is scrolled, in a process of its own.

``python scrolling.py grid`` scrolls the value grid over 2^40 elements; ``table`` instead of it
a `QTableView` over a model of 10^7 rows. Both have the same size and cells of the same size, and a
page counts when its texts are drawn. It prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QApplication, QTableView, QWidget

from inspector.gui.position import Position
from inspector.gui.tasks import TaskRunner
from inspector.gui.value_grid import ValueGrid
from inspector.values.arrays import InMemoryArray

PAGES = 200

#: A cell of either, px.
CELL = (44, 21)
_Index = QModelIndex | QPersistentModelIndex


class Rows(QAbstractTableModel):
    """10^7 rows of 32 columns, each formatted as the grid does."""

    def __init__(self) -> None:
        super().__init__()
        self._values = np.broadcast_to(np.float32(0.5), (10**7, 32))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Rows."""
        return self._values.shape[0]

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Columns."""
        return self._values.shape[1]

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The text of a cell."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return f"{self._values[index.row(), index.column()]:.6g}"


def pages_a_second(widget: QWidget, turn: Callable[[int], Callable[[], bool]]) -> float:
    """Turn pages all over the rows, drawing each when it is there."""
    since = time.perf_counter()
    for number in range(PAGES):
        is_there = turn(number)
        while not is_there():
            QApplication.processEvents()
        widget.grab()
    return PAGES / (time.perf_counter() - since)


def grid() -> float:
    """Of the value grid."""
    position, runner = Position(), TaskRunner()
    shown = ValueGrid(position, runner)
    shown.resize(1200, 800)
    shown.show()
    position.choose(InMemoryArray(np.broadcast_to(np.float32(0.5), (2**35, 32))))
    cell = shown.cell_rect(0, 0).size().toTuple()
    if max(abs(a - b) for a, b in zip(cell, CELL, strict=True)) > 8:  # another machine's font
        print(f"a cell of {cell} px is compared with one of {CELL} px", file=sys.stderr)

    def turn(number: int) -> Callable[[], bool]:
        row = number * (2**35 // PAGES)
        position.move_to(row, 0)
        return lambda: shown.text_at(row, 0) is not None

    found = pages_a_second(shown, turn)
    runner.close()
    return found


def table() -> float:
    """Of Qt's own table."""
    model, shown = Rows(), QTableView()
    shown.setModel(model)
    for header, size in zip((shown.horizontalHeader(), shown.verticalHeader()), CELL, strict=True):
        header.setMinimumSectionSize(1)
        header.setDefaultSectionSize(size)
    shown.resize(1200, 800)
    shown.show()

    def turn(number: int) -> Callable[[], bool]:
        shown.scrollTo(model.index(number * (10**7 // PAGES), 0))
        return lambda: True

    return pages_a_second(shown, turn)


if __name__ == "__main__":
    application = QApplication([])
    print(json.dumps((grid if sys.argv[1] == "grid" else table)()), flush=True)
