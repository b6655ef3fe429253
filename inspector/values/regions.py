"""Which part of a tensor is meant: regions, planes, index text, blocks. Arithmetic alone, no data.

All numbers are Python integers, so a tensor of 2**40 elements is as good as a small one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

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

    def text(self, shape: tuple[int, ...]) -> str:
        """As NumPy writes it: ``[3, :, ::2]`` for a tensor of this shape."""
        items = (_axis_text(axis, size) for axis, size in zip(self.axes, shape, strict=True))
        return f"[{', '.join(items)}]"

    def blocks(self, most: int) -> Iterator[Region]:
        """Cut into regions of at most `most` elements (at least 1), in C order.

        Their elements, one block after the other, are the region's elements in C order. Every
        block keeps the axes that the region keeps.
        """
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
    wanted = len([item for item in items if item != "..."])
    if wanted > len(shape) or items.count("...") > 1:
        count = f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}"
        raise TensorError(f"The index {text!r} does not fit a tensor with {count}.")
    rest = [":"] * (len(shape) - wanted)
    place = items.index("...") if "..." in items else len(items)
    items[place : place + 1] = rest
    axes = [
        _parse_axis(item, size, number, text)
        for number, (item, size) in enumerate(zip(items, shape, strict=True))
    ]
    return Region(tuple(axes))


def _parse_axis(item: str, size: int, number: int, text: str) -> range | int:
    try:
        if ":" not in item:
            index = int(item)
            if not -size <= index < size:
                raise TensorError(
                    f"Index {index} is outside axis {number}, which has {size} elements."
                )
            return index % size
        parts = [int(part) if part.strip() else None for part in item.split(":")]
        return range(size)[slice(*parts)]
    except (ValueError, TypeError) as error:
        raise TensorError(
            f"The index {text!r} cannot be read.",
            where=f"axis {number}: {item!r}",
            advice="Write it as NumPy does: [3, :, ::2].",
        ) from error


@dataclass(frozen=True, slots=True)
class Plane:
    """An N-D tensor seen as rows and columns: two axes shown, the others held at an index.

    A tensor of one axis is a single column; a tensor without axes is a single cell.

    Attributes
    ----------
    row_axis, column_axis
        Which axis runs down and which runs across; None where there is none.
    index
        For each axis, the index at which it is held; it does not matter for a shown axis.
    """

    shape: tuple[int, ...]
    row_axis: int | None
    column_axis: int | None
    index: tuple[int, ...]

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

    def region(self, rows: range | None = None, columns: range | None = None) -> Region:
        """The region of the tensor behind these rows and columns (all of them if None)."""
        axes: list[range | int] = list(self.index)
        if self.row_axis is not None:
            axes[self.row_axis] = range(self.rows) if rows is None else rows
        if self.column_axis is not None:
            axes[self.column_axis] = range(self.columns) if columns is None else columns
        return Region(tuple(axes))

    def element(self, row: int, column: int) -> tuple[int, ...]:
        """The index, in the tensor, of the cell at this row and column."""
        index = list(self.index)
        if self.row_axis is not None:
            index[self.row_axis] = row
        if self.column_axis is not None:
            index[self.column_axis] = column
        return tuple(index)

    def with_row_axis(self, axis: int) -> Plane:
        """The same tensor with this axis running down; exchanged if it was the column axis."""
        column_axis = self.row_axis if axis == self.column_axis else self.column_axis
        return replace(self, row_axis=axis, column_axis=column_axis)

    def with_column_axis(self, axis: int) -> Plane:
        """The same tensor with this axis running across; exchanged if it was the row axis."""
        row_axis = self.column_axis if axis == self.row_axis else self.row_axis
        return replace(self, row_axis=row_axis, column_axis=axis)

    def with_index(self, axis: int, index: int) -> Plane:
        """The same plane with one held axis at another index."""
        moved = (*self.index[:axis], index, *self.index[axis + 1 :])
        return replace(self, index=moved)

    def text(self) -> str:
        """The plane as an index: ``[3, :, :]``."""
        return self.region().text(self.shape)
