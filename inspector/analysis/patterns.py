"""Numbers of one or two bytes: how often each pattern occurs says everything about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.blocks import Block, Check, Progress, scan_blocks
from inspector.analysis.compiled import kernels_for
from inspector.values.arrays import Array, ArraySource
from inspector.values.dtypes import DType
from inspector.values.regions import Region

#: Bytes a block. The table of 65,536 counts that each block costs weighs little beside it.
_BYTES = 1 << 23

#: Elements that are counted at a time.
_PIECE = 1 << 19


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
        The first place, in C order, of the smallest and largest finite value, as elements of the
        region before it; None if nothing is finite.
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
    """The first place, in C order, of the pattern with the smallest key seen."""

    __slots__ = ("_equals", "_keys", "at", "best")

    def __init__(self, keys: NDArray[np.float64]) -> None:
        self._keys = keys
        self._equals: NDArray[np.intp] = np.empty(0, np.intp)
        self.best = np.inf
        self.at: int | None = None

    def offer(self, fresh: NDArray[np.intp], counts: Array, found: Array, block: Block) -> None:
        """Take note of a block.

        Parameters
        ----------
        fresh
            The patterns that no block before had.
        counts
            How often the block has each pattern.
        found
            The block's patterns.
        """
        best = float(self._keys[fresh].min(initial=np.inf))
        if best < self.best:
            # Two patterns may stand for one value: 0 and -0.
            self._equals = np.flatnonzero(self._keys == best)
            self.best, self.at = best, None
        if self.at is not None and self.at <= block.start:
            return
        present = self._equals[counts[self._equals] != 0]
        if present.size:
            # As wide as what it is compared with: else all of that is widened.
            at = min(block.first(found == found.dtype.type(each)) for each in present)
            self.at = at if self.at is None else min(at, self.at)

    def merge(self, other: _Extreme) -> None:
        """Take what another has seen into account."""
        if other.at is None:
            return
        if self.at is None or (other.best, other.at) < (self.best, self.at):
            self.best, self.at = other.best, other.at


class _PatternScan:
    """Counts of the patterns added so far, and where the extremes are."""

    def __init__(
        self, dtype: DType, values: NDArray[np.float64], kernels: ModuleType | None
    ) -> None:
        self._kernels = kernels
        finite = np.isfinite(values)
        self.low = _Extreme(np.where(finite, values, np.inf))
        self.high = _Extreme(np.where(finite, -values, np.inf))
        self.counts = np.zeros(values.size, dtype=np.int64)
        self._unsigned = _unsigned(dtype)
        self._unseen = np.ones(values.size, dtype=bool)
        self._index = np.empty(_PIECE, dtype=np.intp)

    def add(self, block: Block) -> None:
        """Add a block of raw elements."""
        found = block.elements.view(self._unsigned)
        counts = self._counted(found)
        self.counts += counts
        fresh = np.flatnonzero((counts != 0) & self._unseen)
        self._unseen[fresh] = False
        self.low.offer(fresh, counts, found, block)
        self.high.offer(fresh, counts, found, block)

    def merge(self, other: _PatternScan) -> None:
        """Add what was added to another."""
        self.counts += other.counts
        self.low.merge(other.low)
        self.high.merge(other.high)

    def _counted(self, block: Array) -> NDArray[np.int64]:
        """How often each pattern occurs in a block of uint8 or uint16."""
        if self._kernels is not None:
            counts: NDArray[np.int64] = self._kernels.count(block)
            return counts
        if block.itemsize == 2:
            return self._bincount(block, 1 << 16)
        if block.size < 1 << 15:
            return self._bincount(block, 256)
        # Two bytes at a time halve the work.
        even = block.size & ~1
        table = self._bincount(block[:even].view(np.uint16), 1 << 16).reshape(256, 256)
        found: NDArray[np.int64] = table.sum(axis=0) + table.sum(axis=1)
        if even < block.size:
            found[block[even]] += 1
        return found

    def _bincount(self, block: Array, length: int) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = np.zeros(length, dtype=np.int64)
        for start in range(0, block.size, _PIECE):
            piece = block[start : start + _PIECE]
            # bincount would convert to intp by itself, into fresh memory each time.
            index = self._index[: piece.size]
            np.copyto(index, piece)
            np.add(counts, np.bincount(index, minlength=length), out=counts)
        return counts


def count_patterns(
    source: ArraySource,
    region: Region,
    *,
    check: Check,
    progress: Progress,
    block: int | None = None,
) -> PatternCounts:
    """Count the patterns of a region whose dtype is one or two bytes wide, in one pass.

    Memory: some 24 MiB a thread, whatever the size. Runs on any thread but the window's, with some
    more beside it.

    Parameters
    ----------
    block
        Elements a block, at most; None for as many as suit the dtype.
    """
    dtype = source.dtype
    values = pattern_values(dtype)
    # Where the two are the same, the values: a source may still have signs to resolve in them.
    widened = dtype.raw != dtype.values
    most = _BYTES // dtype.raw.itemsize
    most = most if block is None else min(block, most)
    scan = scan_blocks(
        source,
        region,
        partial(_PatternScan, dtype, values, kernels_for(region.numel)),
        most=most,
        check=check,
        progress=progress,
        raw=widened,
    )
    scan.counts.flags.writeable = False
    return PatternCounts(dtype, scan.counts, values, scan.low.at, scan.high.at)
