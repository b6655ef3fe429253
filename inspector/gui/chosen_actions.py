"""What can be done with what is chosen: export it, copy it, show where it lies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.gui.open_files import OpenFiles
from inspector.gui.opened import Choice, OpenFile
from inspector.gui.reveal import reveal
from inspector.gui.tasks import TaskRunner
from inspector.gui.tensor_tree import TensorTree
from inspector.gui.text import Texts

if TYPE_CHECKING:
    from inspector.gui.outgoing import Outgoing
    from inspector.gui.python_button import Part
    from inspector.gui.tensor_page import TensorPage

Chosen = Texts("Chosen")


class ChosenActions(QObject):
    """Does them; an export, and a drag, of what is not there yet as soon as it is.

    Parameters
    ----------
    window
        Before which dialogs are shown.
    """

    #: A sentence about what was done.
    message = Signal(str)
    #: An error of what was to be written, while no tensor is shown above which it could stand.
    failed = Signal(object)

    def __init__(
        self, runner: TaskRunner, tree: TensorTree, files: OpenFiles, window: QWidget
    ) -> None:
        super().__init__(window)
        self._runner = runner
        self._tree = tree
        self._files = files
        self._window = window
        self._page: TensorPage | None = None
        self._outgoing: Outgoing | None = None
        #: What was asked for last of what is not there yet.
        self._waiting: Callable[[], None] | None = None
        tree.export_requested.connect(self._export)
        tree.reveal_requested.connect(self._reveal)
        tree.dragged.connect(self._drag)

    @property
    def outgoing(self) -> Outgoing | None:
        """What writes tensors to files; None until there is a page."""
        return self._outgoing

    def take_page(self, page: TensorPage) -> None:
        """Take up the page, from which values are had."""
        from inspector.gui.outgoing import Outgoing

        self._page = page
        self._outgoing = Outgoing(self._runner, self._tree, page, self._window)
        self._outgoing.message.connect(self.message)
        self._outgoing.failed.connect(self._say_failed)
        page.export_requested.connect(self.export)
        page.export_selected_requested.connect(self.export_selected)
        page.settled.connect(self._go_on)
        # Once the page has been told which tensor it is to show.
        QTimer.singleShot(0, self, self._go_on)

    def _go_on(self) -> None:
        """Do what was asked for while it was not there."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def _say_failed(self, error: InspectorError) -> None:
        if self._page is not None and self._page.isVisible():
            self._page.show_error(error)
        else:
            self.failed.emit(error)

    def close(self) -> None:
        """The window is closing."""
        if self._outgoing is not None:
            self._outgoing.close()

    # Export -------------------------------------------------------------------------------------

    def export(self) -> None:
        """Ask what to write of what is chosen, how and where, and write it."""
        self._export(self._tree.choice)

    def export_shown(self) -> None:
        """The same, for the rows and columns that are shown."""
        self._export(self._tree.choice, "shown")

    def export_selected(self) -> None:
        """The same, for the selected values."""
        self._export(self._tree.choice, "selected")

    def save_picture(self) -> None:
        """Ask where to write the picture of the shown plane, and write it."""
        if self._outgoing is not None:
            self._outgoing.save_picture(self._open_paths())

    def _export(self, choice: Choice | None, part: Part = "whole") -> None:
        if choice is None or self._files.find(choice.file.number) is None:
            return
        if self._outgoing is None or (self._page and self._page.is_coming(choice.entry)):
            self._waiting = partial(self._export, choice, part)
        else:
            self._outgoing.export(choice, self._open_paths(), part)

    def _drag(self, choice: Choice) -> None:
        if self._outgoing is None:
            self._waiting = partial(self._drag, choice)
        else:
            self._outgoing.drag(choice)

    def _open_paths(self) -> tuple[Path, ...]:
        """Every file that is open, none of which is ever written to."""
        return tuple(path for file in self._files.files for path in file.protected)

    # Copy ---------------------------------------------------------------------------------------

    def copy_picture(self) -> None:
        """Put the picture of the shown plane on the clipboard."""
        if self._outgoing is not None:
            self._outgoing.copy_picture()

    def copy_values(self) -> None:
        """Copy the selected values as tab-separated text."""
        if self._page is not None:
            self._page.grid.copy()

    def copy_exact_value(self) -> None:
        """Copy the current value with all its digits."""
        if self._page is not None:
            self._page.copy_exact()

    def copy_python(self, part: Part) -> None:
        """Copy Python that makes the tensor, or a part of it."""
        if self._page is not None:
            self._page.copy_python(part)

    def copy_name(self) -> None:
        """Copy the name of the tensor that is chosen."""
        choice = self._tree.choice
        if choice is not None and choice.entry is not None:
            QApplication.clipboard().setText(choice.entry.name)
            self.message.emit(Chosen.tr("Copied the tensor's name"))

    def copy_path(self) -> None:
        """Copy the path of the file that is chosen."""
        choice = self._tree.choice
        if choice is not None and choice.file.live is None:
            QApplication.clipboard().setText(str(choice.file.path))
            self.message.emit(Chosen.tr("Copied the file's path"))

    # Elsewhere ----------------------------------------------------------------------------------

    def reveal(self) -> None:
        """Open the folder of the file that is chosen."""
        choice = self._tree.choice
        if choice is not None and choice.file.live is None:
            self._reveal(choice.file)

    def _reveal(self, file: OpenFile) -> None:
        if not reveal(file.path):
            self.message.emit(
                Chosen.tr("Nothing here shows folders. It is in {folder}", folder=file.path.parent)
            )
