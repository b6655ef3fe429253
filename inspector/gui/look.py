"""Colours and size of the interface: what the user chooses is done, and kept."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from inspector.gui.settings import ZOOMS, SettingsStore
from inspector.gui.text import Texts
from inspector.gui.theme import Appearance, Theme

Looks = Texts("Looks")


class Look(QObject):
    """Changes the theme and the settings together."""

    #: A sentence about what was done.
    message = Signal(str)

    def __init__(self, theme: Theme, settings: SettingsStore, parent: QObject) -> None:
        super().__init__(parent)
        self.theme = theme
        self._settings = settings

    def set_appearance(self, appearance: Appearance) -> None:
        """Be light, be dark, or follow the system; now and from now on."""
        self._settings.update(lambda settings: replace(settings, appearance=appearance))
        self.theme.set_appearance(appearance)

    def set_zoom(self, percent: int) -> None:
        """Give the interface a size, in percent of the system's; now and from now on."""
        self._settings.update(lambda settings: replace(settings, zoom=percent))
        self.theme.set_zoom(percent)
        self.message.emit(Looks.tr("Interface: {percent} %", percent=percent))

    def step_zoom(self, step: int) -> None:
        """Make the interface a step larger (1) or smaller (-1)."""
        zoom = self.theme.zoom
        others = [each for each in ZOOMS if (each - zoom) * step > 0]
        if others:
            self.set_zoom(min(others) if step > 0 else max(others))

    def reset_zoom(self) -> None:
        """Give the interface its usual size."""
        self.set_zoom(100)
