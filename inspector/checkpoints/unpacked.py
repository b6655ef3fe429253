"""Numbers that are kept in fewer or in other bytes than they take in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.protobuf import Field, packed_varints
from inspector.checkpoints.sources import check_range


class PackedNumbers:
    """Numbers of 2 or 4 bits, the first of a byte in its lowest bits. A `ByteSource`.

    Parameters
    ----------
    source, offset, length
        The bytes that hold them.
    bits
        2 or 4.
    table
        What each code becomes, in bytes: all of one length.
    count
        How many numbers there should be; what the bytes can not hold is missing.
    """

    def __init__(
        self,
        source: ByteSource,
        offset: int,
        length: int,
        bits: int,
        table: Sequence[bytes],
        count: int,
    ) -> None:
        self._source: Final = source
        self._offset: Final = offset
        self._each: Final = 8 // bits
        mask = (1 << bits) - 1
        self._bytes: Final = [
            b"".join(table[byte >> shift & mask] for shift in range(0, 8, bits))
            for byte in range(256)
        ]
        self._width: Final = len(table[0]) * self._each
        self._size: Final = min(count, length * self._each) * len(table[0])

    @property
    def size(self) -> int:
        """Bytes of the numbers, unpacked."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a tensor of packed numbers", self._size, offset, length)
        first, last = offset // self._width, -(-(offset + length) // self._width)
        packed = self._source.read(self._offset + first, last - first)
        unpacked = b"".join(map(self._bytes.__getitem__, packed))
        start = offset - first * self._width
        return unpacked[start : start + length]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        """The source is closed by whoever opened it."""


class Varints:
    """Numbers of variable length, as little-endian ones of a fixed width. A `ByteSource`.

    They are decoded as a whole when they are first read: nobody can tell where one of them is.

    Parameters
    ----------
    source, runs
        The fields that hold them.
    width
        Bytes of each number; of a longer one, the lower bytes count.
    count
        How many there should be: no more than the runs have bytes.
    name
        For errors.
    """

    def __init__(
        self, source: ByteSource, runs: Sequence[Field], width: int, count: int, name: str
    ) -> None:
        self._source: Final = source
        self._runs: Final = runs
        self._width: Final = width
        self._count: Final = count
        self._name: Final = name
        self._lock: Final = threading.Lock()
        self._data: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of the numbers, decoded."""
        return self._count * self._width

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range(self._name, self.size, offset, length)
        with self._lock:
            if self._data is None:
                self._data = self._decoded()
        return self._data[offset : offset + length]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        """The source is closed by whoever opened it."""

    def _decoded(self) -> bytes:
        mask = (1 << 8 * self._width) - 1
        made = bytearray()
        for run in self._runs:
            numbers = (
                packed_varints(self._source.read(run.offset, run.length))
                if run.kind == 2
                else [run.value]
            )
            for number in numbers:
                made += (number & mask).to_bytes(self._width, "little")
        if len(made) != self.size:
            raise CheckpointError(
                f"{self._name} should have {self._count:,} numbers, and the file has "
                f"{len(made) // self._width:,}."
            )
        return bytes(made)
