"""torch's dtypes as NumPy sees them: the stored form, the values, and the way between.

A tensor's elements are first had in their *raw* form, the plainest NumPy dtype of the same width,
and then *widened* to values. Types that NumPy has are the same in both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import TensorError
from inspector.values.floats import FLOATS

Category = Literal["bool", "integer", "float", "complex", "bits"]


def _same(raw: NDArray[Any]) -> NDArray[Any]:
    return raw


@dataclass(frozen=True, slots=True)
class DType:
    """One dtype.

    Attributes
    ----------
    name
        torch's, without ``torch.``.
    raw
        The NumPy dtype in which the stored elements are had, as wide as torch's.
    values
        The NumPy dtype of the values.
    widen
        Raw elements to values: the same array where the two dtypes are equal, else a new one of
        the same shape. Exact for every pattern.
    note
        What widening does, in words; empty where it does nothing.
    """

    name: str
    raw: np.dtype[Any]
    values: np.dtype[Any]
    category: Category
    widen: Callable[[NDArray[Any]], NDArray[Any]] = _same
    note: str = ""


#: Elements from which on two threads widen them.
_LARGE: Final = 1 << 22


def widen_bfloat16(raw: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 patterns to float32: the upper half of the same number. Exact, NaN bits kept."""
    wide = np.empty_like(raw, np.uint32)
    if raw.size < _LARGE or len(raw) < 2:
        _to_upper_half(raw, wide)
    else:
        # NumPy lets other threads run meanwhile, and fresh memory is slow to come for one alone.
        half = len(raw) // 2
        other = threading.Thread(target=_to_upper_half, args=(raw[:half], wide[:half]))
        other.start()
        _to_upper_half(raw[half:], wide[half:])
        other.join()
    return wide.view(np.float32)


def _to_upper_half(raw: NDArray[np.uint16], wide: NDArray[np.uint32]) -> None:
    # NumPy converts some thousands at a time on the way, so that memory is written only once.
    np.left_shift(raw, np.uint32(16), out=wide, dtype=np.uint32)


def round_bfloat16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 rounded to what bfloat16 can hold, half to even; every NaN becomes the plain one."""
    bits = values.view(np.uint32)
    bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(
        0xFFFF0000
    )
    bits[np.isnan(values)] = 0x7FC00000
    return bits.view(np.float32)


def _widen_complex32(raw: NDArray[np.uint32]) -> NDArray[np.complex64]:
    """Pairs of float16 (the real part in the lower half) to complex64."""
    halves = np.ascontiguousarray(raw).reshape(-1).view(np.float16)
    return halves.astype(np.float32).view(np.complex64).reshape(raw.shape)


@cache
def _float8_table(name: str) -> NDArray[np.float32]:
    layout = FLOATS[name]
    table = np.array([layout.to_float(code) for code in range(256)], dtype=np.float32)
    table.flags.writeable = False
    return table


def _float8(name: str) -> DType:
    return DType(
        name,
        np.dtype(np.uint8),
        np.dtype(np.float32),
        "float",
        lambda raw: _float8_table(name)[raw],
        f"{name} widened to float32, exact",
    )


@cache
def float4_table() -> NDArray[np.float32]:
    """What each pattern of four bits stands for: sign, two bits of exponent, one of mantissa.

    Source: OCP Microscaling Formats 1.0, section 5.3.3.
    """
    positive = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    table = np.array([*positive, *(-value for value in positive)], dtype=np.float32)
    table.flags.writeable = False
    return table


def _plain(name: str, category: Category) -> DType:
    dtype = np.dtype(name)
    return DType(name, dtype, dtype, category)


def _raw_only(name: str, raw: str, note: str) -> DType:
    return DType(name, np.dtype(raw), np.dtype(raw), "bits", note=note)


def _table() -> dict[str, DType]:
    integers = [f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")]
    rows = [
        _plain("bool", "bool"),
        *(_plain(name, "integer") for name in integers),
        *(_plain(name, "float") for name in ("float16", "float32", "float64")),
        *(_plain(name, "complex") for name in ("complex64", "complex128")),
        DType(
            "bfloat16",
            np.dtype(np.uint16),
            np.dtype(np.float32),
            "float",
            widen_bfloat16,
            "bfloat16 widened to float32, exact",
        ),
        *(_float8(name) for name in FLOATS if name.startswith("float8")),
        DType(
            "complex32",
            np.dtype(np.uint32),
            np.dtype(np.complex64),
            "complex",
            _widen_complex32,
            "complex32 widened to complex64, exact",
        ),
        _raw_only("float4_e2m1fn_x2", "uint8", "raw bytes: two float4 numbers in each"),
        *(
            _raw_only(name, raw, "the integers as stored, without scale and zero point")
            for name, raw in (("qint8", "int8"), ("quint8", "uint8"), ("qint32", "int32"))
        ),
        _raw_only("quint4x2", "uint8", "raw bytes: two 4-bit integers in each"),
        _raw_only("quint2x4", "uint8", "raw bytes: four 2-bit integers in each"),
    ]
    table = {row.name: row for row in rows}
    for name, size in ITEMSIZE.items():
        raw = "uint16" if size == 2 else "uint8"
        table.setdefault(name, _raw_only(name, raw, f"raw bytes of {name}"))
    return table


#: Every dtype of torch by its name.
DTYPES: Final[dict[str, DType]] = _table()


def dtype_of(name: str) -> DType:
    """The dtype of this name.

    Raises
    ------
    TensorError
        If torch has no such dtype.
    """
    try:
        return DTYPES[name]
    except KeyError:
        raise TensorError(
            f"The dtype {name} is not one of torch's, so its values cannot be shown."
        ) from None


def native(dtype: np.dtype[Any]) -> DType:
    """The dtype that torch and NumPy share.

    Raises
    ------
    TensorError
        If torch has no such dtype, or the byte order is not this machine's.
    """
    found = DTYPES.get(dtype.name)
    if found is None or found.raw != dtype:
        raise TensorError(f"An array of dtype {dtype} has no counterpart among torch's dtypes.")
    return found
