"""All that leaves the window as a file: exports, pictures, what is dragged out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from inspector.gui.dragging import TensorDrag
from inspector.gui.export_scopes import tensor_scopes
from inspector.gui.exporting import Exporter
from inspector.gui.opened import Choice
from inspector.gui.picture_export import PictureExporter
from inspector.gui.python_button import Part
from inspector.gui.tasks import TaskRunner
from inspector.gui.tensor_page import TensorPage
from inspector.gui.tensor_tree import TensorTree
from inspector.gui.text import Texts

Exporting = Texts("Exporting")


class Outgoing(QObject):
    """Knows the page and the tree, and so what can be written. Lives on the GUI thread."""

    message = Signal(str)
    failed = Signal(object)

    def __init__(
        self, runner: TaskRunner, tree: TensorTree, page: TensorPage, window: QWidget
    ) -> None:
        super().__init__(window)
        self._tree = tree
        self._page = page
        self.exporter = Exporter(runner, window)
        self.pictures = PictureExporter(runner, window)
        self.dragging = TensorDrag(runner, window)
        for writer in (self.exporter, self.pictures, self.dragging):
            writer.message.connect(self.message)
            writer.failed.connect(self.failed)

    def export(self, choice: Choice, protected: Collection[Path], part: Part) -> None:
        """Ask what to write of what is chosen, how and where, and write it.

        Parameters
        ----------
        protected
            Files that must not be overwritten.
        part
            What to propose of a tensor that is shown.
        """
        page, plane, cells = self._page, None, None
        if page.source is not None and page.source.entry is choice.entry:
            plane, cells = page.position.plane, page.grid.selection
        single, several = tensor_scopes(choice, plane, cells), self._tree.several_scopes()
        if not (single or several):
            self.message.emit(Exporting.tr("There is no tensor to export here"))
            return
        current = 0
        if part == "selected" and cells is not None and len(cells[0]) * len(cells[1]) > 1:
            current = len(single) - 1
        elif part == "shown" and len(single) > 1 and plane is not None and not plane.is_whole:
            current = 1
        elif part == "whole" and self._tree.selects_several:
            current = len(single)
        scopes = (*single, *several)
        form = "values" if scopes[current].is_several else page.form
        self.exporter.ask(scopes, current, form, protected)

    def save_picture(self, protected: Collection[Path]) -> None:
        """Ask where to write the picture of the shown plane, and write it."""
        page, choice = self._page, self._page.choice
        if choice is None or choice.entry is None or page.heatmap.overview is None:
            self.message.emit(Exporting.tr("There is no picture to save here"))
            return
        folder = choice.file.folder
        self.pictures.ask(page.heatmap, page.position, choice.entry.name, folder, protected)

    def copy_picture(self) -> None:
        """Put the picture on the clipboard as it is drawn."""
        if self._page.choice is None or self._page.heatmap.overview is None:
            self.message.emit(Exporting.tr("There is no picture to copy here"))
            return
        image = self._page.heatmap.image()
        QGuiApplication.clipboard().setImage(image)
        self.message.emit(
            Exporting.tr(
                "Copied the picture, {width:,} × {height:,} pixels",
                width=image.width(),
                height=image.height(),
            )
        )

    def drag(self, choice: Choice) -> None:
        """The mouse takes hold of a tensor and moves away with it."""
        if choice.entry is not None:
            self.dragging.start(choice.entry)

    def close(self) -> None:
        """Remove what was dragged out. Once the workers have stopped."""
        self.dragging.close()
