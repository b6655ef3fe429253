"""The exact histogram of a tensor's region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.binning import Bins, bins_of
from inspector.analysis.blocks import Check, Progress
from inspector.analysis.order import look, ordered_dtype
from inspector.analysis.patterns import PatternCounts, count_patterns, has_patterns
from inspector.analysis.statistics import Statistics
from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Region


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How the finite values are spread.

    Attributes
    ----------
    counts
        int64, shape (n,): elements in each bin; their sum is `Statistics.finite`.
    edges
        float64, shape (n + 1,), strictly increasing. A bin holds its left edge; the last one
        holds both. With no finite value there is one empty bin from 0 to 1.
    exact
        Whether every element was looked at.
    """

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    exact: bool


def histogram(
    source: ArraySource,
    region: Region,
    statistics: Statistics,
    bins: int = 256,
    *,
    check: Check,
    progress: Progress,
    block: int | None = None,
) -> Histogram:
    """Count the finite values of a region in bins of equal width.

    Floats: the counts of ``np.histogram(values as float64, bins, range=(minimum, maximum))``, one
    for one. Fewer bins where float64 has no room for so many between the two. A constant is in
    the middle of a range of 1 (wider where float64 has no such digits).

    Integers and booleans: every bin is as wide as the same whole number of integers, so that no
    bin is empty only because its neighbour took two; edges lie at halves, and the last bin may
    reach beyond the maximum. Counts are exact beyond 2**53 too, where an edge is the nearest
    float64.

    Complex numbers: as floats, of the magnitudes; one beyond float64's largest counts as that.

    Runs on any thread but the window's, with some more beside it. Memory: a few MiB,
    whatever the size.

    Parameters
    ----------
    statistics
        Of the same region, from `summarise`.
    bins
        How many at most, at least 1.
    block
        Elements a block, at most; None for as many as suit the dtype.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    if has_patterns(source.dtype):
        patterns = count_patterns(source, region, check=check, progress=progress, block=block)
        return histogram_of_patterns(patterns, statistics, bins)
    known = known_histogram(source, statistics, bins)
    if known is not None:
        progress(1.0)
        return known
    spread = bins_of(statistics, bins, ordered_dtype(source))
    answer = look(
        source,
        region,
        statistics,
        spread.thresholds,
        few=0,
        check=check,
        progress=progress,
        block=block,
    )
    return histogram_of_counts(spread, answer.below, statistics)


def histogram_of_counts(
    spread: Bins, below: NDArray[np.int64], statistics: Statistics
) -> Histogram:
    """The histogram of a region of which it is known how many are below each threshold."""
    return Histogram(spread.counts(below, statistics.finite), spread.edges, exact=True)


def known_histogram(
    source: ArraySource, statistics: Statistics, bins: int = 256
) -> Histogram | None:
    """The histogram where nothing is finite or few values are distinct; else None."""
    if not statistics.finite:
        return _nothing()
    if statistics.distinct is None:
        return None
    values = np.array([value for value, _ in statistics.distinct], ordered_dtype(source))
    counts = np.array([count for _, count in statistics.distinct], np.int64)
    return _of_ordered(values, counts, statistics, bins)


def histogram_of_patterns(
    patterns: PatternCounts, statistics: Statistics, bins: int = 256
) -> Histogram:
    """The histogram of a region whose patterns have been counted, as `histogram` gives it."""
    if not statistics.finite:
        return _nothing()
    values, counts = patterns.finite()
    order = np.argsort(values)
    return _of_ordered(values[order], counts[order], statistics, bins)


def _of_ordered(
    values: Array, counts: NDArray[np.int64], statistics: Statistics, bins: int
) -> Histogram:
    """The histogram of values in order that occur so often."""
    spread = bins_of(statistics, bins, values.dtype)
    ends = np.cumsum(counts)
    below = np.append(0, ends)[np.searchsorted(values, spread.thresholds)]
    return histogram_of_counts(spread, below, statistics)


def _nothing() -> Histogram:
    return Histogram(np.zeros(1, dtype=np.int64), np.array([0.0, 1.0]), exact=True)
