"""Scroll arithmetic for axes that are longer than Qt can count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Steps of a scroll bar at the most: Qt's are 32-bit, and it adds page steps to them.
_MOST_STEPS: Final = 2**30


@dataclass(frozen=True, slots=True)
class ScrollMap:
    """Maps a scroll bar's value to the first visible row (or column), and back.

    Up to 2**30 offsets each value is an offset. Beyond, a value stands for several offsets: only
    dragging is coarse, and 0 and the last value still are the first and the last offset.

    Attributes
    ----------
    total
        Rows in all, not negative, of any size.
    visible
        Rows that fit the view entirely, at least 1.
    """

    total: int
    visible: int

    @property
    def last(self) -> int:
        """The largest offset."""
        return max(0, self.total - self.visible)

    @property
    def steps(self) -> int:
        """The scroll bar's maximum; its minimum is 0."""
        return min(self.last, _MOST_STEPS)

    def offset(self, value: int) -> int:
        """The offset that a scroll bar's value stands for."""
        return value * self.last // self.steps if self.steps else 0

    def value(self, offset: int) -> int:
        """The value that stands for an offset; the smallest one whose offset is not less."""
        return -(-offset * self.steps // self.last) if self.last else 0

    def clamp(self, offset: int) -> int:
        """The nearest offset that can be."""
        return min(max(offset, 0), self.last)

    def reveal(self, offset: int, index: int) -> int:
        """The offset nearest to this one at which a row is entirely visible."""
        return self.clamp(min(max(offset, index - self.visible + 1), index))
