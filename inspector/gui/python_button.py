"""Copies Python that makes the array that is shown."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Final, Literal

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import Checkpoint, TensorEntry
from inspector.export.snippet import snippet
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.values.forms import Form
from inspector.values.regions import Region

PythonTexts = Texts("PythonTexts")

#: Which part of the tensor the code is for.
Part = Literal["whole", "shown", "selected"]

_KEYS: Final = "(Ctrl+Shift+C)"

#: Characters of a line in the tooltip.
_WIDEST: Final = 100

#: Lines of code in the tooltip: an array in pieces has one for each.
_MOST_LINES: Final = 25


class PythonButton(QToolButton):
    """A button whose tooltip is the code for the whole tensor, or why there is none."""

    #: A sentence for the status bar.
    message = Signal(str)

    def __init__(self, runner: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._shown: tuple[Checkpoint, TensorEntry, Form] | None = None
        self.setText(PythonTexts.tr("Copy as Python"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.clicked.connect(lambda: self.copy(None))
        self.clear()

    def clear(self) -> None:
        """There is no tensor to make code for."""
        self._shown = None
        self._runner.supersede("snippet")
        self.setEnabled(False)
        self.setToolTip("")

    def show_tensor(self, checkpoint: Checkpoint, entry: TensorEntry, form: Form) -> None:
        """Find the code for a tensor in one of its forms, in the background."""
        self._shown = (checkpoint, entry, form)
        self._runner.submit(
            "snippet",
            Request(
                work=partial(_code, checkpoint, entry, None, form),
                done=self._offer,
                failed=self._withhold,
            ),
        )

    def _offer(self, code: str) -> None:
        self.setEnabled(True)
        lines = [_shortened(line) for line in code.strip().split("\n")]
        left = len(lines) - _MOST_LINES
        if left > 0:
            more = PythonTexts.tr("… and {n} more lines", "… and {n} more line", left)
            lines[_MOST_LINES:] = [more]
        shown = "\n".join(lines)
        title = PythonTexts.tr("Copy Python that makes this array {keys}:", keys=_KEYS)
        self.setToolTip(f"<p>{title}</p><pre>{escape(shown)}</pre>")

    def _withhold(self, error: InspectorError) -> None:
        self.setEnabled(False)
        self.setToolTip(f"<p>{escape(str(error))}</p>")

    def copy(self, region: Region | None) -> None:
        """Copy the code for a region of what is shown; None for all of the tensor."""
        if self._shown is None:
            return
        checkpoint, entry, form = self._shown
        self._runner.submit(
            "copy",
            Request(
                work=partial(_code, checkpoint, entry, region, form),
                done=self._put_on_clipboard,
                failed=lambda error: self.message.emit(str(error)),
            ),
        )

    def _put_on_clipboard(self, code: str) -> None:
        QGuiApplication.clipboard().setText(code)
        lines = len(code.strip().split("\n"))
        self.message.emit(
            PythonTexts.tr("Copied {n} lines of Python", "Copied {n} line of Python", lines)
        )


def _shortened(line: str) -> str:
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"


def _code(
    checkpoint: Checkpoint, entry: TensorEntry, region: Region | None, form: Form, _: Task
) -> str:
    return snippet(checkpoint, entry, region, form)
