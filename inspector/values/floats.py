"""How torch's floating-point types read their bits: sign, exponent, mantissa, and what is special.

Arithmetic on Python integers and fractions alone, so that every answer is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

#: ``zero`` to ``normal`` are finite.
FloatClass = Literal["zero", "subnormal", "normal", "infinity", "nan"]


@dataclass(frozen=True, slots=True)
class FloatLayout:
    """One floating-point type.

    Sources: IEEE 754-2019; OCP 8-bit Floating Point Specification 1.0 (e4m3fn, e5m2), OCP
    Microscaling Formats 1.0 (e8m0fnu), Noune et al., arXiv:2206.02915 (the fnuz types).

    Attributes
    ----------
    exponent, mantissa
        Bits of each.
    bias
        What is taken from the exponent's bits.
    signed
        Whether a sign comes first.
    specials
        Which patterns are no finite numbers. ``ieee``: the highest exponent is infinity and NaN;
        ``fn``: the highest pattern is NaN, and nothing is infinite; ``fnuz``: the pattern of -0
        is the one NaN; ``e8m0``: the highest pattern is NaN, and there is no zero.
    """

    exponent: int
    mantissa: int
    bias: int
    signed: bool = True
    specials: Literal["ieee", "fn", "fnuz", "e8m0"] = "ieee"

    @property
    def width(self) -> int:
        """All its bits."""
        return self.signed + self.exponent + self.mantissa

    def fields(self, pattern: int) -> tuple[int, int, int]:
        """Sign, exponent and mantissa of a pattern, as they stand there."""
        return (
            pattern >> (self.exponent + self.mantissa) if self.signed else 0,
            (pattern >> self.mantissa) & ((1 << self.exponent) - 1),
            pattern & ((1 << self.mantissa) - 1),
        )

    def classify(self, pattern: int) -> FloatClass:
        """What kind of number a pattern stands for."""
        _, exponent, mantissa = self.fields(pattern)
        highest = exponent == (1 << self.exponent) - 1
        if self.specials == "e8m0":
            return "nan" if highest else "normal"
        if self.specials == "fnuz" and pattern == 1 << (self.width - 1):
            return "nan"
        if self.specials == "fn" and highest and mantissa == (1 << self.mantissa) - 1:
            return "nan"
        if self.specials == "ieee" and highest:
            return "nan" if mantissa else "infinity"
        if exponent:
            return "normal"
        return "subnormal" if mantissa else "zero"

    def value(self, pattern: int) -> Fraction | None:
        """The number that a pattern stands for; None if it is no finite one."""
        kind = self.classify(pattern)
        if kind in ("nan", "infinity"):
            return None
        sign, exponent, mantissa = self.fields(pattern)
        if kind == "normal":
            mantissa += 1 << self.mantissa
        elif self.specials != "e8m0":
            exponent = 1
        size = Fraction(mantissa) * Fraction(2) ** (exponent - self.bias - self.mantissa)
        return -size if sign else size

    def to_float(self, pattern: int) -> float:
        """The same as a Python float, with NaN and infinity. For types of at most 64 bits."""
        kind = self.classify(pattern)
        value = self.value(pattern)
        sign = -1.0 if self.fields(pattern)[0] else 1.0
        if value is not None:
            return float(value) if value else sign * 0.0
        return float("nan") if kind == "nan" else sign * float("inf")

    @property
    def smallest_normal(self) -> float:
        """Finite values that are smaller than it, zero aside, are subnormal; 0 if none are."""
        return 0.0 if self.specials == "e8m0" else 2.0 ** (1 - self.bias)

    def steps(self, pattern: int) -> tuple[Fraction | None, Fraction | None]:
        """How far the next larger and the next smaller number are; both positive.

        None where there is no further finite number, and of a number that is not finite.
        """
        value = self.value(pattern)
        if value is None:
            return None, None
        sign_bit = 1 << (self.width - 1) if self.signed else 0
        size = pattern & ~sign_bit
        above = self.value(size + 1) if size + 1 < (sign_bit or 1 << self.width) else None
        outward = None if above is None else above - abs(value)
        inward: Fraction | None
        if size:
            below = self.value(size - 1)
            inward = None if below is None else abs(value) - below
        else:
            inward = outward if self.signed else None
        return (inward, outward) if pattern & sign_bit and size else (outward, inward)


#: By torch's name.
FLOATS: Final[dict[str, FloatLayout]] = {
    "float64": FloatLayout(11, 52, 1023),
    "float32": FloatLayout(8, 23, 127),
    "float16": FloatLayout(5, 10, 15),
    "bfloat16": FloatLayout(8, 7, 127),
    "float8_e4m3fn": FloatLayout(4, 3, 7, specials="fn"),
    "float8_e4m3fnuz": FloatLayout(4, 3, 8, specials="fnuz"),
    "float8_e5m2": FloatLayout(5, 2, 15),
    "float8_e5m2fnuz": FloatLayout(5, 2, 16, specials="fnuz"),
    "float8_e8m0fnu": FloatLayout(8, 0, 127, signed=False, specials="e8m0"),
}
