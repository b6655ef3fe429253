"""PySide's types, made on the GUI thread before a worker asks for all of them at once.

PySide makes each of its types when it is first asked for. pyqtgraph, when it is imported, asks for
every one that there is; where that happens in a worker and the window needs one at the same moment,
the process crashes (seen in one start of ten on a busy machine, PySide 6.11).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject, QTimer

#: Seconds of work in a turn of the event loop.
_STEP: Final = 0.004

#: Seconds between two looks of the worker that waits whether it is still wanted.
_LOOK: Final = 0.02


class QtTypes(QObject):
    """Makes the types, a few in each turn of the event loop. Lives on the GUI thread."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._made: Final = threading.Event()
        self._steps = _make()
        self._turn = QTimer(self, singleShot=True, interval=1)
        self._turn.timeout.connect(self._go_on)

    def begin(self) -> None:
        """Make them, if that has not begun."""
        if not self._made.is_set():
            self._turn.start()

    def _go_on(self) -> None:
        if next(self._steps, False):
            self._turn.start()
        else:
            self._made.set()

    def wait(self, check: Callable[[], None]) -> None:
        """Wait in a worker until they are made; `check` may raise `Cancelled`."""
        while not self._made.wait(_LOOK):
            check()


def _make() -> Iterator[bool]:
    ends = time.monotonic() + _STEP
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            getattr(module, name)
            if time.monotonic() > ends:
                yield True
                ends = time.monotonic() + _STEP
