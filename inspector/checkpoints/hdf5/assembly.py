"""The elements of a chunked dataset in C order, put together from its chunks.

`assembled.AssembledBytes` is given all pieces at once. Here, a dataset may have millions of chunks,
whose places are in the file, and which have to be unpacked: a chunk is looked up when somebody
asks for it, and unpacked once for all that is wanted of it.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Final

from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.sources import check_range

#: Bytes of decoded chunks that are kept, at most; one chunk is always kept.
CACHE: Final = 32 << 20


class AssembledChunks:
    """A dataset's bytes. A `ByteSource`.

    Each read decodes a chunk once, as long as the chunks along one row of the grid fit into the
    cache.

    Parameters
    ----------
    shape, chunk
        Of the dataset and of a chunk, in elements; of the same length, none of them 0.
    itemsize
        Bytes of an element.
    decoded
        The bytes of the chunk at a place in the grid, in C order, complete also at the edges;
        None for a chunk that was never written. Of a large one a source, which takes little memory.
    fill
        The element that stands everywhere in what was never written.
    below
        What the chunks are read from.
    cost
        Bytes of memory that a decoded chunk takes.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        itemsize: int,
        decoded: Callable[[tuple[int, ...]], bytes | ByteSource | None],
        fill: bytes,
        below: Sequence[ByteSource],
        cost: int,
    ) -> None:
        self.below: Final = below
        self.size: Final = math.prod(shape) * itemsize
        self._decoded: Final = decoded
        self._fill: Final = fill
        self._rank: Final = len(shape)
        self._shape, self._chunk, self._itemsize = _merged(shape, chunk, itemsize)
        self._kept: Final[OrderedDict[tuple[int, ...], bytes | ByteSource]] = OrderedDict()
        self._most: Final = max(1, CACHE // cost)
        self._lock: Final = threading.Lock()
        # A page, a picture and a count that begin together need the same chunk, and to unpack it
        # takes several times its memory: large ones are unpacked by one of them for all.
        self._decoding: Final = threading.Lock() if self._most == 1 else nullcontext()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a chunked dataset", self.size, offset, length)
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range("a chunked dataset", self.size, offset, len(buffer))
        if not len(buffer):
            return
        row = self._shape[-1] * self._itemsize
        # Runs of rows that lie in the same chunks, so that each chunk is looked up once for all.
        for first, count in self._bands(offset // row, -(-(offset + len(buffer)) // row)):
            begin = max(offset, first * row)
            end = min(offset + len(buffer), (first + count) * row)
            self._band(first, count, begin, buffer[begin - offset : end - offset])

    def _band(self, first: int, count: int, offset: int, buffer: memoryview) -> None:
        """Fill a buffer that begins at ``offset``, within ``count`` rows of the same chunks."""
        row, wide = self._shape[-1] * self._itemsize, self._chunk[-1] * self._itemsize
        place, within = self._row(first)
        columns = range(-(-row // wide))
        end = offset + len(buffer)
        if count == 1:
            start = first * row
            columns = range((offset - start) // wide, -(-(end - start) // wide))
        for column in columns:
            data = self._get((*place, column))
            left, right = column * wide, min((column + 1) * wide, row)
            for number in range(count):
                start = (first + number) * row
                here, there = max(start + left, offset), min(start + right, end)
                if here >= there:
                    continue
                at = (within + number) * wide + here - start - left
                piece = buffer[here - offset : there - offset]
                if data is None:
                    piece[:] = self._filling(here, there - here)
                elif isinstance(data, bytes):
                    piece[:] = data[at : at + there - here]
                else:
                    data.read_into(at, piece)

    def _filling(self, offset: int, length: int) -> bytes:
        """What stands where nothing was written."""
        size = len(self._fill)
        phase = offset % size
        return (self._fill * (length // size + 2))[phase : phase + length]

    def close(self) -> None:
        """The file is closed by whoever opened it."""

    def _bands(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Rows up to ``last`` in runs that share their chunks: the first one and their number."""
        while first < last:
            count = 1
            if len(self._shape) > 1:
                position = first % self._shape[-2]
                within = position % self._chunk[-2]
                count = min(self._chunk[-2] - within, self._shape[-2] - position, last - first)
            yield first, count
            first += count

    def _row(self, number: int) -> tuple[tuple[int, ...], int]:
        """The place of a row's chunks on all axes but the last, and its number within them."""
        place, within, step = [], 0, 1
        for length, width in zip(
            reversed(self._shape[:-1]), reversed(self._chunk[:-1]), strict=True
        ):
            number, position = divmod(number, length)
            place.append(position // width)
            within += position % width * step
            step *= width
        return tuple(reversed(place)), within

    def _get(self, place: tuple[int, ...]) -> bytes | ByteSource | None:
        found = self._known(place)
        if found is not None:
            return found
        with self._decoding:
            return self._known(place) or self._decode(place)

    def _known(self, place: tuple[int, ...]) -> bytes | ByteSource | None:
        with self._lock:
            found = self._kept.get(place)
            if found is not None:
                self._kept.move_to_end(place)
            return found

    def _decode(self, place: tuple[int, ...]) -> bytes | ByteSource | None:
        with self._lock:
            while len(self._kept) >= self._most:
                self._kept.popitem(last=False)
        # Axes that were merged have one chunk.
        data = self._decoded((*place, *(0,) * (self._rank - len(place))))
        if data is None:
            return None
        with self._lock:
            self._kept[place] = data
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return data


def _merged(
    shape: tuple[int, ...], chunk: tuple[int, ...], itemsize: int
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """The same grid with last axes that are not divided taken as part of the element.

    At least one axis is left. Rows become longer, and there are fewer of them to copy.
    """
    while len(shape) > 1 and shape[-1] == chunk[-1]:
        itemsize *= shape[-1]
        shape, chunk = shape[:-1], chunk[:-1]
    return shape, chunk, itemsize
