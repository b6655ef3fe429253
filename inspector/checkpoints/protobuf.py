"""A walk over the wire format of protocol buffers, without a schema and without trust.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource

#: Bytes that are read at a time.
_WINDOW: Final = 1 << 14

#: Bytes of a tag and a number, at most.
_LONGEST: Final = 20

_FIXED: Final = {1: 8, 5: 4}


class Field(NamedTuple):
    """One field of a message.

    Attributes
    ----------
    number, kind
        The field's number and its wire type: 0 and the fixed 1 and 5 have a `value`, 2 has bytes.
    value
        An unsigned number of 64 bits; for 2 it is 0.
    offset, length
        Where its bytes are; for 2 only.
    """

    number: int
    kind: int
    value: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        """The offset behind its bytes."""
        return self.offset + self.length


class Wire:
    """Reads the fields of messages in a source, and passes over what has a length."""

    def __init__(self, source: ByteSource) -> None:
        self._source: Final = source
        self._data = b""
        self._base = 0

    def fields(self, start: int, end: int, *, lenient: bool = False) -> Iterator[Field]:
        """The fields between two offsets, in order.

        Parameters
        ----------
        lenient
            Whether the last one may reach beyond ``end``, as in a file that was cut short.

        Raises
        ------
        CheckpointError
            If they are damaged, or reach beyond ``end``.
        """
        at = start
        while at < end:
            data, base = self._window(at, end)
            tag, where = _varint(data, at - base)
            number, kind = tag >> 3, tag & 7
            value, offset, length = 0, base + where, 0
            if kind == 0:
                value, where = _varint(data, where)
                at = base + where
            elif kind == 2:
                length, where = _varint(data, where)
                offset = base + where
                at = offset + length
            elif kind in _FIXED:
                width = _FIXED[kind]
                value = int.from_bytes(data[where : where + width], "little")
                length = width
                at = offset + width
            else:
                raise _damaged(at)
            if at > end and not (lenient and kind == 2 and offset <= end):
                raise _damaged(at)
            yield Field(number, kind, value, offset, length)

    def _window(self, at: int, end: int) -> tuple[bytes, int]:
        """Bytes around a place, with all of a tag and a number that begin there."""
        inner = at - self._base
        if not 0 <= inner <= len(self._data) - _LONGEST:
            size = min(_WINDOW, self._source.size - at)
            if inner < 0 or inner >= len(self._data) or self._base + len(self._data) < at + size:
                self._data, self._base = self._source.read(at, size), at
        return self._data, self._base


def packed_varints(data: bytes) -> list[int]:
    """The numbers of a packed field.

    Raises
    ------
    CheckpointError
        If the last one is cut.
    """
    found = []
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + 10, len(data))):
        byte = data[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, place + 1
        shift += 7
    raise _damaged(at)


def _damaged(offset: int) -> CheckpointError:
    return CheckpointError(
        "A message is damaged: it has a field that can not be.",
        where=f"byte {offset}",
        advice="Get the file again from where it came from.",
    )
