"""Asks where an export goes, runs it in the background, and says how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.export.npy import ExportResult, export_npy
from inspector.gui.opened import Choice
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.tree_text import bytes_text
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

_REFUSED = '<>:"/\\|?*'


class Exporter(QObject):
    """Writes tensors to .npy files, several at a time if asked to. Lives on the GUI thread."""

    message = Signal(str)
    failed = Signal(object)

    def __init__(self, runner: TaskRunner, window: QWidget) -> None:
        super().__init__(window)
        self._runner = runner
        self._window = window
        self._folder = ""
        self._number = 0

    def ask(self, choice: Choice, region: Region | None) -> None:
        """Let the user choose a target, then export.

        Parameters
        ----------
        region
            What part of the tensor; None for the whole.
        """
        entry = choice.entry
        assert entry is not None
        dialog = QFileDialog(self._window, self._title(entry, region), self._folder)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(["NumPy array (*.npy)"])
        dialog.setDefaultSuffix("npy")
        dialog.selectFile(file_name(entry.name))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self.export(choice, region, Path(name)))
        dialog.open()

    def _title(self, entry: TensorEntry, region: Region | None) -> str:
        part = "" if region is None else region.text(entry.shape)
        return f"Export {display_text(entry.name)}{part}"

    def export(self, choice: Choice, region: Region | None, target: Path) -> None:
        """Write a tensor, or a region of it, in the background."""
        entry = choice.entry
        assert entry is not None
        self._folder = str(target.parent)
        self._number += 1
        self._runner.submit(
            ("export", self._number),
            Request(
                work=partial(_write, entry, region, target, choice.file.protected),
                done=self._done,
                failed=self.failed.emit,
                cancelled=lambda: self.message.emit(f"Export of {target.name} cancelled"),
                bulk=True,
                title=f"Exporting {display_text(target.name)}",
            ),
        )

    def _done(self, result: ExportResult) -> None:
        shape = " × ".join(str(size) for size in result.shape) or "scalar"
        self.message.emit(
            display_text(
                f"Exported {result.dtype} {shape}, {bytes_text(result.nbytes)}, to {result.path}"
            )
        )


def file_name(name: str) -> str:
    """A file name for a tensor: its name, less what file systems refuse, at most 120 characters."""
    plain = "".join("_" if char in _REFUSED or not char.isprintable() else char for char in name)
    return f"{plain.strip(' .')[:120] or 'tensor'}.npy"


def _write(
    entry: TensorEntry, region: Region | None, target: Path, files: Sequence[Path], task: Task
) -> ExportResult:
    source = tensor_source(entry)
    return export_npy(
        source,
        region or Region.whole(source.shape),
        target,
        protected=files,
        check=task.check,
        progress=task.progress,
    )
