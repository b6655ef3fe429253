"""Mean, standard deviation and norm of any number of blocks, merged without rounding.

A block is summed about a centre `c` near its mean: ``S1 = sum(x - c)``, ``S2 = sum((x - c)**2)``,
pairwise in float64. Across blocks nothing is rounded: ``sum(x) = n*c + S1`` and
``sum(x**2) = S2 + 2*c*S1 + n*c**2`` are kept as Python integers in fixed point, and the variance
``sum(x**2)/n - (sum(x)/n)**2``, useless in floats, is computed on those. So the error is that of
one block, however many there are and however large the mean is beside the deviation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.values.arrays import Array

#: The fixed point: sums are kept in units of 2**-_UNIT, sums of squares in 2**-(2*_UNIT). The
#: smallest float64 is 2**-1074; the rest keeps digits of a mean far below the values.
_UNIT = 1200

#: Largest magnitudes in between are squared and summed over a block as they are; a block outside
#: is first multiplied by a power of two.
_TINY, _HUGE = 2.0**-450, 2.0**480

#: Sums of squares are taken over rows of this many elements, and the rows' sums pairwise.
_ROW = 256
_ONES = np.ones(_ROW)


def _fixed(value: float | int, unit: int) -> int:
    """A finite number in units of ``2**-unit``, rounded down where it is finer than that."""
    numerator, denominator = value.as_integer_ratio()
    shift = unit - (denominator.bit_length() - 1)
    return numerator << shift if shift >= 0 else numerator >> -shift


def _scaled(value: int, exponent: int) -> int:
    """``value * 2**exponent``, rounded down."""
    return value << exponent if exponent >= 0 else value >> -exponent


def root(numerator: int, denominator: int) -> float:
    """The square root of a ratio of integers, right to the last digit; inf beyond float64."""
    if numerator <= 0:
        return 0.0
    shift = max(0, 130 - numerator.bit_length() + denominator.bit_length())
    shift += shift % 2
    try:
        return math.isqrt((numerator << shift) // denominator) / (1 << shift // 2)
    except OverflowError:
        return math.inf


def _is_far(s1: float, s2: float, count: int) -> bool:
    """Whether a centre is so far from the mean that squares about it are mostly that distance."""
    return s1 * s1 > s2 * (count / 4)


def _sum_of_squares(values: NDArray[np.float64]) -> float:
    rows = values.size // _ROW
    if rows < 2:
        return float(np.vecdot(values, values))
    whole = values[: rows * _ROW].reshape(rows, _ROW)
    rest = values[rows * _ROW :]
    return float(np.add.reduce(np.vecdot(whole, whole))) + float(np.vecdot(rest, rest))


def _sum(values: NDArray[np.float64]) -> float:
    """The sum of numbers that are not negative; by rows it is quicker, and as exact."""
    rows = values.size // _ROW
    whole = values[: rows * _ROW].reshape(rows, _ROW) @ _ONES
    return float(np.add.reduce(whole)) + float(np.add.reduce(values[rows * _ROW :]))


class Moments:
    """Count, sum and sum of squares of the real numbers added so far.

    Parameters
    ----------
    most
        Elements in a block, at most.
    """

    __slots__ = ("_buffer", "_centre", "_magnitudes", "_squares", "_sum", "count")

    def __init__(self, most: int) -> None:
        self.count = 0
        self._sum = 0
        self._magnitudes = 0
        self._squares = 0
        self._centre = 0.0
        self._buffer = np.empty(most, dtype=np.float64)

    def _add(
        self,
        count: int,
        centre: float | int,
        s1: float | int,
        s2: float,
        power: int,
        magnitudes: float | int | None,
    ) -> None:
        """Merge a block that was summed about `centre` after a division by ``2**power``.

        ``magnitudes`` is the sum of those; None where all numbers have one sign.
        """
        c = _fixed(centre, _UNIT)
        first = _fixed(s1, _UNIT)
        squares = _fixed(s2, 2 * _UNIT) + 2 * c * first + count * c * c
        self.count += count
        total = count * c + first
        self._sum += _scaled(total, power)
        added = abs(total) if magnitudes is None else _fixed(magnitudes, _UNIT)
        self._magnitudes += _scaled(added, power)
        self._squares += _scaled(squares, 2 * power)

    def add_floats(self, block: Array, low: float, high: float) -> NDArray[np.float64] | None:
        """Add finite float32 or float64 values, of which the smallest and largest are known.

        Returns
        -------
        ndarray or None
            The magnitudes of the values, if they had to be computed. The next block takes their
            memory.
        """
        if low == high:
            self._add(block.size, low, 0.0, 0.0, 0, None)
            return None
        largest = max(-low, high)
        power = 0 if _TINY <= largest <= _HUGE else math.frexp(largest)[1]
        values = block
        if power:
            values = np.ldexp(block.astype(np.float64), -power)
            low, high = math.ldexp(low, -power), math.ldexp(high, -power)
        centre = 0.0 if power else self._centre
        if not low <= centre <= high:
            centre = low / 2 + high / 2
        s1, s2 = self._about(centre, values)
        if _is_far(s1, s2, block.size):
            # It would cost digits of the deviation.
            centre += s1 / block.size
            s1, s2 = self._about(centre, values)
        magnitudes = None
        if low < 0 < high:
            magnitudes = self._buffer[: values.size]
            # About 0, the buffer has the values already.
            held = centre == 0 and values.dtype != np.float64
            np.abs(magnitudes if held else values, out=magnitudes)
        size = None if magnitudes is None else _sum(magnitudes)
        self._add(block.size, centre, s1, s2, power, size)
        if centre or power:
            mean = centre + s1 / block.size
            # About 0 nothing has to be subtracted, and most weights have a mean near it.
            total = mean * block.size
            far = _is_far(total, s2 + mean * total, block.size)
            self._centre = math.ldexp(mean, power) if far else 0.0
        return None if power else magnitudes

    def _about(self, centre: float, values: Array) -> tuple[float, float]:
        """The sums of the deviations and of their squares."""
        deviations = values
        if centre or values.dtype != np.float64:
            deviations = self._buffer[: values.size]
            np.copyto(deviations, values)
            if centre:
                np.subtract(deviations, centre, out=deviations)
        return float(np.add.reduce(deviations)), _sum_of_squares(deviations)

    def add_magnitudes(self, magnitudes: NDArray[np.float64], high: float) -> None:
        """Add to the sum of the magnitudes alone; ``high`` is the largest."""
        power = math.frexp(high)[1] if high > _HUGE else 0
        total = np.add.reduce(np.ldexp(magnitudes, -power) if power else magnitudes)
        self._magnitudes += _scaled(_fixed(float(total), _UNIT), power)

    def add_integers(self, block: Array, low: int, high: int) -> None:
        """Add 32-bit or 64-bit integers, of which the smallest and largest are known."""
        total, count = _integer_sum(block, low, high), block.size
        centre = total // count
        deviations = self._buffer[:count]
        if low >= -(2**53) and high <= 2**53:
            np.copyto(deviations, block)
            np.subtract(deviations, float(centre), out=deviations)
        elif high - low < 2**63:
            # In 64-bit arithmetic that wraps, the difference is right whatever the sign.
            wrapped = np.subtract(block.view(np.uint64), np.uint64(centre % 2**64))
            np.copyto(deviations, wrapped.view(np.int64))
        else:
            np.copyto(deviations, block)
            np.subtract(deviations, float(centre), out=deviations)
        squares = _sum_of_squares(deviations)
        magnitudes = None
        if low < 0 < high:
            magnitudes = 2 * _integer_sum(np.maximum(block, 0), 0, high) - total
        self._add(count, centre, total - count * centre, squares, 0, magnitudes)

    @property
    def mean(self) -> float:
        """The mean; there must be a count."""
        return self._sum / (self.count << _UNIT)

    @property
    def l1_norm(self) -> float:
        """The sum of the magnitudes; inf beyond float64."""
        try:
            return self._magnitudes / (1 << _UNIT)
        except OverflowError:
            return math.inf

    @property
    def squared_deviations(self) -> tuple[int, int]:
        """The variance as a ratio of integers; there must be a count."""
        numerator = self.count * self._squares - self._sum * self._sum
        return numerator, (self.count * self.count) << (2 * _UNIT)

    @property
    def squares(self) -> tuple[int, int]:
        """The sum of squares as a ratio of integers."""
        return self._squares, 1 << (2 * _UNIT)


def _integer_sum(block: Array, low: int, high: int) -> int:
    """The sum of 32-bit or 64-bit integers, exact."""
    count = block.size
    if max(-low, high) * count < 2**63:
        return int(np.add.reduce(block, dtype=np.int64))
    halves: NDArray[Any] = block.view(np.uint64)
    lower = int(np.add.reduce(np.bitwise_and(halves, np.uint64(0xFFFFFFFF))))
    upper = int(np.add.reduce(np.right_shift(block, block.dtype.type(32)).astype(np.int64)))
    return (upper << 32) + lower
