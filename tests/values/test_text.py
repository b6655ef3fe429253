"""Numbers as text: the same in every locale, and all digits read back as the same number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.values.text import cell_texts, formats_of, number_text


@given(st.floats(width=32))
def test_all_digits_read_back(value: float) -> None:
    again = np.float32(number_text(np.float32(value), "exact"))
    assert again == np.float32(value) or (math.isnan(again) and math.isnan(value))


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_keep_every_digit(value: int) -> None:
    assert cell_texts(np.array([[value]], np.int64)) == [[str(value)]]


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        (np.float32(0.1), "short", "0.1"),
        (np.float32(0.1), "exact", "0.1"),
        (np.float64(1 / 3), "short", "0.333333"),
        (np.float64(1 / 3), "exact", "0.3333333333333333"),
        (np.float32(-1.5), "scientific", "-1.500000e+00"),
        (np.float32(np.nan), "short", "nan"),
        (np.float32(-np.inf), "exact", "-inf"),
        (np.float32(2), "exact", "2"),
        (np.float16(-32928), "exact", "-32928"),
        (np.bool_(True), "short", "True"),
        (np.complex64(1 - 2j), "short", "1-2j"),
        (np.complex64(complex(0, math.nan)), "short", "0+nanj"),
        (np.uint8(7), "scientific", "7"),
    ],
)
def test_examples(value: object, how: str, text: str) -> None:
    assert number_text(value, how) == text  # type: ignore[arg-type]
    assert cell_texts(np.array([[value]]), how) == [[text]]  # type: ignore[arg-type]


def test_integers_in_other_bases() -> None:
    bits = np.array([[0, 255, 0x3F80]], np.uint16)
    assert cell_texts(bits, "hex") == [["0x0000", "0x00FF", "0x3F80"]]
    assert cell_texts(bits, "binary")[0][1] == "0000000011111111"
    negative = np.array([[-1, -128, 127]], np.int8)
    assert cell_texts(negative, "hex") == [["0xFF", "0x80", "0x7F"]]
    assert cell_texts(np.array([[2**64 - 1]], np.uint64), "hex") == [["0x" + "F" * 16]]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float32", "complex128"])
@pytest.mark.parametrize("raw", [False, True])
def test_every_format_that_is_offered_writes_the_numbers(dtype: str, raw: bool) -> None:
    numbers = np.ones((1, 1), np.uint8 if raw else dtype)
    for how in formats_of(numbers.dtype, raw=raw):
        ((text,),) = cell_texts(numbers, how)
        assert "1" in text or text == "True"
