"""The ways in which cells are copied, and the menu that offers them. NumPy is not needed for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from inspector.gui.text import Later, Texts

if TYPE_CHECKING:
    from inspector.export.cells import CellStyle

Copying = Texts("Copying")


@dataclass(frozen=True, slots=True)
class _Style:
    """What a way is called in a sentence, and in the menu with its key; and what it gives."""

    words: Later
    label: Later
    tip: Later


STYLES: Final[dict[CellStyle, _Style]] = {
    "tsv": _Style(
        Copying.QT_TR_NOOP("tab-separated text"),
        Copying.QT_TR_NOOP("&Tab-separated text"),
        Copying.QT_TR_NOOP("For spreadsheets (Ctrl+C)"),
    ),
    "csv": _Style(
        Copying.QT_TR_NOOP("comma-separated text"),
        Copying.QT_TR_NOOP("&Comma-separated text"),
        Copying.QT_TR_NOOP("As np.loadtxt reads it"),
    ),
    "python": _Style(
        Copying.QT_TR_NOOP("a Python list"),
        Copying.QT_TR_NOOP("&Python list"),
        Copying.QT_TR_NOOP("A nested list, which needs no import to be evaluated"),
    ),
    "numpy": _Style(
        Copying.QT_TR_NOOP("a NumPy array"),
        Copying.QT_TR_NOOP("&NumPy array"),
        Copying.QT_TR_NOOP("np.array(…), which gives the same array bit for bit"),
    ),
}


class CopyMenu(QMenu):
    """The menu; it does nothing by itself."""

    #: A `CellStyle`, chosen by the user.
    requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Copying.tr("Copy &values as"), parent)
        self.setToolTipsVisible(True)
        for style, words in STYLES.items():
            action = QAction(words.label(), self)
            action.setToolTip(words.tip())
            action.triggered.connect(partial(self.requested.emit, style))
            self.addAction(action)
