"""The dialogs in which files and folders are chosen to be opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from inspector.checkpoints import SUFFIXES
from inspector.gui.settings import SettingsStore
from inspector.gui.text import Texts

Opening = Texts("Opening")


class Asking(QObject):
    """Asks, beginning in the folder in which something was chosen last."""

    #: A list of Paths.
    chosen = Signal(object)

    def __init__(self, settings: SettingsStore, window: QWidget) -> None:
        super().__init__(window)
        self._settings = settings
        self._window = window

    def for_files(self) -> None:
        """Let the user choose files to open."""
        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        checkpoints, everything = Opening.tr("Checkpoints"), Opening.tr("All files")
        kinds = (
            f"{checkpoints} ({patterns})",
            f"{everything} (*)",
        )
        self._ask(Opening.tr("Open checkpoints"), QFileDialog.FileMode.ExistingFiles, kinds)

    def for_folder(self) -> None:
        """Let the user choose a folder to open."""
        self._ask(Opening.tr("Open a folder of checkpoints"), QFileDialog.FileMode.Directory)

    def _ask(self, title: str, mode: QFileDialog.FileMode, kinds: Sequence[str] = ()) -> None:
        dialog = QFileDialog(self._window, title, self._settings.current.folder)
        dialog.setFileMode(mode)
        if kinds:
            dialog.setNameFilters(kinds)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self._take)
        dialog.open()

    def _take(self, names: Sequence[str]) -> None:
        paths = [Path(name) for name in names]
        folder = str(paths[0].parent)
        self._settings.update(lambda settings: replace(settings, folder=folder))
        self.chosen.emit(paths)
