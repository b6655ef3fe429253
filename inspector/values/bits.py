"""What the bits of one number mean: its fields, its exact value, its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import TensorError
from inspector.values.floats import FLOATS, FloatLayout

#: The dtype of either half of a complex number.
HALVES: Final[dict[str, str]] = {
    "complex32": "float16",
    "complex64": "float32",
    "complex128": "float64",
}
_INTEGERS: Final = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))

#: The dtypes whose patterns can be explained.
EXPLAINED: Final = frozenset({"bool", *_INTEGERS, *FLOATS, *HALVES})

#: Powers of ten between which a number is written without an exponent.
_LOWEST, _HIGHEST = -7, 21


@dataclass(frozen=True, slots=True)
class Bits:
    """One real number, as its bits say.

    Attributes
    ----------
    dtype
        torch's name without ``torch.``.
    pattern
        The bits as an unsigned integer.
    hexadecimal
        The same in base 16, in full width: ``0xBE8C``.
    sign, exponent, mantissa
        Binary digits of each; empty where the type has none. An integer's are all in `mantissa`.
    exact
        The value in decimal with all its digits, of which a float64 can have 767; ``inf``,
        ``-inf``, ``nan``.
    step_up, step_down
        How far the next larger and the next smaller number are; None where there is none.
    note
        What is particular: ``subnormal``, ``quiet NaN, payload 0x1``, ``two's complement``.
    """

    dtype: str
    pattern: int
    hexadecimal: str
    sign: str
    exponent: str
    mantissa: str
    exact: str
    step_up: Fraction | None = None
    step_down: Fraction | None = None
    note: str = ""

    @property
    def binary(self) -> str:
        """The fields one after the other: ``1 01111101 0001100``; integers in bytes."""
        if self.exponent:
            return " ".join(filter(None, (self.sign, self.exponent, self.mantissa)))
        digits = self.mantissa
        return " ".join(digits[start : start + 8] for start in range(0, len(digits), 8))


def explain(pattern: int, dtype: str) -> tuple[Bits, ...]:
    """What a pattern stands for.

    Parameters
    ----------
    pattern
        The stored bits as an unsigned integer. Of a complex number, the real part's are the lower
        half.
    dtype
        One of `EXPLAINED`.

    Returns
    -------
    tuple of Bits
        One; of a complex number two, the real part first.

    Raises
    ------
    TensorError
        If nothing can be said of the dtype, or the pattern is wider than it.
    """
    if dtype not in EXPLAINED:
        raise TensorError(f"What the bits of {dtype} mean is not known number by number.")
    width = ITEMSIZE[dtype] * 8
    if not 0 <= pattern < 1 << width:
        raise TensorError(f"{pattern} is no pattern of the {width} bits of {dtype}.")
    if dtype in HALVES:
        half = width // 2
        parts = pattern & ((1 << half) - 1), pattern >> half
        return tuple(explain(part, HALVES[dtype])[0] for part in parts)
    if dtype in FLOATS:
        return (_float(pattern, dtype, FLOATS[dtype]),)
    return (_integer(pattern, dtype, width),)


def _integer(pattern: int, dtype: str, width: int) -> Bits:
    digits, hexadecimal = f"{pattern:0{width}b}", f"0x{pattern:0{width // 4}X}"
    if dtype == "bool":
        note = "" if pattern < 2 else "any byte but 0 is True"
        return Bits(dtype, pattern, hexadecimal, "", "", digits, str(pattern != 0), note=note)
    negative = dtype.startswith("int") and pattern >> (width - 1)
    value = pattern - (1 << width) if negative else pattern
    note = "two's complement" if negative else ""
    return Bits(dtype, pattern, hexadecimal, "", "", digits, str(value), note=note)


def _float(pattern: int, dtype: str, layout: FloatLayout) -> Bits:
    sign, exponent, mantissa = layout.fields(pattern)
    up, down = layout.steps(pattern)
    value = layout.value(pattern)
    kind = layout.classify(pattern)
    minus = "-" if sign else ""
    if value is not None:
        exact = decimal_text(value) if value else f"{minus}0"
    else:
        exact = "nan" if kind == "nan" else f"{minus}inf"
    return Bits(
        dtype,
        pattern,
        f"0x{pattern:0{-(-layout.width // 4)}X}",
        f"{sign:b}" if layout.signed else "",
        f"{exponent:0{layout.exponent}b}",
        f"{mantissa:0{layout.mantissa}b}" if layout.mantissa else "",
        exact,
        up,
        down,
        _note(layout, pattern),
    )


def _note(layout: FloatLayout, pattern: int) -> str:
    kind = layout.classify(pattern)
    if kind in ("subnormal", "infinity"):
        return kind
    if kind != "nan":
        return ""
    if layout.specials != "ieee":
        return "NaN"
    mantissa = layout.fields(pattern)[2]
    quiet = 1 << (layout.mantissa - 1)
    payload = mantissa & (quiet - 1)
    name = "quiet NaN" if mantissa & quiet else "signaling NaN"
    return f"{name}, payload 0x{payload:X}" if payload else name


def decimal_text(value: Fraction) -> str:
    """A fraction whose denominator is a power of two, in decimal with all its digits.

    Numbers that are neither large nor small are written out; others have an exponent.
    """
    power = value.denominator.bit_length() - 1
    # n / 2**k is n * 5**k / 10**k
    digits = str(abs(value.numerator) * 5**power)
    minus = "-" if value < 0 else ""
    leading = len(digits) - 1 - power  # the power of ten of the first digit
    if not value:
        return "0"
    if _LOWEST <= leading < _HIGHEST:
        if power == 0:
            return minus + digits
        digits = digits.rjust(power + 1, "0")
        whole, part = digits[:-power], digits[-power:].rstrip("0")
        return f"{minus}{whole}.{part}" if part else minus + whole
    digits = digits.rstrip("0")
    part = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{part}e{leading:+03d}"


def short_text(value: Fraction) -> str:
    """A positive fraction with three digits, for a step whose exact size is told elsewhere."""
    return f"{float(value):.3g}"
