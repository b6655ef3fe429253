"""By what the tensors are sorted, as a menu: the headers are for the mouse."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QWidget

from inspector.gui.text import Texts
from inspector.gui.tree_sorting import Column

Sorting = Texts("Sorting")

_BY: Final = {
    Column.NAME: Sorting.QT_TR_NOOP("By &name"),
    Column.SHAPE: Sorting.QT_TR_NOOP("By &shape"),
    Column.TYPE: Sorting.QT_TR_NOOP("By &type"),
    Column.SIZE: Sorting.QT_TR_NOOP("By &size"),
    Column.DEVICE: Sorting.QT_TR_NOOP("By &device"),
}


class SortMenu(QMenu):
    """Offers the columns, and the order in which the file has the tensors."""

    #: A `Column`, as if its header was clicked; None for the file's order.
    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Sorting.tr("&Sort tensors"), parent)
        self.setToolTipsVisible(True)
        for column, text in _BY.items():
            action = self.addAction(text(), partial(self.chosen.emit, column))
            action.setToolTip(Sorting.tr("Within each group; once more for the other way"))
        self.addSeparator()
        self.addAction(Sorting.tr("As in the &file"), partial(self.chosen.emit, None))
