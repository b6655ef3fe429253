"""The one position that every view of a tensor observes and moves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.values.regions import Plane

if TYPE_CHECKING:
    from inspector.values.arrays import ArraySource


class Position(QObject):
    """Which tensor, which plane of it, which cell. Lives on the GUI thread.

    Views connect to the signals and read the properties; they do not know one another. The
    signals carry nothing: numbers beyond Qt's 32-bit integers never pass through it.
    """

    #: Another tensor, or none. The plane and the cell are new as well.
    tensor_changed = Signal()
    #: Other axes or indices of the same tensor. The cell may be new as well.
    plane_changed = Signal()
    cell_changed = Signal()
    #: The same elements in another form. The plane and the cell are as they were.
    form_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source: ArraySource | None = None
        self._plane = Plane.first((0,))
        self._cell = (0, 0)

    @property
    def source(self) -> ArraySource | None:
        """Where the tensor's numbers come from; None while no tensor is chosen."""
        return self._source

    @property
    def plane(self) -> Plane:
        """The rows and columns that are shown."""
        return self._plane

    @property
    def cell(self) -> tuple[int, int]:
        """The current cell's row and column in the plane."""
        return self._cell

    @property
    def element(self) -> tuple[int, ...]:
        """The current cell's index in the tensor."""
        return self._plane.element(*self._cell)

    def choose(self, source: ArraySource | None) -> None:
        """Take another tensor; the view starts at its first element."""
        self._begin(source, Plane.first(source.shape if source else (0,)))

    def _begin(self, source: ArraySource | None, plane: Plane) -> None:
        self._source = source
        self._plane = plane
        self._cell = (0, 0)
        self.tensor_changed.emit()

    def show_form(self, source: ArraySource) -> None:
        """Take the same tensor in another form, staying where the shape allows it.

        Where one form has further axes at the end, the way between them keeps the axes before.
        What is reversed stays so.
        """
        before, reversed_axes = self._plane.shape, self._plane.reversed_axes
        if source.shape == before:
            self._source = source
            self.form_changed.emit()
            return
        element = self.element
        kept = reversed_axes.intersection(range(len(source.shape)))
        self._begin(source, replace(Plane.first(source.shape), reversed_axes=kept))
        both = min(len(before), len(source.shape))
        if before[:both] == source.shape[:both] and not self._plane.is_empty:
            self.go_to((element + (0,) * len(source.shape))[: len(source.shape)])

    def show_plane(self, plane: Plane) -> None:
        """Show other axes or another index of the same tensor, staying as near as possible."""
        if plane == self._plane:
            return
        element = self.element
        self._plane = plane
        self._cell = (0, 0) if plane.is_empty else plane.cell(element)
        self.plane_changed.emit()

    def go_to(self, element: tuple[int, ...]) -> None:
        """Make this element of the tensor the current cell, in whichever plane it lies."""
        plane = self._plane
        for axis in plane.held_axes:
            plane = plane.with_index(axis, element[axis])
        self.show_plane(plane)
        self.move_to(*plane.cell(element))

    def move_to(self, row: int, column: int) -> None:
        """Make this cell the current one; a cell outside the plane becomes the nearest inside."""
        if self._plane.is_empty:
            return
        cell = (
            min(max(row, 0), self._plane.rows - 1),
            min(max(column, 0), self._plane.columns - 1),
        )
        if cell != self._cell:
            self._cell = cell
            self.cell_changed.emit()
