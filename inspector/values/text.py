"""Numbers as text, the same in every locale."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from inspector.values.arrays import Array

#: How numbers are written. Floats: ``short`` has six significant digits; ``scientific`` has seven,
#: with an exponent; ``exact`` has as many as it takes to read the same number back. Integers:
#: ``exact`` is decimal; ``hex`` and ``binary`` write all their bits, two's complement if negative.
NumberFormat = Literal["short", "scientific", "exact", "hex", "binary"]


def formats_of(dtype: np.dtype[Any], *, raw: bool = False) -> tuple[NumberFormat, ...]:
    """The ways in which numbers of a dtype can be written, the usual one first.

    Parameters
    ----------
    raw
        Whether they are bits rather than numbers.
    """
    if raw:
        return ("hex", "binary", "exact")
    if dtype.kind in "iu":
        return ("exact", "hex")
    return ("exact",) if dtype.kind == "b" else ("short", "scientific", "exact")


def _digits(value: int, bits: int, how: NumberFormat) -> str:
    pattern = value & ((1 << bits) - 1)
    return f"0x{pattern:0{bits // 4}X}" if how == "hex" else f"{pattern:0{bits}b}"


def number_text(value: Any, how: NumberFormat = "short") -> str:
    """One NumPy or Python number as text."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, complex | np.complexfloating):
        real, imaginary = number_text(value.real, how), number_text(value.imag, how)
        sign = "" if imaginary.startswith("-") else "+"
        return f"{real}{sign}{imaginary}j"
    if how == "exact":
        return _exact(value)
    return f"{float(value):.6g}" if how == "short" else f"{float(value):.6e}"


def _exact(value: Any) -> str:
    """The shortest text that reads back as the same number of the same dtype.

    A float16 is written as the number it is: NumPy would write 32928 as 3.293e+04.
    """
    return _trimmed(repr(float(value)) if isinstance(value, np.float16) else str(value))


def _trimmed(text: str) -> str:
    return text.removesuffix(".0") if "e" not in text else text


def cell_texts(array: Array, how: NumberFormat = "short") -> list[list[str]]:
    """A 2-D array as rows of texts.

    Parameters
    ----------
    array
        Shape (rows, columns), any dtype of `DTYPES`' values.
    """
    if array.dtype.kind in "iu" and how in ("hex", "binary"):
        bits = array.dtype.itemsize * 8
        return [[_digits(value, bits, how) for value in row] for row in array.tolist()]
    if array.dtype.kind in "biu":
        return [[str(value) for value in row] for row in array.tolist()]
    if array.dtype.kind == "f":
        if how == "exact":
            # Only float32 has digits of its own; the others print as Python's floats, and faster.
            rows = array if array.dtype == np.float32 else array.astype(np.float64).tolist()
            return [[_trimmed(str(value)) for value in row] for row in rows]
        pattern = ".6g" if how == "short" else ".6e"
        return [[format(value, pattern) for value in row] for row in array.tolist()]
    return [[number_text(value, how) for value in row] for row in array]
