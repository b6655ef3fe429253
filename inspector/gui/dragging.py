"""A tensor that is dragged out of the window, as a .npy file."""

from __future__ import annotations

import shutil
from collections import deque
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Final

from PySide6.QtCore import QMimeData, QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDrag, QGuiApplication
from PySide6.QtWidgets import QWidget

from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.export.formats import format_named
from inspector.export.names import file_name
from inspector.export.parts import part_of
from inspector.export.run import export_plan, plan_export
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.tree_text import bytes_text

Dragging = Texts("Dragging")

#: Bytes of a file that is written while somebody holds the mouse button.
MOST: Final = 64 << 20

#: Files that are kept for whoever they were dropped on; programs copy them when they please.
_KEPT: Final = 8

_LANE: Final = "drag"


class TensorDrag(QObject):
    """Writes a tensor to a temporary file in a worker, and then drags that. On the GUI thread.

    The files are in a private folder, which is removed by `close`, or else when Python ends.
    """

    message = Signal(str)
    failed = Signal(object)

    def __init__(self, runner: TaskRunner, window: QWidget) -> None:
        super().__init__(window)
        self._runner = runner
        self._window = window
        self._folder: TemporaryDirectory[str] | None = None
        self._files: deque[Path] = deque()

    def start(self, entry: TensorEntry) -> None:
        """The user begins to drag a tensor."""
        if self._folder is None:
            self._folder = TemporaryDirectory(
                prefix="tensor-inspector-", ignore_cleanup_errors=True
            )
        work = partial(_write, entry, Path(self._folder.name))
        self._runner.submit(_LANE, Request(work=work, done=self._written, failed=self.failed.emit))

    def close(self) -> None:
        """Remove the files. Once nothing is dragged any more, and the workers have stopped."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._files.clear()

    def _written(self, found: Path | str) -> None:
        if isinstance(found, str):
            self.message.emit(found)
            return
        self._files.append(found)
        if len(self._files) > _KEPT:
            shutil.rmtree(self._files.popleft().parent, ignore_errors=True)
        if QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            self.drag(mime_data(found))

    def drag(self, data: QMimeData) -> None:
        """Hand the file to the system; returns when it was dropped somewhere."""
        drag = QDrag(self._window)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)


def mime_data(path: Path) -> QMimeData:
    """A file as file managers take it."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data


def _write(entry: TensorEntry, folder: Path, task: Task) -> Path | str:
    """In a worker: the file, or why there is none, as a sentence."""
    plan = plan_export(format_named("npy"), [part_of(entry)])
    if plan.most > MOST:
        return Dragging.tr(
            "{name} is {size} as .npy; up to {most} can be dragged. Export it instead (Ctrl+E).",
            name=display_text(entry.name),
            size=bytes_text(plan.most),
            most=bytes_text(MOST),
        )
    target = Path(mkdtemp(dir=folder)) / file_name(entry.name, ".npy")
    return export_plan(plan, target, check=task.check, progress=task.progress).path
