"""A row or a column of a plane as a curve: both ends of each block, so that nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import Check, Progress
from inspector.analysis.reduction import reduce_extremes
from inspector.analysis.tiles import Cut, coarser, elements_within, middles, plan_axis
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane, Region

#: Elements read at a time along the tensor's innermost axis, and along another one, where a file
#: may need a read for each: some milliseconds, so that a line nobody wants any more ends soon.
_PIECE: Final = 1 << 17
_STRIDED_PIECE: Final = 1 << 12

#: As many elements are read before anybody would notice; of more, a sample is worth having first.
_SOON: Final = 1 << 20

#: Elements of a sample, at most.
_SAMPLE: Final = 512


@dataclass(frozen=True, slots=True)
class PlaneLine:
    """One row or one column of a plane.

    Attributes
    ----------
    is_row
        Whether it is a row, whose elements lie along the plane's columns.
    at
        Which row or column.
    """

    plane: Plane
    is_row: bool
    at: int

    @property
    def length(self) -> int:
        """How many elements."""
        return self.plane.columns if self.is_row else self.plane.rows

    @property
    def others(self) -> int:
        """How many lines like this one the plane has, itself included."""
        return self.plane.rows if self.is_row else self.plane.columns

    @property
    def is_reversed(self) -> bool:
        """Whether it begins with the last index of its axis."""
        return self.plane.columns_reversed if self.is_row else self.plane.rows_reversed

    def region(self, cells: range) -> Region:
        """The region of the tensor behind some of its elements; one axis is longer than 1."""
        here = range(self.at, self.at + 1)
        return self.plane.region(here, cells) if self.is_row else self.plane.region(cells, here)

    def text(self) -> str:
        """The line as an index: ``[3, 17, :]``."""
        axis = self.plane.row_axis if self.is_row else self.plane.column_axis
        axes = list(self.plane.region().axes)
        if axis is not None:
            at = self.plane.row_index if self.is_row else self.plane.column_index
            axes[axis] = at(self.at)
        return Region(tuple(axes)).text(self.plane.shape)


@dataclass(frozen=True, slots=True)
class LinePlan:
    """Which part of a line is drawn, and how many elements one place of the curve stands for.

    Attributes
    ----------
    cells
        The elements covered, step 1.
    block
        Elements a place; the last one may stand for fewer.
    """

    cells: range
    block: int

    @property
    def places(self) -> int:
        """How many places."""
        return -(-len(self.cells) // self.block)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A part of a line as it is drawn.

    Attributes
    ----------
    plan
        What is covered. That of a sample may be coarser than the plan that was asked for.
    low, high
        float64, ``plan.places`` of each: the smallest and the largest finite element of each
        block; NaN where a block has none, never infinite. Of complex numbers, the magnitudes.
    marks
        uint8, as many: the bits `NAN`, `POS_INF`, `NEG_INF` of `tiles`.
    exact
        Whether every element was looked at.
    sample
        What was looked at otherwise, such as "1:64"; empty if exact.
    """

    line: PlaneLine
    plan: LinePlan
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    marks: NDArray[np.uint8]
    exact: bool
    sample: str


def plan_line(length: int, visible: tuple[float, float], pixels: int) -> LinePlan:
    """Choose what to draw of the visible part of a line; as `plan_tile` does along one axis."""
    return LinePlan(*plan_axis(length, visible, pixels))


def takes_long(source: ArraySource, line: PlaneLine, plan: LinePlan) -> bool:
    """Whether reading what is covered may take longer than a tenth of a second or so."""
    return len(plan.cells) > (_STRIDED_PIECE if _is_strided(source, line) else _SOON)


def _is_strided(source: ArraySource, line: PlaneLine) -> bool:
    """Whether the tensor has other elements between two of this line where it is kept."""
    axis = line.plane.column_axis if line.is_row else line.plane.row_axis
    return elements_within(source.axis_order, line.plane.shape, axis) > 1


def render_curve(
    source: ArraySource, line: PlaneLine, plan: LinePlan, *, check: Check, progress: Progress
) -> Curve:
    """The exact curve: every element that the plan covers is looked at.

    Runs on any thread but the window's. Memory: some MiB, whatever the line's length.

    Parameters
    ----------
    check
        Called before each piece is read; what it raises goes through.
    progress
        Called with 0 to 1 after each piece.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    low, high = (np.full(plan.places, np.nan) for _ in range(2))
    marks = np.zeros(plan.places, np.uint8)
    first = plan.cells.start
    most = _STRIDED_PIECE if _is_strided(source, line) else _PIECE
    done = 0
    for cells in Cut(plan.cells, plan.block, line.is_reversed).parts(most):
        check()
        elements = source.read(line.region(cells)).reshape(1, -1)
        found = reduce_extremes(elements, 1, plan.block)
        start = (cells.start - first) // plan.block
        here = slice(start, start + found.marks.size)
        # A block may be larger than what is read at a time.
        np.fmin(low[here], found.low[0], out=low[here])
        np.fmax(high[here], found.high[0], out=high[here])
        marks[here] |= found.marks[0]
        done += len(cells)
        progress(done / len(plan.cells))
    return Curve(line, plan, low, high, marks, exact=True, sample="")


def sample_curve(source: ArraySource, line: PlaneLine, plan: LinePlan, *, check: Check) -> Curve:
    """A quick sample: one element a block, of blocks that are coarser where need be.

    Runs on any thread. At most 512 elements are read, in one strided region.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    coarse = LinePlan(plan.cells, coarser(plan.cells, plan.block, _SAMPLE))
    check()
    elements = source.read(line.region(middles(coarse.cells, coarse.block)))
    found = reduce_extremes(elements.reshape(1, -1), 1, 1)
    low, high = (end[0].astype(np.float64) for end in (found.low, found.high))
    exact = coarse.block == 1
    sample = "" if exact else f"1:{coarse.block:,}"
    return Curve(line, coarse, low, high, found.marks[0], exact, sample)
