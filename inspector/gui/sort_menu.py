"""By what the tensors are sorted, as a menu: the headers are for the mouse."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QWidget

from inspector.gui.tree_sorting import Column


class SortMenu(QMenu):
    """Offers the columns, and the order in which the file has the tensors."""

    #: A `Column`, as if its header was clicked; None for the file's order.
    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("&Sort tensors", parent)
        self.setToolTipsVisible(True)
        for column in Column:
            action = self.addAction(f"By &{column.name.lower()}", partial(self.chosen.emit, column))
            action.setToolTip("Within each group; once more for the other way")
        self.addSeparator()
        self.addAction("As in the &file", partial(self.chosen.emit, None))
