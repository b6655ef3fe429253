"""How every pass goes over a tensor: one contiguous block after the other, flat, in C order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Region

#: Called before each block; raises `Cancelled` once nobody wants the result any more.
Check = Callable[[], None]

#: Called with 0 to 1 after each block. Whoever passes it in throttles it.
Progress = Callable[[float], None]

#: Elements a block: 1 MiB of float32, so that a block and its float64 buffer stay in the cache
#: while several ufuncs go over it, each long enough to be worth giving up the GIL for.
BLOCK = 1 << 18


def flat_blocks(
    source: ArraySource,
    region: Region,
    *,
    most: int,
    check: Check,
    progress: Progress,
    raw: bool = False,
) -> Iterator[tuple[int, Array]]:
    """The region's elements, block by block.

    Parameters
    ----------
    most
        Elements in a block, at most.
    raw
        Whether the stored patterns are meant instead of the values.

    Yields
    ------
    offset, block
        How many elements of the region came before, and a 1-D contiguous array.
    """
    total, done = region.numel, 0
    for part in region.blocks(most):
        check()
        block = source.read_raw(part) if raw else source.read(part)
        yield done, np.ascontiguousarray(block).reshape(-1)
        done += part.numel
        progress(done / total)
    if total == 0:
        progress(1.0)


def index_of(region: Region, offset: int) -> tuple[int, ...]:
    """The index, in the tensor, of the element with `offset` others before it in the region."""
    index: list[int] = []
    for axis in reversed(region.axes):
        if isinstance(axis, int):
            index.append(axis)
        else:
            offset, place = divmod(offset, len(axis))
            index.append(axis[place])
    return tuple(reversed(index))
