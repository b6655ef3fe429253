"""Bins of equal width, and the fast, exact way to sort blocks of numbers into them.

Floats. ``np.histogram`` puts a value into the bin whose edges it lies between; it computes a bin
by one multiplication and corrects it by comparing with both edges, for each value. Here the
comparison is made only for values near an edge: the range is cut into `_FINE` steps a bin, such
that every edge falls in the middle of a step. A value in any other step is at least half a step
away from all edges, far more than all rounding errors together, so its bin is certain. The few in
a step with an edge are compared with that edge. Where rounding errors are not that
small beside a step, every value is compared.

Integers are sorted by integer arithmetic.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.statistics import Statistics
from inspector.values.arrays import Array

#: Steps a bin. A power of two; one step in so many holds an edge.
_FINE: Final = 32

#: Steps at most, so that three roundings in float32 are below 1 % of a step, and the counts of
#: the steps stay in the cache.
_MOST_STEPS: Final = 1 << 15

_LARGEST: Final = float(np.finfo(np.float64).max)


def bins_of(statistics: Statistics, bins: int, most: int) -> FloatBins | IntegerBins:
    """Empty bins for a region with something finite in it.

    Parameters
    ----------
    bins
        How many at most.
    most
        Elements in a block, at most.
    """
    low, high = statistics.minimum, statistics.maximum
    if isinstance(low, int) and isinstance(high, int):
        return IntegerBins(low, high, bins, most)
    assert low is not None
    assert high is not None
    return FloatBins(min(low, _LARGEST), min(high, _LARGEST), bins, most)


def float_edges(low: float, high: float, bins: int) -> NDArray[np.float64]:
    """Edges as ``np.histogram`` chooses them, strictly increasing: float64, at most bins + 1."""
    if low == high:
        half = max(0.5, abs(low) * 2.0**-40)
        low, high = max(low - half, -_LARGEST), min(high + half, _LARGEST)
    while True:
        if math.isinf(high - low):
            edges = np.linspace(low / 4, high / 4, bins + 1) * 4
        else:
            edges = np.linspace(low, high, bins + 1)
        if bins == 1 or np.all(edges[1:] > edges[:-1]):
            return edges
        bins //= 2


class FloatBins:
    """Bins of floats between two finite numbers.

    Attributes
    ----------
    edges
        float64, strictly increasing.
    counts
        int64: what has been added so far.
    """

    def __init__(self, low: float, high: float, bins: int, most: int) -> None:
        self.edges = float_edges(low, high, bins)
        self.counts = np.zeros(self.edges.size - 1, dtype=np.int64)
        self._low = float(self.edges[0])
        steps = self.counts.size * _FINE
        width = float(self.edges[-1]) - self._low
        largest = max(abs(self._low), abs(float(self.edges[-1])))
        # Edges and differences are off by some last digits of the largest number.
        certain = steps <= _MOST_STEPS and math.isfinite(width) and width > 1e-280
        self._certain = certain and width / steps > largest * 2.0**-48
        self._scale = steps / width if self._certain else 0.0
        # In float32 the difference must neither overflow nor have an inexact lower end.
        fits = 1e-30 < width < 1e38 and largest < 1e38
        self._narrow = fits and self._low == float(np.float32(self._low))
        # Fresh memory for each block would cost more than the arithmetic.
        self._steps = np.empty(most if self._certain else 0, dtype=np.int32)
        self._near = np.empty(self._steps.size, dtype=np.bool_)
        self._index = np.empty(self._steps.size, dtype=np.intp)
        self._buffers: dict[type, Array] = {}

    def add(self, block: Array) -> None:
        """Count a block of float32 or float64 values, all of them within the edges."""
        if not self._certain:
            self.counts += self._sorted(block)
            return
        steps = self._locate(block)
        index = self._index[: block.size]
        np.copyto(index, steps)
        found = np.bincount(index, minlength=self.counts.size * _FINE + 1)
        np.bitwise_and(steps, _FINE - 1, out=steps)
        near = np.flatnonzero(np.equal(steps, 0, out=self._near[: block.size]))
        # Step 0 and each step of an edge are left out here, and compared with it.
        by_bin = found[: self.counts.size * _FINE].reshape(-1, _FINE)
        self.counts += by_bin[:, 1:].sum(axis=1)
        self.counts += self._beside_edges(block[near], index[near] // _FINE)

    def place(self, value: float) -> int:
        """The bin of one value within the edges, as ``np.histogram`` has it."""
        found = int(np.searchsorted(self.edges, value, side="right")) - 1
        return min(found, self.counts.size - 1)

    def _locate(self, block: Array) -> NDArray[np.int32]:
        """The step of each value: ``(value - low) * scale + 0.5``, rounded down."""
        single = block.dtype == np.float32 and self._narrow
        kind = np.float32 if single else np.float64
        if kind not in self._buffers:
            self._buffers[kind] = np.empty(self._steps.size, dtype=kind)
        place = self._buffers[kind][: block.size]
        np.copyto(place, block)
        np.subtract(place, kind(self._low), out=place)
        np.multiply(place, kind(self._scale), out=place)
        np.add(place, kind(0.5), out=place)
        steps = self._steps[: block.size]
        np.copyto(steps, place, casting="unsafe")
        return steps

    def _beside_edges(self, values: Array, edges: NDArray[np.intp]) -> NDArray[np.int64]:
        """The counts of values of which each is beside a known edge, on either side."""
        places = edges - (values.astype(np.float64) < self.edges[edges])
        last = self.counts.size - 1
        return np.bincount(np.minimum(places, last), minlength=last + 1)

    def _sorted(self, values: Array) -> NDArray[np.int64]:
        """The counts of values that are compared with the edges."""
        last = self.counts.size - 1
        places = np.searchsorted(self.edges, values.astype(np.float64), side="right") - 1
        return np.bincount(np.minimum(places, last), minlength=last + 1)


class IntegerBins:
    """Bins of integers, each as wide as the same whole number of them.

    Attributes
    ----------
    edges
        float64, strictly increasing: at halves, as far as float64 has them.
    counts
        int64: what has been added so far.
    """

    def __init__(self, low: int, high: int, bins: int, most: int) -> None:
        self._low = low
        self._width = -(-(high - low + 1) // bins)
        while True:
            count = -(-(high - low + 1) // self._width)
            firsts = (low + number * self._width for number in range(count + 1))
            # In halves, so that only the division rounds.
            self.edges = np.array([(2 * first - 1) / 2 for first in firsts])
            if np.all(self.edges[1:] > self.edges[:-1]):
                break
            self._width *= 2
        self.counts = np.zeros(count, dtype=np.int64)
        self._places = np.empty(most, dtype=np.uint64)

    def place(self, value: int) -> int:
        """The bin of one value within the bins."""
        return (value - self._low) // self._width

    def add(self, block: Array) -> None:
        """Count a block of integers of 32 or 64 bits, all of them within the bins."""
        places, signed = self._places[: block.size], self._places.view(np.int64)[: block.size]
        np.copyto(places if block.dtype.kind == "u" else signed, block)
        # In unsigned arithmetic that wraps, the difference is right whatever the sign.
        np.subtract(places, np.uint64(self._low % 2**64), out=places)
        if self._width > 1:
            np.floor_divide(places, np.uint64(self._width), out=places)
        self.counts += np.bincount(signed, minlength=self.counts.size)
