"""Bins of equal width, as thresholds between which numbers are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.statistics import Statistics
from inspector.values.arrays import Array

_LARGEST: Final = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Bins next to each other.

    Attributes
    ----------
    edges
        float64, shape (n + 1,), strictly increasing. Of integers at halves, as far as float64 has
        them.
    thresholds
        Shape (n - 1,), of the numbers' own dtype: a number is in a bin before one of these if it
        is below it.
    """

    edges: NDArray[np.float64]
    thresholds: Array

    def counts(self, below: NDArray[np.int64], total: int) -> NDArray[np.int64]:
        """How many are in each bin, given how many are below each threshold, and at all."""
        return np.diff(below, prepend=0, append=total)


def bins_of(statistics: Statistics, bins: int, dtype: np.dtype[np.generic]) -> Bins:
    """The bins of a region with something finite in it.

    Parameters
    ----------
    bins
        How many at most.
    dtype
        Of the numbers that are counted.
    """
    low, high = statistics.minimum, statistics.maximum
    if isinstance(low, int) and isinstance(high, int):
        return _integer_bins(low, high, bins, dtype)
    assert low is not None
    assert high is not None
    edges = float_edges(min(low, _LARGEST), min(high, _LARGEST), bins)
    inner = edges[1:-1]
    # A number is below an edge exactly if it is below the edge rounded up to its own dtype.
    thresholds = inner.astype(dtype)
    short = thresholds < inner
    thresholds[short] = np.nextafter(thresholds[short], dtype.type(np.inf))
    return Bins(edges, thresholds)


def float_edges(low: float, high: float, bins: int) -> NDArray[np.float64]:
    """Edges as ``np.histogram`` chooses them, strictly increasing: float64, at most bins + 1."""
    if low == high:
        half = max(0.5, abs(low) * 2.0**-40)
        low, high = max(low - half, -_LARGEST), min(high + half, _LARGEST)
    while True:
        if np.isinf(high - low):
            edges = np.linspace(low / 4, high / 4, bins + 1) * 4
        else:
            edges = np.linspace(low, high, bins + 1)
        if bins == 1 or np.all(edges[1:] > edges[:-1]):
            return edges
        bins //= 2


def _integer_bins(low: int, high: int, bins: int, dtype: np.dtype[np.generic]) -> Bins:
    """Bins of integers, each as wide as the same whole number of them."""
    width = -(-(high - low + 1) // bins)
    while True:
        count = -(-(high - low + 1) // width)
        firsts = [low + number * width for number in range(count + 1)]
        # In halves, so that only the division rounds.
        edges = np.array([(2 * first - 1) / 2 for first in firsts])
        if np.all(edges[1:] > edges[:-1]):
            return Bins(edges, np.array(firsts[1:-1], dtype))
        width *= 2
