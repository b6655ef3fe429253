"""Numbers of one or two bytes: how often each pattern occurs says everything about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import Check, Progress, flat_blocks
from inspector.values.arrays import Array, ArraySource
from inspector.values.dtypes import DType
from inspector.values.regions import Region

#: Bytes a block. The table of 65,536 counts that each block costs weighs little beside it.
_BYTES = 1 << 20


def has_patterns(dtype: DType) -> bool:
    """Whether the elements are so narrow that their patterns are counted."""
    return dtype.raw.itemsize <= 2


@dataclass(frozen=True, slots=True, eq=False)
class PatternCounts:
    """How often each pattern occurs in a region.

    Attributes
    ----------
    counts
        int64, shape (256,) or (65536,): occurrences by raw pattern.
    values
        float64, same shape: what each pattern stands for (exact).
    minimum_at, maximum_at
        The first place of the smallest and largest finite value, as elements of the region
        before it; None if nothing is finite.
    """

    dtype: DType
    counts: NDArray[np.int64]
    values: NDArray[np.float64]
    minimum_at: int | None
    maximum_at: int | None

    def finite(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The finite values that occur, and how often. Not in order of value."""
        kept = np.isfinite(self.values) & (self.counts > 0)
        return self.values[kept], self.counts[kept]


def pattern_values(dtype: DType) -> NDArray[np.float64]:
    """What each pattern of a dtype of one or two bytes stands for, as float64 (exact)."""
    if dtype.raw.kind == "b":
        return np.minimum(np.arange(256), 1).astype(np.float64)
    patterns = np.arange(1 << (8 * dtype.raw.itemsize), dtype=_unsigned(dtype))
    with np.errstate(invalid="ignore"):  # a signalling NaN is widened too
        return dtype.widen(patterns.view(dtype.raw)).astype(np.float64)


def _unsigned(dtype: DType) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.uint8 if dtype.raw.itemsize == 1 else np.uint16)


class _Extreme:
    """The first place of the smallest (sign 1) or largest (sign -1) value seen."""

    __slots__ = ("_best", "_keys", "at")

    def __init__(self, keys: NDArray[np.float64]) -> None:
        self._keys = keys
        self._best = np.inf
        self.at: int | None = None

    def offer(self, fresh: NDArray[np.intp], block: Array, offset: int) -> None:
        """Take note of a block in which these patterns occur for the first time."""
        keys = self._keys[fresh]
        best = float(keys.min())
        if best < self._best:
            # Two patterns may stand for one value: 0 and -0.
            equals = fresh[keys == best]
            self.at = offset + min(int(np.argmax(block == pattern)) for pattern in equals)
            self._best = best


class _Counter:
    """Counts of the patterns added so far."""

    __slots__ = ("_bits", "_index", "counts")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._index = np.empty(_BYTES // 2, dtype=np.intp)
        self.counts = np.zeros(1 << bits, dtype=np.int64)

    def add(self, block: Array) -> NDArray[np.int64]:
        """Count a block of uint8 or uint16 patterns; its own counts are returned."""
        if self._bits == 16:
            found = self._bincount(block, 1 << 16)
        elif block.size < 1 << 15:
            found = self._bincount(block, 256)
        else:
            # Two bytes at a time halve the work.
            even = block.size & ~1
            table = self._bincount(block[:even].view(np.uint16), 1 << 16).reshape(256, 256)
            found = table.sum(axis=0) + table.sum(axis=1)
            if even < block.size:
                found[block[even]] += 1
        self.counts += found
        return found

    def _bincount(self, block: Array, length: int) -> NDArray[np.int64]:
        # bincount would convert to intp by itself, into fresh memory each time.
        index = self._index[: block.size]
        np.copyto(index, block)
        return np.bincount(index, minlength=length)


def count_patterns(
    source: ArraySource,
    region: Region,
    *,
    check: Check,
    progress: Progress,
    block: int | None = None,
) -> PatternCounts:
    """Count the patterns of a region whose dtype is one or two bytes wide, in one pass.

    Memory: 6 MiB, whatever the size. Runs on any thread but the window's.

    Parameters
    ----------
    block
        Elements a block, at most; None for as many as suit the dtype.
    """
    dtype = source.dtype
    unsigned = _unsigned(dtype)
    values = pattern_values(dtype)
    finite = np.isfinite(values)
    low = _Extreme(np.where(finite, values, np.inf))
    high = _Extreme(np.where(finite, -values, np.inf))
    counter = _Counter(8 * dtype.raw.itemsize)
    unseen = np.ones(values.size, dtype=bool)
    # Where the two are the same, the values: a source may still have signs to resolve in them.
    widened = dtype.raw != dtype.values
    most = _BYTES // dtype.raw.itemsize
    most = most if block is None else min(block, most)
    for offset, raw in flat_blocks(
        source, region, most=most, check=check, progress=progress, raw=widened
    ):
        found = raw.view(unsigned)
        fresh = np.flatnonzero((counter.add(found) != 0) & unseen)
        if fresh.size:
            unseen[fresh] = False
            low.offer(fresh, found, offset)
            high.offer(fresh, found, offset)
    counter.counts.flags.writeable = False
    return PatternCounts(dtype, counter.counts, values, low.at, high.at)
