"""The value grid: every number exact, to be selected and copied by mouse and keys."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QWidget

from inspector.export.cells import CellStyle
from inspector.gui.accessible import describe
from inspector.gui.focus_ring import FocusRing
from inspector.gui.grid_copying import GridCopier
from inspector.gui.grid_selection import Cell, Selection, Span, key_target, selection_text
from inspector.gui.grid_view import GridView
from inspector.gui.position import Position
from inspector.gui.tasks import TaskRunner
from inspector.gui.text import Texts

Grid = Texts("Grid")

#: Milliseconds between two steps of a drag beyond the edge.
_PULL_EVERY: Final = 40


class ValueGrid(GridView):
    """Rows and columns of numbers, with headers, a current cell and a selection.

    The position is the current cell; the selection reaches from an anchor to it.
    """

    #: A sentence for the status bar.
    message = Signal(str)
    #: The selected cells shall be written to a file.
    export_requested = Signal()
    #: Other cells are selected.
    selected = Signal()
    #: How much is selected, in words; empty for a single cell.
    selection_changed = Signal(str)

    def __init__(self, position: Position, runner: TaskRunner, parent: QWidget | None = None):
        super().__init__(position, runner, parent)
        self._told = ""
        self._extending = False
        self._drag_span: Span | None = None
        self._dragged_to = QPoint()
        self._pull = QTimer(self, interval=_PULL_EVERY)
        self._pull.timeout.connect(self._pull_on)
        self._copier = GridCopier(runner, self)
        self._copier.message.connect(self.message)
        self._copier.failed.connect(self.failed)
        self._copier.export_requested.connect(self.export_requested)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setAccessibleName(Grid.tr("Values"))
        self.setWhatsThis(
            Grid.tr(
                "The numbers themselves, every one exact. Arrow keys, Page keys, Home and End "
                "move; Shift extends the selection, and so does dragging. A click on the number "
                "of a row or column selects all of it, and so do Shift+Space and Ctrl+Space. "
                "Ctrl+C copies as tab-separated text."
            )
        )
        self.cell_told.connect(partial(describe, self))
        FocusRing(self)
        for changed in (position.tensor_changed, position.plane_changed, position.cell_changed):
            changed.connect(self._follow)

    # Selecting ----------------------------------------------------------------------------------

    def copy(self, style: CellStyle = "tsv") -> None:
        """Copy the selection in one of the styles; if it is too large, offer an export."""
        source, plane = self._position.source, self._position.plane
        if source is not None and not plane.is_empty:
            self._copier.copy(source, plane, self.selection, style, self._format)

    def select(self, rows: range, columns: range) -> None:
        """Select cells of the plane; the first of them is the current one. Not of no cells."""
        self._move((rows[0], columns[0]), span="cells", anchor=(rows[-1], columns[-1]))
        self._reveal()

    def select_all(self) -> None:
        """Select every cell of the plane. Nothing moves."""
        if not self._position.plane.is_empty:
            self._select(self._selection.anchor, "all")

    def _move(self, target: Cell, *, span: Span, anchor: Cell | None = None) -> None:
        """Go to a cell, or the nearest inside; the selection begins at an anchor, or there."""
        self._extending = True
        self._position.move_to(*target)
        self._extending = False
        self._select(self._position.cell if anchor is None else anchor, span)

    def _follow(self) -> None:
        """The current cell is another, for whatever reason: select it, and it alone."""
        if not self._extending:
            self._select(self._position.cell)

    def _select(self, anchor: Cell, span: Span = "cells") -> None:
        self._selection = Selection(anchor, span)
        flat = self._position.plane.column_axis is None
        text = selection_text(*self.selection, flat=flat)
        if text != self._told:
            self._told = text
            self.selection_changed.emit(text)
        self.selected.emit()
        self.viewport().update()

    # Keys and mouse -----------------------------------------------------------------------------

    def hideEvent(self, event: object) -> None:
        self._end_drag()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        if event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
            return
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.key() == Qt.Key.Key_Space and shift != control:
            # As in spreadsheets: Shift+Space takes the rows, Ctrl+Space the columns.
            self._select(self._selection.anchor, "rows" if shift else "columns")
            return
        geometry, cell = self._geometry, self._position.cell
        target = key_target(
            Qt.Key(event.key()),
            control=control,
            cell=cell,
            rows=geometry.rows,
            columns=geometry.columns,
            page=geometry.row_map.visible,
        )
        if target is None:
            super().keyPressEvent(event)
        elif shift:
            self._move(target, span=self._selection.span, anchor=self._selection.anchor)
        else:
            self._move(target, span="cells")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._position.source is None or self._position.plane.is_empty:
            return
        point = event.position().toPoint()
        area, cell = self._geometry.area_at(point), self._geometry.cell_at(point)
        span: Span = "all" if area == "corner" else area
        if event.button() == Qt.MouseButton.LeftButton:
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._drag_span = span
            if area == "corner":
                self.select_all()
            else:
                self._move(cell, span=span, anchor=self._selection.anchor if extend else None)
        elif event.button() == Qt.MouseButton.RightButton:
            rows, columns = self.selection
            on_rows = cell[0] in rows or area in ("columns", "corner")
            on_columns = cell[1] in columns or area in ("rows", "corner")
            if not (on_rows and on_columns):
                self._move(cell, span=span)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag_span in (None, "all") or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        self._dragged_to = event.position().toPoint()
        self._drag()
        if self._pulled == (0, 0):
            self._pull.stop()
        elif not self._pull.isActive():
            self._pull.start()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._end_drag()

    def _end_drag(self) -> None:
        self._drag_span = None
        self._pull.stop()

    def _drag(self) -> None:
        """Select as far as the mouse has gone."""
        if self._drag_span is not None and not self._position.plane.is_empty:
            cell = self._geometry.cell_at(self._dragged_to)
            self._move(cell, span=self._drag_span, anchor=self._selection.anchor)

    @property
    def _pulled(self) -> tuple[int, int]:
        """By how many rows and columns the mouse pulls the view along."""
        rows, columns = self._geometry.pull(self._dragged_to)
        return (
            0 if self._drag_span == "columns" else rows,
            0 if self._drag_span == "rows" else columns,
        )

    def _pull_on(self) -> None:
        """Beyond the edge, the drag goes on without the mouse."""
        rows, columns = self._pulled
        self._scroll_to(self._top + rows, self._left + columns)
        self._drag()
