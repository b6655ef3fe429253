"""Blocks of a 2-D array to one number each, with what they hold besides finite numbers."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from inspector.values.arrays import Array
from inspector.values.dtypes import DType

Reduction = Literal["largest magnitude", "mean", "minimum", "maximum"]

#: The bits of a mark: what a block holds besides finite numbers.
NAN: Final = 1
POS_INF: Final = 2
NEG_INF: Final = 4

#: Up to this block, strided slices are combined; beyond it, one reduction a block is faster.
_SLICES: Final = 16

#: Arrays narrower than this are turned before their rows are combined.
_NARROW: Final = 32

#: dtypes of two bytes whose patterns have the order of their magnitudes.
_ORDERED: Final = ("float16", "bfloat16")

_ENDS: Final = (np.minimum, np.maximum)

#: float64 blocks are summed after a division by this where the sum itself would overflow.
_SHRINK: Final = 2.0**-64


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A 2-D array's blocks.

    Attributes
    ----------
    values
        float32 or float64: the reduction of each block's finite elements, NaN where it has none.
    weight
        float64, same shape: how many finite elements; None unless a mean was asked for.
    marks
        uint8, same shape: `NAN`, `POS_INF`, `NEG_INF`.
    """

    values: Array
    weight: NDArray[np.float64] | None
    marks: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """The smallest and the largest finite number of each block of a 2-D array.

    Attributes
    ----------
    low, high
        float32 or float64; NaN where a block has nothing finite.
    marks
        uint8, same shape: `NAN`, `POS_INF`, `NEG_INF`.
    """

    low: Array
    high: Array
    marks: NDArray[np.uint8]


def picture_dtype(dtype: np.dtype[np.generic]) -> np.dtype[np.floating]:
    """The float type that holds a dtype's numbers in a picture: float32 where that is exact."""
    narrow = dtype.kind != "c" and np.can_cast(dtype, np.float32, "safe")
    return np.dtype(np.float32 if narrow else np.float64)


def reduce_blocks(
    elements: Array, block_rows: int, block_columns: int, reduction: Reduction
) -> Reduced:
    """Reduce each block of a 2-D array of any dtype; blocks at the far edges may be smaller.

    Runs on any thread. Memory: some copies of the array.
    """
    with np.errstate(all="ignore"):
        numbers = _numbers(elements)
        found, finite = _extremes(elements, numbers, block_rows, block_columns)
        if reduction == "mean":
            return _means(numbers, finite, found.marks, block_rows, block_columns)
        values = _shown(found.low, found.high, reduction)
    return Reduced(values.astype(numbers.dtype, copy=False), None, found.marks)


def reduce_extremes(elements: Array, block_rows: int, block_columns: int) -> Extremes:
    """Both ends of each block of a 2-D array of any dtype; of complex numbers, of magnitudes.

    Runs on any thread. Memory: some copies of the array.
    """
    with np.errstate(all="ignore"):
        return _extremes(elements, _numbers(elements), block_rows, block_columns)[0]


def _numbers(elements: Array) -> NDArray[np.floating]:
    """The elements as a picture's floats."""
    if elements.dtype.kind != "c":
        return elements.astype(picture_dtype(elements.dtype), copy=False)
    # A magnitude may be beyond float64 although both parts are finite.
    magnitudes = np.abs(elements.astype(np.complex128))
    most = np.finfo(np.float64).max
    return np.where(np.isfinite(elements), np.minimum(magnitudes, most), magnitudes)


def _extremes(
    elements: Array, numbers: NDArray[np.floating], block_rows: int, block_columns: int
) -> tuple[Extremes, NDArray[np.bool_] | None]:
    """The blocks' ends, and which elements are finite; None if all are."""
    low = _reduce(np.minimum, numbers, block_rows, block_columns)
    high = _reduce(np.maximum, numbers, block_rows, block_columns)
    # A minimum or maximum of a NaN is NaN, so nothing escapes these two.
    if np.isfinite(low).all() and np.isfinite(high).all():
        return Extremes(low, high, np.zeros(low.shape, dtype=np.uint8)), None
    bits = _bits(elements)
    finite = bits == 0
    marks = _reduce(np.bitwise_or, bits, block_rows, block_columns)
    low = _reduce(np.minimum, np.where(finite, numbers, np.inf), block_rows, block_columns)
    high = _reduce(np.maximum, np.where(finite, numbers, -np.inf), block_rows, block_columns)
    some = low <= high
    return Extremes(np.where(some, low, np.nan), np.where(some, high, np.nan), marks), finite


def reduce_stored(
    elements: Array,
    dtype: DType,
    block_rows: int,
    block_columns: int,
    reduction: Reduction,
    kernels: ModuleType | None = None,
) -> Reduced:
    """Reduce blocks of stored elements as `reduce_blocks` does their values.

    Of float16 and bfloat16, only what the blocks give is widened, not every element: their
    patterns have the order of their values once those of negative numbers are turned round, and
    NaN and infinities are at both ends.

    Parameters
    ----------
    kernels
        What does it in compiled loops, if anything does; see `kernels_for`.
    """
    if reduction != "mean":
        if kernels is not None and kernels.has_order(dtype.name):
            found, marks = kernels.block_ends(elements, dtype.name, block_rows, block_columns)
            low, high = _widened(found, dtype)
            return Reduced(_shown(low, high, reduction), None, marks)
        if dtype.name in _ORDERED:
            keys = _turned(elements.view(np.int16))
            ends = [_reduce(end, keys, block_rows, block_columns) for end in _ENDS]
            low, high = _widened(np.stack([_turned(end) for end in ends]).view(dtype.raw), dtype)
            if np.isfinite(low).all() and np.isfinite(high).all():
                marks = np.zeros(low.shape, dtype=np.uint8)
                return Reduced(_shown(low, high, reduction), None, marks)
    return reduce_blocks(dtype.widen(elements), block_rows, block_columns, reduction)


def _widened(ends: Array, dtype: DType) -> Array:
    """Stored numbers in a picture's dtype."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        wide: Array = dtype.widen(ends).astype(picture_dtype(dtype.values), copy=False)
    return wide


def _shown(low: Array, high: Array, reduction: Reduction) -> Array:
    """Which of both ends of the blocks is shown, without a sign for zero."""
    if reduction == "largest magnitude":
        low = high = np.where(-low > high, low, high)
    return (low if reduction == "minimum" else high) + 0


def _turned(patterns: NDArray[np.int16]) -> NDArray[np.int16]:
    """Patterns of 16 bits as integers in the order of their values, or back."""
    signs = np.right_shift(patterns, 15)
    np.bitwise_and(signs, 0x7FFF, out=signs)
    return np.bitwise_xor(patterns, signs, out=signs)


def _means(
    numbers: Array,
    finite: NDArray[np.bool_] | None,
    marks: NDArray[np.uint8],
    block_rows: int,
    block_columns: int,
) -> Reduced:
    rows, columns = numbers.shape
    if finite is None:
        down = np.diff(np.append(np.arange(0, rows, block_rows), rows))
        across = np.diff(np.append(np.arange(0, columns, block_columns), columns))
        weight = np.multiply.outer(down, across).astype(np.float64)
    else:
        numbers = np.where(finite, numbers, 0)
        weight = _reduce(np.add, finite.astype(np.float64), block_rows, block_columns)
    means = _reduce(np.add, numbers, block_rows, block_columns) / weight
    overflown = ~np.isfinite(means) & (weight > 0)
    if overflown.any():
        most = np.finfo(np.float64).max
        shrunk = _reduce(np.add, numbers * _SHRINK, block_rows, block_columns) / weight
        means = np.where(overflown, np.clip(shrunk / _SHRINK, -most, most), means)
    return Reduced(means, weight, marks)


def merge(one: Reduced, other: Reduced, reduction: Reduction) -> Reduced:
    """Put together what two parts of the same blocks gave."""
    a, b = one.values, other.values
    marks = one.marks | other.marks
    with np.errstate(all="ignore"):
        if one.weight is not None and other.weight is not None:
            weight = one.weight + other.weight
            # Each part is multiplied by its share, so that the sum cannot overflow.
            share = np.where(weight > 0, one.weight / weight, 0)
            first = np.where(one.weight > 0, a * share, 0)
            second = np.where(other.weight > 0, b * (1 - share), 0)
            values = np.where(weight > 0, first + second, np.nan)
            return Reduced(values, weight, marks)
        if reduction == "minimum":
            return Reduced(np.fmin(a, b), None, marks)
        if reduction == "maximum":
            return Reduced(np.fmax(a, b), None, marks)
        low, high = np.fmin(a, b), np.fmax(a, b)
        return Reduced(np.where(-low > high, low, high), None, marks)


def _bits(elements: Array) -> NDArray[np.uint8]:
    """What each element is besides finite."""
    bits = np.isnan(elements).astype(np.uint8) * np.uint8(NAN)
    if elements.dtype.kind == "c":
        return bits | np.isinf(elements).astype(np.uint8) * np.uint8(POS_INF)
    bits |= (elements == np.inf).astype(np.uint8) * np.uint8(POS_INF)
    bits |= (elements == -np.inf).astype(np.uint8) * np.uint8(NEG_INF)
    return bits


def _reduce(ufunc: np.ufunc, array: Array, block_rows: int, block_columns: int) -> Array:
    """Combine blocks: down first, on contiguous rows, then across on what is left."""
    if block_rows > 1:
        array = _down(ufunc, array, block_rows)
    if block_columns > 1:
        array = _across(ufunc, array, block_columns)
    return array


def _down(ufunc: np.ufunc, array: Array, block: int) -> Array:
    rows, columns = array.shape
    if columns < _NARROW:
        return _across(ufunc, np.ascontiguousarray(array.T), block).T
    dtype = np.float64 if ufunc is np.add else array.dtype
    out = np.empty((-(-rows // block), columns), dtype=dtype)
    whole = rows // block
    body = array[: whole * block].reshape(whole, block, columns)
    ufunc.reduce(body, axis=1, dtype=dtype, out=out[:whole])
    if whole * block < rows:
        ufunc.reduce(array[whole * block :], axis=0, dtype=dtype, out=out[whole])
    return out


def _across(ufunc: np.ufunc, array: Array, block: int) -> Array:
    columns = array.shape[1]
    dtype = np.float64 if ufunc is np.add else array.dtype
    if block > _SLICES:
        starts = np.arange(0, columns, block)
        return np.asarray(ufunc.reduceat(array, starts, axis=1, dtype=dtype))
    out = array[:, ::block].astype(dtype)
    for place in range(1, min(block, columns)):
        part = array[:, place::block]
        # The last block may lack this column.
        held = out[:, : part.shape[1]]
        ufunc(held, part, out=held)
    return out
