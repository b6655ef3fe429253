"""Exact statistics of a tensor's region, in one pass and a few megabytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import BLOCK, WORKERS, Block, Check, Progress, index_of, scan_blocks
from inspector.analysis.compiled import BYTES, kernels_for
from inspector.analysis.distinct import Distinct, Occurrences, distinct_of
from inspector.analysis.moments import Moments, root
from inspector.analysis.patterns import PatternCounts, count_patterns, has_patterns
from inspector.values.arrays import Array, ArraySource
from inspector.values.dtypes import DType
from inspector.values.floats import FLOATS
from inspector.values.regions import Region

Number = int | float


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a region's numbers are like.

    For complex numbers, order is by magnitude: `minimum` and `maximum` are magnitudes, `mean` is
    complex, and the deviation is the root of the mean squared distance from it. A complex number
    is NaN if either part is, else infinite if either part is.

    Attributes
    ----------
    count
        Elements in the region. Always ``finite + nan + infinite``.
    finite, nan, zeros
        How many are finite, NaN, equal to zero (-0 too).
    infinite
        How many are infinite, of either sign.
    pos_inf, neg_inf
        How many are +inf and -inf. Both 0 for complex numbers, whose infinities have no sign.
    minimum, maximum
        Of the finite values: an int for integers and booleans (exact beyond 2**53 too), else a
        float. None if nothing is finite.
    minimum_at, maximum_at
        The index in the tensor (one int an axis) of the first of them in C order.
    mean, std
        Of the finite values; `std` is the population's (ddof = 0). None if nothing is finite.
    l1_norm, l2_norm, max_norm
        The sum of the magnitudes of the finite values, the root of the sum of their squares, and
        the largest magnitude; 0 if there are none, inf if it is beyond float64. The last is an
        int for integers and booleans.
    subnormals
        How many are subnormal: not zero, but smaller than the stored type's smallest normal
        number. 0 for integers; None for complex numbers.
    distinct
        The finite values and how often each occurs, smallest first; None where they are more than
        `MOST` (16), or complex.
    exact
        Whether every element was looked at.
    """

    count: int
    finite: int
    nan: int
    infinite: int
    pos_inf: int
    neg_inf: int
    zeros: int
    subnormals: int | None
    minimum: Number | None
    maximum: Number | None
    minimum_at: tuple[int, ...] | None
    maximum_at: tuple[int, ...] | None
    mean: float | complex | None
    std: float | None
    l1_norm: float
    l2_norm: float
    max_norm: Number
    distinct: Occurrences | None
    exact: bool


def summarise(
    source: ArraySource,
    region: Region,
    *,
    check: Check,
    progress: Progress,
    block: int | None = None,
) -> Statistics:
    """Exact statistics of a region.

    Runs on any thread but the window's; of large regions of floats, with some more beside it.
    Memory: some 8 MiB a thread, whatever the size.

    Counts, extremes and positions are exact. With ``u = 2**-53``: the mean is within ``64 * u``
    of the standard deviation, plus one last digit of its own, and the standard deviation and the
    norm are within ``64 * u`` of themselves (typically 2 u), for any number of elements, any mean
    and any magnitude that float64 can hold. Constant regions give exactly their value and 0.
    Means of integers are correctly rounded.

    Parameters
    ----------
    check
        Called before each block; what it raises goes through.
    progress
        Called with 0 to 1 after each block.
    block
        Elements a block, at most; None for as many as suit the dtype.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    if has_patterns(source.dtype):
        counts = count_patterns(source, region, check=check, progress=progress, block=block)
        return summarise_patterns(counts, region)
    kernels = kernels_for(region.numel) if source.dtype.values.kind == "f" else None
    most = block or (BLOCK if kernels is None else BYTES // source.dtype.values.itemsize)
    scan = scan_blocks(
        source,
        region,
        partial(_scan_of, source.dtype, min(most, max(region.numel, 1)), kernels),
        most=most,
        check=check,
        progress=progress,
        # What NumPy does of a block is too short for several threads.
        threads=1 if kernels is None else WORKERS,
    )
    return scan.result(region)


def summarise_patterns(patterns: PatternCounts, region: Region) -> Statistics:
    """The statistics of a region whose patterns have been counted."""
    values, counts = patterns.values, patterns.counts
    nan = int(counts[np.isnan(values)].sum())
    pos_inf = int(counts[values == np.inf].sum())
    neg_inf = int(counts[values == -np.inf].sum())
    zeros = int(counts[values == 0].sum())
    values, counts = patterns.finite()
    tiny = np.abs(values) < _smallest_normal(patterns.dtype)
    subnormals = int(counts[tiny & (values != 0)].sum())
    finite = int(counts.sum())
    mean = std = low = high = None
    number = float if patterns.dtype.category == "float" else int
    if finite:
        # A value has at most 16 digits, so a product with a count below 2**37 is exact, and
        # fsum rounds once.
        mean = math.fsum(values * counts) / finite
        std = math.sqrt(math.fsum(np.square(values - mean) * counts) / finite)
        low, high = number(values.min() + 0.0), number(values.max() + 0.0)
    return Statistics(
        count=region.numel,
        finite=finite,
        nan=nan,
        infinite=pos_inf + neg_inf,
        pos_inf=pos_inf,
        neg_inf=neg_inf,
        zeros=zeros,
        subnormals=subnormals,
        minimum=low,
        maximum=high,
        minimum_at=_place(region, patterns.minimum_at),
        maximum_at=_place(region, patterns.maximum_at),
        mean=mean,
        std=std,
        l1_norm=math.fsum(np.abs(values) * counts),
        l2_norm=math.sqrt(math.fsum(np.square(values) * counts)),
        max_norm=_largest(low, high),
        distinct=distinct_of(values, counts, number),
        exact=True,
    )


def _largest(low: Number | None, high: Number | None) -> Number:
    """The largest magnitude between two ends."""
    return 0 if low is None or high is None else max(abs(low), abs(high))


def _smallest_normal(dtype: DType) -> float:
    """That of the stored type; 0 if it has no subnormal numbers."""
    layout = FLOATS.get(dtype.name) or FLOATS.get(dtype.values.name)
    return layout.smallest_normal if layout is not None else 0.0


def _place(region: Region, offset: int | None) -> tuple[int, ...] | None:
    return None if offset is None else index_of(region, offset)


class _Extreme:
    """The smallest (sign 1) or largest (sign -1) value seen, and its first place in C order."""

    __slots__ = ("_sign", "at", "value")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self.value: Number | None = None
        self.at: int | None = None

    def note(self, value: Number, values: Array, found: Block, kept: Array | None) -> None:
        """Take note of a block.

        Parameters
        ----------
        value
            The block's extreme.
        values
            What is compared: its elements, or their magnitudes.
        kept
            Which of its elements the values are of; None for all.
        """
        if self.value is not None and self._sign * value > self._sign * self.value:
            return
        # Blocks come as they are kept, so a later one may have the same at an earlier place.
        before = self.at if value == self.value else None
        if before is not None and before <= found.start:
            return
        hits = values == value
        if kept is not None:
            places = kept[hits]
            hits = np.zeros(found.elements.size, np.bool_)
            hits[places] = True
        at = found.first(hits)
        self.value, self.at = value, at if before is None else min(at, before)

    def merge(self, other: _Extreme) -> None:
        """Take what another has seen into account."""
        if other.value is None or other.at is None:
            return
        theirs = self._sign * other.value, other.at
        if self.value is None or self.at is None or theirs < (self._sign * self.value, self.at):
            self.value, self.at = other.value, other.at


class _Scan:
    """Counts, extremes and moments of the blocks added so far."""

    def __init__(self, most: int) -> None:
        self.nan = self.infinite = self.pos_inf = self.neg_inf = self.zeros = 0
        self.subnormals = 0
        self.low, self.high = _Extreme(1), _Extreme(-1)
        self.moments: tuple[Moments, ...] = (Moments(most),)
        self.distinct = Distinct()
        self._is_zero = np.empty(most, dtype=np.bool_)

    def add(self, found: Block) -> None:
        """Add a block."""
        raise NotImplementedError

    def merge(self, other: _Scan) -> None:
        """Add what was added to another."""
        for name in ("nan", "infinite", "pos_inf", "neg_inf", "zeros", "subnormals"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.low.merge(other.low)
        self.high.merge(other.high)
        for mine, others in zip(self.moments, other.moments, strict=True):
            mine.merge(others)
        self.distinct.merge(other.distinct)

    def note_zeros(self, block: Array) -> None:
        """Count what is equal to zero."""
        zero = np.equal(block, 0, out=self._is_zero[: block.size])
        self.zeros += int(np.count_nonzero(zero))

    def note_extremes(
        self, values: Array, low: Number, high: Number, found: Block, kept: Array | None
    ) -> None:
        """Note the smallest and the largest of the values of a block; see `_Extreme.note`."""
        self.low.note(low, values, found, kept)
        self.high.note(high, values, found, kept)

    def mean(self) -> float | complex:
        """The mean of what is finite."""
        return self.moments[0].mean

    def subnormal_count(self) -> int | None:
        """How many are subnormal."""
        return self.subnormals

    def occurrences(self) -> Occurrences | None:
        """The distinct values of what is finite, where they are few."""
        return self.distinct.result

    def l1_norm(self) -> float:
        """The sum of the magnitudes of what is finite."""
        return self.moments[0].l1_norm

    def result(self, region: Region) -> Statistics:
        """The statistics; all blocks of the region have been added."""
        finite = self.moments[0].count
        variances = [part.squared_deviations for part in self.moments] if finite else []
        squares = [part.squares for part in self.moments]
        return Statistics(
            count=region.numel,
            finite=finite,
            nan=self.nan,
            infinite=self.infinite,
            pos_inf=self.pos_inf,
            neg_inf=self.neg_inf,
            zeros=self.zeros,
            subnormals=self.subnormal_count(),
            minimum=self.low.value,
            maximum=self.high.value,
            minimum_at=_place(region, self.low.at),
            maximum_at=_place(region, self.high.at),
            mean=self.mean() if finite else None,
            std=root(sum(top for top, _ in variances), variances[0][1]) if finite else None,
            l1_norm=self.l1_norm(),
            l2_norm=root(sum(top for top, _ in squares), squares[0][1]),
            max_norm=_largest(self.low.value, self.high.value),
            distinct=self.occurrences(),
            exact=True,
        )


class _FloatScan(_Scan):
    def __init__(self, most: int, smallest_normal: float, kernels: ModuleType | None) -> None:
        super().__init__(most)
        self._smallest_normal = smallest_normal
        self._kernels = kernels
        self.moments = (Moments(most, kernels),)

    def add(self, found: Block) -> None:
        block = found.elements
        low, high = self._ends(block)
        kept: NDArray[np.intp] | None = None
        if not (math.isfinite(low) and math.isfinite(high)):
            kept = self._drop(block)
            block = block[kept]
            if not block.size:
                return
            low, high = self._ends(block)
        self.note_extremes(block, low, high, found, kept)
        if self.moments[0].add_floats(block, low, high) < self._smallest_normal:
            self._note_small(block)
        self.distinct.add(block)

    def _ends(self, block: Array) -> tuple[float, float]:
        """The smallest and the largest; not finite if anything is not."""
        if self._kernels is not None:
            found: tuple[float, float] = self._kernels.ends(block)
            return found
        return float(block.min()) + 0.0, float(block.max()) + 0.0  # without a sign for zero

    def _note_small(self, block: Array) -> None:
        """Count zeros and subnormals; mostly there are none."""
        limit = block.dtype.type(self._smallest_normal)
        small = int(np.count_nonzero(np.abs(block) < limit))
        before = self.zeros
        self.note_zeros(block)
        self.subnormals += small - (self.zeros - before)

    def _drop(self, block: Array) -> NDArray[np.intp]:
        """Count what is not finite, and say where the rest is."""
        self.nan += int(np.count_nonzero(np.isnan(block)))
        self.pos_inf += int(np.count_nonzero(block == np.inf))
        self.neg_inf += int(np.count_nonzero(block == -np.inf))
        self.infinite = self.pos_inf + self.neg_inf
        return np.flatnonzero(np.isfinite(block))


class _IntegerScan(_Scan):
    def add(self, found: Block) -> None:
        block = found.elements
        low, high = int(block.min()), int(block.max())
        if low <= 0 <= high:
            self.note_zeros(block)
        self.note_extremes(block, low, high, found, None)
        self.moments[0].add_integers(block, low, high)
        self.distinct.add(block)


class _ComplexScan(_Scan):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.moments = (Moments(most), Moments(most))
        self._magnitudes = Moments(0)
        #: Whether a magnitude is beyond float64, though both parts are finite.
        self._is_beyond = False

    def add(self, found: Block) -> None:
        block = found.elements
        kept: NDArray[np.intp] | None = None
        finite = np.isfinite(block)
        if not finite.all():
            nan = np.isnan(block)
            self.nan += int(np.count_nonzero(nan))
            self.infinite += int(np.count_nonzero(np.isinf(block) & ~nan))
            kept = np.flatnonzero(finite)
            block = block[kept]
            if not block.size:
                return
        self.note_zeros(block)
        magnitudes = np.abs(block.astype(np.complex128))
        low, high = float(magnitudes.min()), float(magnitudes.max())
        self.note_extremes(magnitudes, low, high, found, kept)
        if math.isfinite(high):
            self._magnitudes.add_magnitudes(magnitudes, high)
        else:
            self._is_beyond = True
        for moments, part in zip(self.moments, (block.real, block.imag), strict=True):
            part = np.ascontiguousarray(part)
            moments.add_floats(part, float(part.min()), float(part.max()))

    def merge(self, other: _Scan) -> None:
        super().merge(other)
        assert isinstance(other, _ComplexScan)
        self._magnitudes.merge(other._magnitudes)
        self._is_beyond = self._is_beyond or other._is_beyond

    def subnormal_count(self) -> None:
        return None

    def occurrences(self) -> None:
        return None

    def l1_norm(self) -> float:
        return math.inf if self._is_beyond else self._magnitudes.l1_norm

    def mean(self) -> complex:
        return complex(self.moments[0].mean, self.moments[1].mean)


def _scan_of(dtype: DType, most: int, kernels: ModuleType | None) -> _Scan:
    """An empty scan for values of a dtype in blocks of so many elements."""
    if dtype.values.kind == "f":
        return _FloatScan(most, _smallest_normal(dtype), kernels)
    return _ComplexScan(most) if dtype.values.kind == "c" else _IntegerScan(most)
