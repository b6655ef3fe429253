"""COO: a list of the places of the stored elements, in any order."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array, as_index
from inspector.values.computed import MOST
from inspector.values.regions import Region
from inspector.values.sparse_parts import Found, advice, misfit, part

#: Elements whose indices are read at a time.
_BLOCK: Final = 1 << 16

#: Bytes of places and values that are sorted in memory, at most.
_SORTED_BYTES: Final = 1 << 27

#: Places, as their numbers in C order among all of the sparse axes.
Keys = NDArray[np.int64]

#: Values of the elements from one number to another, with some axes of each.
_Read = Callable[[int, int, tuple[range | int, ...]], Array]


@dataclass(frozen=True, slots=True, eq=False)
class _InOrder:
    """Indices that are sorted in the file: the place of the first element of each block."""

    firsts: Keys


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """Indices that were not: all elements by their place, those of one place as they came."""

    keys: Keys
    values: Array


class CooLayout:
    """A tensor of layout ``sparse_coo``, also a hybrid one: a `Layout`.

    The first read looks once through all indices, in blocks. Where they are in order, as in every
    coalesced tensor, one place of each block is remembered, and later reads take only the blocks
    that they need; otherwise the elements are sorted in memory, if they are not too many.

    Raises
    ------
    TensorError
        If the shapes of its parts do not fit together.
    """

    def __init__(self, entry: TensorEntry) -> None:
        self._entry: Final = entry
        self._indices: Final = part(entry, "indices")
        self.values = part(entry, "values", integers=False)
        placed, shape = self._indices.shape, self.values.shape
        if len(placed) != 2 or not shape or placed[1] != shape[0]:
            raise misfit(entry, "COO")
        self.batches, self.sparse, self._count = 0, *placed
        self._sizes: Final = entry.shape[: self.sparse]
        if entry.shape != (*self._sizes, *shape[1:]) or len(self._sizes) < self.sparse:
            raise misfit(entry, "COO")
        if math.prod(self._sizes) >= 1 << 63:
            raise TensorError(
                f"{entry.name} has more places than can be counted in 63 bits.",
                advice=advice(entry),
            )
        self._lock: Final = threading.Lock()
        self._index: _InOrder | _Sorted | None = None

    def stored(self, region: Region) -> Iterator[Found]:
        """The elements from the first place of a region to its last (see `Layout`)."""
        axes, dense = region.axes[: self.sparse], region.axes[self.sparse :]
        low, high = (
            self._key([axis if isinstance(axis, int) else pick(axis[0], axis[-1]) for axis in axes])
            for pick in (min, max)
        )
        with self._lock:
            if self._index is None:
                self._index = self._checked()
        index = self._index
        blocks, read = (
            (iter(((0, index.keys),)), partial(_from_memory, index.values))
            if isinstance(index, _Sorted)
            else (self._blocks(index, low, high), self._from_file)
        )
        most = max(1, MOST // max(1, math.prod(_lengths(dense))))
        for start, keys in blocks:
            first, last = np.searchsorted(keys, (low, high + 1)).tolist()
            for begin in range(first, last, most):
                end = min(begin + most, last)
                yield Found(
                    0,
                    (end - begin,),
                    self._places(keys[begin:end]),
                    partial(read, start + begin, start + end, dense),
                )

    def _blocks(self, index: _InOrder, low: int, high: int) -> Iterator[tuple[int, Keys]]:
        # A place may have its first elements at the end of the block before.
        first = max(0, int(np.searchsorted(index.firsts, low)) - 1)
        last = int(np.searchsorted(index.firsts, high, "right"))
        for number in range(first, last):
            yield number * _BLOCK, self._keys(number * _BLOCK)

    def _from_file(self, begin: int, end: int, dense: tuple[range | int, ...]) -> Array:
        return self.values.read(Region((range(begin, end), *dense)))

    def _checked(self) -> _InOrder | _Sorted:
        """Look through all indices."""
        firsts, before = [], -1
        for start in range(0, self._count, _BLOCK):
            keys = self._keys(start)
            if keys[0] < before or (keys[1:] < keys[:-1]).any():
                return self._sorted(start)
            firsts.append(int(keys[0]))
            before = int(keys[-1])
        return _InOrder(np.array(firsts, np.int64))

    def _sorted(self, _: int) -> _Sorted:
        values = self.values.dtype.values.itemsize * math.prod(self.values.shape[1:])
        if self._count * (8 + values) > _SORTED_BYTES:
            raise TensorError(
                f"{self._entry.name} stores {self._count:,} elements in no order, more than are "
                f"sorted here ({_SORTED_BYTES >> 20} MiB).",
                advice=f"Coalesce it before it is saved. {advice(self._entry)}",
            )
        keys = np.empty(self._count, np.int64)
        for start in range(0, self._count, _BLOCK):
            keys[start : start + _BLOCK] = self._keys(start)
        order = np.argsort(keys, kind="stable")
        read = self.values.read(Region.whole(self.values.shape))
        return _Sorted(keys[order], read[order])

    def _keys(self, start: int) -> Keys:
        """The places of a block of elements, after their indices were checked."""
        numbers = range(start, min(start + _BLOCK, self._count))
        indices = self._indices.read(Region((range(self.sparse), numbers)))
        keys = np.zeros(len(numbers), np.int64)
        for axis, (index, size) in enumerate(zip(indices, self._sizes, strict=True)):
            outside = (index < 0) | (index >= size)
            if outside.any():
                at = int(outside.argmax())
                raise TensorError(
                    f"The indices of {self._entry.name} are damaged: element {start + at:,} is at "
                    f"index {index[at]:,} of axis {axis}, which has {size:,}.",
                    advice=advice(self._entry),
                )
            keys *= size
            keys += index
        return keys

    def _key(self, place: list[int]) -> int:
        key = 0
        for size, index in zip(self._sizes, place, strict=True):
            key = key * size + index
        return key

    def _places(self, keys: Keys) -> tuple[Array, ...]:
        coordinates = []
        for size in reversed(self._sizes[1:]):
            keys, index = np.divmod(keys, size)
            coordinates.append(index)
        return tuple(reversed((*coordinates, keys))) if self._sizes else ()


def _from_memory(values: Array, begin: int, end: int, dense: tuple[range | int, ...]) -> Array:
    found: Array = values[(slice(begin, end), *(as_index(axis) for axis in dense))]
    return found


def _lengths(axes: tuple[range | int, ...]) -> tuple[int, ...]:
    return tuple(len(axis) for axis in axes if isinstance(axis, range))
