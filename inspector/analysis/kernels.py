"""Loops over a block that are compiled (by numba) when they are first used.

Where NumPy takes a pass for each question and gives up the GIL for some microseconds in each, a
loop asks all of them at once and leaves Python alone until it is through. What was compiled is
kept beside this file, or in the user's cache folder. Only `inspector.analysis.compiled` imports
this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

import numpy as np
from numba import config, njit
from numpy.typing import NDArray

from inspector.checkpoints.collection import collection_paused
from inspector.values.arrays import Array

if getattr(config, "DISABLE_JIT", False):  # as Python, the loops would take hours
    raise ImportError("Nothing is compiled.")

F = TypeVar("F", bound=Callable[..., Any])

#: What a sum over a row may be rearranged to, so that it is made in vectors. There is nothing but
#: finite numbers in it.
_IN_ANY_ORDER: Final = ("reassoc", "contract", "nsz", "nnan", "ninf")

#: Elements whose sum is made in any order. Rows are then put together with what each addition
#: rounds off, so that the error of a block is that of a row.
_ROW: Final = 256

#: Elements that are seen to at a time where several loops go over them.
_PIECE: Final = 4096

#: Bits of the number of cells: their counts still fit into a core's own cache.
_CELL_BITS: Final = 18

#: The integers as wide as a float.
_INTEGERS: Final = {2: np.int16, 4: np.int32, 8: np.int64}

#: The patterns of infinity.
_INFINITY: Final = {
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}


class _Kept:
    """numba's cache of a function, without which it is compiled again, whatever is wrong with it.

    The disk may be full, and what is there cut off: numba lets such errors through.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *what: Any) -> Any:
        """What was compiled before; None if there is nothing that can be used."""
        with suppress(Exception):  # anything may be raised by half a pickle
            return self._cache.load_overload(*what)
        with suppress(OSError):
            self._cache.flush()  # makes the index anew, to which the next one can be added
        return None

    def save_overload(self, *what: Any) -> None:
        """Keep what was compiled, if it can be kept."""
        with suppress(Exception):
            self._cache.save_overload(*what)


def _compiled(fastmath: Collection[str] = ()) -> Callable[[F], F]:
    """Compile a function, for which no Python is needed while it runs."""

    def compile_it(function: F, cache: bool) -> Any:
        return njit(cache=cache, nogil=True, error_model="numpy", fastmath=set(fastmath))(function)

    def decorate(function: F) -> F:
        try:
            found = compile_it(function, cache=True)
            found._cache = _Kept(found._cache)
        except RuntimeError:  # there is no place to keep it
            found = compile_it(function, cache=False)
        found.compile = _paused(found.compile)
        return cast(F, found)

    return decorate


def _paused(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same without the collector: while that looks at a compiler's work, all threads wait."""

    def work_alone(*what: Any, **more: Any) -> Any:
        with collection_paused():
            return work(*what, **more)

    return work_alone


# Sums ---------------------------------------------------------------------------------------------


def sums(values: NDArray[np.floating], centre: float) -> tuple[float, float, float, float]:
    """Of finite numbers: the sums of the deviations from a centre, their squares and magnitudes.

    Made in float64. The last is the smallest magnitude of the numbers themselves.

    Parameters
    ----------
    values
        float32 or float64, 1-D and contiguous, not empty.
    """
    kind = _INTEGERS[values.itemsize]
    *found, least = _sums(values, values.view(kind), centre)
    total, squares, magnitudes = found
    return total, squares, magnitudes, float(np.array(least, kind).view(values.dtype))


@_compiled()
def _sums(values: Any, patterns: Any, centre: Any) -> Any:
    largest = patterns.dtype.type(np.iinfo(patterns.dtype).max)
    total = squares = magnitudes = 0.0
    lost_total = lost_squares = lost_magnitudes = 0.0
    least = largest
    for start in range(0, values.size, _ROW):
        row = _sums_of_row(values[start : start + _ROW], centre)
        total, lost = _added(total, row[0])
        lost_total += lost
        squares, lost = _added(squares, row[1])
        lost_squares += lost
        magnitudes, lost = _added(magnitudes, row[2])
        lost_magnitudes += lost
        least = min(least, _least(patterns[start : start + _ROW], largest))
    return total + lost_total, squares + lost_squares, magnitudes + lost_magnitudes, least


@_compiled(_IN_ANY_ORDER)
def _sums_of_row(row: Any, centre: Any) -> Any:
    total = squares = magnitudes = 0.0
    for place in range(row.size):
        deviation = np.float64(row[place]) - centre
        total += deviation
        squares += deviation * deviation
        magnitudes += abs(deviation)
    return total, squares, magnitudes


@_compiled()
def _least(patterns: Any, largest: Any) -> Any:
    """The smallest magnitude: without their signs, patterns have the order of these."""
    kind = patterns.dtype.type
    least = largest
    for place in range(patterns.size):
        least = min(least, kind(patterns[place] & largest))
    return least


@_compiled()
def _added(one: Any, other: Any) -> Any:
    """The sum of two numbers, and what it rounded off (Knuth's TwoSum)."""
    total = one + other
    added = total - one
    return total, (one - (total - added)) + (other - added)


# Patterns -----------------------------------------------------------------------------------------


def count(patterns: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """How often each pattern of one or two bytes occurs: int64 of shape (256,) or (65536,).

    Parameters
    ----------
    patterns
        uint8 or uint16, 1-D and contiguous.
    """
    # Several tables: where one number follows itself, its count need not wait for itself.
    tables = np.zeros((4 if patterns.itemsize == 1 else 2, 1 << (8 * patterns.itemsize)), np.int64)
    if patterns.itemsize == 1:
        _count_by_four(patterns, tables)
    else:
        _count_by_two(patterns, tables)
    found: NDArray[np.int64] = tables.sum(axis=0)
    return found


@_compiled()
def _count_by_two(patterns: Any, tables: Any) -> None:
    whole = patterns.size // 2
    for place in range(whole):
        tables[0, patterns[2 * place]] += 1
        tables[1, patterns[2 * place + 1]] += 1
    for place in range(2 * whole, patterns.size):
        tables[0, patterns[place]] += 1


@_compiled()
def _count_by_four(patterns: Any, tables: Any) -> None:
    whole = patterns.size // 4
    for place in range(whole):
        tables[0, patterns[4 * place]] += 1
        tables[1, patterns[4 * place + 1]] += 1
        tables[2, patterns[4 * place + 2]] += 1
        tables[3, patterns[4 * place + 3]] += 1
    for place in range(4 * whole, patterns.size):
        tables[0, patterns[place]] += 1


# Order --------------------------------------------------------------------------------------------


def ends(block: NDArray[np.floating]) -> tuple[float, float]:
    """The smallest and the largest of float32 or float64 numbers; not finite if one is not.

    Parameters
    ----------
    block
        1-D and contiguous, not empty.
    """
    kind = _INTEGERS[block.itemsize]
    found = np.empty(2, kind)
    _ends(block.view(kind), found)
    low, high = found.view(block.dtype).tolist()
    return low + 0.0, high + 0.0  # which takes the sign off a zero


def has_order(name: str) -> bool:
    """Whether `block_ends` knows a dtype of this name."""
    return name in _INFINITY


def block_ends(
    stored: Array, name: str, block_rows: int, block_columns: int
) -> tuple[Array, NDArray[np.uint8]]:
    """The smallest and the largest finite number of each block of a 2-D array.

    Parameters
    ----------
    stored
        Patterns of the dtype.
    name
        A dtype that `has_order`.

    Returns
    -------
    Array
        Patterns, of the dtype of those stored; shape (2, rows, columns) of the blocks. NaN where
        nothing is finite.
    NDArray[np.uint8]
        What each block holds besides: 1 for NaN, 2 for +inf, 4 for -inf, or sums of these.
    """
    kind = _INTEGERS[stored.itemsize]
    rows, columns = stored.shape
    shape = -(-rows // block_rows), -(-columns // block_columns)
    out, marks = np.empty((2, *shape), kind), np.empty(shape, np.uint8)
    patterns = np.ascontiguousarray(stored).view(kind)
    _block_ends(patterns, block_rows, block_columns, kind(_INFINITY[name]), out, marks)
    return out.view(stored.dtype), marks


@_compiled()
def _key(patterns: Any, place: Any) -> Any:
    """A pattern as an integer in the order of the values; of such an integer, the pattern.

    Those of negative numbers are turned round. Each step is told its width, or all would be made
    in 64 bits.
    """
    kind = patterns.dtype.type
    largest = kind(np.iinfo(patterns.dtype).max)
    last = kind(np.iinfo(patterns.dtype).bits - 1)
    pattern = patterns[place]
    return kind(pattern ^ kind(kind(pattern >> last) & largest))


@_compiled()
def _ends(patterns: Any, out: Any) -> None:
    """Both ends into an array of two."""
    low = high = _key(patterns, 0)
    for place in range(patterns.size):
        key = _key(patterns, place)
        low, high = min(low, key), max(high, key)
    out[0], out[1] = low, high
    out[0], out[1] = _key(out, 0), _key(out, 1)


@_compiled()
def _block_ends(
    patterns: Any, block_rows: Any, block_columns: Any, infinity: Any, out: Any, marks: Any
) -> None:
    kind = patterns.dtype.type
    largest = kind(np.iinfo(patterns.dtype).max)
    rows, columns = patterns.shape
    lows, highs = np.empty(columns, patterns.dtype), np.empty(columns, patterns.dtype)
    for down in range(marks.shape[0]):
        first, stop = down * block_rows, min((down + 1) * block_rows, rows)
        lows[:] = largest
        highs[:] = kind(~largest)
        for index in range(first, stop):
            row = patterns[index]
            for column in range(columns):
                key = _key(row, column)
                lows[column] = min(lows[column], key)
                highs[column] = max(highs[column], key)
        for across in range(marks.shape[1]):
            left, right = across * block_columns, min((across + 1) * block_columns, columns)
            low, high = largest, kind(~largest)
            for column in range(left, right):
                low, high = min(low, lows[column]), max(high, highs[column])
            mark = 0
            if low <= ~infinity or high >= infinity:
                part = patterns[first:stop, left:right]
                low, high, mark = _finite_ends(part, infinity)
            out[0, down, across], out[1, down, across] = low, high
            out[0, down, across] = _key(out, (0, down, across))
            out[1, down, across] = _key(out, (1, down, across))
            marks[down, across] = mark


@_compiled()
def _finite_ends(part: Any, infinity: Any) -> Any:
    """The keys of both ends of what is finite, and what there is besides; of NaN if nothing is."""
    kind = part.dtype.type
    largest = kind(np.iinfo(part.dtype).max)
    low, high, mark = largest, kind(~largest), 0
    for row in range(part.shape[0]):
        for column in range(part.shape[1]):
            pattern = part[row, column]
            magnitude = kind(pattern & largest)
            if magnitude < infinity:
                key = _key(part, (row, column))
                low, high = min(low, key), max(high, key)
            elif magnitude > infinity:
                mark |= 1
            elif pattern > 0:
                mark |= 2
            else:
                mark |= 4
    return low, high, mark


# Cells --------------------------------------------------------------------------------------------


class Cells:
    """Some 100,000 neighbouring ranges of numbers, as wide as there are numbers of the dtype.

    Any number of threads may ask at once.

    Parameters
    ----------
    low, high
        float32 or float64, both finite: the smallest and the largest number that is looked at.
    """

    def __init__(self, low: np.floating, high: np.floating) -> None:
        self._kind = _INTEGERS[low.itemsize]
        self._infinity = self._kind(_INFINITY[low.dtype.name])
        self._bottom, top = (int(key) for key in self._keys(np.array([low, high])))
        self._shift = max(0, (top - self._bottom).bit_length() - _CELL_BITS)
        self.size = ((top - self._bottom) >> self._shift) + 1

    def _keys(self, numbers: Array) -> NDArray[np.int64]:
        keys = np.empty(numbers.size, np.int64)
        _keys((numbers + 0).view(self._kind), keys)
        return keys

    def of(self, numbers: Array) -> NDArray[np.int64]:
        """The cell of each number: 0 for all before the first, `size` for all behind the last."""
        found = [(int(key) - self._bottom) >> self._shift for key in self._keys(numbers)]
        return np.clip(np.array(found, np.int64), 0, self.size)

    def sift(self, block: Array, wanted: NDArray[np.bool_], counts: NDArray[np.int64]) -> Array:
        """Count how many finite numbers of a block are in each cell, and give out some.

        Parameters
        ----------
        block
            1-D and contiguous.
        wanted
            Of which cells the numbers are given out; shape (size + 2,), of which the last two are
            for numbers beyond all cells and for what is not finite.
        counts
            int64, same shape; is added to.
        """
        out = np.empty(block.size, self._kind)
        found = _sift(
            block.view(self._kind),
            self._infinity,
            np.int64(self._bottom),
            np.uint64(self._shift),
            wanted,
            counts,
            out,
        )
        return out[:found].view(block.dtype)


@_compiled()
def _keys(patterns: Any, out: Any) -> None:
    for place in range(patterns.size):
        out[place] = _key(patterns, place)


@_compiled()
def _sift(
    patterns: Any, infinity: Any, bottom: Any, shift: Any, wanted: Any, counts: Any, out: Any
) -> Any:
    # Each of the three loops over a piece is quicker than one that does all of it.
    cells = np.empty(min(patterns.size, _PIECE), np.uint32)
    found = 0
    for start in range(0, patterns.size, _PIECE):
        piece = patterns[start : start + _PIECE]
        _find_cells(piece, infinity, bottom, shift, np.uint64(wanted.size - 2), cells)
        for place in range(piece.size):
            counts[cells[place]] += 1
        for place in range(piece.size):
            out[found] = piece[place]  # and over it, if it is not wanted: no branch is quicker
            found += wanted[cells[place]]
    return found


@_compiled()
def _find_cells(
    patterns: Any, infinity: Any, bottom: Any, shift: Any, beyond: Any, out: Any
) -> None:
    kind = patterns.dtype.type
    largest = kind(np.iinfo(patterns.dtype).max)
    for place in range(patterns.size):
        key = np.int64(_key(patterns, place))
        key += key == -1  # -0 is 0
        cell = min(np.uint64(key - bottom) >> shift, beyond)
        finite = kind(patterns[place] & largest) < infinity
        out[place] = cell if finite else beyond + np.uint64(1)
