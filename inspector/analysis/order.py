"""What order says of numbers: how many lie below some thresholds, and which lie between two.

Each block is sorted, and every question is then a binary search. NumPy sorts a block of float32 by
vector instructions in less time than it takes to compute where each of its numbers belongs, and
gives up the GIL meanwhile, so several blocks are sorted at once. Of large tensors, a compiled loop
counts how many numbers are in each of many cells, and only those cells' numbers are sorted in
which something is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import BLOCK, Block, Check, Progress, scan_blocks
from inspector.analysis.compiled import BYTES, kernels_for
from inspector.analysis.statistics import Number, Statistics
from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Region

_LARGEST: Final = np.finfo(np.float64).max


def ordered_dtype(source: ArraySource) -> np.dtype[np.generic]:
    """The dtype of the numbers that are ordered: of complex numbers, that of their magnitudes."""
    values = source.dtype.values
    return np.dtype(np.float64) if values.kind == "c" else values


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers from `low` on, and below `high` if that is not None."""

    low: Number
    high: Number | None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What one pass found among the finite numbers.

    Attributes
    ----------
    below
        int64: how many are below each threshold.
    within
        Those in each interval, in order; None where they are more than was allowed.
    """

    below: NDArray[np.int64]
    within: tuple[Array | None, ...]


def look(
    source: ArraySource,
    region: Region,
    statistics: Statistics,
    thresholds: Array,
    intervals: tuple[Interval, ...] = (),
    *,
    few: int,
    check: Check,
    progress: Progress,
    block: int | None = None,
) -> Answer:
    """Ask the finite numbers of a region, in one pass.

    Complex numbers are ordered by magnitude; one beyond float64's largest counts as that. Runs on
    any thread but the window's, with some more beside it. Memory: some MiB, and the numbers
    in the intervals.

    Parameters
    ----------
    statistics
        Of the same region.
    thresholds
        Of `ordered_dtype`, in any order.
    few
        Numbers in an interval that are kept, at most.
    block
        Elements a block, at most.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    kernels = kernels_for(region.numel) if source.dtype.values.kind == "f" else None
    if kernels is not None and statistics.finite:
        cells = _wanted(kernels, statistics, thresholds, intervals)
        make: Callable[[], _Scan] = partial(_CellScan, thresholds, intervals, few, cells)
    else:
        drop = statistics.finite < statistics.count
        make = partial(_SortScan, thresholds, intervals, few, drop=drop)
    scan = scan_blocks(
        source,
        region,
        make,
        most=block or (BLOCK if kernels is None else BYTES // thresholds.itemsize),
        check=check,
        progress=progress,
    )
    return Answer(scan.answer(), tuple(_together(kept, few) for kept in scan.within))


def finite_numbers(block: Array, *, drop: bool) -> Array:
    """What is ordered of a block; `drop` if some of it may not be finite."""
    kept: Array = block[np.isfinite(block)] if drop else block
    if kept.dtype.kind != "c":
        return kept
    return np.minimum(np.abs(kept.astype(np.complex128)), _LARGEST)


class _Scan:
    """What the blocks added so far answer."""

    def __init__(self, thresholds: Array, intervals: tuple[Interval, ...], few: int) -> None:
        self._thresholds = thresholds
        self._lows = np.array([each.low for each in intervals], thresholds.dtype)
        self._highs = [each.high for each in intervals]
        self._few = few
        self.below = np.zeros(thresholds.size, np.int64)
        self.within: list[list[Array] | None] = [[] for _ in intervals]
        self._counts = [0] * len(intervals)

    def add(self, block: Block) -> None:
        """Add a block."""
        numbers = np.sort(self._asked(block.elements))
        self.below += np.searchsorted(numbers, self._thresholds)
        starts = np.searchsorted(numbers, self._lows)
        for place, (start, high) in enumerate(zip(starts, self._highs, strict=True)):
            kept = self.within[place]
            if kept is None:
                continue
            stop = numbers.size
            if high is not None:
                stop = np.searchsorted(numbers, numbers.dtype.type(high))
            self._counts[place] += stop - start
            if self._counts[place] > self._few:
                self.within[place] = None
            elif stop > start:
                kept.append(numbers[start:stop].copy())

    def _asked(self, elements: Array) -> Array:
        """Numbers of a block, among which are all that are asked about."""
        raise NotImplementedError

    def answer(self) -> NDArray[np.int64]:
        """How many are below each threshold."""
        return self.below

    def merge(self, other: _Scan) -> None:
        """Add what was added to another."""
        self.below += other.below
        for place, kept in enumerate(self.within):
            added = other.within[place]
            self._counts[place] += other._counts[place]
            if kept is None or added is None or self._counts[place] > self._few:
                self.within[place] = None
            else:
                kept += added


class _SortScan(_Scan):
    """Looks at every number."""

    def __init__(
        self, thresholds: Array, intervals: tuple[Interval, ...], few: int, *, drop: bool
    ) -> None:
        super().__init__(thresholds, intervals, few)
        self._drop = drop

    def _asked(self, elements: Array) -> Array:
        return finite_numbers(elements, drop=self._drop)


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """Cells (see `kernels.Cells`), and of which of them the numbers have to be looked at.

    Attributes
    ----------
    flags
        bool, as `Cells.sift` takes them.
    places
        The cell of each threshold.
    """

    cells: Any
    flags: NDArray[np.bool_]
    places: NDArray[np.int64]


def _wanted(
    kernels: ModuleType, statistics: Statistics, thresholds: Array, intervals: tuple[Interval, ...]
) -> _Wanted:
    """The cells of all numbers of a region, and those with a threshold or an interval in them."""
    ends = np.array([statistics.minimum, statistics.maximum], thresholds.dtype)
    cells = kernels.Cells(*ends)
    flags = np.zeros(cells.size + 2, np.bool_)
    places = cells.of(thresholds)
    flags[places] = True
    for interval in intervals:
        high = ends[1] if interval.high is None else thresholds.dtype.type(interval.high)
        first, last = cells.of(np.array([interval.low, high], thresholds.dtype))
        flags[first : last + 1] = True
    return _Wanted(cells, flags, places)


class _CellScan(_Scan):
    """Counts numbers by cells, and looks only at those of the cells that matter."""

    def __init__(
        self, thresholds: Array, intervals: tuple[Interval, ...], few: int, wanted: _Wanted
    ) -> None:
        super().__init__(thresholds, intervals, few)
        self._wanted = wanted
        self._by_cell = np.zeros(wanted.flags.size, np.int64)

    def _asked(self, elements: Array) -> Array:
        wanted = self._wanted
        found: Array = wanted.cells.sift(elements, wanted.flags, self._by_cell)
        return found

    def merge(self, other: _Scan) -> None:
        super().merge(other)
        assert isinstance(other, _CellScan)
        self._by_cell += other._by_cell

    def answer(self) -> NDArray[np.int64]:
        # Numbers in the cells before were counted; if they were looked at, they are there already.
        passed_over = np.where(self._wanted.flags, 0, self._by_cell)
        before = np.append(0, np.cumsum(passed_over))
        below: NDArray[np.int64] = self.below + before[self._wanted.places]
        return below


def _together(parts: list[Array] | None, few: int) -> Array | None:
    if parts is None or sum(part.size for part in parts) > few:
        return None
    return np.sort(np.concatenate(parts)) if parts else np.empty(0)
