"""Asks what to export and where to, runs it in the background, and says how it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from inspector.checkpoints.naming import display_text
from inspector.export.run import ExportResult, export_plan
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.export_preparing import Prepared
from inspector.gui.export_scopes import Scope
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.tree_text import bytes_text
from inspector.values.forms import Form

Exporting = Texts("Exporting")


class Exporter(QObject):
    """Writes tensors to files, several at a time if asked to. Lives on the GUI thread."""

    message = Signal(str)
    failed = Signal(object)

    def __init__(self, runner: TaskRunner, window: QWidget) -> None:
        super().__init__(window)
        self._runner = runner
        self._window = window
        self._folder: Path | None = None
        self._format = "npy"
        self._number = 0

    def ask(
        self,
        scopes: Sequence[Scope],
        current: int,
        form: Form = "values",
        protected: Collection[Path] = (),
    ) -> None:
        """Let the user choose what to write, how and where, then write it.

        Parameters
        ----------
        scopes
            What is on offer; at least one.
        current
            Which of them is proposed.
        form
            In which form.
        protected
            Files that must not be overwritten.
        """
        folder = self._folder or scopes[current].file.folder
        dialog = ExportDialog(
            scopes, current, form, self._format, folder, protected, self._runner, self._window
        )
        dialog.chosen.connect(self.export)
        dialog.open()

    def export(self, wanted: Prepared) -> None:
        """Write what was prepared in the background."""
        self._folder, self._format = wanted.target.parent, wanted.plan.format.name
        self._number += 1
        name = display_text(wanted.target.name)
        self._runner.submit(
            ("export", self._number),
            Request(
                work=partial(_write, wanted),
                done=self._done,
                failed=self.failed.emit,
                cancelled=lambda: self.message.emit(
                    Exporting.tr("Export of {name} cancelled", name=name)
                ),
                bulk=True,
                title=Exporting.tr("Exporting {name}", name=name),
            ),
        )

    def _done(self, result: ExportResult) -> None:
        items = result.plan.items
        if len(items) == 1:
            shape = " × ".join(str(size) for size in items[0].shape) or Exporting.tr("scalar")
            what = f"{items[0].dtype} {shape}"
        else:
            what = Exporting.tr("{n:,} tensors", "{n:,} tensor", len(items))
        size = bytes_text(result.nbytes)
        text = Exporting.tr(
            "Exported {what}, {size}, to {path}", what=what, size=size, path=result.path
        )
        self.message.emit(display_text(text))


def _write(wanted: Prepared, task: Task) -> ExportResult:
    return export_plan(
        wanted.plan,
        wanted.target,
        protected=wanted.protected,
        check=task.check,
        progress=task.progress,
    )
