"""A window that had to grow for its content gets its own size back when it can."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, QTimer
from PySide6.QtWidgets import QMainWindow


class OwnSize(QObject):
    """Remembers the size that the user gave a window. Lives on the GUI thread.

    A larger interface may need more; once it is smaller again, so is the window. What grew by
    itself does not reach beyond the screen, if it could be on it.
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._own = self._last = window.size()
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._give_back)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look at the window's events; none is kept from it."""
        if watched is self._window:
            if event.type() == QEvent.Type.Resize:
                self._note()
            elif event.type() == QEvent.Type.LayoutRequest:
                self._later.start()
        return False

    def _note(self) -> None:
        new, least, last = self._window.size(), self._window.minimumSize(), self._last
        self._last = new
        own = QSize(
            _own(self._own.width(), last.width(), new.width(), least.width()),
            _own(self._own.height(), last.height(), new.height(), least.height()),
        )
        if self._window.isVisible() and new != last and own == self._own:
            self._keep_on_screen()
        self._own = own

    def _keep_on_screen(self) -> None:
        frame, room = self._window.frameGeometry(), self._window.screen().availableGeometry()
        place = QPoint(
            max(room.left(), min(frame.left(), room.right() + 1 - frame.width())),
            max(room.top(), min(frame.top(), room.bottom() + 1 - frame.height())),
        )
        if place != frame.topLeft():
            self._window.move(place)

    def _give_back(self) -> None:
        window = self._window
        if window.isMaximized() or window.isFullScreen():
            return
        size = self._own.expandedTo(window.minimumSize())
        if size != window.size():
            own = self._own
            window.resize(size)
            self._own = own


def _own(own: int, last: int, new: int, least: int) -> int:
    """The user's own width or height, after a change from the last to a new one."""
    # What grew to just what is needed was not made larger by the user.
    return own if new == last or new == least > last else new
