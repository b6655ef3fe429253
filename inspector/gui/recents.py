"""What was opened lately: a list that is kept, a menu of it, and its place on the welcome page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QFontMetrics
from PySide6.QtWidgets import QGridLayout, QLabel, QMenu, QPushButton, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.naming import display_text
from inspector.gui.labels import ElidedLabel
from inspector.gui.settings import SettingsStore
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts

RecentTexts = Texts("RecentTexts")

#: How many are kept, and how many of them the welcome page has.
MOST: Final = 15
_WELCOMED: Final = 6

_LANE: Final = "recents"

#: How wide the name of a folder becomes in the menu, in characters.
_FOLDER_CHARACTERS: Final = 48

#: How a row of the welcome page looks that is clicked.
_LINK: Final = (
    "QPushButton {text-align: left; padding: 3px 0px; color: palette(link)}"
    "QPushButton:disabled {color: palette(placeholder-text)}"
)


class Recents(QObject):
    """Files and folders, the last opened first. Lives on the GUI thread.

    Whether they are still there is found out by a worker: a disk of the network may not answer.
    """

    #: The list, or what is known of it, is another.
    changed = Signal()

    def __init__(
        self, settings: SettingsStore, runner: TaskRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._runner = runner
        self._missing: frozenset[str] = frozenset()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files and folders, at most `MOST`."""
        return tuple(Path(path) for path in self._settings.current.recent[:MOST])

    def is_missing(self, path: Path) -> bool:
        """Whether a file was not there when it was looked for last."""
        return str(path) in self._missing

    def add(self, path: Path) -> None:
        """Put a file or folder first."""
        name = str(path)
        if self._settings.current.recent[:1] != (name,):
            self._set((name,), keep=True)
        if name in self._missing:
            self._tell(self._missing - {name})

    def clear(self) -> None:
        """Forget all of them."""
        self._set((), keep=False)

    def _set(self, first: tuple[str, ...], *, keep: bool) -> None:
        # What another window has opened meanwhile stays.
        self._settings.update(
            lambda now: replace(
                now,
                recent=(
                    *first,
                    *(path for path in now.recent if keep and path not in first),
                )[:MOST],
            )
        )
        self.changed.emit()

    def look(self) -> None:
        """Find out which of them are still there, unless that is being found out."""
        paths = self._settings.current.recent[:MOST]
        if paths and not self._runner.is_running(_LANE):
            self._runner.submit(
                _LANE,
                Request(work=partial(_missing, paths), done=self._tell, failed=_ignore, bulk=True),
            )

    def _tell(self, missing: frozenset[str]) -> None:
        if missing != self._missing:
            self._missing = missing
            self.changed.emit()


def _missing(paths: Sequence[str], task: Task) -> frozenset[str]:
    """In a worker: those that are not there."""
    found = set()
    for path in paths:
        task.check()
        # Whatever the error is: it could not be opened.
        if not os.path.exists(path):  # noqa: PTH110
            found.add(path)
    return frozenset(found)


def _ignore(_: InspectorError) -> None:
    """Nobody has asked."""


def folder_text(path: Path) -> str:
    """The folder that a file is in, as one calls it: with ``~`` for the user's own."""
    folder = path.parent
    try:
        text = str(Path("~") / folder.relative_to(Path.home()))
    except (ValueError, RuntimeError):  # elsewhere, or nobody's home is known
        text = str(folder)
    return display_text(text)


def tip_text(path: Path, *, missing: bool) -> str:
    """The whole path, and whether it leads anywhere."""
    words = display_text(str(path), 2000)
    return RecentTexts.tr("{path} is not there any more", path=words) if missing else words


class RecentMenu(QMenu):
    """Offers what was opened lately; greyed what is not there any more."""

    #: A Path.
    chosen = Signal(object)

    def __init__(self, recents: Recents, parent: QWidget | None = None) -> None:
        super().__init__(RecentTexts.tr("Open &recent"), parent)
        self._recents = recents
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(recents.look)
        recents.changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        self.clear()
        for number, path in enumerate(self._recents.paths, 1):
            self.addAction(self._action(number, path))
        self.addSeparator()
        clear = QAction(RecentTexts.tr("&Clear the list"), self)
        # Later: it is one of those that the list without them does not have any more.
        clear.triggered.connect(self._recents.clear, Qt.ConnectionType.QueuedConnection)
        self.addAction(clear)
        self.menuAction().setEnabled(bool(self._recents.paths))

    def _action(self, number: int, path: Path) -> QAction:
        metrics = QFontMetrics(self.font())
        room = metrics.averageCharWidth() * _FOLDER_CHARACTERS
        folder = metrics.elidedText(folder_text(path), Qt.TextElideMode.ElideMiddle, room)
        words = f"{display_text(path.name)} — {folder}"
        key = f"&{number} " if number < 10 else ""
        action = QAction(key + words.replace("&", "&&"), self)
        # What it is called where its number means nothing.
        action.setData(f"{display_text(path.name)} — {folder_text(path)}")
        missing = self._recents.is_missing(path)
        action.setEnabled(not missing)
        action.setToolTip(tip_text(path, missing=missing))
        action.triggered.connect(partial(self.chosen.emit, path))
        return action


class RecentList(QWidget):
    """The same for the welcome page: a row for each, a click away."""

    #: A Path.
    chosen = Signal(object)

    def __init__(self, recents: Recents, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recents = recents
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        recents.changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        paths = self._recents.paths[:_WELCOMED]
        self.setVisible(bool(paths))
        if paths:
            title = RecentTexts.tr("Opened lately")
            self._grid.addWidget(QLabel(f"<b>{title}</b>"), 0, 0, 1, 2)
        for row, path in enumerate(paths, 1):
            self._add(row, path)

    def _add(self, row: int, path: Path) -> None:
        missing = self._recents.is_missing(path)
        button = QPushButton(display_text(path.name, 60).replace("&", "&&"))
        button.setFlat(True)
        button.setStyleSheet(_LINK)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setEnabled(not missing)
        button.setToolTip(tip_text(path, missing=missing))
        button.setAccessibleName(RecentTexts.tr("Open {name}", name=display_text(path.name)))
        button.clicked.connect(partial(self.chosen.emit, path))
        folder = ElidedLabel()
        folder.set_faint()
        folder.setText(folder_text(path))
        self._grid.addWidget(button, row, 0)
        self._grid.addWidget(folder, row, 1)
