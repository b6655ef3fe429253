"""A script: how long other views take to show an array that is in memory, in a process of its own.

``python others.py image FILE`` gives a file's ``w`` to `pyqtgraph.ImageItem`; ``table`` gives it
to a `QTableView` over the shortest model that there can be. It prints one line of JSON: the
milliseconds from having the array until it is painted, and the peak of the memory meanwhile over
that of the window and the array, MiB. No more than 12 GiB of memory are taken.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pyqtgraph as pg
import torch
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QApplication, QTableView

from tests.benchmarks.choosing import memory

_Index = QModelIndex | QPersistentModelIndex


class Numbers(QAbstractTableModel):
    """An array as it is."""

    def __init__(self, array: NDArray[np.float32]) -> None:
        super().__init__()
        self._array = array

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Rows."""
        return self._array.shape[0]

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Columns."""
        return self._array.shape[1]

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The text of a cell."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return f"{self._array[index.row(), index.column()]:.6g}"


def image(array: NDArray[np.float32]) -> float:
    """Seconds until it is painted as a picture."""
    plot = pg.PlotWidget()
    plot.resize(600, 400)
    item = pg.ImageItem(axisOrder="row-major", autoDownsample=True)
    plot.addItem(item)
    plot.show()
    QApplication.processEvents()
    since = time.perf_counter()
    item.setImage(array)
    plot.grab()
    return time.perf_counter() - since


def table(array: NDArray[np.float32]) -> float:
    """Seconds until its first page is painted as numbers."""
    view = QTableView()
    view.resize(1280, 400)
    view.show()
    QApplication.processEvents()
    since = time.perf_counter()
    model = Numbers(array)
    view.setModel(model)
    view.grab()
    return time.perf_counter() - since


def main(what: str, path: Path) -> None:
    """Load, show, and tell."""
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    application = QApplication([])
    assert application is not None
    array = torch.load(path, weights_only=True)["w"].numpy()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    taken = {"image": image, "table": table}[what](array)
    print(json.dumps({"shown": taken * 1e3, "memory": memory("VmHWM") - before}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
