"""The empty window: what to do first."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from inspector.gui.theme import faint


class WelcomePage(QWidget):
    """Says what to do, and offers it."""

    open_requested = Signal()
    sample_requested = Signal()

    def __init__(self, icon: QIcon, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        picture = QLabel()
        picture.setPixmap(icon.pixmap(96, 96))
        title = QLabel("Drop a checkpoint here")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.7)
        title.setFont(font)
        self._formats = QLabel(".pt  .pth  .ckpt  .bin  .safetensors — recognised by content")
        self._promise = QLabel(
            "Nothing in a file is ever executed, and your file is never changed."
        )
        open_button, sample = QPushButton("Open a checkpoint…"), QPushButton("Open the sample")
        open_button.setToolTip("Choose one or more files (Ctrl+O)")
        open_button.setDefault(True)
        sample.setToolTip("A small network that was trained for this program")
        open_button.clicked.connect(self.open_requested)
        sample.clicked.connect(self.sample_requested)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(open_button)
        buttons.addWidget(sample)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(2)
        for label in (picture, title, self._formats):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)
        layout.addSpacing(6)
        layout.addLayout(buttons)
        layout.addSpacing(6)
        self._promise.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._promise.setWordWrap(True)
        layout.addWidget(self._promise)
        layout.addStretch(3)
        self._take_palette()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_promise"):
            self._take_palette()

    def _take_palette(self) -> None:
        for label in (self._formats, self._promise):
            colours = label.palette()
            colours.setColor(label.foregroundRole(), faint(self.palette()))
            label.setPalette(colours)
