"""A quick sample of a tensor's region: what can be said before all of it has been looked at."""

from __future__ import annotations

from typing import Final

import numpy as np

from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Region

#: So many runs of so many neighbours, evenly spread over what is kept.
_RUNS: Final = 64
_RUN: Final = 1024

#: Elements of which a region has to have more, or looking at all of them is as quick.
WORTHWHILE: Final = 1 << 22


def sample(source: ArraySource, region: Region) -> Array:
    """Some values of a region with elements: 1-D, at most 65,536 of them.

    Neighbours are alike in most tensors, so they say less than their number promises. Takes 64
    short reads, whatever the size. Runs on any thread but the window's.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    parts = []
    for run in range(_RUNS):
        part = _run_at(region, run * (region.numel - 1) // (_RUNS - 1), source.axis_order)
        parts.append(np.ascontiguousarray(source.read(part)).reshape(-1))
    return np.concatenate(parts)


def _run_at(region: Region, offset: int, order: tuple[int, ...]) -> Region:
    """A part of a region of about `_RUN` elements, which lie together where they are kept.

    It is at or around the element that has `offset` others before it in that order.
    """
    axes = list(region.axes)
    room = _RUN
    for number in reversed(order):
        axis = axes[number]
        if isinstance(axis, int):
            continue
        size = len(axis)
        offset, place = divmod(offset, size)
        start = max(0, min(place, size - room))
        axes[number] = axis[start : start + room]
        room = max(1, room // size)
    return Region(tuple(axes))
