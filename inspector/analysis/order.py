"""What order says of numbers: how many lie below some thresholds, and which lie between two.

Each block is sorted, and every question is then a binary search. NumPy sorts a block of float32 by
vector instructions in less time than it takes to compute where each of its numbers belongs, and
gives up the GIL meanwhile, so several blocks are sorted at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import BLOCK, Block, Check, Progress, scan_blocks
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
    drop = statistics.finite < statistics.count
    scan = scan_blocks(
        source,
        region,
        partial(_Scan, thresholds, intervals, few, drop=drop),
        most=BLOCK if block is None else block,
        check=check,
        progress=progress,
    )
    return Answer(scan.below, tuple(_together(kept, few) for kept in scan.within))


def finite_numbers(block: Array, *, drop: bool) -> Array:
    """What is ordered of a block; `drop` if some of it may not be finite."""
    kept: Array = block[np.isfinite(block)] if drop else block
    if kept.dtype.kind != "c":
        return kept
    return np.minimum(np.abs(kept.astype(np.complex128)), _LARGEST)


class _Scan:
    """What the blocks added so far answer."""

    def __init__(
        self, thresholds: Array, intervals: tuple[Interval, ...], few: int, *, drop: bool
    ) -> None:
        self._thresholds = thresholds
        self._lows = np.array([each.low for each in intervals], thresholds.dtype)
        self._highs = [each.high for each in intervals]
        self._few, self._drop = few, drop
        self.below = np.zeros(thresholds.size, np.int64)
        self.within: list[list[Array] | None] = [[] for _ in intervals]
        self._counts = [0] * len(intervals)

    def add(self, block: Block) -> None:
        """Add a block."""
        numbers = np.sort(finite_numbers(block.elements, drop=self._drop))
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

    def merge(self, other: _Scan) -> None:
        """Add what was added to another."""
        self.below += other.below
        for place, kept in enumerate(self.within):
            added = other.within[place]
            if kept is None or added is None:
                self.within[place] = None
            else:
                kept += added


def _together(parts: list[Array] | None, few: int) -> Array | None:
    if parts is None or sum(part.size for part in parts) > few:
        return None
    return np.sort(np.concatenate(parts)) if parts else np.empty(0)
