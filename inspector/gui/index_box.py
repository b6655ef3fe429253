"""Where the index of what is shown stands, and where another one is typed."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from inspector.gui.text import Texts

Axes = Texts("Axes")

#: Characters that have room at the least, and those that do mostly.
_LEAST, _FEW, _MOST = 5, 12, 32


class IndexBox(QLineEdit):
    """An index as NumPy writes it: ``[3, :, ::2]``. Return goes there; Escape leaves it."""

    #: The text that was typed.
    requested = Signal(str)
    #: The user is done with it.
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = ""
        self.setAcceptDrops(False)  # files are for the window
        self.setAccessibleName(Axes.tr("Index"))
        self.setToolTip(
            Axes.tr(
                "What is shown, as NumPy writes it. Type another index to go there (Ctrl+G): "
                "[3, :, ::2], [-1, 100:200], [::-1], 17, 940"
            )
        )
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.returnPressed.connect(lambda: self.requested.emit(self.text()))

    def show_index(self, text: str) -> None:
        """Show where one is, unless something is being typed."""
        self._shown = text
        if not self.hasFocus():
            self._put_back()

    def begin(self) -> None:
        """Let the user type."""
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def finish(self) -> None:
        """Take up what is shown again, and give the focus away."""
        self._put_back()
        self.left.emit()

    def _put_back(self) -> None:
        self.setText(self._shown)
        self.setCursorPosition(0)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        characters = min(max(len(self._shown), _FEW), _MOST) + 3
        return QSize(self._width_of(characters), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self._width_of(_LEAST), super().minimumSizeHint().height())

    def _width_of(self, characters: int) -> int:
        return QFontMetrics(self.font()).averageCharWidth() * characters

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.finish()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._put_back()
