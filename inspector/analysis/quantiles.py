"""Exact quantiles of a tensor's region in a few passes, without keeping all of it.

A sample guesses near which numbers the quantiles are. One pass counts how many numbers lie below
each of these, which tells between which two of them each quantile is, and how many numbers are
smaller; the next collects and sorts the numbers between those two. Where they are too many to be
collected, they are divided further first. So a bad guess costs a pass, and never the exactness.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Final

import numpy as np

from inspector.analysis.blocks import Check, Progress
from inspector.analysis.order import Answer, Interval, finite_numbers, look, ordered_dtype
from inspector.analysis.patterns import PatternCounts, count_patterns, has_patterns
from inspector.analysis.sampling import sample
from inspector.analysis.statistics import Number, Statistics
from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Region

#: The shares of the numbers below the quantiles that are shown.
SHARES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)

#: Numbers between two thresholds that are collected, at most: 32 MiB of float64.
FEW: Final = 1 << 22

#: Thresholds near each quantile of the sample, and over the rest of the range.
_NEAR: Final = 64
_FAR: Final = 256

#: Parts into which an interval with too many numbers is divided.
_PARTS: Final = 1024

#: How far beside a sample's quantile the real one is looked for, in standard deviations.
_SIGMAS: Final = 4.0


def quantiles(
    source: ArraySource,
    region: Region,
    statistics: Statistics,
    shares: tuple[float, ...] = SHARES,
    *,
    check: Check,
    progress: Progress,
    block: int | None = None,
    few: int = FEW,
) -> tuple[Number, ...]:
    """The quantiles of the finite values of a region; of the magnitudes, for complex numbers.

    Where a share falls between two numbers, they are interpolated as ``np.quantile`` does by
    default, in float64; where it does not, or the two are equal, the quantile is that number
    itself (an int for integers, exact beyond 2**53 too). Zeros have no sign.

    Types of one or two bytes and small regions take one pass over the data, others mostly two.
    Runs on any thread but the window's. Memory: some 64 MiB, whatever the size.

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
    search = QuantileSearch(source, region, statistics, shares, few=few)
    return search.finish(check=check, progress=progress, block=block)


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
        for share, low, high in _ranks(shares, total)
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where some ranks are: in an interval with so many numbers, and so many before it."""

    interval: Interval
    before: int
    count: int
    ranks: tuple[int, ...]


class QuantileSearch:
    """What to ask of a region's numbers next, until all quantiles are known.

    Made in a worker, as a sample is read. The parameters are those of `quantiles`.

    Attributes
    ----------
    thresholds, intervals
        What is to be asked by `look`.
    """

    def __init__(
        self,
        source: ArraySource,
        region: Region,
        statistics: Statistics,
        shares: tuple[float, ...] = SHARES,
        *,
        few: int = FEW,
    ) -> None:
        self._source, self._region, self._statistics = source, region, statistics
        self._shares, self._few = shares, few
        self._dtype = ordered_dtype(source)
        self._wanted = _ranks(shares, statistics.finite)
        self._found: dict[int, Number] = {}
        self.thresholds: Array = np.empty(0, self._dtype)
        self.intervals: tuple[Interval, ...] = ()
        ranks = tuple(sorted({rank for _, low, high in self._wanted for rank in (low, high)}))
        smallest = statistics.minimum
        self._places: list[_Place] = []
        if statistics.distinct is not None:
            self._found = _of_distinct(statistics, ranks)
        elif smallest is not None:
            whole = _Place(Interval(smallest, None), 0, statistics.finite, ranks)
            self._ask([whole], first=True)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to ask any more."""
        return not self._places

    def finish(
        self, *, check: Check, progress: Progress, block: int | None = None
    ) -> tuple[Number, ...]:
        """Ask until all is known; the quantiles."""
        start = 0.0
        while not self.is_done:
            # Nobody knows how many passes there will be: each is half of what is left.
            share = (1 - start) / 2
            answer = look(
                self._source,
                self._region,
                self._statistics,
                self.thresholds,
                self.intervals,
                few=self._few,
                check=check,
                progress=partial(_report, progress, start, share),
                block=block,
            )
            self.take(answer)
            start += share
        progress(1.0)
        last = self._statistics.finite - 1
        return tuple(
            _between(self._found[low], self._found[high], share * last - low)
            for share, low, high in self._wanted
        )

    def take(self, answer: Answer) -> None:
        """Take up what a pass found that was asked for."""
        places = list(self._narrowed(answer)) if self.thresholds.size else self._places
        rest = []
        for place in places:
            numbers = self._collected(place.interval, answer)
            if numbers is None:
                rest.append(place)
                continue
            first = int(np.searchsorted(numbers, numbers.dtype.type(place.interval.low)))
            for rank in place.ranks:
                number: Number = numbers[first + rank - place.before].item()
                self._found[rank] = number + 0  # which takes the sign off a zero
        self._ask(rest)

    def _collected(self, interval: Interval, answer: Answer) -> Array | None:
        """Numbers that were collected, and among which are all of an interval."""
        for asked, numbers in zip(self.intervals, answer.within, strict=True):
            if numbers is not None and asked.low <= interval.low:
                if asked.high is None:
                    return numbers
                if interval.high is not None and interval.high <= asked.high:
                    return numbers
        return None

    def _narrowed(self, answer: Answer) -> Iterator[_Place]:
        """Between which thresholds the ranks are."""
        order = np.argsort(self.thresholds)
        low = self._statistics.minimum
        assert low is not None
        bounds = [low, *self.thresholds[order].tolist()]
        ends = [0, *answer.below[order].tolist(), self._statistics.finite]
        places: dict[int, list[int]] = {}
        for rank in (rank for place in self._places for rank in place.ranks):
            places.setdefault(bisect_right(ends, rank) - 1, []).append(rank)
        for at, ranks in places.items():
            high = bounds[at + 1] if at + 1 < len(bounds) else None
            yield _Place(
                Interval(bounds[at], high), ends[at], ends[at + 1] - ends[at], tuple(ranks)
            )

    def _ask(self, places: list[_Place], *, first: bool = False) -> None:
        """Note what is known by now, and what to ask for the rest."""
        self._places = []
        for place in places:
            low = place.interval.low
            if low == self._statistics.maximum or place.interval.high == self._next(low):
                self._found |= dict.fromkeys(place.ranks, low + 0)
            else:
                self._places.append(place)
        self.thresholds, self.intervals = np.empty(0, self._dtype), ()
        if sum(place.count for place in self._places) <= self._few:
            self.intervals = tuple(place.interval for place in self._places)
        elif first:
            self._guess()
        else:
            parts = [self._divided(place.interval) for place in self._places]
            self.thresholds = np.unique(np.concatenate(parts))

    def _next(self, number: Number) -> Number:
        """The next larger number of the dtype."""
        if self._dtype.kind == "f":
            kind = self._dtype.type
            return float(np.nextafter(kind(number), kind(np.inf)))
        return number + 1

    # Guessing -----------------------------------------------------------------------------------

    def _guess(self) -> None:
        """Ask about numbers near which the quantiles are by a sample."""
        drop = self._statistics.finite < self._statistics.count
        with np.errstate(all="ignore"):
            guess = np.sort(finite_numbers(sample(self._source, self._region), drop=drop))
        low, high = self._statistics.minimum, self._statistics.maximum
        assert low is not None
        assert high is not None
        if not guess.size:
            self.thresholds = self._divided(Interval(low, None))
            return
        last = guess.size - 1
        picks, intervals, expected = [np.linspace(0, last, _FAR)], [], 0.0
        for share in self._shares:
            spread = _SIGMAS * math.sqrt(share * (1 - share) * guess.size) + 1
            first, final = max(share * last - spread, 0.0), min(share * last + spread, float(last))
            picks.append(np.linspace(first, final, _NEAR))
            ends = guess[[int(first), int(final)]].tolist()
            intervals.append(Interval(ends[0], self._next(ends[1]) if ends[1] < high else None))
            expected += (final - first) / guess.size
        picked = guess[np.concatenate(picks).astype(np.intp)]
        values, counts = np.unique(picked, return_counts=True)
        # What is there more than once may be there very often: it is told from all others.
        often = [self._next(value) for value in values[counts > 1].tolist() if value < high]
        self.thresholds = np.unique(np.concatenate((values, np.array(often, self._dtype))))
        if expected * self._statistics.finite <= self._few:
            self.intervals = tuple(intervals)

    def _divided(self, interval: Interval) -> Array:
        """The ends of an interval and numbers between, evenly by their place in the dtype."""
        high = self._statistics.maximum if interval.high is None else interval.high
        assert high is not None
        low_key, high_key = self._key(interval.low), self._key(high)
        keys = {low_key + (high_key - low_key) * part // _PARTS for part in range(_PARTS + 1)}
        return np.unique(self._numbers(sorted(keys)))

    def _key(self, number: Number) -> int:
        """A number's place among all of its dtype, in order."""
        if self._dtype.kind != "f":
            return int(number)
        bits = int(np.array(number, self._dtype).view(self._bits))
        top = 1 << (8 * self._dtype.itemsize - 1)
        return top - bits if bits >= top else bits

    def _numbers(self, keys: list[int]) -> Array:
        """The numbers at some places."""
        if self._dtype.kind != "f":
            return np.array(keys, self._dtype)
        top = 1 << (8 * self._dtype.itemsize - 1)
        bits = [key if key >= 0 else top - key for key in keys]
        return np.array(bits, self._bits).view(self._dtype)

    @property
    def _bits(self) -> np.dtype[np.unsignedinteger]:
        return np.dtype(np.uint32 if self._dtype.itemsize == 4 else np.uint64)


def _of_distinct(statistics: Statistics, ranks: tuple[int, ...]) -> dict[int, Number]:
    """The numbers by rank, of few distinct values of which it is known how often each occurs."""
    assert statistics.distinct is not None
    ordered = [value for value, _ in statistics.distinct]
    ends = list(accumulate(count for _, count in statistics.distinct))
    return {rank: ordered[bisect_right(ends, rank)] for rank in ranks} if ends else {}


def _ranks(shares: tuple[float, ...], count: int) -> list[tuple[float, int, int]]:
    """Each share with the ranks of the two numbers that it falls between; none of nothing."""
    last = count - 1
    found = []
    for share in shares if count else ():
        low = min(int(share * last), last)
        found.append((share, low, min(low + 1, last) if share * last > low else low))
    return found


def _report(progress: Progress, start: float, share: float, part: float) -> None:
    progress(start + share * part)


def _between(low: Number, high: Number, part: float) -> Number:
    """NumPy's interpolation, which is exact at both ends."""
    if low == high or not part:
        return low
    a, b = float(low), float(high)
    return b - (b - a) * (1 - part) if part >= 0.5 else a + (b - a) * part
