"""The empty window: what to do first."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QIcon, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from inspector.gui.fonts import scaled
from inspector.gui.recents import RecentList
from inspector.gui.text import Texts

Welcome = Texts("Welcome")

#: How much larger than other text the title is.
_TITLE: Final = 1.7

#: Pixels that the list of what was opened lately takes at most.
_WIDEST: Final = 560


class WelcomePage(QWidget):
    """Says what to do, and offers it."""

    open_requested = Signal()
    sample_requested = Signal()

    def __init__(self, icon: QIcon, recent: RecentList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        picture = QLabel()
        picture.setPixmap(icon.pixmap(96, 96))
        self._title = title = QLabel(Welcome.tr("Drop a checkpoint here"))
        title.setFont(scaled(self.font(), _TITLE))
        formats = QLabel(
            Welcome.tr(
                ".pt  .safetensors  .gguf  .onnx  .h5  .npz  and more — recognised by content"
            )
        )
        promise = QLabel(
            Welcome.tr("Nothing in a file is ever executed, and your file is never changed.")
        )
        for label in (formats, promise):
            label.setWordWrap(True)
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        open_button, sample = (
            QPushButton(Welcome.tr("Open a checkpoint…")),
            QPushButton(Welcome.tr("Open the sample")),
        )
        open_button.setToolTip(Welcome.tr("Choose one or more files (Ctrl+O)"))
        open_button.setDefault(True)
        sample.setToolTip(Welcome.tr("A small network that was trained for this program"))
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
        for label in (picture, title, formats):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)
        layout.addSpacing(6)
        layout.addLayout(buttons)
        recent.setMaximumWidth(_WIDEST)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(recent, 4)
        row.addStretch(1)
        layout.addSpacing(8)
        layout.addLayout(row)
        layout.addSpacing(8)
        promise.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(promise)
        layout.addStretch(3)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._title.setFont(scaled(self.font(), _TITLE))
