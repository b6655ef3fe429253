"""Small widgets that hold words."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QGuiApplication, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.naming import display_text
from inspector.gui.accessible import announce
from inspector.gui.fonts import scaled
from inspector.gui.text import Texts
from inspector.gui.theme import Rgb

Notices = Texts("Notices")

#: How much larger than other text a title is.
_TITLE: Final = 1.25


def swatch(colour: Rgb, colours: QPalette) -> str:
    """A square of a colour as HTML, with an outline that is seen where the colour is not."""
    outline = colours.color(QPalette.ColorRole.WindowText).name()
    return f'<span style="background-color:rgb{colour}; color:{outline}">□</span>'


class ElidedLabel(QLabel):
    """One line of plain text that shortens itself to fit.

    Parameters
    ----------
    cut
        Where: names in the middle, sentences at the right.
    """

    def __init__(
        self,
        cut: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._cut = cut
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._is_faint = False
        self._is_title = False

    def set_title(self) -> None:
        """Be larger than other text, and bold."""
        self._is_title = True

    def set_faint(self) -> None:
        """Stand back behind other text."""
        self._is_faint = True

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setToolTip(text)

    def _font(self) -> QFont:
        if not self._is_title:
            return self.font()
        font = scaled(self.font(), _TITLE)
        font.setBold(True)
        return font

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._font())
        return QSize(metrics.horizontalAdvance(self.text()), metrics.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        role = QPalette.ColorRole.PlaceholderText if self._is_faint else QPalette.ColorRole.Text
        painter.setPen(self.palette().color(role))
        font = self._font()
        painter.setFont(font)
        text = QFontMetrics(font).elidedText(self.text(), self._cut, self.width())
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()


class Notice(QFrame):
    """A strip that says what went wrong, near where it did; hidden while nothing did."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._details = ""
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setAccessibleDescription(Notices.tr("Problem"))
        copy, close = QToolButton(), QToolButton()
        copy.setText(Notices.tr("Copy details"))
        copy.setToolTip(Notices.tr("Copy what went wrong, for a report"))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._details))
        close.setText("✕")
        close.setAccessibleName(Notices.tr("Dismiss"))
        close.setToolTip(Notices.tr("Put this away"))
        close.clicked.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 6, 6, 6)
        layout.addWidget(QLabel("⚠"))
        layout.addWidget(self._text, 1)
        layout.addWidget(copy)
        layout.addWidget(close)
        self.hide()

    @property
    def text(self) -> str:
        """What is said; empty when nothing is."""
        return self._text.text()

    def show_error(self, error: InspectorError) -> None:
        """Say what went wrong and what can be done."""
        self.show_text(f"{error.message} {error.advice}".strip(), str(error))

    def show_text(self, text: str, details: str) -> None:
        """Say a sentence, and have details to copy."""
        self._details = details
        self._text.setText(display_text(text))
        announce(self, display_text(text), urgent=True)
        self.show()

    def clear(self) -> None:
        """Say nothing."""
        self._text.clear()
        self.hide()
