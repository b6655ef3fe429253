"""A tensor of one number: the number, large, and what its bits say."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from inspector.gui.status_line import ReadOut


class ScalarView(QWidget):
    """Stands in the place of picture and grid, which one number does not need."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._number, self._bits = QLabel(), QLabel()
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self._bits.setFont(font)
        font.setPointSizeF(font.pointSizeF() * 2.5)
        self._number.setFont(font)
        self._number.setTextFormat(Qt.TextFormat.PlainText)
        self._number.setAccessibleName("The number")
        self._bits.setAccessibleName("Its bits")
        self._bits.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setSpacing(16)
        layout.addStretch(1)
        for label in (self._number, self._bits):
            label.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse
                | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            label.setWordWrap(True)
            layout.addWidget(label, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)

    @property
    def number(self) -> str:
        """What is said in large letters."""
        return self._number.text()

    def show_element(self, found: ReadOut) -> None:
        """Show the one element."""
        self._number.setText(found.value)
        self._bits.setText(found.table)
