"""The rows of the tensor tree as Qt's views and screen readers ask for them."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from inspector.gui.text import Texts
from inspector.gui.tree_rows import Row, Rows
from inspector.gui.tree_sorting import Column
from inspector.gui.tree_text import TITLES, accessible_text, cell_text, tooltip

Columns = Texts("Columns")

_Index = QModelIndex | QPersistentModelIndex

_TIPS: Final = {
    Column.NAME: Columns.QT_TR_NOOP("Name of the tensor. Click to sort within each group."),
    Column.SHAPE: Columns.QT_TR_NOOP("Length of each axis. Click to sort within each group."),
    Column.TYPE: Columns.QT_TR_NOOP(
        "Type of the elements (dtype). Click to sort within each group."
    ),
    Column.SIZE: Columns.QT_TR_NOOP("Bytes of the elements. Click to sort within each group."),
    Column.DEVICE: Columns.QT_TR_NOOP(
        "Device that the tensor was saved from. Click to sort within each group."
    ),
}


class TreeModel(QAbstractTableModel):
    """Hands out an immutable snapshot of rows, and is reset when another one replaces it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = Rows()

    @property
    def rows(self) -> Rows:
        """What is shown."""
        return self._rows

    def set_rows(self, rows: Rows) -> None:
        """Show something else."""
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def row_at(self, row: int) -> Row | None:
        """One row; None if there is no such row."""
        return self._rows.at(row) if 0 <= row < len(self._rows) else None

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(Column)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows.at(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(row, Column(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(row)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == Column.NAME:
            return accessible_text(row, unfolded=self._rows.is_unfolded(row))
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and section in TITLES:
            if role == Qt.ItemDataRole.DisplayRole:
                return TITLES[Column(section)]()
            if role == Qt.ItemDataRole.ToolTipRole:
                return _TIPS[Column(section)]()
            if role == Qt.ItemDataRole.TextAlignmentRole:
                right = section in (Column.SHAPE, Column.SIZE)
                side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
                return side | Qt.AlignmentFlag.AlignVCenter
        return None
