"""Which part of a tensor is meant: regions, planes, index text, blocks. Arithmetic alone, no data.

All numbers are Python integers, so a tensor of 2**40 elements is as good as a small one.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import SupportsIndex

from inspector.checkpoints.errors import TensorError


@dataclass(frozen=True, slots=True)
class Region:
    """What is asked of a tensor: a selection per axis.

    Attributes
    ----------
    axes
        One item an axis, in the tensor's order: a `range` of indices (any step but 0, all inside
        the axis) keeps the axis; an int (not negative) picks one index and drops the axis, as in
        NumPy.
    """

    axes: tuple[range | int, ...]

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Region:
        """Everything in a tensor of this shape."""
        return cls(tuple(range(size) for size in shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is read: one number for each axis that is kept."""
        return tuple(len(axis) for axis in self.axes if isinstance(axis, range))

    @property
    def numel(self) -> int:
        """Elements in the region."""
        return math.prod(self.shape)

    @property
    def ascending(self) -> Region:
        """The same elements, along each axis from the lowest index to the highest."""
        return Region(
            tuple(
                range(axis[-1], axis[0] + 1, -axis.step)
                if isinstance(axis, range) and axis and axis.step < 0
                else axis
                for axis in self.axes
            )
        )

    def text(self, shape: tuple[int, ...]) -> str:
        """As NumPy writes it: ``[3, :, ::2]`` for a tensor of this shape."""
        items = (_axis_text(axis, size) for axis, size in zip(self.axes, shape, strict=True))
        return f"[{', '.join(items)}]"

    def runs_along(self, order: tuple[int, ...]) -> bool:
        """Whether its elements in C order are those in another order of the axes, too."""
        sizes = [len(axis) if isinstance(axis, range) else 1 for axis in self.axes]
        long = [axis for axis in order if sizes[axis] > 1]
        return long == sorted(long) or 0 in sizes

    def kept_in(self, order: tuple[int, ...]) -> tuple[int, ...]:
        """The axes of what is read in an order of the tensor's axes, to transpose an array by."""
        kept = [axis for axis, item in enumerate(self.axes) if isinstance(item, range)]
        return tuple(kept.index(axis) for axis in order if axis in kept)

    def blocks(self, most: int, order: tuple[int, ...] | None = None) -> Iterator[Region]:
        """Cut into regions of at most `most` elements (at least 1), in C order or another one.

        Their elements, one block after the other, are the region's elements in C order; with an
        `order` of the axes, outermost first, in that order. Every block keeps the axes that the
        region keeps.
        """
        if order is not None:
            back = [order.index(axis) for axis in range(len(order))]
            for block in Region(tuple(self.axes[axis] for axis in order)).blocks(most):
                yield Region(tuple(block.axes[place] for place in back))
            return
        if self.numel == 0:
            return
        axes = [axis if isinstance(axis, range) else range(axis, axis + 1) for axis in self.axes]
        inner, cut = 1, len(axes)
        while cut > 0 and inner * len(axes[cut - 1]) <= most:
            cut -= 1
            inner *= len(axes[cut])
        if cut == 0:
            yield self
            return
        split, tail = axes[cut - 1], tuple(self.axes[cut:])
        step = max(1, most // inner)
        kept = [isinstance(axis, range) for axis in self.axes]
        for outer in indices(tuple(axes[: cut - 1])):
            head = tuple(
                range(index, index + 1) if keep else index
                for index, keep in zip(outer, kept, strict=False)
            )
            for start in range(0, len(split), step):
                yield Region((*head, split[start : start + step], *tail))


def indices(axes: tuple[range, ...]) -> Iterator[tuple[int, ...]]:
    """Every combination of the axes' numbers in C order.

    What `itertools.product` gives, but an axis of 2**40 indices takes no memory.
    """
    if not axes:
        yield ()
        return
    for head in axes[0]:
        for tail in indices(axes[1:]):
            yield (head, *tail)


def _axis_text(axis: range | int, size: int) -> str:
    if isinstance(axis, int):
        return str(axis)
    if axis == range(size):
        return ":"
    if not axis:
        return "0:0"
    if len(axis) == 1:
        axis = range(axis.start, axis.start + 1)  # whichever way it runs
    if axis.step == 1:
        start = axis.start or ""
        return f"{start}:{'' if axis.stop == size else axis.stop}"
    if axis == range(size)[:: axis.step]:
        return f"::{axis.step}"
    stop = "" if axis.step < 0 and axis.stop < 0 else axis.stop
    return f"{axis.start}:{stop}:{axis.step}"


def parse_region(text: str, shape: tuple[int, ...]) -> Region:
    """Read an index as NumPy writes it, such as ``[3, :, ::2]`` or ``-1, ..., 100:200``.

    Integers, slices and one ``...``; negative numbers count from the end; missing axes at the
    end are taken whole. The brackets may be left out.

    Raises
    ------
    TensorError
        If the text is no such index, or an integer is outside its axis.
    """
    body = text.strip()
    if body.startswith("[") and body.endswith("]"):
        body = body[1:-1]
    items = [item.strip() for item in body.split(",")] if body.strip() else []
    if items and not items[-1]:
        items.pop()
    return _region(tuple(_parse_item(item, n, text) for n, item in enumerate(items)), shape, text)


def _parse_item(item: str, number: int, text: str) -> _Item:
    if item == "...":
        return ...
    try:
        if ":" not in item:
            return int(item)
        return slice(*(int(part) if part.strip() else None for part in item.split(":")))
    except (ValueError, TypeError) as error:
        raise TensorError(
            f"The index {text!r} cannot be read.",
            where=f"item {number}: {item!r}",
            advice="Write it as NumPy does: [3, :, ::2].",
        ) from error


#: One item of an index, as NumPy takes it.
_Item = int | slice | EllipsisType

#: What `region_of` takes.
_Given = SupportsIndex | slice | EllipsisType
Index = str | Region | _Given | tuple[_Given, ...] | None


def region_of(index: Index, shape: tuple[int, ...]) -> Region:
    """What an index selects of a tensor of this shape.

    Parameters
    ----------
    index
        Text as `parse_region` reads it; a `Region`; a whole number, a slice, ``...``, or a tuple
        of them; None for the whole.

    Raises
    ------
    TensorError
        If it is none, does not fit the shape, or an integer is outside its axis.
    """
    if index is None:
        return Region.whole(shape)
    if isinstance(index, str):
        return parse_region(index, shape)
    if isinstance(index, Region):
        fits = len(index.axes) == len(shape) and all(map(_is_inside, index.axes, shape))
        if not fits:
            raise TensorError(f"The region {index.axes} does not fit the shape {shape}.")
        return index
    text = repr(index)
    items = index if isinstance(index, tuple) else (index,)
    return _region(tuple(_checked(item, text) for item in items), shape, text)


def _is_inside(axis: range | int, size: int) -> bool:
    if isinstance(axis, int):
        return 0 <= axis < size
    return not axis or (0 <= axis[0] < size and 0 <= axis[-1] < size)


def _checked(item: object, text: str) -> _Item:
    if isinstance(item, slice | EllipsisType):
        return item
    if not isinstance(item, bool) and hasattr(item, "__index__"):
        # Arrays and tensors have it too, and most of them are no number.
        with suppress(TypeError):
            return operator.index(item)
    raise TensorError(
        f"The index {text} cannot be read.",
        advice="It may consist of whole numbers, slices and one ..., such as (3, ..., slice(9)).",
    )


def _region(items: tuple[_Item, ...], shape: tuple[int, ...], text: str) -> Region:
    wanted = len([item for item in items if item is not ...])
    if wanted > len(shape) or len(items) > wanted + 1:
        count = f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}"
        raise TensorError(f"The index {text!r} does not fit a tensor with {count}.")
    place = items.index(...) if ... in items else len(items)
    rest = (slice(None),) * (len(shape) - wanted)
    full = (*items[:place], *rest, *items[place + 1 :])
    return Region(
        tuple(
            _axis(item, size, number, text)
            for number, (item, size) in enumerate(zip(full, shape, strict=True))
        )
    )


def _axis(item: _Item, size: int, number: int, text: str) -> range | int:
    if isinstance(item, int):
        if not -size <= item < size:
            raise TensorError(f"Index {item} is outside axis {number}, which has {size} elements.")
        return item % size
    try:
        assert isinstance(item, slice)
        return range(size)[item]
    except (ValueError, TypeError) as error:
        raise TensorError(
            f"The index {text!r} cannot be read: {error}.", where=f"axis {number}"
        ) from error


@dataclass(frozen=True, slots=True)
class Plane:
    """An N-D tensor seen as rows and columns: two axes shown, the others held at an index.

    A tensor of one axis is a single column; a tensor without axes is a single cell. Rows and
    columns are counted as they are shown, from the top and from the left; of an axis that is
    reversed, the first of them is the last index.

    Attributes
    ----------
    row_axis, column_axis
        Which axis runs down and which runs across; None where there is none.
    index
        For each axis, the index at which it is held; it does not matter for a shown axis.
    reversed_axes
        Those that run from the last index to the first wherever they are shown.
    """

    shape: tuple[int, ...]
    row_axis: int | None
    column_axis: int | None
    index: tuple[int, ...]
    reversed_axes: frozenset[int] = frozenset()

    @classmethod
    def first(cls, shape: tuple[int, ...]) -> Plane:
        """The last two axes, as NumPy prints them, with the others at index 0."""
        count = len(shape)
        row_axis = count - 2 if count > 1 else 0 if count == 1 else None
        return cls(shape, row_axis, count - 1 if count > 1 else None, (0,) * count)

    @property
    def rows(self) -> int:
        """How many rows."""
        return 1 if self.row_axis is None else self.shape[self.row_axis]

    @property
    def columns(self) -> int:
        """How many columns."""
        return 1 if self.column_axis is None else self.shape[self.column_axis]

    @property
    def held_axes(self) -> tuple[int, ...]:
        """The axes that are not shown, in order."""
        shown = (self.row_axis, self.column_axis)
        return tuple(axis for axis in range(len(self.shape)) if axis not in shown)

    @property
    def is_empty(self) -> bool:
        """Whether the tensor has no elements at all."""
        return 0 in self.shape

    @property
    def is_transposed(self) -> bool:
        """Whether the row axis comes after the column axis in the tensor."""
        return (
            self.row_axis is not None
            and self.column_axis is not None
            and self.row_axis > self.column_axis
        )

    @property
    def rows_reversed(self) -> bool:
        """Whether the last index is on top."""
        return self.row_axis in self.reversed_axes

    @property
    def columns_reversed(self) -> bool:
        """Whether the last index is on the left."""
        return self.column_axis in self.reversed_axes

    @property
    def is_whole(self) -> bool:
        """Whether its region is the whole tensor, every axis from its first index to its last."""
        return self.region() == Region.whole(self.shape)

    @property
    def turned(self) -> Plane:
        """The same cells with rows as columns and columns as rows."""
        return replace(self, row_axis=self.column_axis, column_axis=self.row_axis)

    def region(self, rows: range | None = None, columns: range | None = None) -> Region:
        """The region of the tensor behind these rows and columns (all of them if None)."""
        axes: list[range | int] = list(self.index)
        if self.row_axis is not None:
            axes[self.row_axis] = self._along(
                self.row_axis, range(self.rows) if rows is None else rows
            )
        if self.column_axis is not None:
            axes[self.column_axis] = self._along(
                self.column_axis, range(self.columns) if columns is None else columns
            )
        return Region(tuple(axes))

    def _along(self, axis: int, places: range) -> range:
        """The indices, on a shown axis, of some of its rows or columns."""
        if axis not in self.reversed_axes:
            return places
        last = self.shape[axis] - 1
        return range(last - places.start, last - places.stop, -places.step)

    def row_index(self, row: int) -> int:
        """The index of a row on its axis."""
        return self.rows - 1 - row if self.rows_reversed else row

    def column_index(self, column: int) -> int:
        """The index of a column on its axis."""
        return self.columns - 1 - column if self.columns_reversed else column

    def element(self, row: int, column: int) -> tuple[int, ...]:
        """The index, in the tensor, of the cell at this row and column."""
        index = list(self.index)
        if self.row_axis is not None:
            index[self.row_axis] = self.row_index(row)
        if self.column_axis is not None:
            index[self.column_axis] = self.column_index(column)
        return tuple(index)

    def cell(self, element: tuple[int, ...]) -> tuple[int, int]:
        """The row and column of an element of the tensor, wherever the other axes are held."""
        # To count from the other end is the same there and back.
        row = 0 if self.row_axis is None else self.row_index(element[self.row_axis])
        column = 0 if self.column_axis is None else self.column_index(element[self.column_axis])
        return row, column

    def with_row_axis(self, axis: int) -> Plane:
        """The same tensor with this axis running down; exchanged if it was the column axis."""
        column_axis = self.row_axis if axis == self.column_axis else self.column_axis
        return replace(self, row_axis=axis, column_axis=column_axis)

    def with_column_axis(self, axis: int) -> Plane:
        """The same tensor with this axis running across; exchanged if it was the row axis."""
        row_axis = self.column_axis if axis == self.row_axis else self.row_axis
        return replace(self, row_axis=row_axis, column_axis=axis)

    def with_reversed(self, axis: int) -> Plane:
        """The same plane with one axis the other way round."""
        return replace(self, reversed_axes=self.reversed_axes ^ {axis})

    def with_index(self, axis: int, index: int) -> Plane:
        """The same plane with one held axis at another index."""
        moved = (*self.index[:axis], index, *self.index[axis + 1 :])
        return replace(self, index=moved)

    def text(self) -> str:
        """The plane as an index: ``[3, ::-1, :]``."""
        return self.region().text(self.shape)
