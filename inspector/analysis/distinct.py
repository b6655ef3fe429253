"""The distinct values of a tensor's region, where they are few: masks, labels, constants."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.values.arrays import Array

#: Distinct values that are told apart, at most.
MOST: Final = 16

#: Elements at the beginning of a block, which mostly tell that there are more.
_HEAD: Final = 256

#: Values and how often each occurs, in the order of the values.
Occurrences = tuple[tuple[int | float, int], ...]


class Distinct:
    """Counts the distinct values among the finite numbers added so far; gives up beyond `MOST`."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int | float, int] | None = {}

    def add(self, block: Array) -> None:
        """Add a 1-D block of finite real numbers, of one dtype in all blocks."""
        counts = self._counts
        if counts is None:
            return
        if np.unique(block[:_HEAD]).size > MOST:
            self._counts = None
            return
        # Those that are known first: mostly nothing is left then.
        for value in counts:
            if not block.size:
                return
            block = self._taken(block, value)
        while block.size:
            if len(counts) == MOST:
                self._counts = None
                return
            value = block[0].item()
            counts[value] = 0
            block = self._taken(block, value)

    def merge(self, other: Distinct) -> None:
        """Add what was added to another."""
        mine, others = self._counts, other._counts
        if mine is None or others is None or len(mine.keys() | others.keys()) > MOST:
            self._counts = None
            return
        for value, count in others.items():
            mine[value] = mine.get(value, 0) + count

    def _taken(self, block: Array, value: int | float) -> Array:
        """Count a value, and return the others."""
        assert self._counts is not None
        others = block != block.dtype.type(value)
        rest: Array = block[others]
        self._counts[value] += block.size - rest.size
        return rest

    @property
    def result(self) -> Occurrences | None:
        """What occurs how often; None if it is too much."""
        if self._counts is None:
            return None
        return tuple((value + 0, count) for value, count in sorted(self._counts.items()))


def distinct_of(
    values: NDArray[np.float64], counts: NDArray[np.int64], number: type
) -> Occurrences | None:
    """The same for finite values with their counts, in no order; 0 and -0 are one."""
    found: dict[int | float, int] = {}
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        key = number(value + 0.0)
        found[key] = found.get(key, 0) + count
        if len(found) > MOST:
            return None
    return tuple(sorted(found.items()))
