"""Datatypes and dataspaces: what an element is, and how many there are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

from inspector.checkpoints.hdf5.headers import DATASPACE, DATATYPE, shared_message
from inspector.checkpoints.hdf5.space import Cursor
from inspector.checkpoints.naming import display_text

#: Types within types; more are refused.
_MAX_DEPTH: Final = 16

_MAX_RANK: Final = 32

#: Names of an enumeration that are kept.
_MAX_NAMES: Final = 1000

_CLASSES: Final = (
    "integer",
    "float",
    "time",
    "string",
    "bit field",
    "opaque",
    "compound",
    "reference",
    "enumeration",
    "variable-length",
    "array",
    "complex",
)

#: Bytes; bits and place of sign, exponent and mantissa; the exponent's bias.
_FLOATS: Final = {
    (2, 15, 10, 5, 0, 10, 15): "float16",
    (2, 15, 7, 8, 0, 7, 127): "bfloat16",
    (4, 31, 23, 8, 0, 23, 127): "float32",
    (8, 63, 52, 11, 0, 52, 1023): "float64",
    (1, 7, 2, 5, 0, 2, 15): "float8_e5m2",
}
_COMPLEX: Final = {"float16": "complex32", "float32": "complex64", "float64": "complex128"}

Class = Literal["number", "string", "text", "other"]


@dataclass(frozen=True, slots=True)
class Datatype:
    """What an element is.

    Attributes
    ----------
    kind
        ``number``: `dtype` is torch's name. ``string``: of `size` bytes. ``text``: a string of any
        length in a global heap. ``other``: none of these.
    size
        Bytes of an element.
    dtype
        torch's name, or the kind of type in words.
    dims
        Further dimensions of an element that is an array.
    names
        Of an enumeration's values: value to name.
    """

    kind: Class
    size: int
    dtype: str
    big: bool = False
    dims: tuple[int, ...] = ()
    names: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataspace:
    """How many elements there are.

    Attributes
    ----------
    shape
        None if there is nothing at all, not even a number.
    most
        The shape up to which it may grow; None in place of a length without a limit.
    """

    shape: tuple[int, ...] | None
    most: tuple[int | None, ...] = ()

    @property
    def count(self) -> int:
        """Elements."""
        return 0 if self.shape is None else math.prod(self.shape)


def read_datatype(cursor: Cursor) -> Datatype:
    """A datatype message.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    return _datatype(cursor, 0)


def _datatype(cursor: Cursor, depth: int) -> Datatype:
    if depth > _MAX_DEPTH:
        raise cursor.error(f"has types within types of more than {_MAX_DEPTH} levels")
    first = cursor.number(1)
    number, version = first & 15, first >> 4
    flags, size = cursor.number(3), cursor.number(4)
    if number >= len(_CLASSES) or not size:
        raise cursor.error("has an element type that is not known")
    if number == 0 or number == 4:
        return _integer(cursor, size, flags, signed=number == 0 and bool(flags & 8))
    if number == 1:
        return _float(cursor, size, flags)
    if number == 3:
        return Datatype("string", size, "string")
    if number == 5:
        cursor.skip(flags & 255)
    elif number == 6:
        return _compound(cursor, size, flags & 0xFFFF, version, depth)
    elif number == 8:
        return _enumeration(cursor, flags & 0xFFFF, version, depth)
    elif number == 9:
        base = _datatype(cursor, depth + 1)
        if flags & 15 == 1:
            return Datatype("text", size, "string")
        return Datatype("other", size, f"variable-length {base.dtype}")
    elif number == 10:
        return _array(cursor, size, version, depth)
    elif number == 11:
        return _complex(_datatype(cursor, depth + 1), size)
    elif number == 2:
        cursor.skip(2)
    return Datatype("other", size, _CLASSES[number])


def _integer(cursor: Cursor, size: int, flags: int, *, signed: bool) -> Datatype:
    offset, precision = cursor.number(2), cursor.number(2)
    name = f"{'' if signed else 'u'}int{8 * size}"
    if offset or precision != 8 * size or size not in (1, 2, 4, 8):
        return Datatype("other", size, f"integer of {precision} bits in {size} bytes")
    return Datatype("number", size, name, big=bool(flags & 1))


def _float(cursor: Cursor, size: int, flags: int) -> Datatype:
    offset, precision = cursor.number(2), cursor.number(2)
    exponent, exponent_size, mantissa, mantissa_size = (cursor.number(1) for _ in range(4))
    bias = cursor.number(4)
    sign = flags >> 8 & 255
    parts = (size, sign, exponent, exponent_size, mantissa, mantissa_size, bias)
    name = _FLOATS.get(parts, "")
    # The mantissa has a leading one that is not stored, and no VAX byte order.
    if not name or offset or precision != 8 * size or flags >> 4 & 3 != 2 or flags & 64:
        words = f"float of {precision} bits with {exponent_size} for the exponent"
        return Datatype("other", size, words)
    return Datatype("number", size, name, big=bool(flags & 1))


def _complex(part: Datatype, size: int) -> Datatype:
    name = _COMPLEX.get(part.dtype)
    if name is None or part.kind != "number" or part.size * 2 != size or part.dims:
        return Datatype("other", size, f"complex of {part.dtype}")
    return Datatype("number", size, name, big=part.big)


def _name(cursor: Cursor, version: int) -> str:
    """A member's name; older versions fill it up to 8 bytes."""
    raw = cursor.text()
    if version < 3:
        cursor.skip(-(len(raw) + 1) % 8)
    return raw.decode("utf-8", "replace")


def _compound(cursor: Cursor, size: int, count: int, version: int, depth: int) -> Datatype:
    members = []
    for _ in range(count):
        name = _name(cursor, version)
        offset = cursor.number(4 if version < 3 else (size.bit_length() + 7) // 8)
        dims: tuple[int, ...] = ()
        if version == 1:
            rank = cursor.number(1)
            cursor.skip(11)
            dims = tuple([cursor.number(4) for _ in range(4)][: min(rank, 4)])
        members.append((name, offset, dims, _datatype(cursor, depth + 1)))
    if len(members) == 2:
        (real, at, _, part), (imaginary, behind, _, other) = members
        # h5py's way to write complex numbers, and PyTables' and MATLAB's.
        named = (real, imaginary) in (("r", "i"), ("real", "imag"))
        alone = at == 0 and behind == part.size and not (members[0][2] or members[1][2])
        if named and alone and part == other:
            return _complex(part, size)
    shown = ", ".join(display_text(name, 20) for name, *_ in members[:6])
    return Datatype("other", size, f"compound of {shown}{', …' if count > 6 else ''}")


def _enumeration(cursor: Cursor, count: int, version: int, depth: int) -> Datatype:
    base = _datatype(cursor, depth + 1)
    if base.kind != "number" or base.dims or "int" not in base.dtype:
        raise cursor.error("has an enumeration of no integers")
    names = [_name(cursor, version) for _ in range(count)]
    order: Literal["little", "big"] = "big" if base.big else "little"
    signed = base.dtype.startswith("int")
    values = [int.from_bytes(cursor.take(base.size), order, signed=signed) for _ in range(count)]
    if base.size == 1 and sorted(zip(values, names, strict=True)) == [(0, "FALSE"), (1, "TRUE")]:
        return Datatype("number", 1, "bool")
    found = dict(zip(values[:_MAX_NAMES], names, strict=False))
    return Datatype("number", base.size, base.dtype, base.big, names=found)


def _array(cursor: Cursor, size: int, version: int, depth: int) -> Datatype:
    rank = cursor.number(1)
    if not 0 < rank <= _MAX_RANK:
        raise cursor.error(f"has an array of {rank} dimensions as an element")
    if version < 3:
        cursor.skip(3)
    dims = tuple(cursor.number(4) for _ in range(rank))
    if version < 3:
        cursor.skip(4 * rank)
    base = _datatype(cursor, depth + 1)
    if base.size * math.prod(dims) != size:
        raise cursor.error("has an array as an element whose size is not that of its parts")
    if base.kind != "number":
        return Datatype("other", size, f"array of {base.dtype}")
    return Datatype("number", size, base.dtype, base.big, dims + base.dims, base.names)


def read_dataspace(cursor: Cursor) -> Dataspace:
    """A dataspace message.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    version, rank, flags = cursor.version(1, 2), cursor.number(1), cursor.number(1)
    if rank > _MAX_RANK:
        raise cursor.error(f"has {rank} dimensions, more than {_MAX_RANK}")
    if version == 1:
        cursor.skip(5)
    elif cursor.number(1) == 2:
        return Dataspace(None)
    shape = tuple(cursor.length() for _ in range(rank))
    most: tuple[int | None, ...] = shape
    if flags & 1:
        endless = (1 << (8 * cursor.space.length_size)) - 1
        limits = [cursor.length() for _ in range(rank)]
        most = tuple(None if limit == endless else limit for limit in limits)
    return Dataspace(shape, most)


def datatype_at(cursor: Cursor, *, shared: bool) -> Datatype:
    """A datatype, here or by reference in another object."""
    return read_datatype(shared_message(cursor, DATATYPE) if shared else cursor)


def dataspace_at(cursor: Cursor, *, shared: bool) -> Dataspace:
    """A dataspace, here or by reference in another object."""
    return read_dataspace(shared_message(cursor, DATASPACE) if shared else cursor)
