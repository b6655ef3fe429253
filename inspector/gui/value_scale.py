"""Where values lie along an axis of values, and which of them are numbered. No widget."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.gui.levels import Levels, with_room

#: The largest number that there is.
_MOST: Final = float(np.finfo(np.float64).max)

#: The smallest part that an axis is cut into: far above the numbers that lose their digits.
_LEAST: Final = 1e-300

#: Parts that an axis of values is cut into, at least, by what is numbered on it.
_PARTS: Final = 4

#: Digits that a number on an axis may have, and where its neighbours would look the same.
_DIGITS: Final = (6, 7)


def is_too_wide(low: float, high: float) -> bool:
    """Whether a plot cannot count from one end to the other, since the width overflows."""
    return not math.isfinite(4 * (high - low))


def value_scale(
    low: NDArray[np.float64], high: NDArray[np.float64], linear: float | None
) -> Levels | None:
    """The scale on which all of a curve is seen; None if nothing of it is finite.

    Parameters
    ----------
    low, high
        The curve's ends; NaN where there is nothing.
    linear
        As in `Levels`. Without it, the ends are round numbers, so that the next row often has
        the same.
    """
    if np.isnan(low).all():
        return None
    first, last = float(np.nanmin(low)), float(np.nanmax(high))
    if first == last:
        first, last = with_room(first)
    if linear is not None:
        return Levels(first, last, linear)
    step = _step(first, last)
    low_end, high_end = math.floor(first / step) * step, math.ceil(last / step) * step
    return Levels(max(min(low_end, first), -_MOST), min(max(high_end, last), _MOST))


def value_ticks(scale: Levels) -> list[tuple[float, str]]:
    """What can be numbered on a scale: shares of it (0 to 1) with their texts, zero first."""
    logarithmic = scale.ticks()
    if logarithmic is None:
        return _round_ticks(scale)
    first, last = scale.place(scale.low), scale.place(scale.high)
    return [((place - first) / (last - first), text) for place, text in logarithmic]


def thinned(ticks: list[tuple[float, str]], nearest: float) -> list[tuple[float, str]]:
    """As many of the first of some numbers as there is room for, each text once.

    Parameters
    ----------
    nearest
        How near two of them may be, as a share of the scale.
    """
    kept: list[tuple[float, str]] = []
    for share, text in ticks:
        if all(abs(share - other) >= nearest and text != known for other, known in kept):
            kept.append((share, text))
    return kept


def _step(low: float, high: float) -> float:
    """1, 2 or 5 times a power of ten that cuts a range into `_PARTS` or a few more."""
    wanted = max(high / _PARTS - low / _PARTS, _LEAST) * (1 + 1e-9)
    power = 10.0 ** math.floor(math.log10(wanted))
    return max((power * each for each in (1, 2, 5) if power * each <= wanted), default=wanted)


def _round_ticks(scale: Levels) -> list[tuple[float, str]]:
    """Zero and the ends first, then the round numbers between."""
    step = _step(scale.low, scale.high)
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    values = [number * step for number in range(first, last + 1)]
    largest = max(abs(scale.low), abs(scale.high))
    digits = math.floor(math.log10(largest)) - math.floor(math.log10(step)) + 1
    digits = min(max(digits, _DIGITS[0]), _DIGITS[1])
    ordered = sorted([scale.low, scale.high, *values], key=lambda value: value != 0)
    shares = scale.shares(np.array(ordered))
    return [
        (float(share), f"{value:.{digits}g}") for share, value in zip(shares, ordered, strict=True)
    ]
