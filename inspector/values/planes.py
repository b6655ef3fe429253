"""The values of a plane: rows and columns of a tensor of any rank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Plane

#: Cells read at a time where every one of them becomes text.
_PIECE: Final = 2**14


def plane_values(source: ArraySource, plane: Plane, rows: range, columns: range) -> Array:
    """The values of some rows and columns, as an array of shape (len(rows), len(columns)).

    Raises as `ArraySource.read` does.
    """
    values = source.read(plane.region(rows, columns))
    if plane.is_transposed:
        values = values.T
    return values.reshape(len(rows), len(columns))


def plane_pieces(
    source: ArraySource, plane: Plane, rows: range, columns: range
) -> Iterator[tuple[Array, bool]]:
    """The same in pieces of at most 2**14 cells, in reading order.

    Yields
    ------
    tuple of array and bool
        Some whole rows, or a part of one row; and whether a row ends with it.
    """
    height = max(1, _PIECE // max(1, len(columns)))
    for start in range(0, len(rows), height):
        for left in range(0, len(columns), _PIECE):
            across = columns[left : left + _PIECE]
            values = plane_values(source, plane, rows[start : start + height], across)
            yield values, across.stop == columns.stop
