"""Numbers as Python writes them: each text evaluates to exactly the same number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inspector.values.arrays import Array


@dataclass(frozen=True, slots=True)
class Words:
    """What Python has no digits for."""

    nan: str
    infinity: str


#: Without any import; and for code in which NumPy is ``np``.
PLAIN: Final = Words('float("nan")', 'float("inf")')
NUMPY: Final = Words("np.nan", "np.inf")


def dtype_word(dtype: np.dtype[Any]) -> str:
    """A dtype as an argument: ``np.float32``, ``bool``."""
    return "bool" if dtype.kind == "b" else f"np.{dtype.name}"


def literals(values: Array, words: Words) -> list[list[str]]:
    """A 2-D array as rows of Python expressions.

    An array of the same dtype, made of what they evaluate to, has the same numbers: the digits are
    the fewest for that. With NumPy's words it has the same bits, which of the many NaN included;
    a plain ``float("nan")`` is only some NaN.

    Parameters
    ----------
    values
        Shape (rows, columns), any dtype of `DTYPES`' values.
    """
    if values.dtype.kind in "biu":
        return [[str(value) for value in row] for row in values.tolist()]
    if values.dtype.kind == "f":
        texts = _floats(values, words)
    else:
        real, imaginary = _floats(values.real, words), _floats(values.imag, words)
        plain = _adds_up(values.real) & _adds_up(values.imag)
        texts = [
            [_complex(*parts) for parts in zip(*rows, strict=True)]
            for rows in zip(real, imaginary, plain.tolist(), strict=True)
        ]
    if words is NUMPY:
        for row, column in np.argwhere(_unusual(values)).tolist():
            texts[row][column] = _bits(values[row, column])
    return texts


def _floats(values: Array, words: Words) -> list[list[str]]:
    """Shortest digits, as floats: 2 is 2.0, so that -0.0 stays what it is."""
    with np.errstate(invalid="ignore"):  # of a signalling NaN
        exact = values.astype(np.float64)
    # float32 alone has digits of its own; they are checked, as they are read by way of a double.
    texts = [
        [str(value) for value in row]
        for row in (values if values.dtype == np.float32 else exact.tolist())
    ]
    read = np.array([list(map(float, row)) for row in texts]).reshape(values.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = (read.astype(values.dtype) != values) & np.isfinite(values)
    for row, column in np.argwhere(wrong).tolist():
        texts[row][column] = repr(float(exact[row, column]))
    for row, column in np.argwhere(~np.isfinite(values)).tolist():
        value = exact[row, column]
        word = words.nan if np.isnan(value) else words.infinity
        texts[row][column] = f"-{word}" if np.signbit(value) else word
    return texts


def _adds_up(part: Array) -> Array:
    """Whether a part of a complex number comes out of a sum: zeros lose their sign in it."""
    kept: Array = np.isfinite(part) & ~((part == 0) & np.signbit(part))
    return kept


def _complex(real: str, imaginary: str, adds_up: bool) -> str:
    if not adds_up:
        return f"complex({real}, {imaginary})"
    return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}j"


def _unusual(values: Array) -> Array:
    """Where an element holds a NaN that is neither ``nan`` nor ``-nan``."""
    if values.dtype.kind == "c":
        return _unusual(values.real) | _unusual(values.imag)
    bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    usual = np.array([np.nan, -np.nan], values.dtype).view(bits.dtype)
    found: Array = np.isnan(values) & ~np.isin(bits, usual)
    return found


def _bits(value: Any) -> str:
    """An element by the bits of its parts."""
    width = value.dtype.itemsize // (2 if value.dtype.kind == "c" else 1)
    bits = np.atleast_1d(value).view(f"u{width}").tolist()
    digits = ", ".join(f"0x{part:0{width * 2}X}" for part in bits)
    return f"np.array([{digits}], np.uint{width * 8}).view({dtype_word(value.dtype)})[0]"
