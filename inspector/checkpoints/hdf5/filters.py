"""What is done to a chunk before it is written, and how it is undone."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.space import Cursor
from inspector.checkpoints.naming import display_text

#: Names of filters that are not undone here, by their registered numbers.
_OTHERS: Final = {
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32026: "blosc2",
}
DEFLATE: Final = 1
SHUFFLE: Final = 2
FLETCHER32: Final = 3
_LZF: Final = 32000
_KNOWN: Final = {DEFLATE: "gzip", SHUFFLE: "shuffle", FLETCHER32: "fletcher32", _LZF: "lzf"}

#: Between two filters, a chunk may be longer than it is in the end by this and a 16th: a
#: checksum, or what compression costs with what can not be compressed.
_SLACK: Final = 4096

_MAX_FILTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter.

    Attributes
    ----------
    number
        As registered by the HDF Group.
    name
        In a word.
    values
        Its parameters.
    """

    number: int
    name: str
    values: tuple[int, ...]

    @property
    def known(self) -> bool:
        """Whether it can be undone here."""
        return self.number in _KNOWN


def read_filters(cursor: Cursor) -> tuple[Filter, ...]:
    """A filter pipeline message, in the order in which they were applied.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    version, count = cursor.version(1, 2), cursor.number(1)
    if count > _MAX_FILTERS:
        raise cursor.error(f"has {count} filters, more than {_MAX_FILTERS}")
    if version == 1:
        cursor.skip(6)
    found = []
    for _ in range(count):
        number = cursor.number(2)
        name_size = cursor.number(2) if version == 1 or number >= 256 else 0
        cursor.skip(2)
        values = cursor.number(2)
        # The first version fills names up to 8 bytes, and says so in their length.
        name = cursor.take((name_size + 7) // 8 * 8 if version == 1 else name_size)
        parameters = tuple(cursor.number(4) for _ in range(values))
        if version == 1 and values % 2:
            cursor.skip(4)
        own = display_text(name.partition(b"\0")[0].decode("utf-8", "replace"), 40)
        word = _KNOWN.get(number) or _OTHERS.get(number) or own or f"number {number}"
        found.append(Filter(number, word, parameters))
    return tuple(found)


def undo(data: bytes, filters: tuple[Filter, ...], mask: int, size: int, itemsize: int) -> bytes:
    """The bytes of a chunk as they were before the filters.

    Parameters
    ----------
    data
        As stored.
    mask
        A bit for each filter that was left out for this chunk.
    size
        Bytes that it has to have in the end.
    itemsize
        Bytes of an element, for shuffle without a parameter.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    most = size + size // 16 + _SLACK
    for number in reversed(range(len(filters))):
        if mask >> number & 1:
            continue
        one = filters[number]
        if one.number == SHUFFLE:
            data = _unshuffle(data, one.values[0] if one.values else itemsize)
        elif one.number == FLETCHER32:
            # The checksum is not verified: it would take longer than all else.
            data = data[:-4]
        else:
            data = _EXPAND[one.number](data, most)
    if len(data) != size:
        raise CheckpointError(
            f"A chunk is damaged: it unpacks to {len(data):,} bytes instead of {size:,}."
        )
    return data


def _inflate(data: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        return inflater.decompress(data, most)
    except zlib.error as error:
        raise CheckpointError(f"A chunk is damaged: it does not inflate ({error}).") from error


def _unshuffle(data: bytes, size: int) -> bytes:
    """Bytes that were sorted by their place in an element, put together again."""
    count = len(data) // size if size > 1 else 0
    if not count:
        return data
    result = bytearray(data)
    for place in range(size):
        result[place : count * size : size] = data[place * count : (place + 1) * count]
    return bytes(result)


def _unlzf(data: bytes, most: int) -> bytes:
    """lzf, by the description in Marc Lehmann's ``lzf_d.c``: literals, and copies from before."""
    result = bytearray()
    at, end = 0, len(data)
    try:
        while at < end:
            control = data[at]
            at += 1
            if control < 32:
                if at + control >= end:
                    raise _lzf_damaged()
                result += data[at : at + control + 1]
                at += control + 1
            else:
                length = control >> 5
                if length == 7:
                    length += data[at]
                    at += 1
                distance = ((control & 31) << 8 | data[at]) + 1
                at += 1
                _copy(result, distance, length + 2)
            if len(result) > most:
                raise _lzf_damaged()
    except IndexError as error:
        raise _lzf_damaged() from error
    return bytes(result)


def _copy(result: bytearray, distance: int, length: int) -> None:
    begin = len(result) - distance
    if begin < 0:
        raise _lzf_damaged()
    if distance >= length:
        result += result[begin : begin + length]
    else:
        run = result[begin:]
        result += (run * (length // distance + 1))[:length]


def _lzf_damaged() -> CheckpointError:
    return CheckpointError("A chunk is damaged: its lzf compression makes no sense.")


_EXPAND: Final[dict[int, Callable[[bytes, int], bytes]]] = {DEFLATE: _inflate, _LZF: _unlzf}
