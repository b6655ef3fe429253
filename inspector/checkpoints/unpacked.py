"""Numbers that are kept in fewer or in other bytes than they take in memory."""

from __future__ import annotations

import struct
import threading
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.protobuf import Field, packed_varints
from inspector.checkpoints.sources import check_range

#: A packed field, or the numbers of fields of one number each: little-endian, of 64 bits.
Run: TypeAlias = Field | bytearray

#: Bytes that are decoded at a time.
_CHUNK: Final = 1 << 16

#: Bytes of a number that was in a field of its own.
LOOSE: Final = 8

#: The codes of unsigned numbers for `struct`, by their bytes.
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


class PackedNumbers:
    """Numbers of 2, 4, 6 or 8 bits, the first in the lowest bits. A `ByteSource`.

    Parameters
    ----------
    source, offset, length
        The bytes that hold them.
    bits
        2, 4 or 8; or 6, of which three bytes hold four.
    table
        What each code becomes, in bytes: all of one length.
    count
        How many numbers there should be; what the bytes can not hold is missing.
    message
        The message that describes them, for whoever lets another program read it.
    """

    def __init__(
        self,
        source: ByteSource,
        offset: int,
        length: int,
        bits: int,
        table: tuple[bytes, ...],
        count: int,
        message: Field,
    ) -> None:
        self.message: Final = message
        self._source: Final = source
        self._offset: Final = offset
        self._length: Final = length
        self._group: Final = 3 if bits == 6 else 1
        self._unpacked: Final = _by_half(table) if bits == 6 else _by_byte(bits, table)
        self._width: Final = len(table[0]) * 8 * self._group // bits
        self._size: Final = min(count, 8 * length // bits) * len(table[0])

    @property
    def below(self) -> tuple[ByteSource]:
        """What has them as they are kept."""
        return (self._source,)

    @property
    def size(self) -> int:
        """Bytes of the numbers, unpacked."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a tensor of packed numbers", self._size, offset, length)
        first, last = offset // self._width, -(-(offset + length) // self._width)
        begin, end = first * self._group, min(last * self._group, self._length)
        packed = self._source.read(self._offset + begin, end - begin)
        unpacked = b"".join(map(self._unpacked.__getitem__, self._codes(packed)))
        start = offset - first * self._width
        return unpacked[start : start + length]

    def _codes(self, packed: bytes) -> Sequence[int]:
        """What is looked up: each byte, or each half of three bytes."""
        if self._group == 1:
            return packed
        packed += bytes(-len(packed) % 3)
        threes = zip(packed[::3], packed[1::3], packed[2::3], strict=True)
        return [
            half
            for low, middle, high in threes
            for half in (low | (middle & 15) << 8, middle >> 4 | high << 4)
        ]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        """The source is closed by whoever opened it."""


@cache
def _by_byte(bits: int, table: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What each byte becomes. A model may have a million tensors, which share it."""
    mask = (1 << bits) - 1
    return tuple(
        b"".join(table[byte >> shift & mask] for shift in range(0, 8, bits)) for byte in range(256)
    )


@cache
def _by_half(table: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What each 12 bits become, which are two numbers of 6."""
    return tuple(table[half & 63] + table[half >> 6] for half in range(1 << 12))


class _Place(NamedTuple):
    """A place among the numbers from where decoding can go on.

    Attributes
    ----------
    start
        Numbers before it.
    run, at
        The run that comes next, and how far into it, in bytes.
    """

    start: int
    run: int
    at: int


class TypedNumbers:
    """The numbers of a repeated field, as little-endian ones of one width. A `ByteSource`.

    They are decoded some 64 KiB at a time. Reading forward streams; reading backward goes on from
    a remembered place.

    Parameters
    ----------
    source, runs
        The fields that hold them: packed, or the numbers of fields of one number each.
    width
        Bytes of each number: 1, 2, 4 or 8; of a longer one, the lower bytes count.
    count
        How many there should be: no more than the runs have bytes.
    name
        For errors.
    message
        The message that they are in, for whoever lets another program read it.
    fixed
        Whether packed ones are of that width in the file too, not of variable length.
    """

    def __init__(
        self,
        source: ByteSource,
        runs: Sequence[Run],
        width: int,
        count: int,
        name: str,
        message: Field,
        *,
        fixed: bool = False,
    ) -> None:
        self.message: Final = message
        self._source: Final = source
        self._runs: Final = runs
        self._width: Final = width
        self._count: Final = count
        self._name: Final = name
        self._fixed: Final = fixed
        self._lock: Final = threading.Lock()
        self._places: Final = [_Place(0, 0, 0)]
        self._last: tuple[int, bytes] = (-1, b"")

    @property
    def below(self) -> tuple[ByteSource]:
        """What has them as they are kept."""
        return (self._source,)

    @property
    def size(self) -> int:
        """Bytes of the numbers, decoded."""
        return self._count * self._width

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range(self._name, self.size, offset, length)
        # Grows with what is really there.
        parts = []
        with self._lock:
            while length:
                part = self._some(offset, length)
                parts.append(part)
                offset += len(part)
                length -= len(part)
        return b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range(self._name, self.size, offset, len(buffer))
        done = 0
        with self._lock:
            while done < len(buffer):
                part = self._some(offset + done, len(buffer) - done)
                buffer[done : done + len(part)] = part
                done += len(part)

    def close(self) -> None:
        """The source is closed by whoever opened it."""

    def _some(self, offset: int, most: int) -> bytes:
        """Between 1 and ``most`` bytes from ``offset`` on."""
        places = self._places
        wanted = offset // self._width
        index = bisect_right(places, wanted, key=lambda place: place.start) - 1
        while True:
            data = self._last[1] if self._last[0] == index else self._decoded(index)
            self._last = (index, data)
            inner = offset - places[index].start * self._width
            if inner < len(data):
                return data[inner : inner + most]
            index += 1

    def _decoded(self, index: int) -> bytes:
        """The numbers from a remembered place on; the place behind them is remembered."""
        start, number, at = self._places[index]
        if number >= len(self._runs):
            raise CheckpointError(
                f"{self._name} should have {self._count:,} numbers, and the file has {start:,}."
            )
        run = self._runs[number]
        if isinstance(run, bytearray):
            end = len(run)
            loose = run[at : at + _CHUNK]
            behind = at + len(loose)
            data = self._narrowed(struct.unpack(f"<{len(loose) // LOOSE}Q", loose))
        else:
            end = run.length
            raw = self._source.read(run.offset + at, min(_CHUNK, end - at))
            raw = self._whole(raw, at + len(raw) == end, run.offset + at)
            behind = at + len(raw)
            # Where none of the bytes says that it goes on, each is a number.
            data = raw
            if not self._fixed:
                data = self._narrowed(raw if raw.isascii() else packed_varints(raw))
        if index + 1 == len(self._places):
            place = _Place(start + len(data) // self._width, number, behind)
            if behind >= end:
                place = _Place(place.start, number + 1, 0)
            self._places.append(place)
        return data

    def _whole(self, raw: bytes, is_end: bool, offset: int) -> bytes:
        """The numbers of a chunk that are whole."""
        if self._fixed:
            length = len(raw) - len(raw) % self._width
        else:
            length = len(raw)
            while length and raw[length - 1] > 127:
                length -= 1
        if (raw and not length) or (is_end and length < len(raw)):
            raise CheckpointError(
                f"The numbers of {self._name} are damaged: one is cut, or has no end.",
                where=f"byte {offset + length}",
            )
        return raw[:length]

    def _narrowed(self, numbers: Sequence[int]) -> bytes:
        """The lower bytes of numbers, in the width."""
        layout = f"<{len(numbers)}{_CODES[self._width]}"
        if isinstance(numbers, bytes):
            return struct.pack(layout, *numbers)
        mask = (1 << 8 * self._width) - 1
        return struct.pack(layout, *[number & mask for number in numbers])
