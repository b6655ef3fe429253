"""Which way the rows and the columns run, and what turns them round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from inspector.gui.position import Position
from inspector.gui.text import Later, Texts
from inspector.values.regions import Plane

Direction = Texts("Direction")

Side = Literal["rows", "columns"]


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of one side; tips and ``arrows`` are for as usual, and for reversed.

    Arrows point to higher indices.
    """

    label: Later
    keys: str
    tips: tuple[Later, Later]
    arrows: tuple[str, str]


_WORDS: Final[dict[Side, _Words]] = {
    "rows": _Words(
        Direction.QT_TR_NOOP("Reverse &rows"),
        "Alt+R",
        (
            Direction.QT_TR_NOOP("Reverse the rows: the last index on top ({keys})"),
            Direction.QT_TR_NOOP("The last index is on top: have the first one there ({keys})"),
        ),
        ("↓", "↑"),
    ),
    "columns": _Words(
        Direction.QT_TR_NOOP("Reverse colu&mns"),
        "Alt+C",
        (
            Direction.QT_TR_NOOP("Reverse the columns: the last index on the left ({keys})"),
            Direction.QT_TR_NOOP(
                "The last index is on the left: have the first one there ({keys})"
            ),
        ),
        ("→", "←"),
    ),
}


def arrows(plane: Plane) -> tuple[str, str]:
    """Where the indices of the rows and of the columns rise."""
    return (
        _WORDS["rows"].arrows[plane.rows_reversed],
        _WORDS["columns"].arrows[plane.columns_reversed],
    )


class ReverseAction(QAction):
    """Turns the rows or the columns of a position's plane round; checked where they are.

    Its icon's text is an arrow that points to higher indices. Disabled where there is nothing to
    turn.
    """

    def __init__(self, side: Side, parent: QObject | None = None) -> None:
        super().__init__(_WORDS[side].label(), parent)
        self._side: Final[Side] = side
        self._position: Position | None = None
        self.keys: Final = _WORDS[side].keys
        self.setCheckable(True)
        self.triggered.connect(self._turn)
        self._show(None, Plane.first(()))

    def follow(self, position: Position) -> None:
        """Turn the plane of this position from now on."""
        self._position = position
        position.tensor_changed.connect(self._update)
        position.plane_changed.connect(self._update)
        self._update()

    def _update(self) -> None:
        assert self._position is not None
        plane = self._position.plane
        self._show(None if self._position.source is None else self._axis(plane), plane)

    def _axis(self, plane: Plane) -> int | None:
        return plane.row_axis if self._side == "rows" else plane.column_axis

    def _show(self, axis: int | None, plane: Plane) -> None:
        words, is_reversed = _WORDS[self._side], axis in plane.reversed_axes
        self.setEnabled(axis is not None and plane.shape[axis] > 1)
        self.setChecked(is_reversed)
        self.setIconText(words.arrows[is_reversed])
        self.setToolTip(words.tips[is_reversed](keys=words.keys))

    def _turn(self) -> None:
        if self._position is not None:
            plane = self._position.plane
            axis = self._axis(plane)
            assert axis is not None  # or it would be disabled
            self._position.show_plane(plane.with_reversed(axis))
