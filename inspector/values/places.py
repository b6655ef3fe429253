"""Where an index that somebody types leads: which plane, and which rows and columns of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inspector.values.regions import Plane, Region


@dataclass(frozen=True, slots=True)
class Place:
    """Some rows and columns of a plane.

    Attributes
    ----------
    rows, columns
        Of step 1, at least one of each.
    """

    plane: Plane
    rows: range
    columns: range


def place_of(region: Region, plane: Plane) -> Place | None:
    """What to show for a region of a tensor, seen in ``plane`` at the moment.

    The plane's axes stay where the region says nothing against it: one with a single index gives
    way to one with several. Where more than two axes have several, the others are held at their
    first. A region with steps is shown from its first to its last row and column; an axis with
    steps backwards is reversed, and one with steps forwards is not. A single index says nothing
    of the direction.

    Returns
    -------
    Place or None
        None if there is nothing in the region.
    """
    if not region.numel:
        return None
    axes = [axis if isinstance(axis, range) else range(axis, axis + 1) for axis in region.axes]
    wide = [number for number, axis in enumerate(axes) if len(axis) > 1]
    row_axis, column_axis = _shown(plane, wide)
    backwards = {axis for axis in wide if axes[axis].step < 0}
    plane = replace(
        plane,
        row_axis=row_axis,
        column_axis=column_axis,
        index=tuple(axis[0] for axis in axes),
        reversed_axes=plane.reversed_axes.difference(wide) | backwards,
    )
    top, left = plane.cell(tuple(axis[0] for axis in axes))
    bottom, right = plane.cell(tuple(axis[-1] for axis in axes))
    return Place(plane, range(top, bottom + 1), range(left, right + 1))


def _shown(plane: Plane, wide: list[int]) -> tuple[int | None, int | None]:
    """The axes for rows and columns: the present ones, unless others have more to show."""
    row, column = plane.row_axis, plane.column_axis
    waiting = [axis for axis in wide if axis not in (row, column)]
    # The last ones first, as NumPy prints them.
    if waiting and column is not None and column not in wide:
        column = waiting.pop()
    if waiting and row is not None and row not in wide:
        row = waiting.pop()
    changed = (row, column) != (plane.row_axis, plane.column_axis)
    if changed and row is not None and column is not None and row > column:
        row, column = column, row
    return row, column
