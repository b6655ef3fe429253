"""The dividers between the parts of the window, moved by keys."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSplitter

from inspector.gui.focus_ring import FocusRing
from inspector.gui.text import Texts

Dividers = Texts("Dividers")

#: One step (px).
_STEP: Final = 20

_STEPS: Final = {
    Qt.Orientation.Horizontal: {Qt.Key.Key_Left: -_STEP, Qt.Key.Key_Right: _STEP},
    Qt.Orientation.Vertical: {Qt.Key.Key_Up: -_STEP, Qt.Key.Key_Down: _STEP},
}


class SplitterKeys(QObject):
    """Lets Tab reach the divider between the two parts of a splitter, and arrows move it.

    Parameters
    ----------
    between
        What it divides, such as "the picture and the values".
    """

    def __init__(self, splitter: QSplitter, between: str) -> None:
        super().__init__(splitter)
        self._splitter = splitter
        handle = splitter.handle(1)
        handle.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        handle.setAccessibleName(Dividers.tr("Divider of {parts}", parts=between))
        handle.setToolTip(
            Dividers.tr(
                "Share out the room between {parts}: drag, or use the arrow keys", parts=between
            )
        )
        handle.installEventFilter(self)
        FocusRing(handle)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        step = _STEPS[self._splitter.orientation()].get(Qt.Key(event.key()))
        if step is None:
            return False
        first, second = self._splitter.sizes()
        self._splitter.setSizes([max(first + step, 1), max(second - step, 1)])
        return True
