"""How the stored bytes became the array: one line, and the steps when they are asked for."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from inspector.gui.labels import ElidedLabel
from inspector.gui.text import Texts

Conversions = Texts("Conversions")


class ConversionLine(QWidget):
    """A faint line that unfolds to the steps; they are its tooltip as well."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QToolButton()
        self._button.setCheckable(True)
        self._button.setAutoRaise(True)
        self._button.setArrowType(Qt.ArrowType.RightArrow)
        self._button.setAccessibleName(Conversions.tr("How the values were made"))
        self._button.setToolTip(Conversions.tr("Show each step from the stored bytes to the array"))
        self._button.toggled.connect(self._unfold)
        policy = self._button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._button.setSizePolicy(policy)
        self._line = ElidedLabel(Qt.TextElideMode.ElideRight)
        self._line.set_faint()
        self._steps = QLabel()
        self._steps.setTextFormat(Qt.TextFormat.PlainText)
        self._steps.setWordWrap(True)
        self._steps.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._steps.setAccessibleDescription(Conversions.tr("The steps"))
        self._steps.hide()
        self._row = QHBoxLayout()
        self._row.setSpacing(4)
        self._row.addWidget(self._button)
        self._row.addWidget(self._line, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addLayout(self._row)
        layout.addWidget(self._steps)
        self._take_font()
        self.clear()

    def _take_font(self) -> None:
        size = self.fontMetrics().height()
        self._button.setFixedSize(size, size)
        self._steps.setContentsMargins(size + 4, 0, 0, 2)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._take_font()

    @property
    def text(self) -> str:
        """The line."""
        return self._line.text()

    @property
    def details(self) -> str:
        """The steps, a line each; whether they are unfolded or not."""
        return self._steps.text()

    @property
    def button(self) -> QToolButton:
        """What unfolds the steps."""
        return self._button

    def add_beside(self, widget: QWidget) -> None:
        """Put a widget at the end of the line; the steps have the whole width below."""
        self._row.addWidget(widget)

    def clear(self) -> None:
        """Say nothing."""
        self.show_steps("", [])

    def show_steps(self, summary: str, lines: list[str]) -> None:
        """Say how the array came about.

        Parameters
        ----------
        lines
            What to say when unfolded; stays as folded as it was.
        """
        self._line.setText(summary)
        self._line.setToolTip(f"<p>{'<br>'.join(escape(line) for line in lines)}</p>")
        self._line.setAccessibleDescription(" ".join(lines))
        self._steps.setText("\n".join(lines))
        self._button.setVisible(bool(lines))

    def _unfold(self, unfolded: bool) -> None:
        self._button.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self._steps.setVisible(unfolded)
