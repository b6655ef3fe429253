"""The list of rows: a table that looks and moves like a tree.

A `QTreeView` asks the model several things about each child of what is unfolded, which for 100,000
tensors stops the window for a good while. Here the tree is flattened beforehand, and only rows that
can be seen are ever asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableView, QWidget

from inspector.gui.focus_ring import FocusRing
from inspector.gui.text import Texts
from inspector.gui.tree_columns import Fit, Measures, fit_columns, measured
from inspector.gui.tree_model import TreeModel
from inspector.gui.tree_painter import (
    EXPANDER,
    Cells,
    RowPainter,
    RowState,
    expander_left,
)
from inspector.gui.tree_rows import Row, Rows
from inspector.gui.tree_sorting import Column, Sort
from inspector.gui.tree_text import shown_label

Tree = Texts("Tree")

_Key = Qt.Key

_EXPLAINED: Final = Tree.QT_TR_NOOP(
    "Files and the tensors in them. Up and Down choose, Right unfolds and Left folds, * unfolds "
    "all; letters go to the next name that begins so. Shift and Ctrl choose several for one "
    "export. Ctrl+C copies the name, Delete closes a file, the menu key has the rest. A click on "
    "the name of a column sorts by it, and so does View > Sort tensors."
)

#: Rows that typing the beginning of a name looks through.
_SEARCHED: Final = 20_000


class TreeView(QTableView):
    """Shows rows, and tells what the user does with them. What it means is for others to say."""

    #: The current row was changed by the user: a Row.
    row_chosen = Signal(object)
    #: A click on an expander, a key: a Row.
    toggled = Signal(object)
    went_left = Signal(object)
    went_right = Signal(object)
    #: Enter, or a double-click: a Row.
    row_activated = Signal(object)
    #: The Delete key: a Row.
    removed = Signal(object)
    #: Ctrl+C: a Row.
    copied = Signal(object)
    #: A menu is asked for: a Row or None, and where on the screen.
    menu_wanted = Signal(object, QPoint)
    #: The mouse takes hold of a row and moves away with it: a Row.
    dragged = Signal(object)
    #: A header was clicked: a Column.
    sort_clicked = Signal(object)
    all_unfolded = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows_model = TreeModel(self)
        self._row_painter = RowPainter(self.font(), self.palette())
        self._measures = Measures()
        self._fit = Fit()
        self._hovered = -1
        self._held: QPoint | None = None
        self._placing = False
        self._empty = ""
        self.setModel(self.rows_model)
        self._set_up()
        self.selectionModel().currentRowChanged.connect(self._current_changed)
        self.horizontalHeader().sectionClicked.connect(
            lambda section: self.sort_clicked.emit(Column(section))
        )

    def _set_up(self) -> None:
        self.setAccessibleName(Tree.tr("Tensors"))
        self.setWhatsThis(_EXPLAINED())
        FocusRing(self)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        self.setMouseTracking(True)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setMinimumSectionSize(10)
        header.setHighlightSections(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(False)
        header.setAcceptDrops(False)
        header.viewport().setAcceptDrops(False)
        header.setAccessibleName(Tree.tr("Columns"))
        self._restyle()

    # What is shown

    @property
    def rows(self) -> Rows:
        """What is shown."""
        return self.rows_model.rows

    def current_row(self) -> Row | None:
        """The current row."""
        return self.rows_model.row_at(self.currentIndex().row())

    def selected_rows(self) -> tuple[range, ...]:
        """The numbers of the rows that are selected, as runs that do not overlap."""
        found: list[range] = []
        runs = sorted(
            (run.top(), run.bottom() + 1) for run in self.selectionModel().selection().toList()
        )
        for top, end in runs:
            start = max(top, found[-1].stop) if found else top
            if start < end:
                found.append(range(start, end))
        return tuple(found)

    def show_rows(self, rows: Rows, current: int, *, reveal: bool) -> None:
        """Show other rows, and one of them as current (-1 for none), without a `row_chosen`.

        What the eye rests on stays where it was: the current row if it could be seen, else the row
        at the top. ``reveal`` scrolls to the current row instead.
        """
        anchor, offset = self._anchor()
        self._placing = True
        try:
            old = self.rows
            self.rows_model.set_rows(rows)
            self._hovered = -1
            if [id(segment.tree) for segment in old.segments] != [
                id(segment.tree) for segment in rows.segments
            ]:
                self._measures = measured(rows, self._row_painter.metrics)
            self._fit_columns()
            self.updateGeometries()
            if current >= 0:
                self._place(current)
        finally:
            self._placing = False
        where = rows.find(anchor.key) if anchor is not None else -1
        if where >= 0:
            self.verticalScrollBar().setValue(where * self._row_height() - offset)
        if reveal and current >= 0:
            self.reveal(current)
        self.viewport().update()

    def choose_row(self, row: int) -> None:
        """Make a row current without a `row_chosen`, and scroll to it. -1 for none."""
        self._placing = True
        try:
            self._place(row)
        finally:
            self._placing = False
        if row >= 0:
            self.reveal(row)

    def reveal(self, row: int) -> None:
        """Scroll until a row can be seen, and some of its surroundings."""
        index = self.rows_model.index(row, Column.NAME)
        rectangle = self.visualRect(index)
        if not self.viewport().rect().contains(rectangle.center()):
            self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
        else:
            self.scrollTo(index)

    def set_empty_text(self, text: str) -> None:
        """What stands below the last row, if anything."""
        if text != self._empty:
            self._empty = text
            self.viewport().update()

    def show_sort(self, sort: Sort | None) -> None:
        """Mark the column that is sorted by."""
        header = self.horizontalHeader()
        header.setSortIndicatorShown(sort is not None)
        if sort is not None:
            order = Qt.SortOrder.DescendingOrder if sort.descending else Qt.SortOrder.AscendingOrder
            header.setSortIndicator(sort.column, order)

    def _place(self, row: int) -> None:
        if row < 0:
            self.setCurrentIndex(QModelIndex())
            self.clearSelection()
        else:
            # Whatever modifier is held: this is not the user's doing.
            self.selectionModel().setCurrentIndex(
                self.rows_model.index(row, Column.NAME),
                QItemSelectionModel.SelectionFlag.ClearAndSelect
                | QItemSelectionModel.SelectionFlag.Rows,
            )

    def _anchor(self) -> tuple[Row | None, int]:
        """A row that should stay in its place, and the pixels between it and the top."""
        for number in (self.currentIndex().row(), self.rowAt(0)):
            top = self.rowViewportPosition(number)
            if number >= 0 and 0 <= top < self.viewport().height():
                return self.rows_model.row_at(number), top
        number = self.rowAt(0)
        return self.rows_model.row_at(number), self.rowViewportPosition(number)

    def _current_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        row = self.rows_model.row_at(current.row())
        if not self._placing and row is not None:
            self.row_chosen.emit(row)

    # Sizes

    def _row_height(self) -> int:
        return self.verticalHeader().defaultSectionSize()

    def _restyle(self) -> None:
        """Take over the font and the colours."""
        self._row_painter = RowPainter(self.font(), self.palette())
        height = self._row_painter.row_height
        self.verticalHeader().setMinimumSectionSize(height)
        self.verticalHeader().setDefaultSectionSize(height)
        self.verticalScrollBar().setSingleStep(height)
        self._measures = measured(self.rows, self._row_painter.metrics)
        self._fit_columns()
        self.viewport().update()

    def _fit_columns(self) -> None:
        self._fit = fit_columns(self._measures, self.viewport().width())
        for column in Column:
            width = self._fit.widths.get(column, 0)
            self.setColumnHidden(column, not width)
            if width:
                self.setColumnWidth(column, width)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (
            QEvent.Type.FontChange,
            QEvent.Type.PaletteChange,
            QEvent.Type.StyleChange,
        ):
            self._restyle()

    def sizeHint(self) -> QSize:
        return QSize(340, 600)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 4 * self._row_painter.row_height)

    # Painting: at once, in one call from Qt, because with each call Python may have to wait until
    # a worker gives way

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        area = event.rect()
        cells = self._cells()
        first = self.rowAt(area.top())
        height = self._row_height()
        active = self.hasFocus() and self.isActiveWindow()
        current = self.currentIndex().row()
        selection, root = self.selectionModel(), QModelIndex()
        words = self.rows.filter.words
        bottom = -self.verticalScrollBar().value() + len(self.rows) * height
        if first >= 0:
            top = self.rowViewportPosition(first)
            for number in range(first, len(self.rows)):
                if top > area.bottom():
                    break
                row = self.rows.at(number)
                state = RowState(
                    unfolded=row.is_foldable and self.rows.is_unfolded(row),
                    current=number == current,
                    selected=number == current or selection.isRowSelected(number, root),
                    hovered=number == self._hovered,
                    active=active,
                    words=words,
                )
                self._row_painter.paint(painter, row, state, cells, top)
                top += height
        if self._empty:
            self._paint_empty(painter, max(bottom, 0))
        painter.end()

    def _paint_empty(self, painter: QPainter, top: int) -> None:
        room = self.viewport().rect().adjusted(12, top + 12, -12, -12)
        painter.setPen(self.palette().placeholderText().color())
        painter.drawText(
            room,
            int(
                Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
            ),
            self._empty,
        )

    def _cells(self) -> Cells:
        columns: Sequence[tuple[Column, int, int]] = [
            (column, self.columnViewportPosition(column), width)
            for column, width in self._fit.widths.items()
        ]
        return Cells(self.viewport().width(), columns, self._fit.is_short)

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Qt makes the first row current when there is none; nobody chose it.
        had_current = self.currentIndex().isValid()
        self._placing = True
        try:
            super().focusInEvent(event)
            if not had_current:
                self._place(-1)
        finally:
            self._placing = False
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    # Mouse

    def _on_expander(self, at: QPoint) -> Row | None:
        row = self.rows_model.row_at(self.rowAt(at.y()))
        if row is None or not row.is_foldable:
            return None
        left = expander_left(row.depth, short=self._fit.is_short)
        return row if left - 3 <= at.x() < left + EXPANDER + 1 else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self._on_expander(event.position().toPoint())
        if row is not None and event.button() == Qt.MouseButton.LeftButton:
            self.toggled.emit(row)
            return
        self._held = None
        if event.button() == Qt.MouseButton.LeftButton and not event.modifiers():
            self._held = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        at = event.position().toPoint()
        row = self.rows_model.row_at(self.rowAt(at.y()))
        if row is None:
            return
        if self._on_expander(at) is not None:
            self.toggled.emit(row)
        else:
            self.row_activated.emit(row)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        self._hover(self.rowAt(at.y()))
        if self._held is not None and event.buttons() & Qt.MouseButton.LeftButton:
            far = (at - self._held).manhattanLength() >= QApplication.startDragDistance()
            row = self.rows_model.row_at(self.rowAt(self._held.y()))
            if far and row is not None:
                self._held = None
                self.dragged.emit(row)
        if not event.buttons():  # no choosing of every row that a drag passes
            super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, number: int) -> None:
        if number == self._hovered:
            return
        for changed in (self._hovered, number):
            if changed >= 0:
                top = self.rowViewportPosition(changed)
                self.viewport().update(QRect(0, top, self.viewport().width(), self._row_height()))
        self._hovered = number

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            row = self.current_row()
            at = self.visualRect(self.currentIndex()).bottomLeft()
            self.menu_wanted.emit(row, self.viewport().mapToGlobal(at))
        else:
            row = self.rows_model.row_at(self.rowAt(event.pos().y()))
            self.menu_wanted.emit(row, event.globalPos())

    # Keys

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            ours = event.matches(QKeySequence.StandardKey.Copy) or (
                event.matches(QKeySequence.StandardKey.Delete)
            )
            if ours and self.current_row() is not None:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.current_row()
        if event.matches(QKeySequence.StandardKey.Copy):
            if row is not None:
                self.copied.emit(row)
        elif event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier & ~_SHIFT:
            super().keyPressEvent(event)
        elif event.key() in (_Key.Key_Home, _Key.Key_End):
            last = len(self.rows) - 1
            if last >= 0:
                number = 0 if event.key() == _Key.Key_Home else last
                self.setCurrentIndex(self.rows_model.index(number, Column.NAME))
        elif event.key() == _Key.Key_Asterisk:
            self.all_unfolded.emit()
        elif row is None or not self._key_on_row(event.key(), row):
            super().keyPressEvent(event)

    def _key_on_row(self, key: int, row: Row) -> bool:
        """What a key does with the current row; False if it does nothing special."""
        if key == _Key.Key_Left:
            self.went_left.emit(row)
        elif key == _Key.Key_Right:
            self.went_right.emit(row)
        elif key in (_Key.Key_Plus, _Key.Key_Minus):
            if row.is_foldable and self.rows.is_unfolded(row) == (key == _Key.Key_Minus):
                self.toggled.emit(row)
        elif key == _Key.Key_Space:
            if row.is_foldable:
                self.toggled.emit(row)
        elif key in (_Key.Key_Return, _Key.Key_Enter):
            self.row_activated.emit(row)
        elif key == _Key.Key_Delete:
            self.removed.emit(row)
        else:
            return False
        return True

    def keyboardSearch(self, search: str) -> None:
        """Typing the beginning of a name. Qt's own way would ask for every row there is."""
        if not search or not len(self.rows):
            return
        wanted = search.casefold()
        start = max(self.currentIndex().row(), 0) + (len(search) == 1)
        for step in range(min(len(self.rows), _SEARCHED)):
            number = (start + step) % len(self.rows)
            row = self.rows.at(number)
            if shown_label(row.tree.labels[row.node]).casefold().startswith(wanted):
                self.setCurrentIndex(self.rows_model.index(number, Column.NAME))
                return


_SHIFT: Final = Qt.KeyboardModifier.ShiftModifier
