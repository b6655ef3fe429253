"""Which values get the two ends of the colours, and how the colours lie between. No widget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from inspector.analysis.quantiles import SHARES
from inspector.analysis.summary import Analysis
from inspector.analysis.tiles import Tile, finite_range, percentile_range

LevelsMode = Literal["automatic", "symmetric", "full", "percentile", "hand"]

#: Those that go by all the numbers of a tensor, not by the picture.
OF_ALL: Final[tuple[LevelsMode, ...]] = ("symmetric", "full", "percentile")

#: The largest number that there is.
_MOST: Final = float(np.finfo(np.float64).max)

#: Pixels that are looked at to find what a typical magnitude is, at most.
_TYPICAL: Final = 1 << 16

#: The part of the colours around zero that is linear ends between these shares of the largest
#: magnitude.
_LINEAR: Final = (1e-9, 1e-1)

#: Ticks of a logarithmic bar on either side of zero, at most; and how near, as a share of the bar.
_TICKS: Final = 5
_NEAR: Final = 0.05


@dataclass(frozen=True, slots=True)
class Levels:
    """The values at the two ends of the colours.

    Attributes
    ----------
    low, high
        Finite, ``low < high``.
    linear
        The magnitude up to which the colours are proportional to the value, on a symmetric
        logarithmic scale: they follow ``sign(x) * log(1 + |x| / linear)``. None for a linear one.
    """

    low: float
    high: float
    linear: float | None = None

    def shares(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where values lie between the levels, 0 to 1; those beyond are at the ends. NaN stays."""
        with np.errstate(all="ignore"):
            clipped = np.clip(values.astype(np.float64), self.low, self.high)
            # Halves, so that the width of a range near the largest float does not overflow.
            low, high = self.place(self.low) / 2, self.place(self.high) / 2
            if self.linear is not None:
                clipped = np.copysign(np.log1p(np.abs(clipped) / self.linear), clipped)
            found: NDArray[np.float64] = (clipped / 2 - low) / (high - low)
            # At the ends exactly: two ways to a logarithm may differ in the last digit.
            found[values <= self.low] = 0
            found[values >= self.high] = 1
        return np.clip(found, 0, 1)

    def place(self, value: float) -> float:
        """Where a value lies on the colour bar, between those of the two ends."""
        if self.linear is None:
            return value
        return math.copysign(math.log1p(abs(value) / self.linear), value)

    def ticks(self) -> list[tuple[float, str]] | None:
        """Places and texts of a logarithmic bar: zero, ends, powers of ten. None if linear."""
        if self.linear is None:
            return None
        largest = max(abs(self.low), abs(self.high))
        first, last = (math.floor(math.log10(each)) for each in (self.linear, largest))
        step = max(1, -(-(last - first + 1) // _TICKS))  # all may lie where it is linear
        powers = [10.0**power for power in range(last, first - 1, -step)]
        inside = [
            value
            for value in (0.0, self.low, self.high, *powers, *(-power for power in powers))
            if self.low <= value <= self.high
        ]
        width = self.place(self.high) - self.place(self.low)
        kept: list[tuple[float, str]] = []
        for value in inside:
            place = self.place(value)
            if all(abs(place - other) > _NEAR * width for other, _ in kept):
                kept.append((place, f"{value:.3g}"))
        return kept


@dataclass(frozen=True, slots=True)
class Limits:
    """What is known of all the numbers of a tensor, for levels that are exact.

    Attributes
    ----------
    full
        The smallest and the largest finite value; of complex numbers, magnitude.
    percentile
        The 1st and the 99th percentile of them; None while they are being found.
    """

    full: tuple[float, float]
    percentile: tuple[float, float] | None

    @classmethod
    def of(cls, found: Analysis | None) -> Limits | None:
        """Those that the statistics hold; None if there are none."""
        if found is None or found.statistics.minimum is None or found.statistics.maximum is None:
            return None
        full = float(found.statistics.minimum), float(found.statistics.maximum)
        by_share = dict(zip(SHARES, found.quantiles or (), strict=False))
        percentile = (float(by_share[0.01]), float(by_share[0.99])) if by_share else None
        return cls(full, percentile)


@dataclass(frozen=True, slots=True)
class LevelsChoice:
    """Where levels come from.

    Attributes
    ----------
    mode
        The values' range, the range made symmetric about zero, from the 1st to the 99th
        percentile, or by hand. Automatic levels are those of the picture's pixels: symmetric
        where these are on both sides of zero, and their range elsewhere.
    logarithmic
        Whether the colours follow a symmetric logarithm, not the values.
    hand
        The levels by hand: low, high.
    limits
        Of the tensor; None as long as they are not known: then the picture's pixels stand in.
    """

    mode: LevelsMode = "automatic"
    logarithmic: bool = False
    hand: tuple[float, float] | None = None
    limits: Limits | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the picture's pixels stand in for numbers that are not known yet."""
        if self.mode not in OF_ALL:
            return False
        return self.limits is None or (self.mode == "percentile" and not self.limits.percentile)


def levels_of(tile: Tile, choice: LevelsChoice) -> Levels | None:
    """The levels of a picture; None if nothing in it is finite. In a worker."""
    pixels = finite_range(tile)
    if pixels is None:
        return None
    low, high = _ends(tile, pixels, choice)
    linear = _linear_part(tile, max(abs(low), abs(high))) if choice.logarithmic else None
    return Levels(low, high, linear)


def _ends(tile: Tile, pixels: tuple[float, float], choice: LevelsChoice) -> tuple[float, float]:
    mode, limits = choice.mode, choice.limits
    if mode == "hand" and choice.hand is not None:
        return choice.hand
    low, high = limits.full if limits is not None and mode != "automatic" else pixels
    if mode == "percentile":
        known = limits.percentile if limits is not None else None
        low, high = known or percentile_range(tile, 1, 99) or pixels
    if mode == "symmetric" or (mode == "automatic" and low < 0 < high):
        largest = max(abs(low), abs(high)) or 1.0
        return -largest, largest
    if low == high:
        # A constant picture: its value stands in the middle of the map.
        return with_room(low)
    return low, high


def with_room(value: float) -> tuple[float, float]:
    """Two levels with a value in their middle."""
    room = abs(value) * 0.5 or 0.5
    return max(value - room, -_MOST), min(value + room, _MOST)


def _linear_part(tile: Tile, largest: float) -> float:
    """A tenth of what is a typical magnitude of the picture's pixels."""
    flat = tile.values.reshape(-1)[:: -(-tile.values.size // _TYPICAL)]
    magnitudes = np.abs(flat[np.isfinite(flat) & (flat != 0)]).astype(np.float64)
    # Divided first: the median of an even number is a mean of two, which may overflow.
    tenth = float(np.median(magnitudes / 10)) if magnitudes.size else largest / 10
    least, most = (largest * share for share in _LINEAR)
    return max(min(max(tenth, least), most), float(np.finfo(np.float64).tiny))
