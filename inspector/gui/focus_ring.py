"""A frame around what has the keys, where the style does not show it well enough."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QPalette, QRegion
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QWidget,
)
from shiboken6 import isValid

#: How wide it is (px).
_WIDTH: Final = 2

#: What has it around itself; views have theirs inside.
_CONTROLS: Final = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


_BY_KEYS: Final = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class _Frame(QWidget):
    """Covers the edge of its rectangle alone: what changes inside is painted without this."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def surround(self, whole: QRect) -> None:
        """Lie along the inner edge of a rectangle of the parent."""
        self.setGeometry(whole)
        inside = self.rect().adjusted(_WIDTH, _WIDTH, -_WIDTH, -_WIDTH)
        self.setMask(QRegion(self.rect()) - QRegion(inside))
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Highlight))
        painter.end()


class FocusRing(_Frame):
    """Lies over the edge of a view to which keys have led, while that has them."""

    def __init__(self, view: QWidget) -> None:
        super().__init__(view)
        self._view = view
        view.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isValid(self._view):  # it is being deleted
            return False
        if isinstance(event, QFocusEvent):
            by_keys = event.reason() in _BY_KEYS
            self.surround(self._view.rect())
            self.setVisible(event.gotFocus() and by_keys)
        elif event.type() == QEvent.Type.Resize and self.isVisible():
            self.surround(self._view.rect())
        return False


class FocusFrames(QObject):
    """Puts a frame around each control of a window and its dialogs to which keys have led.

    Lives as long as the window, on the GUI thread.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._frame: _ControlFrame | None = None
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._follow)

    def _follow(self, _: QWidget | None, control: QWidget | None) -> None:
        if self._frame is not None and isValid(self._frame):  # it may have gone with its dialog
            self._frame.let_go()
        self._frame = None
        if not isinstance(control, _CONTROLS):
            return
        root = control.window()
        by_keys = root.testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
        if by_keys and self._window in (root, root.parentWidget()):
            self._frame = _ControlFrame(control)


class _ControlFrame(_Frame):
    """Lies in the control's window around it, and goes where it goes."""

    def __init__(self, control: QWidget) -> None:
        self._root = control.window()
        super().__init__(self._root)
        self._control = control
        self._parts = [control]  # it moves when any of these does
        while (above := self._parts[-1].parentWidget()) is not None and above is not self._root:
            self._parts.append(above)
        for part in self._parts:
            part.installEventFilter(self)
        self._fit()

    def let_go(self) -> None:
        """Show nothing any more, and end."""
        for part in self._parts:
            if isValid(part):
                part.removeEventFilter(self)
        self.hide()
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The parts of a dialog that is being deleted are hidden one by one.
        if event.type() in _MOVES and isValid(self._root) and isValid(self._control):
            self._fit()
        return False

    def _fit(self) -> None:
        place = self._control.mapTo(self._root, QPoint())
        around = QRect(place, self._control.size())
        self.surround(around.adjusted(-_WIDTH, -_WIDTH, _WIDTH, _WIDTH))
        self.setVisible(self._control.isVisible())


_MOVES: Final = {
    QEvent.Type.Move,
    QEvent.Type.Resize,
    QEvent.Type.Show,
    QEvent.Type.Hide,
}
