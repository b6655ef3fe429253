"""How every pass goes over a tensor: one block after the other, in the order of its memory.

A tensor that is stored transposed would otherwise take a read for each column of each block.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from inspector.analysis.turns import CORES, at_work
from inspector.values.arrays import Array, ArraySource, place_in
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region

#: Called before each block; raises `Cancelled` once nobody wants the result any more.
Check = Callable[[], None]

#: Called with 0 to 1 after each block. Whoever passes it in throttles it.
Progress = Callable[[float], None]

#: Elements a block: 1 MiB of float32, so that a block and its float64 buffer stay in the cache
#: while several ufuncs go over it, each long enough to be worth giving up the GIL for.
BLOCK: Final = 1 << 18

#: Threads that work on one pass. Reading is one thread's share, so more find little to do.
#:
#: What they do must last: a thread that wants Python back from another, which gives it up and takes
#: it again every few microseconds, is woken too late each time. Two threads then take twice as long
#: as one. So a pass with several threads goes in blocks for which each step takes 100 us or more.
WORKERS: Final = min(4, CORES)

T = TypeVar("T")
P = TypeVar("P")


def work_together(items: Iterator[T], workers: Sequence[Callable[[T], None]]) -> None:
    """Hand each item to one of the workers, a thread for each of them.

    The items are made one after the other, under a lock: what inflates or fetches them goes
    forward only. NumPy's warnings are off meanwhile. Returns when all is done; the first error
    stops the others, and is raised.
    """
    lock, ended = threading.Lock(), threading.Event()

    def take() -> T | None:
        with lock:
            return None if ended.is_set() else next(items, None)

    def work(worker: Callable[[T], None]) -> None:
        try:
            with np.errstate(all="ignore"):
                while _work_once(take, worker):
                    pass
        except BaseException:
            ended.set()
            raise

    if len(workers) == 1:
        work(workers[0])
        return
    with ThreadPoolExecutor(len(workers) - 1, thread_name_prefix="scan") as pool:
        others = [pool.submit(work, worker) for worker in workers[1:]]
        work(workers[0])
    for other in others:
        other.result()


def _work_once(take: Callable[[], T | None], worker: Callable[[T], None]) -> bool:
    with at_work:
        item = take()
        if item is not None:
            worker(item)
    return item is not None


def work_on_parts(
    source: ArraySource,
    parts: Iterator[P],
    read: Callable[[P], T],
    workers: Sequence[Callable[[T], None]],
) -> None:
    """Read parts of a source, and hand what each one gave to a worker; see `work_together`.

    The parts are made one after the other, and so is what is read of them, unless the source is
    one that several threads may read at once.
    """
    if isinstance(source, StoredTensor) and source.is_in_place:
        work_together(parts, [partial(_read_and_work, read, worker) for worker in workers])
    else:
        work_together(map(read, parts), workers)


def _read_and_work(read: Callable[[P], T], work: Callable[[T], None], part: P) -> None:
    work(read(part))


def heard(
    parts: Iterator[P], size: Callable[[P], int], total: int, check: Check, progress: Progress
) -> Iterator[P]:
    """Parts of so many elements in all, with a check before each and the progress after it."""
    done = 0
    for part in parts:
        check()
        yield part
        done += size(part)
        progress(done / total)
    if total == 0:
        progress(1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some elements of a region that lie together where they are kept.

    Attributes
    ----------
    elements
        1-D and contiguous, in the order in which they are kept.
    start
        How many elements of the region come, in C order, before the first of these in C order.
    axes
        How they lie, the outermost first: the length of each axis, and how many elements of the
        region are from one place along it to the next. One axis of step 1 if they are in C order.
    """

    elements: Array
    start: int
    axes: tuple[tuple[int, int], ...]

    def first(self, hits: Array) -> int:
        """How many elements of the region come, in C order, before the first hit.

        Parameters
        ----------
        hits
            A boolean for each of the elements, at least one of them true.
        """
        order = sorted(range(len(self.axes)), key=lambda axis: -self.axes[axis][1])
        left = hits.reshape([length for length, _ in self.axes]).transpose(order)
        offset = self.start
        for axis in order:
            others = tuple(range(1, left.ndim))
            place = int(np.argmax(left.any(axis=others) if others else left))
            offset += place * self.axes[axis][1]
            left = left[place]
        return offset


def _read(source: ArraySource, region: Region, raw: bool, part: Region) -> Block:
    """A part of a region: its values, or the stored patterns."""
    array = source.read_raw(part) if raw else source.read(part)
    order, shape = source.axis_order, region.shape
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    places = place_in(region, part)
    start = sum(place.start * step for place, step in zip(places, steps, strict=True))
    turn = part.kept_in(order)
    axes: list[tuple[int, int]] = []
    for axis in turn:
        length, step = array.shape[axis], steps[axis]
        if axes and axes[-1][1] == length * step:
            length *= axes.pop()[0]
        if length > 1:
            axes.append((length, step))
    elements = np.ascontiguousarray(array.transpose(turn)).reshape(-1)
    return Block(elements, start, tuple(axes))


def _numel(part: Region) -> int:
    return part.numel


class Scan(Protocol):
    """What the blocks of a pass are added to."""

    def add(self, block: Block) -> None:
        """Add a block."""

    def merge(self, other: Any) -> None:
        """Add what was added to another scan of the same kind."""


S = TypeVar("S", bound=Scan)


def scan_blocks(
    source: ArraySource,
    region: Region,
    make: Callable[[], S],
    *,
    most: int,
    check: Check,
    progress: Progress,
    raw: bool = False,
    threads: int = WORKERS,
) -> S:
    """Add each of the region's blocks to a scan, or to several, with a thread for each of them.

    Which scan gets which block is a matter of chance, and in which order they come is one of how
    they are kept, so what is made of them all must depend on neither.

    Parameters
    ----------
    make
        Makes an empty scan. Called at least once; more often where there are blocks for several.
    most, raw, check, progress
        As for `blocks_as_kept`. The last two are called by one thread at a time.
    threads
        How many there are at most.

    Returns
    -------
    Scan
        One to which everything was added.
    """
    scans = [make() for _ in range(min(threads, max(1, region.numel // most)))]
    parts = region.blocks(most, source.axis_order)
    work_on_parts(
        source,
        heard(parts, _numel, region.numel, check, progress),
        partial(_read, source, region, raw),
        [scan.add for scan in scans],
    )
    whole, *others = scans
    for other in others:
        whole.merge(other)
    return whole


def blocks_as_kept(
    source: ArraySource,
    region: Region,
    *,
    most: int,
    check: Check,
    progress: Progress,
    raw: bool = False,
) -> Iterator[Block]:
    """The region's elements, block by block, in the order in which the source keeps them.

    Parameters
    ----------
    most
        Elements in a block, at most.
    raw
        Whether the stored patterns are meant instead of the values.
    """
    parts = region.blocks(most, source.axis_order)
    for part in heard(parts, _numel, region.numel, check, progress):
        yield _read(source, region, raw, part)


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
