"""A deflated run of bytes, read at any offset as what it inflates to."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.positions import MOST, Positions
from inspector.checkpoints.sources import check_range

#: Deflate can not do better than this many bytes out of one.
MAX_RATIO = 1032

#: Compressed bytes that are read at a time.
_CHUNK = 1 << 16

#: Inflated bytes that are skipped at a time.
_SKIP = 1 << 18

#: Inflated bytes between two places to which one can go back, at least; and their highest
#: number. Each takes some 45 KiB.
_PLACE_DISTANCE = 4 << 20
_MAX_PLACES = 64


class _Place:
    """A place in a deflated run from where inflating can go on."""

    __slots__ = ("inflater", "position", "taken")

    def __init__(self, inflater: zlib._Decompress, position: int, taken: int) -> None:
        self.inflater = inflater
        #: Inflated bytes before it.
        self.position = position
        #: Compressed bytes that the inflater was given.
        self.taken = taken

    def copy(self) -> _Place:
        return _Place(self.inflater.copy(), self.position, self.taken)


class InflatedMember:
    """The inflated bytes of a raw deflate run in another source. A `ByteSource`.

    Reading forward streams, for several readers at several places too. Reading backward goes on
    from a remembered place, so that it costs some MiB of inflating, or a 64th of the whole. Memory
    is bounded by some MiB, whatever the run claims to inflate to.

    Parameters
    ----------
    source, offset, compressed
        The run, in bytes.
    claimed
        Inflated bytes by the file's own word; what deflate can not reach is cut off.
    name
        For errors.
    readers
        Places at which it can be read by turns without going back.
    """

    def __init__(
        self,
        source: ByteSource,
        offset: int,
        compressed: int,
        claimed: int,
        name: str,
        readers: int = MOST,
    ) -> None:
        self._source: Final = source
        self._offset: Final = offset
        self._compressed: Final = compressed
        self._size: Final = min(claimed, compressed * MAX_RATIO)
        self._name: Final = name
        self._distance: Final = max(_PLACE_DISTANCE, self._size // _MAX_PLACES)
        self._lock: Final = threading.Lock()  # of the places
        self._places: Final = [_Place(zlib.decompressobj(-zlib.MAX_WBITS), 0, 0)]
        self._positions: Final = Positions[_Place](readers)

    @property
    def below(self) -> tuple[ByteSource]:
        """What has the deflated run."""
        return (self._source,)

    @property
    def run(self) -> tuple[ByteSource, int, int]:
        """The deflated run: its source, where it begins there, and its bytes."""
        return self._source, self._offset, self._compressed

    @property
    def size(self) -> int:
        """Inflated bytes."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` inflated bytes; see `ByteSource`."""
        check_range(self._name, self._size, offset, length)
        # Grows with what is really there: the claim allocates nothing.
        parts = []
        with self._positions.before(offset, self._nearest) as here:
            self._go_to(here, offset)
            while length:
                part = self._inflate(here, length)
                length -= len(part)
                parts.append(part)
        return b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range(self._name, self._size, offset, len(buffer))
        with self._positions.before(offset, self._nearest) as here:
            self._go_to(here, offset)
            done = 0
            while done < len(buffer):
                part = self._inflate(here, len(buffer) - done)
                buffer[done : done + len(part)] = part
                done += len(part)

    def close(self) -> None:
        """The source below is closed by whoever opened it."""

    def _nearest(self, offset: int) -> tuple[int, Callable[[], _Place]]:
        place = self._places[min(offset // self._distance, len(self._places) - 1)]
        return place.position, place.copy

    def _go_to(self, here: _Place, offset: int) -> None:
        while here.position < offset:
            self._inflate(here, min(_SKIP, offset - here.position))

    def _inflate(self, here: _Place, most: int) -> bytes:
        """Between 1 and ``most`` of the next bytes; no further than the next place to remember."""
        next_place = len(self._places) * self._distance
        if here.position < next_place:
            most = min(most, next_place - here.position)
        while True:
            data = here.inflater.unconsumed_tail
            if not data and here.taken < self._compressed and not here.inflater.eof:
                count = min(_CHUNK, self._compressed - here.taken)
                data = self._source.read(self._offset + here.taken, count)
                here.taken += count
            if here.inflater.eof:
                raise self._damaged(here)
            try:
                part = here.inflater.decompress(data, most)
            except zlib.error as error:
                raise self._damaged(here) from error
            if part:
                break
            if not data:
                raise self._damaged(here)
        here.position += len(part)
        with self._lock:
            # Another reader may have been here before.
            if here.position == len(self._places) * self._distance:
                self._places.append(here.copy())
        return part

    def _damaged(self, here: _Place) -> CheckpointError:
        return CheckpointError(
            f"{self._name} is damaged: it does not inflate to the {self._size:,} bytes that it "
            "should.",
            where=f"inflated byte {here.position:,}",
        )
