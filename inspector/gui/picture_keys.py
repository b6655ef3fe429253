"""The picture by keys: the cell moves as in the values, and the view zooms around it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QKeyEvent

from inspector.gui.grid_selection import Cell, key_target
from inspector.gui.picture_plot import PicturePlot

#: One step of the zoom, as the factor by which less is in view.
_STEP: Final = 1.5

#: Into how many steps with Shift what is in view is cut.
_STRIDES: Final = 10

_ARROWS: Final = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}


class PictureKeys(QObject):
    """Takes the keys of a plot, which tells of them as if its cells were clicked."""

    def __init__(self, plot: PicturePlot) -> None:
        super().__init__(plot)
        self._plot = plot
        plot.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        modifier = Qt.KeyboardModifier
        plain = event.modifiers() & ~(modifier.KeypadModifier | modifier.ShiftModifier)
        key, shift = Qt.Key(event.key()), bool(event.modifiers() & modifier.ShiftModifier)
        if self._plot.plane.is_empty or plain not in (
            modifier.NoModifier,
            modifier.ControlModifier,
        ):
            return False
        if plain == modifier.NoModifier and self._zoom(key):
            return True
        target = self._target(key, control=plain != modifier.NoModifier, shift=shift)
        if target is not None:
            self._go(target)
        return target is not None

    def _zoom(self, key: Qt.Key) -> bool:
        """Zoom, if it is a key for that."""
        if key == Qt.Key.Key_0:
            self._plot.fit()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._scale(1 / _STEP)
        elif key == Qt.Key.Key_Minus:
            self._scale(_STEP)
        else:
            return False
        return True

    def _scale(self, factor: float) -> None:
        row, column = self._plot.cell
        self._plot.view.scaleBy((factor, factor), center=QPointF(column, row))
        self._reveal(row, column)

    def _target(self, key: Qt.Key, *, control: bool, shift: bool) -> Cell | None:
        plot = self._plot
        (left, right), (top, bottom) = plot.view.viewRange()
        if shift and not control and key in _ARROWS:
            down, across = _ARROWS[key]
            row, column = plot.cell
            return (
                row + down * max(1, int(bottom - top) // _STRIDES),
                column + across * max(1, int(right - left) // _STRIDES),
            )
        return key_target(
            key,
            control=control,
            cell=plot.cell,
            rows=plot.plane.rows,
            columns=plot.plane.columns,
            page=max(1, int(bottom - top)),
        )

    def _go(self, target: Cell) -> None:
        """Go to a cell, or the nearest inside."""
        plane = self._plot.plane
        row = min(max(target[0], 0), plane.rows - 1)
        column = min(max(target[1], 0), plane.columns - 1)
        self._plot.clicked.emit((row, column))
        self._reveal(row, column)

    def _reveal(self, row: int, column: int) -> None:
        """Move the view no farther than until a whole cell is in it."""
        (left, right), (top, bottom) = self._plot.view.viewRange()
        x = min(column - 0.5 - left, 0.0) or max(column + 0.5 - right, 0.0)
        y = min(row - 0.5 - top, 0.0) or max(row + 0.5 - bottom, 0.0)
        if x or y:
            self._plot.view.translateBy(x=x, y=y)
