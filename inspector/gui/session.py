"""What is open at the end of a session, and how the next one comes back to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.gui.opened import Choice, OpenFile
from inspector.gui.settings import Session

if TYPE_CHECKING:
    from inspector.gui.tensor_page import TensorPage


def session_of(
    files: Sequence[OpenFile], choice: Choice | None, page: TensorPage | None
) -> Session:
    """What is open and shown; objects of the running program are left out."""
    paths = tuple(str(file.path) for file in files if file.live is None)
    if choice is None or choice.file.live is not None:
        return Session(paths)
    return replace(place_of(choice, page), paths=paths)


def place_of(choice: Choice, page: TensorPage | None) -> Session:
    """What is chosen and how it is shown, without what else is open."""
    path, tensor = str(choice.file.path), choice.entry.name if choice.entry is not None else ""
    if page is None or page.source is None or page.choice != choice or not tensor:
        return Session(path=path, tensor=tensor)
    plane, element = page.position.plane, page.position.element
    axes = tuple(axis for axis in (plane.row_axis, plane.column_axis) if axis is not None)
    turned = tuple(sorted(plane.reversed_axes))
    return Session((), path, tensor, element, axes, turned, page.form)


def resumed(before: Session, now: Session) -> Session:
    """What is to be kept while the window has not come back to a session yet.

    It is that session still, unless something else was chosen, or every file closed.
    """
    chosen = now.path, now.tensor
    on_its_way = chosen in (("", ""), (before.path, ""), (before.path, before.tensor))
    return replace(before, paths=now.paths) if now.paths and on_its_way else now


class Return(QObject):
    """Goes to where a session was, once the tensor that it showed is there. GUI thread.

    It ends with that, or with another tensor that the user chooses before.
    """

    #: It is there, or somewhere else.
    ended = Signal()

    def __init__(self, session: Session, page: TensorPage) -> None:
        super().__init__(page)
        self._session = session
        self._page = page
        page.prefer_form(session.form)
        page.position.tensor_changed.connect(self._go)

    def _go(self) -> None:
        page, wanted = self._page, self._session
        if page.source is None or page.choice is None or page.choice.entry is None:
            return
        page.position.tensor_changed.disconnect(self._go)
        self.deleteLater()
        shown = page.choice.file.path, page.choice.entry.name
        if shown == (Path(wanted.path), wanted.tensor):
            self._go_to_place()
        self.ended.emit()

    def _go_to_place(self) -> None:
        """The plane and the cell, as far as the tensor still has them."""
        position, element, axes = self._page.position, self._session.element, self._session.axes
        plane = position.plane
        known = range(len(plane.shape))
        if len(axes) == 2 and len(known) > 1 and axes[0] != axes[1] and set(axes) <= set(known):
            plane = plane.with_row_axis(axes[0]).with_column_axis(axes[1])
        for axis in {*self._session.reversed_axes}.intersection(known):
            plane = plane.with_reversed(axis)
        position.show_plane(plane)
        if len(element) == len(plane.shape) and all(
            place < size for place, size in zip(element, plane.shape, strict=True)
        ):
            position.go_to(element)
