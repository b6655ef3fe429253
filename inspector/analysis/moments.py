"""Mean, standard deviation and norm of any number of blocks, merged without rounding.

A block is summed about a centre `c` near its mean: ``S1 = sum(x - c)``, ``S2 = sum((x - c)**2)``,
pairwise in float64. Across blocks nothing is rounded: ``sum(x) = n*c + S1`` and
``sum(x**2) = S2 + 2*c*S1 + n*c**2`` are kept as Python integers in fixed point, and the variance
``sum(x**2)/n - (sum(x)/n)**2``, useless in floats, is computed on those. So the error is that of
one block, however many there are and however large the mean is beside the deviation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import ModuleType
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

#: Sums are taken over rows of this many elements, and the rows' sums pairwise. A row is so short
#: that nothing below NumPy sums it in threads of its own, which would spin between two blocks.
_ROW = 256
_ONES = np.ones(_ROW)

#: Elements of a block that are worked on at a time: 512 KiB of float64, which stay in a core's own
#: cache while several ufuncs go over them.
_PIECE = 1 << 16


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


def _sum(values: NDArray[np.float64], others: NDArray[np.float64] | None = None) -> float:
    """The sum of some values, or of their products with as many others."""
    cut = values.size - values.size % _ROW
    rows, rest = values[:cut].reshape(-1, _ROW), values[cut:]
    if others is None:
        return float(np.add.reduce(np.vecdot(rows, _ONES)) + np.add.reduce(rest))
    products = np.vecdot(rows, others[:cut].reshape(-1, _ROW))
    return float(np.add.reduce(products) + np.vecdot(rest, others[cut:]))


def _pieces(block: Array) -> Iterator[Array]:
    return (block[start : start + _PIECE] for start in range(0, block.size, _PIECE))


class Moments:
    """Count, sum and sum of squares of the real numbers added so far.

    Parameters
    ----------
    most
        Elements in a block, at most.
    kernels
        What sums floats in compiled loops, if anything does; see `kernels_for`.
    """

    __slots__ = ("_buffer", "_kernels", "_magnitudes", "_squares", "_sum", "count")

    def __init__(self, most: int, kernels: ModuleType | None = None) -> None:
        self._kernels = kernels
        self.count = 0
        self._sum = 0
        self._magnitudes = 0
        self._squares = 0
        # Fresh memory for each block would cost more than the arithmetic.
        self._buffer = np.empty(min(most, _PIECE), dtype=np.float64)

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

    def add_floats(self, block: Array, low: float, high: float) -> float:
        """Add finite float32 or float64 values, of which the smallest and largest are known.

        Returns
        -------
        float
            The smallest magnitude among them.
        """
        smallest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        if low == high:
            self._add(block.size, low, 0.0, 0.0, 0, None)
            return smallest
        largest = max(-low, high)
        power = 0 if _TINY <= largest <= _HUGE else math.frexp(largest)[1]
        values = block
        if power:
            values = np.ldexp(block.astype(np.float64), -power)
            low, high = math.ldexp(low, -power), math.ldexp(high, -power)
        # About 0 nothing has to be subtracted, and most weights have a mean near it.
        centre = 0.0 if low <= 0 <= high else low / 2 + high / 2
        s1, s2, magnitudes, least = self._about(centre, values)
        if _is_far(s1, s2, block.size):
            # It would cost digits of the deviation.
            centre += s1 / block.size
            s1, s2, _, _ = self._about(centre, values)
        if not low < 0 < high:
            self._add(block.size, centre, s1, s2, power, None)
            return smallest
        self._add(block.size, centre, s1, s2, power, magnitudes)
        return math.ldexp(least, power)

    def _about(self, centre: float, values: Array) -> tuple[float, float, float, float]:
        """The sums of the deviations and of their squares; about 0, of the magnitudes too.

        The last is the smallest magnitude, which is meaningless about anything else, as is the
        sum of magnitudes.
        """
        if self._kernels is not None:
            found: tuple[float, float, float, float] = self._kernels.sums(values, centre)
            return found
        s1 = s2 = magnitudes = 0.0
        least = math.inf
        for piece in _pieces(values):
            held = self._buffer[: piece.size]
            np.copyto(held, piece)
            if centre:
                np.subtract(held, centre, out=held)
            s1 += _sum(held)
            s2 += _sum(held, held)
            if not centre:
                np.abs(held, out=held)
                magnitudes += _sum(held)
                least = min(least, float(held.min()))
        return s1, s2, magnitudes, least

    def add_magnitudes(self, magnitudes: NDArray[np.float64], high: float) -> None:
        """Add to the sum of the magnitudes alone; ``high`` is the largest."""
        power = math.frexp(high)[1] if high > _HUGE else 0
        total = np.add.reduce(np.ldexp(magnitudes, -power) if power else magnitudes)
        self._magnitudes += _scaled(_fixed(float(total), _UNIT), power)

    def add_integers(self, block: Array, low: int, high: int) -> None:
        """Add 32-bit or 64-bit integers, of which the smallest and largest are known."""
        total, count = _integer_sum(block, low, high), block.size
        centre = total // count
        squares = 0.0
        for piece in _pieces(block):
            deviations = self._deviations(piece, centre, low, high)
            squares += _sum(deviations, deviations)
        magnitudes = None
        if low < 0 < high:
            magnitudes = 2 * _integer_sum(np.maximum(block, 0), 0, high) - total
        self._add(count, centre, total - count * centre, squares, 0, magnitudes)

    def _deviations(self, block: Array, centre: int, low: int, high: int) -> NDArray[np.float64]:
        """Those of integers, rounded once each."""
        held = self._buffer[: block.size]
        if high - low < 2**63 and not (low >= -(2**53) and high <= 2**53):
            # In 64-bit arithmetic that wraps, the difference is right whatever the sign.
            wrapped = np.subtract(block.view(np.uint64), np.uint64(centre % 2**64))
            np.copyto(held, wrapped.view(np.int64))
        else:
            np.copyto(held, block)
            np.subtract(held, float(centre), out=held)
        return held

    def merge(self, other: Moments) -> None:
        """Add what was added to another."""
        self.count += other.count
        self._sum += other._sum
        self._magnitudes += other._magnitudes
        self._squares += other._squares

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
