"""Exact quantiles of a tensor's region in a few passes, without sorting or keeping it.

A number's bits, rearranged to a *key*, are an unsigned integer in the order of the numbers. One
pass counts the 65,536 values of the keys' upper 16 bits, which tells for each quantile in which of
these bins it lies, and how many come before. The next pass counts the following 16 bits of the
keys in those bins, and so on; once few enough are left, they are collected and sorted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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

#: Keys that are collected and sorted, at most: 8 MiB.
_FEW: Final = 1 << 20


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
    if not statistics.finite:
        progress(1.0)
        return ()
    keys = _Keys(source, region, statistics, block or BLOCK, check)
    wanted = _ranks(shares, statistics.finite)
    search = _Search(keys, sorted({rank for pair in wanted for rank in pair}), few)
    found = search.run(progress)
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


class _Keys:
    """A region's finite numbers as unsigned integers in the same order.

    Attributes
    ----------
    bits
        Of a key: 32 or 64.
    """

    def __init__(
        self, source: ArraySource, region: Region, statistics: Statistics, most: int, check: Check
    ) -> None:
        self._source, self._region, self._check = source, region, check
        self._drop = statistics.finite < statistics.count
        values = source.dtype.values
        self._values = np.dtype(np.float64) if values.kind == "c" else values
        self._key = np.dtype(f"u{self._values.itemsize}")
        self._most = min(most, max(region.numel, 1))
        self.bits = 8 * self._key.itemsize
        self._sign = self._key.type(1 << (self.bits - 1))
        self._buffer = np.empty(self._most, self._values)
        self._mask = np.empty(self._most, self._key)

    def blocks(self, progress: Progress) -> Iterator[Array]:
        """The keys block by block, in memory that the next block takes again."""
        with np.errstate(all="ignore"):
            for _, values in flat_blocks(
                self._source,
                self._region,
                most=self._most,
                check=self._check,
                progress=progress,
            ):
                kept = values[np.isfinite(values)] if self._drop else values
                yield self._of(
                    np.abs(kept.astype(np.complex128)) if kept.dtype.kind == "c" else kept
                )

    def _of(self, values: Array) -> Array:
        buffer = self._buffer[: values.size]
        keys: Array = buffer.view(self._key)
        if self._values.kind != "f":
            np.copyto(buffer, values)
            if self._values.kind == "i":
                np.bitwise_xor(keys, self._sign, out=keys)
            return keys
        np.add(values, 0.0, out=buffer)  # -0 becomes 0
        # All bits of a negative number are turned, and only the sign of any other.
        mask = self._mask[: values.size]
        signed = np.dtype(f"i{self._key.itemsize}")
        np.right_shift(keys.view(signed), self.bits - 1, out=mask.view(signed))
        np.bitwise_or(mask, self._sign, out=mask)
        np.bitwise_xor(keys, mask, out=keys)
        return keys

    def value(self, key: int) -> Number:
        """The number that has a key."""
        pattern = np.array([key], self._key)
        if self._values.kind == "f":
            turned = pattern ^ self._sign if key >= int(self._sign) else ~pattern
            return float(turned.view(self._values)[0])
        if self._values.kind == "i":
            pattern ^= self._sign
        return int(pattern.view(self._values)[0])


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Ranks that lie among the keys that begin with some bits.

    Attributes
    ----------
    before
        How many keys are smaller than all of those.
    count
        How many those are.
    """

    prefix: int
    before: int
    count: int
    ranks: tuple[int, ...]


class _Search:
    """Finds the keys of some ranks, 16 bits in each pass."""

    def __init__(self, keys: _Keys, ranks: list[int], few: int) -> None:
        self._keys = keys
        self._few = few
        self._ranks = tuple(ranks)

    def run(self, progress: Progress) -> dict[int, Number]:
        """The numbers by their ranks."""
        bits = self._keys.bits
        wanted: list[_Wanted] = [_Wanted(0, 0, 0, self._ranks)]
        passes = bits // _STEP
        for number in range(passes):
            shift = bits - _STEP * (number + 1)
            here = _share(progress, number, passes)
            if number and sum(each.count for each in wanted) <= self._few:
                return self._collected(wanted, shift + _STEP, here)
            counts = self._counted(wanted, shift, here)
            wanted = [
                inner
                for each, found in zip(wanted, counts, strict=True)
                for inner in _narrowed(each, found)
            ]
        return {rank: self._keys.value(each.prefix) for each in wanted for rank in each.ranks}

    def _counted(
        self, wanted: list[_Wanted], shift: int, progress: Progress
    ) -> list[NDArray[np.int64]]:
        """How often each value of the next bits occurs behind each prefix."""
        counts = [np.zeros(_BINS, np.int64) for _ in wanted]
        for keys in self._keys.blocks(progress):
            parts = np.right_shift(keys, keys.dtype.type(shift))
            if shift + _STEP == self._keys.bits:
                counts[0] += np.bincount(parts.astype(np.intp), minlength=_BINS)
                continue
            heads = np.right_shift(parts, parts.dtype.type(_STEP))
            for each, found in zip(wanted, counts, strict=True):
                mine = parts[heads == each.prefix]
                if mine.size:
                    np.bitwise_and(mine, mine.dtype.type(_BINS - 1), out=mine)
                    found += np.bincount(mine.astype(np.intp), minlength=_BINS)
        return counts

    def _collected(
        self, wanted: list[_Wanted], shift: int, progress: Progress
    ) -> dict[int, Number]:
        """The numbers by their ranks, of which few enough are left to be sorted."""
        kept: list[list[Array]] = [[] for _ in wanted]
        for keys in self._keys.blocks(progress):
            heads = np.right_shift(keys, keys.dtype.type(shift))
            for each, found in zip(wanted, kept, strict=True):
                found.append(keys[heads == each.prefix])
        result = {}
        for each, found in zip(wanted, kept, strict=True):
            ordered = np.sort(np.concatenate(found))
            for rank in each.ranks:
                result[rank] = self._keys.value(int(ordered[rank - each.before]))
        return result


def _narrowed(wanted: _Wanted, counts: NDArray[np.int64]) -> Iterator[_Wanted]:
    """The bins that the ranks lie in."""
    ends = np.cumsum(counts) + wanted.before
    places: dict[int, list[int]] = {}
    for rank in wanted.ranks:
        places.setdefault(int(np.searchsorted(ends, rank, side="right")), []).append(rank)
    for place, ranks in places.items():
        count = int(counts[place])
        yield _Wanted(
            (wanted.prefix << _STEP) | place, int(ends[place]) - count, count, tuple(ranks)
        )


def _share(progress: Progress, number: int, passes: int) -> Progress:
    return lambda part: progress((number + part) / passes)
