"""What is said of the bits of a number, against answers that were found another way."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import TensorError
from inspector.values.bits import EXPLAINED, Bits, decimal_text, explain

#: Floats of at most 16 bits, as ml_dtypes and NumPy have them.
_NARROW = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "float8_e8m0fnu": ml_dtypes.float8_e8m0fnu,
}


def one(pattern: int, dtype: str) -> Bits:
    (found,) = explain(pattern, dtype)
    return found


def all_values(dtype: str) -> np.ndarray:
    patterns = np.arange(1 << (8 * ITEMSIZE[dtype]), dtype=f"u{ITEMSIZE[dtype]}")
    with np.errstate(invalid="ignore"):
        return patterns.view(_NARROW[dtype]).astype(np.float64)


@pytest.mark.parametrize("dtype", _NARROW)
def test_the_fields_and_the_exact_value_of_every_pattern(dtype: str) -> None:
    width = 8 * ITEMSIZE[dtype]
    for pattern, value in enumerate(all_values(dtype).tolist()):
        found = one(pattern, dtype)
        assert len(found.sign + found.exponent + found.mantissa) == width
        assert int(found.binary.replace(" ", ""), 2) == pattern == int(found.hexadecimal, 16)
        assert bool(found.sign) == (dtype != "float8_e8m0fnu")
        if math.isfinite(value):
            assert Fraction(found.exact) == Fraction(value), hex(pattern)
            assert found.exact.startswith("-") == (math.copysign(1, value) < 0)
        else:
            assert found.exact == ("nan" if math.isnan(value) else str(value))


@pytest.mark.parametrize("dtype", _NARROW)
def test_the_neighbours_of_every_pattern(dtype: str) -> None:
    # All finite numbers in order are an answer that knows nothing of exponents.
    values = all_values(dtype)
    ordered = np.unique(values[np.isfinite(values)]).tolist()
    place = {value: number for number, value in enumerate(ordered)}
    for pattern, value in enumerate(values.tolist()):
        found = one(pattern, dtype)
        up = down = None
        if math.isfinite(value):
            number = place[value]
            if number + 1 < len(ordered):
                up = Fraction(ordered[number + 1]) - Fraction(value)
            if number:
                down = Fraction(value) - Fraction(ordered[number - 1])
        assert (found.step_up, found.step_down) == (up, down), hex(pattern)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_neighbours_are_torch_s(dtype: str) -> None:
    bits = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16)
    values = bits.view(getattr(torch, dtype))
    above = torch.nextafter(values, torch.full_like(values, math.inf))
    for pattern, value, following in zip(
        (bits.int() & 0xFFFF).tolist(), values.tolist(), above.tolist(), strict=True
    ):
        step = one(pattern, dtype).step_up
        if step is not None:
            assert Fraction(value) + step == Fraction(following)


@pytest.mark.parametrize(("dtype", "numpy"), [("float32", np.float32), ("float64", np.float64)])
@given(data=st.data())
def test_wide_floats(dtype: str, numpy: type, data: st.DataObject) -> None:
    width = 8 * ITEMSIZE[dtype]
    pattern = data.draw(st.integers(0, (1 << width) - 1))
    code = "f" if dtype == "float32" else "d"
    (value,) = struct.unpack(f"<{code}", pattern.to_bytes(width // 8, "little"))
    found = one(pattern, dtype)
    if not math.isfinite(value):
        assert found.exact == ("nan" if math.isnan(value) else str(value))
        assert found.step_up is found.step_down is None
        return
    assert Fraction(Decimal(found.exact)) == Fraction(value)
    for step, sign in ((found.step_up, 1), (found.step_down, -1)):
        with np.errstate(over="ignore"):
            beside = float(np.nextafter(numpy(value), numpy(sign * math.inf)))
        expected = None if math.isinf(beside) else abs(Fraction(beside) - Fraction(value))
        assert step == expected


@given(pattern=st.integers(0, 2**64 - 1), width=st.sampled_from([8, 16, 32, 64]))
def test_integers(pattern: int, width: int) -> None:
    pattern %= 1 << width
    raw = pattern.to_bytes(width // 8, "little")
    assert one(pattern, f"uint{width}").exact == str(pattern)
    signed = one(pattern, f"int{width}")
    assert int(signed.exact) == int.from_bytes(raw, "little", signed=True)
    assert signed.note == ("two's complement" if signed.exact.startswith("-") else "")
    assert int(signed.binary.replace(" ", ""), 2) == pattern


@given(pattern=st.integers(0, 2**128 - 1))
@pytest.mark.parametrize(
    ("dtype", "half"),
    [("complex32", "float16"), ("complex64", "float32"), ("complex128", "float64")],
)
def test_complex_numbers_have_two_parts(dtype: str, half: str, pattern: int) -> None:
    width = 8 * ITEMSIZE[dtype]
    pattern %= 1 << width
    whole = np.frombuffer(pattern.to_bytes(width // 8, "little"), f"<u{width // 16}")
    assert explain(pattern, dtype) == tuple(one(int(part), half) for part in whole)


@pytest.mark.parametrize(
    ("dtype", "pattern", "note"),
    [
        ("float32", 0x00000001, "subnormal"),
        ("float32", 0x7F800000, "infinity"),
        ("float32", 0x7FC00000, "quiet NaN"),
        ("float32", 0x7F800001, "signaling NaN, payload 0x1"),
        ("float32", 0xFFC0BEEF, "quiet NaN, payload 0xBEEF"),
        ("bfloat16", 0x7FC1, "quiet NaN, payload 0x1"),
        ("float8_e4m3fn", 0x7F, "NaN"),
        ("float8_e5m2fnuz", 0x80, "NaN"),
        ("float8_e8m0fnu", 0xFF, "NaN"),
        ("float16", 0x3C00, ""),
        ("bool", 2, "any byte but 0 is True"),
    ],
)
def test_what_is_particular_is_named(dtype: str, pattern: int, note: str) -> None:
    assert one(pattern, dtype).note == note


def test_some_numbers_as_people_read_them() -> None:
    found = one(0xBE8C, "bfloat16")
    assert (found.sign, found.exponent, found.mantissa) == ("1", "01111101", "0001100")
    assert found.exact == "-0.2734375"
    assert one(0x3DCCCCCD, "float32").exact == "0.100000001490116119384765625"
    largest = one(0x7F7FFFFF, "float32").exact
    assert largest == "3.4028234663852885981170418348451692544e+38"
    assert one(0, "float64").exact == "0"
    assert one(1 << 63, "float64").exact == "-0"
    assert one(1, "bool").exact == "True"
    assert len(one(1, "float64").exact) == 757
    assert decimal_text(Fraction(1, 1024)) == "0.0009765625"


def test_what_can_not_be_explained_is_refused() -> None:
    assert "quint4x2" not in EXPLAINED
    with pytest.raises(TensorError, match="quint4x2"):
        explain(0, "quint4x2")
    with pytest.raises(TensorError, match="8 bits"):
        explain(256, "int8")
