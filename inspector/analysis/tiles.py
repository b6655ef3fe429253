"""Picture data: a plane of any size, reduced to about as many pixels as there are to fill."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import WORKERS, Check, Progress, heard, work_on_parts
from inspector.analysis.compiled import kernels_for
from inspector.analysis.reduction import (
    NAN,
    NEG_INF,
    POS_INF,
    Reduced,
    Reduction,
    merge,
    picture_dtype,
    reduce_stored,
)
from inspector.values.arrays import Array, ArraySource
from inspector.values.dtypes import DType
from inspector.values.regions import Plane

__all__ = [
    "NAN",
    "NEG_INF",
    "POS_INF",
    "Reduction",
    "Tile",
    "TilePlan",
    "finite_range",
    "percentile_range",
    "plan_tile",
    "preview_tile",
    "render_tile",
]

#: Elements read and reduced at a time: 8 MiB of float32, 16 MiB of float64.
_PIECE: Final = 1 << 21

#: The same in compiled loops, which take no copies: bytes.
_BYTES: Final = 1 << 23

#: A viewport is taken to be at least this large, in px, so that a margin fits.
_LEAST_PX: Final = 32

#: What a preview reads at most: places along the outer and the inner shown axis, as the tensor's
#: memory has them. A file may need one read for each place along the outer one, and for each of
#: both where those along the inner one are as many bytes apart as this; then they are fewer.
_PREVIEW: Final = (128, 512)
_FAR: Final = 4096
_FAR_APART: Final = 64


@dataclass(frozen=True, slots=True)
class TilePlan:
    """Which part of a plane is drawn, and how many elements one pixel stands for.

    Attributes
    ----------
    rows, columns
        The elements covered, step 1. They start at a multiple of the block (a preview's coarser
        plan keeps the start that was asked for) and end at one or at the plane's edge.
    block_rows, block_columns
        Elements a pixel, down and across.
    """

    rows: range
    columns: range
    block_rows: int
    block_columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels down and across; a last pixel may stand for fewer elements than a block."""
        return (
            -(-len(self.rows) // self.block_rows),
            -(-len(self.columns) // self.block_columns),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture of a plan.

    Attributes
    ----------
    plan
        What is covered. That of a preview may be coarser than the plan that was asked for.
    values
        float32, or float64 where the dtype needs it; shape ``plan.shape``. Reduced over the finite
        elements of each block; NaN where a block has none, never infinite. Of complex numbers,
        the magnitude (one beyond float64's largest counts as that).
    marks
        uint8, same shape: the bits `NAN`, `POS_INF`, `NEG_INF` say what a block holds besides.
        A complex infinity counts as `POS_INF`.
    exact
        Whether every element of every block was looked at.
    sample
        What was looked at otherwise, such as "1:64"; empty if exact.
    """

    plan: TilePlan
    values: NDArray[np.floating]
    marks: NDArray[np.uint8]
    exact: bool
    sample: str


def plan_tile(
    rows_total: int,
    columns_total: int,
    visible_rows: tuple[float, float],
    visible_columns: tuple[float, float],
    viewport_px: tuple[int, int],
) -> TilePlan:
    """Choose what to draw for a visible rectangle. Arithmetic alone.

    The blocks are the smallest for which the rectangle is no finer than the viewport's pixels.
    What is covered holds the rectangle and about an eighth more on each side; all in all, at most
    twice the viewport's pixels (of a viewport of at least 32 x 32).

    Parameters
    ----------
    rows_total, columns_total
        The plane's size in elements.
    visible_rows, visible_columns
        From and to, in elements; may reach beyond the plane.
    viewport_px
        Width and height, in pixels.
    """
    width, height = viewport_px
    rows, block_rows = plan_axis(rows_total, visible_rows, height)
    columns, block_columns = plan_axis(columns_total, visible_columns, width)
    return TilePlan(rows, columns, block_rows, block_columns)


def plan_axis(total: int, visible: tuple[float, float], pixels: int) -> tuple[range, int]:
    """What `plan_tile` chooses along one axis: the elements covered, and elements a pixel."""
    if total == 0:
        return range(0), 1
    first, last = (float(end) for end in sorted(visible))
    if not (math.isfinite(first) and math.isfinite(last)):
        first, last = 0.0, float(total)
    # From the extent as it is, not from the indices it touches, so that the block stays the same
    # while somebody pans.
    extent = min(last - first, float(total))
    block = max(1, math.ceil(extent / max(pixels, _LEAST_PX) - 1e-9))
    start = min(max(math.floor(first), 0), total - 1)
    stop = max(min(math.ceil(last), total), start + 1)
    one, end = start // block, -(-stop // block)
    margin = max(1, (end - one) // 8)
    return range(max(0, one - margin) * block, min(total, (end + margin) * block)), block


def render_tile(
    source: ArraySource,
    plane: Plane,
    plan: TilePlan,
    reduction: Reduction,
    *,
    check: Check,
    progress: Progress,
    piece: int | None = None,
) -> Tile:
    """The exact picture of a plan: every element that it covers is looked at.

    Runs on any thread but the window's, with some more beside it. Only what the plan covers is
    read. Memory beside the picture: about 32 MiB a thread, whatever the size of the plane or of a
    block.

    Parameters
    ----------
    check
        Called before each piece is read; what it raises goes through.
    progress
        Called with 0 to 1 after each piece.
    piece
        Elements read at a time, at most.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    shape, turned = plan.shape, _is_turned(source, plane)
    dtype = picture_dtype(source.dtype.values)
    marks = np.zeros(shape, dtype=np.uint8)
    # Means are put together in float64, whatever they are shown in.
    weight = np.zeros(shape) if reduction == "mean" else None
    values = np.full(shape, np.nan, dtype=dtype if weight is None else np.float64)
    lock = threading.Lock()

    def put(part: tuple[range, range, Array]) -> None:
        rows, columns, elements = part
        fresh = _reduced(elements, source.dtype, turned, plan, reduction)
        place = (
            _pixels(rows, plan.rows.start, plan.block_rows),
            _pixels(columns, plan.columns.start, plan.block_columns),
        )
        with lock:
            held = Reduced(values[place], None if weight is None else weight[place], marks[place])
            merged = merge(held, fresh, reduction)
            values[place], marks[place] = merged.values, merged.marks
            if weight is not None:
                weight[place] = merged.weight

    covered = len(plan.rows) * len(plan.columns)
    piece = piece or _at_a_time(source.dtype, covered, reduction)
    work_on_parts(
        source,
        heard(_pieces(plane, plan, piece, turned=turned), _size, covered, check, progress),
        partial(_read, source, plane),
        [put] * min(WORKERS, max(1, covered // piece)),
    )
    return Tile(plan, values.astype(dtype, copy=False), marks, exact=True, sample="")


def _at_a_time(dtype: DType, covered: int, reduction: Reduction) -> int:
    """Elements that are read and reduced at a time."""
    kernels = kernels_for(covered)
    if kernels is None or reduction == "mean" or not kernels.has_order(dtype.name):
        return _PIECE
    return _BYTES // dtype.raw.itemsize


def preview_tile(source: ArraySource, plane: Plane, plan: TilePlan, *, check: Check) -> Tile:
    """A quick sample of a plan: one element a block, of blocks that are coarser where need be.

    Runs on any thread. At most 128 x 512 elements are read, in one strided region, so the time
    depends on the source and not on the size.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    outer, inner = _PREVIEW
    turned = _is_turned(source, plane)
    if _reach(source, plane, plan) * source.dtype.raw.itemsize > inner * _FAR:
        inner = _FAR_APART
    most_rows, most_columns = (inner, outer) if turned else (outer, inner)
    coarse = TilePlan(
        plan.rows,
        plan.columns,
        coarser(plan.rows, plan.block_rows, most_rows),
        coarser(plan.columns, plan.block_columns, most_columns),
    )
    check()
    rows = middles(coarse.rows, coarse.block_rows)
    columns = middles(coarse.columns, coarse.block_columns)
    ones = TilePlan(rows, columns, 1, 1)
    elements = _stored(source, plane, rows, columns)
    found = _reduced(elements, source.dtype, turned, ones, "largest magnitude")
    exact = len(rows) * len(columns) == len(coarse.rows) * len(coarse.columns)
    sample = "" if exact else f"1:{coarse.block_rows * coarse.block_columns:,}"
    return Tile(coarse, found.values, found.marks, exact, sample)


def _is_turned(source: ArraySource, plane: Plane) -> bool:
    """Whether neighbours in a column lie nearer than those in a row where they are kept."""
    down, across, order = plane.row_axis, plane.column_axis, source.axis_order
    if down is None or across is None:
        return False
    return order.index(down) > order.index(across)


def _reach(source: ArraySource, plane: Plane, plan: TilePlan) -> int:
    """How many elements of a tensor without gaps lie between the ends of the inner shown axis."""
    axis, covered = plane.column_axis, plan.columns
    if axis is None or _is_turned(source, plane):
        axis, covered = plane.row_axis, plan.rows
    return len(covered) * elements_within(source.axis_order, plane.shape, axis)


def elements_within(order: tuple[int, ...], shape: tuple[int, ...], axis: int | None) -> int:
    """How many elements of a tensor without gaps lie from one place along an axis to the next."""
    if axis is None:
        return 1
    return math.prod(shape[inner] for inner in order[order.index(axis) + 1 :])


def coarser(covered: range, block: int, most: int) -> int:
    """The smallest multiple of a block of which at most `most` cover the range."""
    blocks = -(-len(covered) // block)
    return block * max(1, -(-blocks // most))


def middles(covered: range, block: int) -> range:
    """One index in each block: its middle, or as near to it as the last, smaller block has."""
    if not covered:
        return covered
    last = (len(covered) - 1) % block
    return range(covered.start + min(block // 2, last), covered.stop, block)


def _size(part: tuple[range, range]) -> int:
    rows, columns = part
    return len(rows) * len(columns)


def _read(
    source: ArraySource, plane: Plane, part: tuple[range, range]
) -> tuple[range, range, Array]:
    """A part of a plan with its elements."""
    rows, columns = part
    return rows, columns, _stored(source, plane, rows, columns)


def _stored(source: ArraySource, plane: Plane, rows: range, columns: range) -> Array:
    """The stored elements; where these are the values, as the source gives those.

    Rows down, or columns where the picture is turned: always as the tensor's memory has them.
    """
    widened = source.dtype.raw != source.dtype.values
    region = plane.region(rows, columns)
    found = source.read_raw(region) if widened else source.read(region)
    if plane.is_transposed:
        found = found.T
    found = found.reshape(len(rows), len(columns))
    return found.T if _is_turned(source, plane) else found


def _pieces(
    plane: Plane, plan: TilePlan, most: int, *, turned: bool
) -> Iterator[tuple[range, range]]:
    """Cut a plan into parts of at most `most` elements, in the order of the tensor's memory."""
    down = Cut(plan.rows, plan.block_rows, plane.rows_reversed)
    across = Cut(plan.columns, plan.block_columns, plane.columns_reversed)
    if turned:
        for columns, rows in _cuts(across, down, most):
            yield rows, columns
    else:
        yield from _cuts(down, across, most)


@dataclass(frozen=True, slots=True)
class Cut:
    """How one side of a plan is cut into parts."""

    covered: range
    block: int
    backwards: bool

    def parts(self, most: int) -> Iterator[range]:
        """Of at most `most`: of whole blocks where a block fits, else each inside a block."""
        whole = max(1, most // self.block) * self.block
        for start in self._ordered(range(0, len(self.covered), whole)):
            blocks = self.covered[start : start + whole]
            for inside in self._ordered(range(0, len(blocks), most)):
                yield blocks[inside : inside + most]

    def _ordered(self, starts: range) -> range:
        return starts[::-1] if self.backwards else starts


def _cuts(outer: Cut, inner: Cut, most: int) -> Iterator[tuple[range, range]]:
    if not (outer.covered and inner.covered):
        return
    strip = max(1, most // min(len(inner.covered), most))
    for part in outer.parts(strip):
        for piece in inner.parts(most):
            yield part, piece


def _pixels(part: range, start: int, block: int) -> slice:
    """The pixels that a part of a covered range falls into."""
    return slice((part.start - start) // block, (part.stop - 1 - start) // block + 1)


def _reduced(
    elements: Array, dtype: DType, turned: bool, plan: TilePlan, reduction: Reduction
) -> Reduced:
    """Reduce a part of a plan as `_stored` gives it: rows down in what is returned."""
    kernels = kernels_for(len(plan.rows) * len(plan.columns))
    down, across = plan.block_rows, plan.block_columns
    if not turned:
        return reduce_stored(elements, dtype, down, across, reduction, kernels)
    # Turned after the reduction, not before: it is ten times faster on contiguous rows.
    found = reduce_stored(elements, dtype, across, down, reduction, kernels)
    weight = None if found.weight is None else found.weight.T
    return Reduced(found.values.T, weight, found.marks.T)


def finite_range(tile: Tile) -> tuple[float, float] | None:
    """The smallest and largest pixel of a picture, for its levels; None if every pixel is NaN.

    Of the picture's pixels, not of the tensor: of means, say, or of a sample.
    """
    finite = tile.values[np.isfinite(tile.values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def percentile_range(tile: Tile, low: float, high: float) -> tuple[float, float] | None:
    """Two percentiles (0 to 100) of a picture's pixels, for its levels; None if all are NaN.

    Of the picture's pixels, not of the tensor. Both are pixels that occur, at or outside the
    percentile. 100 ms for ten million pixels, so on any thread but the window's.
    """
    finite = tile.values[np.isfinite(tile.values)]
    if not finite.size:
        return None
    return (
        float(np.percentile(finite, low, method="lower")),
        float(np.percentile(finite, high, method="higher")),
    )
