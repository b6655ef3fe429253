"""The files that a window has open: read in the background, read again, closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.checkpoints.naming import display_text
from inspector.gui.opened import OpenFile
from inspector.gui.opening import read
from inspector.gui.tasks import Request, TaskRunner
from inspector.gui.text import Texts

if TYPE_CHECKING:
    from inspector.values.live import LiveObject

Opening = Texts("Opening")


class OpenFiles(QObject):
    """The list of them. Lives on the GUI thread.

    Parameters
    ----------
    runner
        Where files are read, each in a lane of its own.
    """

    #: An OpenFile that was read, and takes the place of what it was before.
    was_read = Signal(object)
    #: The list is another, or one of its files was read or found unreadable.
    changed = Signal()
    #: An OpenFile that the user wants to see, and the tensor in it by name; None for the file.
    wanted = Signal(object, object)
    #: An OpenFile that was closed, and is not in the list any more.
    closed = Signal(object)

    def __init__(self, runner: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._files: list[OpenFile] = []
        self._number = 0
        #: By the files' numbers: which tensor to choose as soon as it is read.
        self._tensors: dict[int, str] = {}
        #: The numbers of files that are read again without being chosen.
        self._unwanted: set[int] = set()

    @property
    def files(self) -> Sequence[OpenFile]:
        """What is open, in the order of opening."""
        return tuple(self._files)

    def find(self, number: int) -> OpenFile | None:
        """The file of a number as it is now; None once it was closed."""
        return next((known for known in self._files if known.number == number), None)

    def open_paths(self, paths: Iterable[Path], tensor: str | None = None) -> None:
        """Open files, and choose a tensor in them by name.

        A file that is open already is chosen instead of being opened twice.
        """
        for path in paths:
            absolute = path.absolute()
            known = next((file for file in self._files if file.path == absolute), None)
            if known is None:
                self._add(OpenFile(self._next_number(), absolute), tensor)
            else:
                if tensor is not None:
                    self._tensors[known.number] = tensor
                self.select_first(known)
        self.changed.emit()

    def restore(self, paths: Sequence[Path], chosen: Path, tensor: str | None) -> None:
        """Open files again, and choose but one of them, and a tensor in it by name."""
        for path in paths:
            file = OpenFile(self._next_number(), path)
            if path != chosen:
                self._unwanted.add(file.number)
            self._add(file, tensor if path == chosen else None)
        self.changed.emit()

    def open_live(self, value: LiveObject) -> None:
        """Look at an object of the running program; it is held until it is closed."""
        self._add(OpenFile(self._next_number(), Path(), live=value), None)
        self.changed.emit()

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _add(self, file: OpenFile, tensor: str | None) -> None:
        self._files.append(file)
        if tensor is not None:
            self._tensors[file.number] = tensor
        self._read(file)

    def _read(self, file: OpenFile) -> None:
        self._runner.submit(
            ("open", file.number),
            Request(
                work=partial(read, file),
                done=self._take,
                failed=lambda error: self._replace(replace(file, error=error)),
                cancelled=lambda: self.close(file),
                title=Opening.tr("Reading {name}", name=display_text(file.name)),
            ),
        )

    def _take(self, file: OpenFile) -> None:
        self.was_read.emit(file)
        self._replace(file)

    def _replace(self, file: OpenFile) -> None:
        """Put a file that was read, or was not readable, in the place of itself."""
        before = self.find(file.number)
        if before is None:
            if file.checkpoint is not None:
                file.checkpoint.close()
            return
        self._files[self._files.index(before)] = file
        if before.checkpoint is not None:
            before.checkpoint.close()
        self.changed.emit()
        if file.number in self._unwanted:
            self._unwanted.discard(file.number)
        else:
            self.select_first(file)

    def select_first(self, file: OpenFile) -> None:
        """Want what a user wants to see first: a tensor, or what is wrong."""
        tensor = self._tensors.pop(file.number, file.first)
        self.wanted.emit(file, tensor if file.error is None else None)

    def reload(self, file: OpenFile, tensor: str | None, *, choose: bool = True) -> None:
        """Read a file that is open again, and choose a tensor in it by name, or nothing at all."""
        current = self.find(file.number)
        if current is not None:
            if tensor is not None:
                self._tensors[file.number] = tensor
            if not choose:
                self._unwanted.add(file.number)
            self._read(current)

    def close(self, file: OpenFile) -> None:
        """Close a file; whatever runs for it stops."""
        self._runner.supersede(("open", file.number))
        known = self.find(file.number)
        if known is None:
            return
        self._files.remove(known)
        known.close()
        self.changed.emit()
        self.closed.emit(known)

    def release(self) -> None:
        """Give back every file; the list is not for use any more."""
        for file in self._files:
            file.close()
