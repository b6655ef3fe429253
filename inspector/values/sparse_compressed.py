"""CSR, CSC, BSR, BSC: the elements row after row (or column after column), maybe in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array
from inspector.values.computed import MOST
from inspector.values.regions import Region, indices
from inspector.values.sparse_parts import Found, advice, misfit, part

#: Rows of blocks that are looked up at a time.
_ROWS: Final = 1 << 16

#: Rows between two that are wanted which are read along with them: a call costs as much.
_NEAR: Final = 8


@dataclass(frozen=True, slots=True)
class _Axis:
    """One of the two sparse axes.

    Attributes
    ----------
    number
        In the tensor.
    block
        Rows (or columns) of a block; 1 without blocks.
    count
        Blocks along it.
    """

    number: int
    block: int
    count: int


class CompressedLayout:
    """A tensor of layout ``sparse_csr``, ``csc``, ``bsr`` or ``bsc``: a `Layout`.

    Also with batches and dense axes. A read takes only the rows (in CSC and BSC, the columns) that
    it needs, and checks what it takes.

    Raises
    ------
    TensorError
        If the shapes of its parts do not fit together.
    """

    def __init__(self, entry: TensorEntry) -> None:
        self._entry: Final = entry
        self._layout: Final = entry.kind.removeprefix("sparse_").upper()
        by_rows = self._layout in ("CSR", "BSR")
        self._names: Final = (
            ("crow_indices", "col_indices") if by_rows else ("ccol_indices", "row_indices")
        )
        self._ends: Final = part(entry, self._names[0])
        self._plain: Final = part(entry, self._names[1])
        self.values = part(entry, "values", integers=False)
        self.batches, self.sparse = len(self._ends.shape) - 1, 2
        blocks = 2 if self._layout.startswith("B") else 0
        self._sizes: Final = self._block_sizes(blocks)
        rows, columns = (
            _Axis(self.batches + place, size, entry.shape[self.batches + place] // size)
            for place, size in enumerate(self._sizes)
        )
        #: The axis whose elements lie together, and the other one.
        self._outer, self._inner = (rows, columns) if by_rows else (columns, rows)
        self._count: Final = self._plain.shape[-1]
        self._check_shapes(blocks)

    def _block_sizes(self, blocks: int) -> tuple[int, int]:
        """Rows and columns of a block."""
        shape, behind = self.values.shape, self.batches + 1
        entry = self._entry
        enough = len(entry.shape) >= self.batches + 2 and len(shape) >= behind + blocks
        if self.batches < 0 or not enough or not self._plain.shape:
            raise misfit(entry, self._layout)
        first, second = shape[behind : behind + 2] if blocks else (1, 1)
        if min(first, second) < 1:
            raise misfit(entry, self._layout)
        return first, second

    def _check_shapes(self, blocks: int) -> None:
        entry, batches = self._entry, self.batches
        outer = entry.shape[:batches]
        dense = entry.shape[batches + 2 :]
        sizes = self._sizes if blocks else ()
        fits = (
            all(entry.shape[batches + place] % size == 0 for place, size in enumerate(self._sizes))
            and self._ends.shape == (*outer, self._outer.count + 1)
            and self._plain.shape == (*outer, self._count)
            and self.values.shape == (*outer, self._count, *sizes, *dense)
        )
        if not fits:
            raise misfit(entry, self._layout)

    def stored(self, region: Region) -> Iterator[Found]:
        """The elements of the region's rows, in CSC and BSC of its columns (see `Layout`)."""
        batches = [_as_range(axis) for axis in region.axes[: self.batches]]
        outer = _ascending(region.axes[self._outer.number])
        inner = _ascending(region.axes[self._inner.number])
        dense = region.axes[self.batches + 2 :]
        each = math.prod(self._sizes)
        most = max(1, MOST // max(1, each * math.prod(len(_as_range(axis)) for axis in dense)))
        rows = min(_ROWS, max(1, MOST // each))
        for number, batch in enumerate(indices(tuple(batches))):
            for run in _runs(outer, self._outer.block, rows):
                within = _within(outer, run, self._outer.block)
                across = _within(inner, range(self._inner.count), self._inner.block)
                ends = self._checked_ends(batch, run)
                for begin in range(int(ends[0]), int(ends[-1]), most):
                    elements = range(begin, min(begin + most, int(ends[-1])))
                    plain = self._checked_plain(batch, elements)
                    picked = np.arange(elements.start, elements.stop)
                    owner = run.start + np.searchsorted(ends, picked, "right") - 1
                    yield self._found(number, batch, elements, owner, plain, within, across, dense)

    def _found(
        self,
        number: int,
        batch: tuple[int, ...],
        elements: range,
        owner: Array,
        plain: Array,
        within: range,
        across: range,
        dense: tuple[range | int, ...],
    ) -> Found:
        by_rows = self._outer.number < self._inner.number
        first, second = (owner, plain) if by_rows else (plain, owner)
        if self._layout.startswith("C"):
            read = partial(self._read, Region((*batch, elements, *dense)))
            return Found(number, owner.shape, (first, second), read)
        rows, columns = (within, across) if by_rows else (across, within)
        height, width = self._sizes
        down = first[:, None, None] * height + np.arange(rows.start, rows.stop)[:, None]
        along = second[:, None, None] * width + np.arange(columns.start, columns.stop)
        shape = (len(elements), len(rows), len(columns))
        read = partial(self._read, Region((*batch, elements, rows, columns, *dense)))
        return Found(number, shape, (down, along), read)

    def _read(self, region: Region) -> Array:
        return self.values.read(region)

    def _checked_ends(self, batch: tuple[int, ...], run: range) -> Array:
        """Where the elements of some rows begin and end: one number more than rows."""
        places = range(run.start, run.stop + 1)
        ends = self._ends.read(Region((*batch, places))).astype(np.int64)
        wrong = (ends < 0) | (ends > self._count)
        wrong[1:] |= ends[1:] < ends[:-1]
        wrong[0] |= run.start == 0 and ends[0] != 0
        wrong[-1] |= run.stop == self._outer.count and ends[-1] != self._count
        if wrong.any():
            at = int(wrong.argmax())
            raise self._damaged(
                f"number {run.start + at:,} of {self._names[0]} is {ends[at]:,}, where they have "
                f"to rise from 0 to {self._count:,}"
            )
        return ends

    def _checked_plain(self, batch: tuple[int, ...], elements: range) -> Array:
        found = self._plain.read(Region((*batch, elements))).astype(np.int64)
        outside = (found < 0) | (found >= self._inner.count)
        if outside.any():
            at = int(outside.argmax())
            raise self._damaged(
                f"number {elements.start + at:,} of {self._names[1]} is {found[at]:,}, where there "
                f"are {self._inner.count:,}"
            )
        return found

    def _damaged(self, what: str) -> TensorError:
        return TensorError(
            f"The indices of {self._entry.name} are damaged: {what}.", advice=advice(self._entry)
        )


def _as_range(axis: range | int) -> range:
    return axis if isinstance(axis, range) else range(axis, axis + 1)


def _ascending(axis: range | int) -> range:
    whole = _as_range(axis)
    return whole if whole.step > 0 else whole[::-1]


def _runs(axis: range, block: int, most: int) -> Iterator[range]:
    """The blocks, at most `most` at a time, that hold the indices of an axis, and few others."""
    if axis.step > _NEAR * block:
        for index in axis:
            yield range(index // block, index // block + 1)
        return
    last = axis[-1] // block + 1
    for start in range(axis[0] // block, last, most):
        yield range(start, min(start + most, last))


def _within(axis: range, run: range, block: int) -> range:
    """What has to be read within each block: less than all of it only if there is but one."""
    first = max(axis[0], run.start * block)
    last = min(axis[-1], run.stop * block - 1)
    if first // block != last // block:
        return range(block)
    return range(first % block, last % block + 1)
