"""Attributes: what a file says of its groups and datasets, and small values as text."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.describe import describe
from inspector.checkpoints.dtypes import STRUCT_CODES
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.headers import (
    ATTRIBUTE,
    ATTRIBUTE_INFO,
    ObjectHeader,
    open_message,
)
from inspector.checkpoints.hdf5.heaps import FractalHeap, GlobalHeap
from inspector.checkpoints.hdf5.space import Cursor
from inspector.checkpoints.hdf5.trees import Tree2
from inspector.checkpoints.hdf5.types import (
    Dataspace,
    Datatype,
    dataspace_at,
    datatype_at,
)
from inspector.checkpoints.naming import display_text

#: Elements of a value that are looked at.
_MAX_ELEMENTS: Final = 32

#: Bytes of a text that are looked at: a model's configuration takes up to some MB.
_MAX_TEXT: Final = 1 << 16

#: Attributes of one object, at most.
_MAX_ATTRIBUTES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Attributes
    ----------
    type_name
        In words: ``str``, ``float32`` ...
    value
        A text, a number, a list of such up to some length, or words in place of what can not be
        shown.
    text
        The value, safe to show, of bounded length.
    """

    name: str
    type_name: str
    value: object
    text: str


def read_attributes(header: ObjectHeader, heap: GlobalHeap) -> tuple[list[Attribute], str]:
    """The attributes of an object, and why there may be more (mostly empty).

    They come in order of their creation if the object keeps it, else in the file's order.
    """
    found: list[tuple[int, Attribute]] = []
    problem = ""
    places = _places(header)
    while len(found) < _MAX_ATTRIBUTES:
        try:
            order, cursor = next(places)
            found.append((order, _attribute(cursor, heap)))
        except StopIteration:
            break
        except CheckpointError as error:
            # After an error within `_places` there is nothing more.
            problem = problem or error.message
    found.sort(key=lambda pair: pair[0])
    return [attribute for _, attribute in found], problem


def _places(header: ObjectHeader) -> Iterator[tuple[int, Cursor]]:
    """Every attribute message, with its number by order of creation."""
    space = header.space
    for message in header.all(ATTRIBUTE):
        yield message.order, open_message(space, message, "An attribute")
    cursor = header.cursor(ATTRIBUTE_INFO, "An object")
    if cursor is None:
        return
    cursor.version(0)
    cursor.skip(2 if cursor.number(1) & 1 else 0)
    heap_address, tree_address = cursor.address(), cursor.address()
    if heap_address == space.undefined:
        return
    heap = FractalHeap(space, heap_address)
    for record in Tree2(space, tree_address, (8,)).records():
        place = Cursor(record, space, "A record of attributes")
        identity, flags, order = place.take(8), place.number(1), place.number(4)
        if flags & 2:
            raise place.error("leads to the file's heap of shared messages, which is not read here")
        yield order, Cursor(heap.read(identity), space, "An attribute")


def _attribute(cursor: Cursor, heap: GlobalHeap) -> Attribute:
    version, flags = cursor.version(1, 2, 3), cursor.number(1)
    name_size, type_size, space_size = (cursor.number(2) for _ in range(3))
    cursor.skip(1 if version == 3 else 0)

    def part(size: int) -> Cursor:
        data = cursor.take(size)
        if version == 1:
            cursor.skip(min(-size % 8, cursor.left))
        return Cursor(data, cursor.space, cursor.what)

    name = part(name_size).data.partition(b"\0")[0].decode("utf-8", "replace")
    datatype = datatype_at(part(type_size), shared=version > 1 and bool(flags & 1))
    dataspace = dataspace_at(part(space_size), shared=version > 1 and bool(flags & 2))
    data = cursor.data[cursor.at :]
    type_name, value = read_value(datatype, dataspace, data, cursor, heap)
    return Attribute(name, type_name, value, value_text(value, dataspace))


def value_text(value: object, dataspace: Dataspace, limit: int = 400) -> str:
    """A value as `read_value` made it, safe to show."""
    if type(value) is str:
        return display_text(value, limit)
    text = describe(value)
    count = dataspace.count
    if type(value) is list and count > len(value):
        text = f"{text} of {count:,}"
    return text


def read_value(
    datatype: Datatype, dataspace: Dataspace, data: bytes, cursor: Cursor, heap: GlobalHeap
) -> tuple[str, object]:
    """The type in words, and a value: one element, a list of the first ones, or words.

    Parameters
    ----------
    data
        The elements; of many, the first are enough.
    cursor
        What they were read from, for errors.
    """
    kind = "str" if datatype.kind in ("string", "text") else datatype.dtype
    if dataspace.shape is None:
        return kind, "(nothing: it has no dataspace)"
    if datatype.kind == "other":
        return kind, f"(a value of {datatype.size} bytes that is not shown)"
    count = min(dataspace.count, _MAX_ELEMENTS)
    whole = Cursor(data, cursor.space, cursor.what)
    values = [_element(datatype, whole.take(datatype.size), heap, whole) for _ in range(count)]
    if dataspace.shape == () and values:
        return kind, values[0]
    return f"{kind} {list(dataspace.shape)}", values


def _element(datatype: Datatype, raw: bytes, heap: GlobalHeap, cursor: Cursor) -> object:
    if datatype.kind == "string":
        return raw[:_MAX_TEXT].rstrip(b"\0").decode("utf-8", "replace")
    if datatype.kind == "text":
        place = Cursor(raw, cursor.space, cursor.what)
        length, address, number = place.number(4), place.address(), place.number(4)
        # What is empty need not be anywhere.
        if not length or address in (0, cursor.space.undefined):
            return ""
        return heap.read(address, number, min(length, _MAX_TEXT)).decode("utf-8", "replace")
    if datatype.dims:
        part = Datatype("number", datatype.size, datatype.dtype, datatype.big)
        return f"(an array of {list(datatype.dims)} {part.dtype})"
    if datatype.dtype == "bool":
        return raw != b"\0"
    if datatype.dtype not in STRUCT_CODES:
        return f"0x{raw.hex()}"
    numbers = struct.unpack((">" if datatype.big else "<") + STRUCT_CODES[datatype.dtype], raw)
    if len(numbers) == 2:
        return complex(*numbers)
    return datatype.names.get(numbers[0], numbers[0])
