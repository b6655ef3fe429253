"""Where the user sees and changes what the program keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from inspector.gui.dialog_size import RoomyDialog, Scrolled, close_buttons
from inspector.gui.settings import USUAL_MEMORY, ZOOMS, Settings, SettingsStore
from inspector.gui.text import Later, Texts
from inspector.gui.theme import Appearance

SettingsTexts = Texts("SettingsTexts")

_APPEARANCES: Final[tuple[tuple[Appearance, Later], ...]] = (
    ("system", SettingsTexts.QT_TR_NOOP("As the system")),
    ("light", SettingsTexts.QT_TR_NOOP("Light")),
    ("dark", SettingsTexts.QT_TR_NOOP("Dark")),
)

#: Megabytes that can be allowed, from what is usual upwards.
_MEMORY: Final = (USUAL_MEMORY // 10**6, 1000, 2000, 4000, 8000, 16_000)


class SettingsDialog(RoomyDialog):
    """Each control says below itself what it does, and does it at once."""

    #: An `Appearance`.
    appearance_chosen = Signal(str)
    #: Percent.
    zoom_chosen = Signal(int)
    #: Megabytes.
    memory_chosen = Signal(int)

    def __init__(self, settings: SettingsStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(SettingsTexts.tr("Settings"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self._settings = settings
        self._actions: dict[QCheckBox, QAction] = {}
        self._build_look()
        self._build_start()
        self._build_memory()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        content = QWidget()
        content.setLayout(self._grid)
        self._grid.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(Scrolled(content, SettingsTexts.tr("Settings")), 1)
        layout.addWidget(close_buttons(self))
        self._show(settings.current)
        settings.changed.connect(self._take)

    def _build_look(self) -> None:
        self.appearance = QComboBox()
        for appearance, label in _APPEARANCES:
            self.appearance.addItem(label(), appearance)
        self.appearance.activated.connect(
            lambda _: self.appearance_chosen.emit(self.appearance.currentData())
        )
        self.add_row(
            SettingsTexts.tr("Colours"),
            self.appearance,
            SettingsTexts.tr(
                "Light or dark. “As the system” follows the desktop when that changes."
            ),
        )
        self.zoom = QComboBox()
        for percent in ZOOMS:
            self.zoom.addItem(f"{percent} %", percent)
        self.zoom.activated.connect(lambda _: self.zoom_chosen.emit(self.zoom.currentData()))
        self.add_row(
            SettingsTexts.tr("Size"),
            self.zoom,
            SettingsTexts.tr(
                "Of all text, and of what goes with it (Ctrl++, Ctrl+-; Ctrl+0 for the usual size)."
            ),
        )

    def _build_start(self) -> None:
        self.session = QCheckBox(SettingsTexts.tr("Open what was open at the end"))
        self.session.toggled.connect(
            lambda on: self._settings.update(lambda now: replace(now, restores_session=on))
        )
        self.add_row(
            SettingsTexts.tr("Start"),
            self.session,
            SettingsTexts.tr(
                "The same files, with the tensor that was shown, its place and form; unless the "
                "program is started with files of its own."
            ),
        )

        self.one_window = QCheckBox(SettingsTexts.tr("One for all files"))
        self.one_window.toggled.connect(
            lambda on: self._settings.update(lambda now: replace(now, one_window=on))
        )
        self.add_row(
            SettingsTexts.tr("Window"),
            self.one_window,
            SettingsTexts.tr(
                "Files opened from elsewhere, by double-click or a command, come to the window "
                "that is there. Otherwise each launch of the program has a window of its own."
            ),
        )

    def _build_memory(self) -> None:
        self.memory = QComboBox()
        for megabytes in _MEMORY:
            self.memory.addItem(f"{megabytes:,} MB", megabytes)
        self.memory.activated.connect(lambda _: self.memory_chosen.emit(self.memory.currentData()))
        self.add_row(
            SettingsTexts.tr("Memory"),
            self.memory,
            SettingsTexts.tr(
                "What the window may take at most, however large the file. With more, more "
                "pictures are there at once when they are looked at again."
            ),
        )

    def add_action(self, name: str, action: QAction, words: str) -> None:
        """Add a box to tick that does what an action does, and shows how that is."""
        box = QCheckBox(action.text())
        self._actions[box] = action
        box.clicked.connect(action.trigger)
        action.changed.connect(self._show_actions)
        self._show_actions()
        self.add_row(name, box, words)

    def _show_actions(self) -> None:
        for box, action in self._actions.items():
            box.setChecked(action.isChecked())
            box.setEnabled(action.isEnabled())

    def add_row(self, name: str, control: QWidget, words: str) -> None:
        """Add a control below the others.

        Parameters
        ----------
        words
            What it does, in a sentence.
        """
        row = self._grid.rowCount()
        label, explanation = QLabel(name), QLabel(words)
        label.setBuddy(control)
        explanation.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        explanation.setWordWrap(True)
        explanation.setMinimumWidth(explanation.fontMetrics().averageCharWidth() * 52)
        control.setAccessibleName(name)
        control.setAccessibleDescription(words)
        control.setToolTip(words)
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(control, row, 1, Qt.AlignmentFlag.AlignLeft)
        self._grid.addWidget(explanation, row + 1, 1)
        self._grid.setRowMinimumHeight(row + 2, 10)

    def _take(self, _: Settings, now: Settings) -> None:
        self._show(now)

    def _show(self, settings: Settings) -> None:
        self.appearance.setCurrentIndex(self.appearance.findData(settings.appearance))
        self.session.setChecked(settings.restores_session)
        self.one_window.setChecked(settings.one_window)
        for box, value in ((self.zoom, settings.zoom), (self.memory, settings.memory // 10**6)):
            # Another value may have been set elsewhere.
            offered = [box.itemData(index) for index in range(box.count())]
            nearest = min(range(box.count()), key=lambda index: abs(offered[index] - value))
            box.setCurrentIndex(nearest)
