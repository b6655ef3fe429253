"""The exact histogram of a tensor's region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.binning import bins_of
from inspector.analysis.blocks import BLOCK, Check, Progress, flat_blocks
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

    Runs on any thread but the window's. Memory: a few MiB, whatever the size.

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
    if statistics.distinct is not None:
        progress(1.0)
        return histogram_of_distinct(statistics, bins)
    if not statistics.finite:
        progress(1.0)
        return _nothing()
    most = BLOCK if block is None else block
    spread = bins_of(statistics, bins, min(most, region.numel))
    drop = statistics.finite < statistics.count
    with np.errstate(all="ignore"):
        for _, values in flat_blocks(source, region, most=most, check=check, progress=progress):
            kept = values[np.isfinite(values)] if drop else values
            spread.add(_magnitudes(kept) if kept.dtype.kind == "c" else kept)
    return Histogram(spread.counts, spread.edges, exact=True)


def histogram_of_distinct(statistics: Statistics, bins: int = 256) -> Histogram:
    """The histogram of a region with few distinct values, as `histogram` gives it."""
    assert statistics.distinct is not None
    if not statistics.distinct:
        return _nothing()
    spread = bins_of(statistics, bins, 1)
    for value, count in statistics.distinct:
        spread.counts[spread.place(value)] += count  # type: ignore[arg-type]
    return Histogram(spread.counts, spread.edges, exact=True)


def histogram_of_patterns(
    patterns: PatternCounts, statistics: Statistics, bins: int = 256
) -> Histogram:
    """The histogram of a region whose patterns have been counted, as `histogram` gives it."""
    if not statistics.finite:
        return _nothing()
    values, counts = patterns.finite()
    spread = bins_of(statistics, bins, 1)
    # np.histogram sorts a value into a bin by the edges alone; so does this.
    places = np.searchsorted(spread.edges, values, side="right") - 1
    places = np.minimum(places, spread.counts.size - 1)
    np.add.at(spread.counts, places, counts)
    return Histogram(spread.counts, spread.edges, exact=True)


def _magnitudes(values: Array) -> NDArray[np.float64]:
    magnitudes = np.abs(values.astype(np.complex128))
    return np.minimum(magnitudes, np.finfo(np.float64).max)


def _nothing() -> Histogram:
    return Histogram(np.zeros(1, dtype=np.int64), np.array([0.0, 1.0]), exact=True)
