"""Numbers as text: the same in every locale, and all digits read back as the same number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.values.text import cell_texts, number_text


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
