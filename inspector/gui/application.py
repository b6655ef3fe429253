"""The application object, which is told of files on macOS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication


class Application(QApplication):
    """Hears of the files that the Finder asks a running program to open.

    They come as events to the application, not as arguments. This is not an event filter, which
    would see every event of every window.
    """

    #: The path of a file to open.
    file_requested = Signal(object)

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(arguments)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self.file_requested.emit(Path(event.file()))
            return True
        return super().event(event)
