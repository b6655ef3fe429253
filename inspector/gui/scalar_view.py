"""A tensor of one number: the number, large, and what its bits say."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from inspector.gui.fonts import fixed_font, scaled
from inspector.gui.status_line import ReadOut
from inspector.gui.text import Texts

ReadOuts = Texts("ReadOuts")

#: How much larger than other text the number is.
_LARGE: Final = 2.5


class ScalarView(QScrollArea):
    """Stands in the place of picture and grid, which one number does not need."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._number, self._bits = QLabel(), QLabel()
        self._bits.setFont(fixed_font())
        self._take_font()
        self._number.setTextFormat(Qt.TextFormat.PlainText)
        self._number.setAccessibleDescription(ReadOuts.tr("The number"))
        self._bits.setAccessibleDescription(ReadOuts.tr("Its bits"))
        self._bits.setTextFormat(Qt.TextFormat.RichText)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        content = QWidget()
        layout = QVBoxLayout(content)
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
        self.setWidget(content)
        for background in (self.viewport(), content):
            background.setAutoFillBackground(False)

    def _take_font(self) -> None:
        font = scaled(self.font(), _LARGE)
        font.setFamilies(fixed_font().families())
        self._number.setFont(font)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._take_font()

    @property
    def number(self) -> str:
        """What is said in large letters."""
        return self._number.text()

    def show_element(self, found: ReadOut) -> None:
        """Show the one element."""
        self._number.setText(found.value)
        self._bits.setText(found.table)
