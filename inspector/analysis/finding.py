"""The next element of a kind, from a place on: NaN, infinities, the extremes, any value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

import numpy as np

from inspector.analysis.blocks import BLOCK, Check, Progress, blocks_as_kept, index_of
from inspector.values.arrays import Array, ArraySource
from inspector.values.regions import Region

Index = tuple[int, ...]

#: What can be looked for; a number is looked for by equality.
Target = Literal["nan", "infinite", "zero"] | int | float

#: Blocks that are searched as a whole at first, where the elements do not lie in C order.
_STRETCH: Final = 16

_TESTS: dict[str, Callable[[Array], Array]] = {
    "nan": np.isnan,
    "infinite": lambda values: np.isinf(values) & ~np.isnan(values),
    "zero": lambda values: values == 0,
}


def find_next(
    source: ArraySource,
    start: Index,
    target: Target,
    *,
    forward: bool = True,
    check: Check,
    progress: Progress,
    block: int = BLOCK,
) -> Index | None:
    """The nearest element of a kind behind ``start`` in C order, or before it.

    Behind the last element it goes on with the first, so that the start itself comes last. Stops
    at the first hit; progress is that of the whole tensor. Runs on any thread but the window's.

    Parameters
    ----------
    start
        One index for each axis; empty for a tensor of no axes.
    target
        ``nan`` and ``infinite`` as in `Statistics`: a complex number is NaN if either part is. A
        number is compared with the elements (their magnitudes, if they are complex) as it is, so
        integers beyond 2**53 are told apart.

    Returns
    -------
    tuple of int or None
        Its index; None if there is no such element.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    shape = source.shape
    total = max(1, Region.whole(shape).numel)
    if not forward:
        start = tuple(size - 1 - place for size, place in zip(shape, start, strict=True))
    done = 0
    with np.errstate(all="ignore"):
        for part in (*_behind(shape, start), *_up_to(shape, start)):
            region = part if forward else _mirrored(part, shape)
            for stretch in _stretches(region, source.axis_order, block):
                told = _part(progress, done, stretch.numel, total)
                at = _first(source, stretch, target, block, check, told)
                if at is not None:
                    return at
                done += stretch.numel
    return None


def _part(progress: Progress, before: int, size: int, total: int) -> Progress:
    return lambda part: progress((before + part * size) / total)


def _stretches(region: Region, order: tuple[int, ...], block: int) -> Iterator[Region]:
    """Parts of a region that follow one another in C order, each to be searched as a whole.

    A block, if these lie in that order. Otherwise some blocks at least, and each time more of
    them: what is near is found soon, and what is far is found without many short reads.
    """
    if region.runs_along(order):
        yield from region.blocks(block)
        return
    outermost = next(n for n, size in enumerate(region.shape) if size > 1)
    axis = region.axes[outermost]
    assert isinstance(axis, range)
    within = region.numel // len(axis)
    start, step = 0, _STRETCH * block // within
    while start < len(axis):
        places = axis[start : start + max(1, step)]
        stretch = Region((*region.axes[:outermost], places, *region.axes[outermost + 1 :]))
        if step:
            yield stretch
        else:
            yield from _stretches(stretch, order, block)
        start, step = start + len(places), 2 * step


def _first(
    source: ArraySource,
    stretch: Region,
    target: Target,
    block: int,
    check: Check,
    progress: Progress,
) -> Index | None:
    """The first hit in a part of the tensor, in the C order of that part."""
    first: int | None = None
    for found in blocks_as_kept(source, stretch, most=block, check=check, progress=progress):
        hits = _matches(found.elements, target)
        if (first is None or found.start < first) and hits.any():
            at = found.first(hits)
            first = at if first is None else min(first, at)
    return None if first is None else index_of(stretch, first)


def _matches(values: Array, target: Target) -> Array:
    if isinstance(target, str):
        return _TESTS[target](values)
    if values.dtype.kind == "c":
        values = np.abs(values.astype(np.complex128))
    found: Array = values == values.dtype.type(target)
    return found


def _behind(shape: Index, start: Index) -> Iterator[Region]:
    """The elements behind an index, as regions in C order."""
    for axis in reversed(range(len(shape))):
        yield Region(
            (
                *(range(place, place + 1) for place in start[:axis]),
                range(start[axis] + 1, shape[axis]),
                *(range(size) for size in shape[axis + 1 :]),
            )
        )


def _up_to(shape: Index, start: Index) -> Iterator[Region]:
    """The elements before an index and that at it, as regions in C order."""
    for axis in range(len(shape)):
        yield Region(
            (
                *(range(place, place + 1) for place in start[:axis]),
                range(start[axis]),
                *(range(size) for size in shape[axis + 1 :]),
            )
        )
    yield Region(tuple(range(place, place + 1) for place in start))


def _mirrored(region: Region, shape: Index) -> Region:
    """The same part as seen from the end: every index counted backwards."""
    axes = []
    for axis, size in zip(region.axes, shape, strict=True):
        assert isinstance(axis, range)
        axes.append(range(size - 1 - axis.start, size - 1 - axis.stop, -1))
    return Region(tuple(axes))
