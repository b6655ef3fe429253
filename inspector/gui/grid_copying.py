"""Puts cells on the clipboard, or says that they are too many for it."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from inspector.export.cells import CellStyle, cells_text
from inspector.gui.copy_menu import STYLES
from inspector.gui.dialog_size import drop_icon
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.tree_text import bytes_text
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane
from inspector.values.text import NumberFormat

Copies = Texts("Copies")

#: Cells that may be copied at once: more than a spreadsheet takes, and a few dozen megabytes.
COPY_LIMIT: Final = 2**20

#: With more, the work is not worth a thread that pages and pictures may need.
_QUICK: Final = 2**13


class GridCopier(QObject):
    """Copies a part of a plane in the background. Lives on the GUI thread.

    Parameters
    ----------
    widget
        Owns it, and the question whether to export instead.
    """

    #: A sentence for the status bar.
    message = Signal(str)
    #: An `InspectorError` of reading.
    failed = Signal(object)
    #: There is too much to copy, and it shall be exported.
    export_requested = Signal()

    def __init__(self, runner: TaskRunner, widget: QWidget) -> None:
        super().__init__(widget)
        self._runner = runner
        self._widget = widget

    def copy(
        self,
        source: ArraySource,
        plane: Plane,
        cells: tuple[range, range],
        style: CellStyle,
        how: NumberFormat,
    ) -> None:
        """Copy rows and columns of a plane that has some, superseding the copy before.

        Parameters
        ----------
        how
            How the numbers are shown; they are copied with all the digits they need.
        """
        rows, columns = cells
        count = len(rows) * len(columns)
        if count > COPY_LIMIT:
            self._offer_export(rows, columns, count * source.dtype.values.itemsize)
            return
        exact: NumberFormat = how if how in ("hex", "binary") else "exact"
        self._runner.submit(
            "copy",
            Request(
                work=partial(_text, source, plane, cells, style, exact),
                done=partial(self._put_on_clipboard, count, style),
                failed=self.failed.emit,
                cancelled=lambda: self.message.emit(Copies.tr("Copying stopped")),
                bulk=count > _QUICK,
                title=Copies.tr("Copying {n:,} cells", "Copying {n:,} cell", count),
            ),
        )

    def _put_on_clipboard(self, count: int, style: CellStyle, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        words = STYLES[style].words()
        self.message.emit(
            Copies.tr(
                "Copied {n:,} cells as {style}", "Copied {n:,} cell as {style}", count, style=words
            )
        )

    def _offer_export(self, rows: range, columns: range, nbytes: int) -> None:
        box = QMessageBox(self._widget.window())
        box.setIcon(QMessageBox.Icon.Information)
        box.setWindowTitle(Copies.tr("Copy values"))
        box.setText(
            Copies.tr(
                "{rows:,} × {columns:,} cells are selected: {count:,} numbers, {size}.",
                rows=len(rows),
                columns=len(columns),
                count=len(rows) * len(columns),
                size=bytes_text(nbytes),
            )
        )
        box.setInformativeText(
            Copies.tr(
                "At most {most:,} can be copied. An export writes any number of them to a file.",
                most=COPY_LIMIT,
            )
        )
        export = box.addButton(Copies.tr("&Export…"), QMessageBox.ButtonRole.AcceptRole)
        drop_icon(box.addButton(QMessageBox.StandardButton.Cancel))
        box.setDefaultButton(export)
        export.clicked.connect(self.export_requested)
        box.open()
        box.finished.connect(box.deleteLater)


def _text(
    source: ArraySource,
    plane: Plane,
    cells: tuple[range, range],
    style: CellStyle,
    how: NumberFormat,
    task: Task,
) -> str:
    return cells_text(source, plane, *cells, style, how, check=task.check, progress=task.progress)
