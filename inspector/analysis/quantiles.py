"""Exact quantiles of a tensor's region in a few passes, without sorting or keeping it.

One pass counts the 65,536 patterns of the numbers' upper 16 bits, which tells for each quantile
with which of them it begins, and how many numbers are smaller than those. The next pass counts
the following 16 bits of the numbers that begin so, and so on; once few enough are left, they are
collected and sorted.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import BLOCK, Check, Progress, flat_blocks
from inspector.analysis.patterns import PatternCounts, count_patterns, has_patterns
from inspector.analysis.statistics import Number, Statistics
from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Region

#: The shares of the numbers below the quantiles that are shown.
SHARES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)

_STEP: Final = 16
_BINS: Final = 1 << _STEP

#: Numbers that are collected and sorted, at most.
_FEW: Final = 1 << 16


def quantiles(
    source: ArraySource,
    region: Region,
    statistics: Statistics,
    shares: tuple[float, ...] = SHARES,
    *,
    check: Check,
    progress: Progress,
    block: int | None = None,
    few: int = _FEW,
) -> tuple[Number, ...]:
    """The quantiles of the finite values of a region; of the magnitudes, for complex numbers.

    Where a share falls between two numbers, they are interpolated as ``np.quantile`` does by
    default, in float64; where it does not, or the two are equal, the quantile is that number
    itself (an int for integers, exact beyond 2**53 too). Zeros have no sign.

    Types of one or two bytes take one pass over the data, those of four bytes two, and those of
    eight two to four. Runs on any thread but the window's. Memory: some 16 MiB, whatever the size.

    Parameters
    ----------
    statistics
        Of the same region, from `summarise`.
    shares
        Each from 0 to 1.
    block
        Elements a block, at most; None for as many as suit the dtype.
    few
        Numbers that are collected and sorted, at most.

    Returns
    -------
    tuple
        One for each share; empty if nothing is finite.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    if has_patterns(source.dtype):
        patterns = count_patterns(source, region, check=check, progress=progress, block=block)
        return quantiles_of_patterns(patterns, shares)
    if statistics.distinct is not None:
        progress(1.0)
        return _of_distinct(statistics, shares)
    if not statistics.finite:
        progress(1.0)
        return ()
    parts = _Parts(source, region, statistics, block or BLOCK, check)
    wanted = _ranks(shares, statistics.finite)
    ranks = tuple(sorted({rank for pair in wanted for rank in pair}))
    found = _search(parts, ranks, few, progress)
    progress(1.0)
    return tuple(
        _between(found[low], found[high], share * (statistics.finite - 1) - low)
        for share, (low, high) in zip(shares, wanted, strict=True)
    )


def quantiles_of_patterns(
    patterns: PatternCounts, shares: tuple[float, ...] = SHARES
) -> tuple[Number, ...]:
    """The quantiles of a region whose patterns have been counted, as `quantiles` gives them."""
    values, counts = patterns.finite()
    if not values.size:
        return ()
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(counts[order])
    number = float if patterns.dtype.category == "float" else int
    total = int(ends[-1])

    def at(rank: int) -> Number:
        return number(values[order[np.searchsorted(ends, rank, side="right")]] + 0.0)

    return tuple(
        _between(at(low), at(high), share * (total - 1) - low)
        for share, (low, high) in zip(shares, _ranks(shares, total), strict=True)
    )


def _of_distinct(statistics: Statistics, shares: tuple[float, ...]) -> tuple[Number, ...]:
    """The quantiles of few distinct values, of which it is known how often each occurs."""
    assert statistics.distinct is not None
    ordered = [value for value, _ in statistics.distinct]
    ends = list(accumulate(count for _, count in statistics.distinct))
    if not ends:
        return ()

    def at(rank: int) -> Number:
        return ordered[bisect_right(ends, rank)]

    return tuple(
        _between(at(low), at(high), share * (ends[-1] - 1) - low)
        for share, (low, high) in zip(shares, _ranks(shares, ends[-1]), strict=True)
    )


def _ranks(shares: tuple[float, ...], count: int) -> list[tuple[int, int]]:
    """For each share, the ranks of the two numbers that it falls between."""
    last = count - 1
    pairs = []
    for share in shares:
        low = min(int(share * last), last)
        pairs.append((low, min(low + 1, last) if share * last > low else low))
    return pairs


def _between(low: Number, high: Number, part: float) -> Number:
    """NumPy's interpolation, which is exact at both ends."""
    if low == high or not part:
        return low
    a, b = float(low), float(high)
    return b - (b - a) * (1 - part) if part >= 0.5 else a + (b - a) * part


class _Parts:
    """A region's finite numbers as patterns of 16 bits: columns of an array, the upper ones first.

    The patterns are the numbers' own. Their order is put right where they have been counted: the
    first part of a signed number begins with its sign, and the further parts of a negative float
    go down while it goes up.

    Attributes
    ----------
    count
        Parts of a number: 2 or 4.
    """

    def __init__(
        self, source: ArraySource, region: Region, statistics: Statistics, most: int, check: Check
    ) -> None:
        self._source, self._region, self._check, self._most = source, region, check, most
        self._drop = statistics.finite < statistics.count
        values = source.dtype.values
        self._dtype = np.dtype(np.float64) if values.kind == "c" else values
        self.count = self._dtype.itemsize // 2

    def blocks(self, progress: Progress) -> Iterator[Array]:
        """Blocks of shape (numbers, `count`)."""
        with np.errstate(all="ignore"):
            for _, values in flat_blocks(
                self._source,
                self._region,
                most=self._most,
                check=self._check,
                progress=progress,
            ):
                kept = values[np.isfinite(values)] if self._drop else values
                if kept.dtype.kind == "c":
                    kept = np.abs(kept.astype(np.complex128))
                parts = kept.view(np.uint16).reshape(-1, self.count)
                yield parts[:, ::-1] if sys.byteorder == "little" else parts

    def order(self, prefix: tuple[int, ...]) -> NDArray[np.intp]:
        """The patterns of the part behind some others, in the order of the numbers."""
        upward = np.arange(_BINS)
        half = _BINS // 2
        if not prefix:
            if self._dtype.kind == "u":
                return upward
            negative = upward[half:]
            return np.concatenate(
                (negative[::-1] if self._dtype.kind == "f" else negative, upward[:half])
            )
        falls = self._dtype.kind == "f" and prefix[0] >= half
        return upward[::-1] if falls else upward

    def numbers(self, parts: Array) -> list[Number]:
        """The numbers of these parts, shape (numbers, `count`), in order; -0 is 0."""
        rows = np.asarray(parts, np.uint16)
        ordered = np.ascontiguousarray(rows[:, ::-1] if sys.byteorder == "little" else rows)
        found = np.sort(ordered.reshape(-1).view(self._dtype)) + self._dtype.type(0)
        numbers: list[Number] = found.tolist()
        return numbers


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Ranks that lie among the numbers that begin with some parts.

    Attributes
    ----------
    before
        How many numbers are smaller than all of those.
    count
        How many those are.
    """

    prefix: tuple[int, ...]
    before: int
    count: int
    ranks: tuple[int, ...]

    def rows(self, parts: Array, first: NDArray[np.uint16]) -> NDArray[np.intp]:
        """Where in a block they are; ``first`` is its first column, contiguous."""
        rows = np.flatnonzero(first == self.prefix[0])
        for column, part in enumerate(self.prefix[1:], 1):
            rows = rows[parts[rows, column] == part]
        return rows

    def narrowed(self, counts: NDArray[np.int64], order: NDArray[np.intp]) -> Iterator[_Wanted]:
        """By one more part, of which the patterns were counted."""
        ends = np.cumsum(counts[order]) + self.before
        places: dict[int, list[int]] = {}
        for rank in self.ranks:
            places.setdefault(int(np.searchsorted(ends, rank, side="right")), []).append(rank)
        for place, ranks in places.items():
            pattern = int(order[place])
            count = int(counts[pattern])
            yield _Wanted((*self.prefix, pattern), int(ends[place]) - count, count, tuple(ranks))


def _search(
    parts: _Parts, ranks: tuple[int, ...], few: int, progress: Progress
) -> dict[int, Number]:
    """The numbers by their ranks, 16 bits in each pass."""
    wanted = [_Wanted((), 0, 0, ranks)]
    for number in range(parts.count):
        here = _share(progress, number, parts.count)
        if number and sum(each.count for each in wanted) <= few:
            return _collected(parts, wanted, here)
        counts = _counted(parts, wanted, number, here)
        wanted = [
            inner
            for each, found in zip(wanted, counts, strict=True)
            for inner in each.narrowed(found, parts.order(each.prefix))
        ]
    return {
        rank: parts.numbers(np.array([each.prefix]))[0] for each in wanted for rank in each.ranks
    }


def _counted(
    parts: _Parts, wanted: list[_Wanted], column: int, progress: Progress
) -> list[NDArray[np.int64]]:
    """How often each pattern of the next part occurs behind each prefix."""
    counts = [np.zeros(_BINS, np.int64) for _ in wanted]
    for block in parts.blocks(progress):
        if not column:
            counts[0] += np.bincount(block[:, 0].astype(np.intp), minlength=_BINS)
            continue
        first = np.ascontiguousarray(block[:, 0])
        for each, found in zip(wanted, counts, strict=True):
            rows = each.rows(block, first)
            if rows.size:
                found += np.bincount(block[rows, column].astype(np.intp), minlength=_BINS)
    return counts


def _collected(parts: _Parts, wanted: list[_Wanted], progress: Progress) -> dict[int, Number]:
    """The numbers by their ranks, of which few enough are left to be sorted."""
    kept: list[list[Array]] = [[] for _ in wanted]
    for block in parts.blocks(progress):
        first = np.ascontiguousarray(block[:, 0])
        for each, found in zip(wanted, kept, strict=True):
            found.append(block[each.rows(block, first)])
    result = {}
    for each, found in zip(wanted, kept, strict=True):
        numbers = parts.numbers(np.concatenate(found))
        for rank in each.ranks:
            result[rank] = numbers[rank - each.before]
    return result


def _share(progress: Progress, number: int, passes: int) -> Progress:
    return lambda part: progress((number + part) / passes)
