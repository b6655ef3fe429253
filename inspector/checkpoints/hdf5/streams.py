"""Chunks that are too large to be unpacked as a whole: read piece by piece, in little memory."""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.filters import DEFLATE, FLETCHER32, SHUFFLE, Filter
from inspector.checkpoints.inflated import InflatedMember
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.positions import MOST
from inspector.checkpoints.sources import check_range

#: Bytes of the header that zlib puts before what is deflated, and of a checksum.
_HEADER: Final = 2
_CHECKSUM: Final = 4

#: Bytes of memory that one such chunk takes while it is read: places to go back to, and readers.
STREAM_COST: Final = 4 << 20

#: Elements that are put together at a time.
_BLOCK: Final = 1 << 16


def can_stream(filters: tuple[Filter, ...]) -> bool:
    """Whether a chunk of these filters can be read piece by piece."""
    numbers = [one.number for one in filters]
    streamed = all(number in (DEFLATE, FLETCHER32, SHUFFLE) for number in numbers)
    return streamed and numbers.count(DEFLATE) <= 1


def streamed(
    source: ByteSource,
    offset: int,
    stored: int,
    filters: tuple[Filter, ...],
    size: int,
    itemsize: int,
) -> ByteSource:
    """The bytes of a chunk as they were before the filters.

    Parameters
    ----------
    source, offset, stored
        Where it is, in bytes.
    filters
        Those that were applied to it, for which `can_stream`.
    size
        Bytes that it has in the end.
    itemsize
        Bytes of an element, for shuffle without a parameter.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    run: ByteSource = AssembledBytes(
        (stored,), 1, [Piece((0,), (stored,), source, offset)], "A chunk"
    )
    widest = max((_width(one, itemsize) for one in filters if one.number == SHUFFLE), default=0)
    for number in reversed(range(len(filters))):
        one = filters[number]
        if one.number == SHUFFLE:
            run = Unshuffled(run, _width(one, itemsize))
        elif one.number == FLETCHER32:
            # The checksum is not verified: it would take longer than all else.
            run = _beginning(run, run.size - _CHECKSUM)
        else:
            before = sum(other.number == FLETCHER32 for other in filters[:number])
            run = _inflated(run, size + _CHECKSUM * before, MOST + widest)
    if run.size != size:
        raise CheckpointError(
            f"A chunk is damaged: it unpacks to {run.size:,} bytes instead of {size:,}."
        )
    return run


def _width(one: Filter, itemsize: int) -> int:
    return one.values[0] if one.values else itemsize


def _beginning(source: ByteSource, length: int) -> ByteSource:
    if length < 0:
        raise CheckpointError("A chunk is damaged: it is shorter than its checksum.")
    return AssembledBytes((length,), 1, [Piece((0,), (length,), source)], "A chunk")


def _inflated(source: ByteSource, size: int, readers: int) -> ByteSource:
    if source.size < _HEADER or source.read(0, 1)[0] & 15 != 8:
        raise CheckpointError("A chunk is damaged: it does not inflate.")
    return InflatedMember(source, _HEADER, source.size - _HEADER, size, "A chunk", readers)


class Unshuffled:
    """Bytes that were sorted by their place in an element, put together again. A `ByteSource`.

    Parameters
    ----------
    source
        The first bytes of all elements, then all second ones, and so on; a rest that is no element
        follows as it is.
    width
        Bytes of an element.
    """

    def __init__(self, source: ByteSource, width: int) -> None:
        self._source: Final = source
        self._width: Final = max(1, width)
        self._count: Final = source.size // self._width

    @property
    def size(self) -> int:
        """As many as were sorted."""
        return self._source.size

    @property
    def below(self) -> tuple[ByteSource]:
        """What has the sorted bytes."""
        return (self._source,)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a chunk", self.size, offset, length)
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range("a chunk", self.size, offset, len(buffer))
        end, width = self._count * self._width, self._width
        done = 0
        while done < len(buffer) and offset + done < end:
            first, within = divmod(offset + done, width)
            wanted = min(len(buffer) - done, end - offset - done)
            count = min(_BLOCK, -(-(within + wanted) // width))
            elements = self._elements(first, count)[within : within + wanted]
            buffer[done : done + len(elements)] = elements
            done += len(elements)
        if done < len(buffer):
            self._source.read_into(offset + done, buffer[done:])

    def close(self) -> None:
        """The source below is closed by whoever opened it."""

    def _elements(self, first: int, count: int) -> bytearray:
        found = bytearray(count * self._width)
        for place in range(self._width):
            start = place * self._count + first
            found[place :: self._width] = self._source.read(start, count)
        return found
