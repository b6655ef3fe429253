"""The names and widths of torch's 46 dtypes, for floors that do not know torch.

Source: ``torch/headeronly/core/ScalarType.h`` (torch 2.13); a test compares the table with the
installed torch.
"""

from __future__ import annotations

from typing import Final

_SUB_BYTE = [f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)]

#: Bytes that one element takes in a storage, by torch's name without ``torch.``. The sub-byte
#: types take a whole byte; ``float4_e2m1fn_x2``, ``quint4x2``, ``quint2x4`` and ``bitsNxM`` count
#: the byte that holds several numbers as one element, as torch does.
ITEMSIZE: Final[dict[str, int]] = {
    "bool": 1,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex32": 4,
    "complex64": 8,
    "complex128": 16,
    "float8_e4m3fn": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2": 1,
    "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1,
    "float4_e2m1fn_x2": 1,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
    "quint4x2": 1,
    "quint2x4": 1,
    "bits1x8": 1,
    "bits2x4": 1,
    "bits4x2": 1,
    "bits8": 1,
    "bits16": 2,
    **dict.fromkeys(_SUB_BYTE, 1),
}

#: Numbers in one byte, of the quantized types whose tensors count the numbers themselves. The
#: numbers run on over the whole tensor, row after row, the first in a byte's lowest bits.
PACKED: Final[dict[str, int]] = {"quint4x2": 2, "quint2x4": 4}

#: How the module `struct` reads one element, of the types that it knows; complex ones as two.
STRUCT_CODES: Final[dict[str, str]] = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "complex64": "ff",
    "complex128": "dd",
}
