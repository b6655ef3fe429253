"""Gets the page of tensors ready: NumPy and pyqtgraph in a worker, then its views step by step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from inspector.gui.opening import import_views
from inspector.gui.qt_types import QtTypes
from inspector.gui.tasks import Request, TaskRunner

if TYPE_CHECKING:
    from inspector.gui.tensor_page import TensorPage


class PageLoader(QObject):
    """Makes the one page of a window, once it is asked for. Lives on the GUI thread.

    Parameters
    ----------
    window
        Owns the views until the page takes them.
    """

    #: The TensorPage.
    ready = Signal(object)
    #: An InspectorError: there will be no page.
    failed = Signal(object)

    def __init__(self, runner: TaskRunner, window: QWidget) -> None:
        super().__init__(window)
        self._runner = runner
        self._window = window
        self._types = QtTypes(self)
        self._steps: Iterator[TensorPage | None] | None = None
        # Not `singleShot(0, ...)`, whose call would come in the same turn.
        self._turn = QTimer(self, singleShot=True, interval=1)
        self._turn.timeout.connect(self._next_step)

    def begin(self) -> None:
        """Make the page, unless it is under way."""
        if self._steps is None:
            self._types.begin()
            work = partial(import_views, self._types)
            self._runner.submit(
                "views",
                Request(work=work, done=lambda _: self._build(), failed=self.failed.emit),
            )

    def stop(self) -> None:
        """Make it no more."""
        self._steps = None

    def _build(self) -> None:
        if self._steps is None:
            from inspector.gui.tensor_page import build_in_steps

            self._steps = build_in_steps(self._runner, self._window)
            self._next_step()

    def _next_step(self) -> None:
        """Go on building the page, a little in each turn of the event loop."""
        if self._steps is None:
            return
        page = next(self._steps)
        if page is None:
            self._turn.start()
        else:
            self._steps = None
            self.ready.emit(page)
