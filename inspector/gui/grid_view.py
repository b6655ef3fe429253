"""A window over an array of any size: it reads, scrolls and draws no more than what is visible."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QScrollBar, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.gui.colours import Colouring, Picture, paint
from inspector.gui.fonts import fixed_font
from inspector.gui.grid_geometry import Geometry
from inspector.gui.grid_page import Page, around, is_inside, read_page
from inspector.gui.grid_painter import PADDING, GridPainter, Look
from inspector.gui.grid_selection import Selection
from inspector.gui.levels import Levels, LevelsChoice
from inspector.gui.position import Position
from inspector.gui.scrolling import ScrollMap
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.theme import faint
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane
from inspector.values.text import NumberFormat

Grid = Texts("Grid")


class GridView(QAbstractScrollArea):
    """Rows and columns of numbers with headers, the current cell, and a selection that it shows."""

    #: An `InspectorError` that keeps the cells from being shown.
    failed = Signal(object)
    #: The index and the number of the current cell, in words.
    cell_told = Signal(str)

    def __init__(self, position: Position, runner: TaskRunner, parent: QWidget | None = None):
        super().__init__(parent)
        self._position = position
        self._runner = runner
        self._selection = Selection()
        self._format: NumberFormat = "short"
        self._page: Page | None = None
        self._wanted: tuple[range, range] | None = None
        self._picture: Picture | None = None
        self._coloured = False
        self._pixels: NDArray[np.uint8] | None = None
        self._top = 0
        self._left = 0
        self._cell_characters = 1
        self._wheel = QPoint()
        self.setFont(fixed_font())
        self._take_font()
        self.verticalScrollBar().valueChanged.connect(self._dragged_rows)
        self.horizontalScrollBar().valueChanged.connect(self._dragged_columns)
        position.tensor_changed.connect(self._restart)
        position.form_changed.connect(self._show_form)
        position.plane_changed.connect(self._show_plane)
        position.cell_changed.connect(self._show_cell)

    # What is shown ------------------------------------------------------------------------------

    @property
    def selection(self) -> tuple[range, range]:
        """The selected rows and columns; at least the current cell."""
        plane = self._position.plane
        return self._selection.ranges(self._position.cell, plane.rows, plane.columns)

    @property
    def visible(self) -> tuple[range, range]:
        """The rows and columns of which at least a part is in view."""
        return self._geometry.visible

    def text_at(self, row: int, column: int) -> str | None:
        """The text of a cell, or None while it is not there yet."""
        return None if self._page is None else self._page.text_at(row, column)

    def cell_rect(self, row: int, column: int) -> QRect:
        """Where a cell of the visible ones is in the viewport."""
        return self._geometry.cell_rect(row, column)

    def set_format(self, how: NumberFormat) -> None:
        """Write the numbers another way, one of their `formats_of`."""
        if how == self._format:
            return
        self._format = how
        self._cell_characters = 1
        self._forget()

    def set_coloured(self, coloured: bool) -> None:
        """Give each cell the colour that its number has in the picture, or not."""
        self._coloured = coloured
        self._colour()

    def colour_like(self, picture: Picture | None) -> None:
        """Take the colours of this picture of the plane; None while there is none."""
        self._picture = picture
        self._colour()

    def _colour(self) -> None:
        """Find the colours of the page's cells: of all of them, or of the special ones alone."""
        levels: Levels | None = None
        colouring = Colouring(LevelsChoice())
        if self._coloured and self._picture is not None:
            picture = self._picture
            levels = picture.levels
            colouring = replace(picture.colouring, colour_map=picture.colour_map)
        page = self._page
        self._pixels = None if page is None else paint(page.tile, levels, colouring).pixels
        self.viewport().update()

    def _restart(self) -> None:
        self._top = self._left = 0
        self._cell_characters = 1
        self._forget()

    def _show_form(self) -> None:
        self._cell_characters = 1
        self._forget()
        self._reveal()

    def _show_plane(self) -> None:
        self._forget()
        self._reveal()

    def _forget(self) -> None:
        """Read the cells anew."""
        self._page = self._pixels = None
        self._wanted = None
        self._runner.supersede("page")
        self._measure()
        self._request()
        self.viewport().update()

    def _show_cell(self) -> None:
        self._reveal()
        self._tell_cell()
        self.viewport().update()

    def _tell_cell(self) -> None:
        """Tell of the current cell, once its number is there."""
        text = self.text_at(*self._position.cell)
        if text is not None:
            self.cell_told.emit(f"{list(self._position.element)} = {text}")

    # Geometry -----------------------------------------------------------------------------------

    def _take_font(self) -> None:
        metrics = QFontMetrics(self.font())
        self._character = max(1, metrics.horizontalAdvance("0"))
        self._row_height = metrics.height() + 4

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._take_font()
            self._measure()
            self._request()

    @property
    def _geometry(self) -> Geometry:
        plane, view = self._position.plane, self.viewport()
        digits = max(len(str(max(0, plane.rows - 1))), 5)
        label = max(self._cell_characters, len(str(max(0, plane.columns - 1))), 4)
        return Geometry(
            rows=plane.rows,
            columns=plane.columns,
            top=self._top,
            left=self._left,
            width=view.width(),
            height=view.height(),
            cell_width=label * self._character + 2 * PADDING,
            cell_height=self._row_height,
            header_width=digits * self._character + 2 * PADDING,
            header_height=self._row_height + 2,
        )

    def _measure(self) -> None:
        """Fit the scroll bars to the plane and the viewport, and both to the origin."""
        geometry = self._geometry
        self._top = geometry.row_map.clamp(self._top)
        self._left = geometry.column_map.clamp(self._left)
        _fit(self.verticalScrollBar(), geometry.row_map, self._top)
        _fit(self.horizontalScrollBar(), geometry.column_map, self._left)

    def _scroll_to(self, top: int, left: int) -> None:
        geometry = self._geometry
        top, left = geometry.row_map.clamp(top), geometry.column_map.clamp(left)
        if (top, left) == (self._top, self._left):
            return
        self._top, self._left = top, left
        self._measure()
        self._request()
        self.viewport().update()

    def _reveal(self) -> None:
        row, column = self._position.cell
        geometry = self._geometry
        self._scroll_to(
            geometry.row_map.reveal(self._top, row), geometry.column_map.reveal(self._left, column)
        )

    def _dragged_rows(self, value: int) -> None:
        scroll = self._geometry.row_map
        if value != scroll.value(self._top):
            self._scroll_to(scroll.offset(value), self._left)

    def _dragged_columns(self, value: int) -> None:
        scroll = self._geometry.column_map
        if value != scroll.value(self._left):
            self._scroll_to(self._top, scroll.offset(value))

    # Reading ------------------------------------------------------------------------------------

    def _request(self) -> None:
        """Ask for the visible cells and a page around them, unless they are there or coming."""
        source, plane = self._position.source, self._position.plane
        rows, columns = self.visible
        if source is None or plane.is_empty or not rows or not columns or not self.isVisible():
            return
        if self._page is not None and self._page.covers(rows, columns):
            return
        coming = self._wanted
        if coming is not None and is_inside(rows, coming[0]) and is_inside(columns, coming[1]):
            return
        self._wanted = around(rows, plane.rows), around(columns, plane.columns)
        self._runner.submit(
            "page",
            Request(
                work=partial(_read, source, plane, *self._wanted, self._format),
                done=self._take,
                failed=self._fail,
            ),
        )

    def _take(self, page: Page) -> None:
        self._page = page
        self._wanted = None
        if page.longest > self._cell_characters:
            self._cell_characters = page.longest
            self._measure()
        self._request()
        self._colour()
        self._tell_cell()

    def _fail(self, error: InspectorError) -> None:
        self._wanted = None
        self.failed.emit(error)

    # Events -------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._measure()
        self._request()

    def showEvent(self, event: object) -> None:
        self._request()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and not turned.x():
            turned = QPoint(turned.y(), 0)
        self._wheel += turned
        # An ordinary notch is 120 units; fine wheels and touch pads send less at a time.
        rows, columns = int(self._wheel.y() / 40), int(self._wheel.x() / 80)
        self._wheel -= QPoint(columns * 80, rows * 40)
        self._scroll_to(self._top - rows, self._left - columns)
        event.accept()

    # Painting -----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            self._paint(painter)
        finally:
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setFont(self.font())
        colours, plane = self.palette(), self._position.plane
        painter.fillRect(self.viewport().rect(), colours.color(QPalette.ColorRole.Base))
        if self._position.source is None:
            return
        if plane.is_empty:
            shape = " × ".join(str(size) for size in plane.shape)
            painter.setPen(faint(colours))
            painter.drawText(
                self.viewport().rect(),
                Qt.AlignmentFlag.AlignCenter,
                Grid.tr("No elements: the shape is {shape}", shape=shape),
            )
            return
        look = Look(
            self._geometry,
            plane,
            self._page,
            self._pixels,
            self._coloured,
            self.selection,
            self._position.cell,
        )
        GridPainter(painter, colours, look).paint()


def _read(
    source: ArraySource, plane: Plane, rows: range, columns: range, how: NumberFormat, _: Task
) -> Page:
    return read_page(source, plane, rows, columns, how)


def _fit(bar: QScrollBar, scroll: ScrollMap, offset: int) -> None:
    blocked = bar.blockSignals(True)
    bar.setRange(0, scroll.steps)
    # A page step of the same scale as the range keeps the handle's length right.
    bar.setPageStep(max(1, scroll.visible * max(1, scroll.steps) // max(1, scroll.last)))
    bar.setSingleStep(1)
    bar.setValue(scroll.value(offset))
    bar.blockSignals(blocked)
