"""Notices that open files change on disk, and offers to read them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from inspector.checkpoints.changes import change_of
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.naming import display_text
from inspector.gui.opened import OpenFile
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts

Watch = Texts("Watch")

#: Milliseconds between two looks at the disk.
_INTERVAL = 1500

_LANE = "watch"


class FileWatch(QObject):
    """Looks at the open files now and then, in a worker. Lives on the GUI thread.

    Asking the system to be told of changes would miss those on network disks, and those of a file
    that is replaced by renaming.

    Parameters
    ----------
    files
        The files that are open at the moment.
    """

    #: What has become of the open files, sentences by the files' numbers; only those that changed.
    noticed = Signal(object)

    def __init__(
        self, runner: TaskRunner, files: Callable[[], Sequence[OpenFile]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._files = files
        self._is_looking = False
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Look now, unless a look is still under way, as on a disk that does not answer."""
        read = tuple(file for file in self._files() if file.marks)
        if self._is_looking or not read:
            return
        self._is_looking = True
        self._runner.submit(
            _LANE,
            Request(work=partial(_changes, read), done=self._tell, failed=self._fail, bulk=True),
        )

    def _tell(self, changes: dict[int, str]) -> None:
        self._is_looking = False
        self.noticed.emit(changes)

    def _fail(self, _: InspectorError) -> None:
        self._is_looking = False


def _changes(files: tuple[OpenFile, ...], task: Task) -> dict[int, str]:
    found = {}
    for file in files:
        for path, mark in file.marks.items():
            task.check()
            change = change_of(path, mark)
            if change:
                found[file.number] = f"{display_text(path.name)} {change}."
                break
    return found


class ChangeBar(QFrame):
    """A strip that says that a file has changed on disk, with a button to read it again."""

    #: The file to read again.
    reload_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._file: OpenFile | None = None
        self._change = ""
        #: By the files' numbers: what the user has read and put away.
        self._dismissed: dict[int, str] = {}
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setAccessibleDescription(Watch.tr("Change on disk"))
        self.reload_button = QPushButton(Watch.tr("Reload"))
        self.reload_button.setToolTip(
            Watch.tr("Read the file again, and choose the same tensor (F5)")
        )
        self.reload_button.clicked.connect(lambda: self.reload_requested.emit(self._file))
        self.close_button = close = QToolButton()
        close.setText("✕")
        close.setAccessibleName(Watch.tr("Dismiss"))
        close.setToolTip(
            Watch.tr("Go on with what was read; the parts that were not read yet can't be")
        )
        close.clicked.connect(self._dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 6, 6, 6)
        layout.addWidget(QLabel("⟳"))
        layout.addWidget(self._text, 1)
        layout.addWidget(self.reload_button)
        layout.addWidget(close)
        self.hide()

    @property
    def text(self) -> str:
        """What is said; empty when nothing is."""
        return "" if self.isHidden() else self._text.text()

    def show_change(self, file: OpenFile | None, change: str) -> None:
        """Say what has become of the file that is shown; hide if there is nothing to say."""
        self._file, self._change = file, change
        if file is None or not change or self._dismissed.get(file.number) == change:
            self.hide()
            return
        before = Watch.tr("What is shown was read before.")
        self._text.setText(f"{change} {before}")
        self.show()

    def _dismiss(self) -> None:
        if self._file is not None:
            self._dismissed[self._file.number] = self._change
        self.hide()
