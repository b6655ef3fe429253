"""The value grid: a window over an array of any size, in which every number is exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontDatabase,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QScrollBar, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.gui.position import Position
from inspector.gui.scrolling import ScrollMap
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.theme import (
    NAN,
    NEGATIVE_INFINITY,
    POSITIVE_INFINITY,
    Rgb,
    faint,
    is_dark,
    mixed,
)
from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Plane
from inspector.values.text import NumberFormat, cell_texts

_PADDING: Final = 8  # px on either side of a cell's text
#: Cells that may be copied at once: more than a spreadsheet takes, and a few dozen megabytes.
COPY_LIMIT: Final = 2**20

_MARKS: Final[dict[int, Rgb]] = {1: NAN, 2: POSITIVE_INFINITY, 3: NEGATIVE_INFINITY}


@dataclass(frozen=True, slots=True)
class Page:
    """Formatted cells of a plane.

    Attributes
    ----------
    texts
        A list of rows; shape (len(rows), len(columns)).
    marks
        uint8, the same shape: 1 NaN, 2 infinity, 3 negative infinity, else 0.
    """

    rows: range
    columns: range
    texts: list[list[str]]
    marks: Array

    def covers(self, rows: range, columns: range) -> bool:
        """Whether all these cells are in the page."""
        return _inside(rows, self.rows) and _inside(columns, self.columns)


def _inside(part: range, whole: range) -> bool:
    return not part or (whole.start <= part.start and part.stop <= whole.stop)


def plane_values(source: ArraySource, plane: Plane, rows: range, columns: range) -> Array:
    """The values of some rows and columns, as an array of shape (len(rows), len(columns))."""
    values = source.read(plane.region(rows, columns))
    if plane.is_transposed:
        values = values.T
    return values.reshape(len(rows), len(columns))


def read_page(
    source: ArraySource, plane: Plane, rows: range, columns: range, how: NumberFormat
) -> Page:
    """Read and format cells. For a worker thread."""
    values = plane_values(source, plane, rows, columns)
    marks = np.zeros(values.shape, np.uint8)
    if values.dtype.kind in "fc":
        marks[np.isposinf(values.real) | np.isposinf(values.imag)] = 2
        marks[np.isneginf(values.real) | np.isneginf(values.imag)] = 3
        marks[np.isnan(values)] = 1
    return Page(rows, columns, cell_texts(values, how), marks)


def tsv(
    source: ArraySource,
    plane: Plane,
    rows: range,
    columns: range,
    how: NumberFormat,
    task: Task,
) -> str:
    """Cells as tab-separated text. For a worker thread."""
    lines: list[str] = []
    height = max(1, 2**14 // max(1, len(columns)))
    for start in range(0, len(rows), height):
        task.check()
        values = plane_values(source, plane, rows[start : start + height], columns)
        lines.extend("\t".join(row) for row in cell_texts(values, how))
    return "\n".join(lines)


class ValueGrid(QAbstractScrollArea):
    """Rows and columns of numbers, with headers, a current cell and a selection.

    The position is the current cell; the selection reaches from an anchor to it.
    """

    #: A sentence for the status bar.
    message = Signal(str)
    #: An `InspectorError` that keeps the cells from being shown.
    failed = Signal(object)

    def __init__(self, position: Position, runner: TaskRunner, parent: QWidget | None = None):
        super().__init__(parent)
        self._position = position
        self._runner = runner
        self._format: NumberFormat = "short"
        self._page: Page | None = None
        self._wanted: tuple[range, range] | None = None
        self._top = 0
        self._left = 0
        self._anchor = (0, 0)
        self._extending = False
        self._cell_characters = 1
        self._wheel = QPoint()
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._take_font()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setAccessibleName("Values")
        self.setWhatsThis(
            "The numbers themselves, every one exact. Arrow keys, Page keys, Home and End move; "
            "Shift extends the selection; Ctrl+C copies it as tab-separated text."
        )
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
        row, column = self._position.cell
        rows = sorted((self._anchor[0], row))
        columns = sorted((self._anchor[1], column))
        return range(rows[0], rows[1] + 1), range(columns[0], columns[1] + 1)

    @property
    def visible(self) -> tuple[range, range]:
        """The rows and columns of which at least a part is in view."""
        plane = self._position.plane
        rows = -(-max(0, self.viewport().height() - self._header_height) // self._row_height)
        columns = -(-max(0, self.viewport().width() - self._header_width) // self._column_width)
        return (
            range(self._top, min(plane.rows, self._top + rows)),
            range(self._left, min(plane.columns, self._left + columns)),
        )

    def text_at(self, row: int, column: int) -> str | None:
        """The text of a cell, or None while it is not there yet."""
        page = self._page
        if page is None or row not in page.rows or column not in page.columns:
            return None
        return page.texts[row - page.rows.start][column - page.columns.start]

    def set_format(self, how: NumberFormat) -> None:
        """Write the numbers another way, one of their `formats_of`."""
        if how == self._format:
            return
        self._format = how
        self._cell_characters = 1
        self._forget()

    def _restart(self) -> None:
        self._top = self._left = 0
        self._cell_characters = 1
        self._anchor = self._position.cell
        self._forget()

    def _show_form(self) -> None:
        self._cell_characters = 1
        self._forget()
        self._reveal()

    def _show_plane(self) -> None:
        self._anchor = self._position.cell
        self._forget()
        self._reveal()

    def _forget(self) -> None:
        """Read the cells anew."""
        self._page = None
        self._wanted = None
        self._runner.supersede("page")
        self._measure()
        self._request()
        self.viewport().update()

    def _show_cell(self) -> None:
        if not self._extending:
            self._anchor = self._position.cell
        self._reveal()
        self.setAccessibleDescription(
            f"{list(self._position.element)} = {self.text_at(*self._position.cell) or '...'}"
        )
        self.viewport().update()

    # Geometry -----------------------------------------------------------------------------------

    def _take_font(self) -> None:
        metrics = QFontMetrics(self.font())
        self._character = max(1, metrics.horizontalAdvance("0"))
        self._row_height = metrics.height() + 4

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._take_font()

    @property
    def _header_height(self) -> int:
        return self._row_height + 2

    @property
    def _header_width(self) -> int:
        digits = max(len(str(max(0, self._position.plane.rows - 1))), 5)
        return digits * self._character + 2 * _PADDING

    @property
    def _column_width(self) -> int:
        label = len(str(max(0, self._position.plane.columns - 1)))
        return max(self._cell_characters, label, 4) * self._character + 2 * _PADDING

    @property
    def _row_map(self) -> ScrollMap:
        height = self.viewport().height() - self._header_height
        return ScrollMap(self._position.plane.rows, max(1, height // self._row_height))

    @property
    def _column_map(self) -> ScrollMap:
        width = self.viewport().width() - self._header_width
        return ScrollMap(self._position.plane.columns, max(1, width // self._column_width))

    def _measure(self) -> None:
        """Fit the scroll bars to the plane and the viewport, and both to the origin."""
        self._top = self._row_map.clamp(self._top)
        self._left = self._column_map.clamp(self._left)
        _fit(self.verticalScrollBar(), self._row_map, self._top)
        _fit(self.horizontalScrollBar(), self._column_map, self._left)

    def _scroll_to(self, top: int, left: int) -> None:
        top, left = self._row_map.clamp(top), self._column_map.clamp(left)
        if (top, left) == (self._top, self._left):
            return
        self._top, self._left = top, left
        self._measure()
        self._request()
        self.viewport().update()

    def _reveal(self) -> None:
        row, column = self._position.cell
        self._scroll_to(
            self._row_map.reveal(self._top, row), self._column_map.reveal(self._left, column)
        )

    def _dragged_rows(self, value: int) -> None:
        if value != self._row_map.value(self._top):
            self._scroll_to(self._row_map.offset(value), self._left)

    def _dragged_columns(self, value: int) -> None:
        if value != self._column_map.value(self._left):
            self._scroll_to(self._top, self._column_map.offset(value))

    # Reading ------------------------------------------------------------------------------------

    def _request(self) -> None:
        """Ask for the visible cells and a page around them, unless they are there or coming."""
        source, plane = self._position.source, self._position.plane
        rows, columns = self.visible
        if source is None or plane.is_empty or not rows or not columns or not self.isVisible():
            return
        if self._page is not None and self._page.covers(rows, columns):
            return
        if (
            self._wanted is not None
            and _inside(rows, self._wanted[0])
            and _inside(columns, self._wanted[1])
        ):
            return
        around = (
            range(max(0, rows.start - len(rows)), min(plane.rows, rows.stop + len(rows))),
            range(
                max(0, columns.start - len(columns)),
                min(plane.columns, columns.stop + len(columns)),
            ),
        )
        self._wanted = around
        how = self._format
        self._runner.submit(
            "page",
            Request(
                work=lambda _: read_page(source, plane, *around, how),
                done=self._take,
                failed=self._fail,
            ),
        )

    def _take(self, page: Page) -> None:
        self._page = page
        self._wanted = None
        longest = max((len(text) for row in page.texts for text in row), default=1)
        if longest > self._cell_characters:
            self._cell_characters = longest
            self._measure()
        self._request()
        self.viewport().update()

    def _fail(self, error: InspectorError) -> None:
        self._wanted = None
        self.failed.emit(error)

    def copy(self) -> None:
        """Copy the selection as tab-separated text."""
        source, plane = self._position.source, self._position.plane
        if source is None or plane.is_empty:
            return
        rows, columns = self.selection
        cells = len(rows) * len(columns)
        if cells > COPY_LIMIT:
            self.message.emit(
                f"{cells:,} cells are selected; at most {COPY_LIMIT:,} can be copied. "
                "Export them instead."
            )
            return
        # With all the digits they need, whatever the grid has room for.
        how: NumberFormat = self._format if self._format in ("hex", "binary") else "exact"
        self._runner.submit(
            "copy",
            Request(
                work=lambda task: tsv(source, plane, rows, columns, how, task),
                done=partial(self._put_on_clipboard, cells),
                failed=self._fail,
                title="Copying",
            ),
        )

    def _put_on_clipboard(self, cells: int, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        noun = "cell" if cells == 1 else "cells"
        self.message.emit(f"Copied {cells:,} {noun} as tab-separated text")

    def select(self, rows: range, columns: range) -> None:
        """Select cells of the plane; the first of them is the current one. Not of no cells."""
        self._extending = True
        self._position.move_to(rows[0], columns[0])
        self._extending = False
        self._anchor = (rows[-1], columns[-1])
        self._reveal()
        self.viewport().update()

    def select_all(self) -> None:
        """Select every cell of the plane."""
        plane = self._position.plane
        if not plane.is_empty:
            self._anchor = (plane.rows - 1, plane.columns - 1)
            self._move((0, 0), extend=True)
            self.viewport().update()

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

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        if event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
            return
        target = self._target(event)
        if target is None:
            super().keyPressEvent(event)
            return
        self._move(target, extend=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def _target(self, event: QKeyEvent) -> tuple[int, int] | None:
        """The cell to which a key leads."""
        plane = self._position.plane
        row, column = self._position.cell
        page = self._row_map.visible
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        last_row, last_column = plane.rows - 1, plane.columns - 1
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
        return targets.get(Qt.Key(event.key()))

    def _move(self, target: tuple[int, int], *, extend: bool) -> None:
        before = self.selection
        self._extending = extend
        self._position.move_to(*target)
        self._extending = False
        if not extend:
            self._anchor = self._position.cell
        if before != self.selection:
            self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position().toPoint())
        if cell is None:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self._move(cell, extend=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif event.button() == Qt.MouseButton.RightButton:
            rows, columns = self.selection
            if cell[0] not in rows or cell[1] not in columns:
                self._move(cell, extend=False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position().toPoint())
        if cell is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._move(cell, extend=True)

    def _cell_at(self, point: QPoint) -> tuple[int, int] | None:
        """The cell under a point of the viewport; from a header or beyond the edge, the nearest."""
        if self._position.plane.is_empty:
            return None
        return (
            self._top + (point.y() - self._header_height) // self._row_height,
            self._left + (point.x() - self._header_width) // self._column_width,
        )

    # Painting -----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            self._paint(painter)
        finally:
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setFont(self.font())
        colours = self.palette()
        painter.fillRect(self.viewport().rect(), colours.color(QPalette.ColorRole.Base))
        plane = self._position.plane
        if self._position.source is None:
            return
        if plane.is_empty:
            shape = " × ".join(str(size) for size in plane.shape)
            painter.setPen(faint(colours))
            painter.drawText(
                self.viewport().rect(),
                Qt.AlignmentFlag.AlignCenter,
                f"No elements: the shape is {shape}",
            )
            return
        rows, columns = self.visible
        self._paint_cells(painter, rows, columns)
        self._paint_headers(painter, rows, columns)

    def _cell_rect(self, row: int, column: int) -> QRect:
        return QRect(
            self._header_width + (column - self._left) * self._column_width,
            self._header_height + (row - self._top) * self._row_height,
            self._column_width,
            self._row_height,
        )

    def _paint_cells(self, painter: QPainter, rows: range, columns: range) -> None:
        colours = self.palette()
        text_colour = colours.color(QPalette.ColorRole.Text)
        waiting = faint(colours)
        selected_rows, selected_columns = self.selection
        highlight = colours.color(QPalette.ColorRole.Highlight)
        wash = QColor(highlight)
        wash.setAlphaF(0.22)
        align = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        origin = self._cell_rect(rows.start, columns.start)
        width, height = origin.width(), origin.height()
        for row in rows:
            for column in columns:
                rect = origin.translated(
                    (column - columns.start) * width, (row - rows.start) * height
                )
                if row in selected_rows and column in selected_columns:
                    painter.fillRect(rect, wash)
                mark = self._mark_at(row, column)
                if mark:
                    painter.fillRect(rect.adjusted(2, 2, -2, -2), QColor(*_MARKS[mark]))
                text = self.text_at(row, column)
                colour = waiting if text is None else text_colour
                painter.setPen(Qt.GlobalColor.black if mark else colour)
                painter.drawText(
                    rect.adjusted(0, 0, -_PADDING, 0), align, "·" if text is None else text
                )
        current = self._position.cell
        if current[0] in rows and current[1] in columns:
            painter.setPen(highlight)
            painter.drawRect(self._cell_rect(*current).adjusted(0, 0, -1, -1))

    def _mark_at(self, row: int, column: int) -> int:
        page = self._page
        if page is None or row not in page.rows or column not in page.columns:
            return 0
        return int(page.marks[row - page.rows.start, column - page.columns.start])

    def _paint_headers(self, painter: QPainter, rows: range, columns: range) -> None:
        colours = self.palette()
        ground = colours.color(QPalette.ColorRole.Window)
        strong, weak = colours.color(QPalette.ColorRole.Text), faint(colours)
        line = mixed(ground, strong, 0.3 if is_dark(colours) else 0.18)
        width, height = self.viewport().width(), self.viewport().height()
        painter.fillRect(0, 0, width, self._header_height, ground)
        painter.fillRect(0, 0, self._header_width, height, ground)
        painter.setPen(line)
        painter.drawLine(0, self._header_height - 1, width, self._header_height - 1)
        painter.drawLine(self._header_width - 1, 0, self._header_width - 1, height)
        align = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        selected_rows, selected_columns = self.selection
        for column in columns:
            label = "value" if self._position.plane.column_axis is None else str(column)
            rect = self._cell_rect(self._top, column)
            rect.moveTop(0)
            painter.setPen(strong if column in selected_columns else weak)
            painter.drawText(rect.adjusted(0, 0, -_PADDING, -1), align, label)
        for row in rows:
            rect = self._cell_rect(row, self._left)
            rect.setLeft(0)
            rect.setWidth(self._header_width - _PADDING)
            painter.setPen(strong if row in selected_rows else weak)
            painter.drawText(rect, align, str(row))
        painter.fillRect(0, 0, self._header_width - 1, self._header_height - 1, ground)
        painter.setPen(weak)
        corner = QRect(0, 0, self._header_width - _PADDING, self._header_height)
        painter.drawText(corner, align, self._corner)

    @property
    def _corner(self) -> str:
        plane = self._position.plane
        if plane.column_axis is None:
            return ""
        return f"{plane.row_axis}↓{plane.column_axis}→"


def _fit(bar: QScrollBar, scroll: ScrollMap, offset: int) -> None:
    blocked = bar.blockSignals(True)
    bar.setRange(0, scroll.steps)
    # A page step of the same scale as the range keeps the handle's length right.
    bar.setPageStep(max(1, scroll.visible * max(1, scroll.steps) // max(1, scroll.last)))
    bar.setSingleStep(1)
    bar.setValue(scroll.value(offset))
    bar.blockSignals(blocked)
