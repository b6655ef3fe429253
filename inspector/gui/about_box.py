"""What the program is, and what it runs with, ready to be sent along with a report."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QPalette
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector import __version__
from inspector.checkpoints.errors import InspectorError
from inspector.desktop.program import TITLE
from inspector.gui.dialog_size import RoomyDialog, Scrolled, close_buttons
from inspector.gui.fonts import scaled
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.versions import devices, versions

About = Texts("About")

_LANE: Final = "about"

#: Pixels of the icon.
_ICON: Final = 64


class AboutBox(RoomyDialog):
    """Finds the versions in a worker, and fills itself once they are there."""

    def __init__(self, runner: TaskRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self._facts: dict[str, str] = {}
        self.setWindowTitle(About.tr("About {program}", program=TITLE))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = QLabel(f"{TITLE} {__version__}")
        title.setFont(scaled(self.font(), 1.5))
        words = QLabel(
            About.tr(
                "Opens any model checkpoint and shows what is inside.\n"
                "Nothing in a file is ever executed."
            )
        )
        picture = QLabel()
        picture.setPixmap(parent.windowIcon().pixmap(_ICON, _ICON))
        texts, head = QVBoxLayout(), QHBoxLayout()
        texts.addWidget(title)
        texts.addWidget(words)
        head.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        head.addSpacing(12)
        head.addLayout(texts, 1)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(16)
        self._grid.setColumnStretch(1, 1)
        self._state = QLabel(About.tr("Looking for the versions…"))
        self._state.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.copy_button = QPushButton(About.tr("&Copy"))
        self.copy_button.setToolTip(About.tr("Copy all of this as text, for a report"))
        self.copy_button.setEnabled(False)
        self.copy_button.clicked.connect(self._copy)
        buttons = close_buttons(self)
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        content = QWidget()
        said = QVBoxLayout(content)
        said.setContentsMargins(0, 0, 0, 0)
        said.setSpacing(14)
        said.addLayout(head)
        said.addLayout(self._grid)
        said.addWidget(self._state)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(14)
        layout.addWidget(Scrolled(content, self.windowTitle()), 1)
        layout.addWidget(buttons)
        runner.submit(_LANE, Request(work=_facts, done=self._show, failed=self._fail))
        self.finished.connect(lambda _: runner.supersede(_LANE))

    @property
    def text(self) -> str:
        """All that is said, a line each; in English, as it is for a report."""
        return "\n".join(f"{name}: {text}" for name, text in self._facts.items())

    def _show(self, facts: dict[str, str]) -> None:
        screen = f"{QGuiApplication.platformName()}, scale {self.devicePixelRatioF():g}"
        self._facts = {**facts, "Display": screen}
        for row, (name, text) in enumerate(self._facts.items()):
            label, value = QLabel(name), QLabel(text)
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setBuddy(value)
            self._grid.addWidget(label, row, 0)
            self._grid.addWidget(value, row, 1)
        self._state.hide()
        QTimer.singleShot(0, self, self.fit)  # once all of it is shown
        self.copy_button.setEnabled(True)

    def _fail(self, error: InspectorError) -> None:
        self._state.setText(str(error))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)
        self.copy_button.setText(About.tr("Copied"))


def _facts(_: Task) -> dict[str, str]:
    """In a worker."""
    return {**versions(), "Accelerators": devices()}
