"""How every pass goes over a tensor: one contiguous block after the other, flat, in C order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

import numpy as np

from inspector.values.arrays import Array, ArraySource
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
WORKERS: Final = min(4, os.cpu_count() or 1)

T = TypeVar("T")


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
                while (item := take()) is not None:
                    worker(item)
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


class Scan(Protocol):
    """What the blocks of a pass are added to."""

    def add(self, offset: int, block: Array) -> None:
        """Add a 1-D contiguous block with `offset` elements of the region before it."""


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
) -> list[S]:
    """Add each of the region's blocks to one of several scans, a thread for each of them.

    Which scan gets which block is a matter of chance, so what is made of them all must not depend
    on it.

    Parameters
    ----------
    make
        Makes an empty scan. Called at least once; more often where there are blocks for several.
    most, raw, check, progress
        As for `flat_blocks`. The last two are called by one thread at a time.

    Returns
    -------
    list
        The scans: the blocks of each came in order.
    """
    scans = [make() for _ in range(min(WORKERS, max(1, region.numel // most)))]
    work_together(
        flat_blocks(source, region, most=most, check=check, progress=progress, raw=raw),
        [lambda found, scan=scan: scan.add(*found) for scan in scans],  # type: ignore[misc]
    )
    return scans


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
