"""Axes of values: everything lies on them, and their numbers are where they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inspector.gui.value_scale import thinned, value_scale, value_ticks

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MOST = float(np.finfo(np.float64).max)


@given(st.lists(FINITE, min_size=1, max_size=30), st.booleans())
@example([-MOST, MOST], False)
@example([MOST], False)
@example([-MOST, MOST], True)
@example([5e-324], False)
@example([0.0, 5e-324], False)
@example([1e16, 1e16 + 2], False)
@example([0.0], True)
def test_every_value_lies_on_its_scale(values: list[float], logarithmic: bool) -> None:
    array = np.array(values)
    linear = max(float(np.abs(array).max()) * 1e-3, 1e-300) if logarithmic else None
    scale = value_scale(array, array, linear)
    assert scale is not None
    assert np.isfinite([scale.low, scale.high]).all()
    assert scale.low <= array.min()
    assert array.max() <= scale.high
    assert scale.low < scale.high
    shares = scale.shares(array)
    assert ((shares >= 0) & (shares <= 1)).all()
    order = np.argsort(array, kind="stable")
    assert (np.diff(shares[order]) >= 0).all()
    ticks = thinned(value_ticks(scale), 0.1)
    assert ticks
    assert len(ticks) <= 11
    for share, text in ticks:
        assert 0 <= share <= 1
        assert len(text) <= 14
    assert len({text for _, text in ticks}) == len(ticks)
    for number, (share, _) in enumerate(ticks):
        assert all(abs(share - other) >= 0.1 for other, _ in ticks[:number])


@given(FINITE.filter(lambda value: abs(value) < 1e9), st.floats(1e-3, 1e9))
def test_a_number_on_the_axis_is_where_its_value_is(low: float, width: float) -> None:
    ends = np.array([low, low + width])
    scale = value_scale(ends, ends, None)
    assert scale is not None
    assert scale.high - scale.low <= 2 * (ends[1] - ends[0])  # most of the axis is the curve's
    for share, text in thinned(value_ticks(scale), 0.1):
        value = float(text)
        place = scale.low + share * (scale.high - scale.low)
        # As near as the digits that fit can say.
        assert value == pytest.approx(place, rel=1e-5, abs=1e-5 * (scale.high - scale.low))


def test_axes_have_round_numbers() -> None:
    for low, high, texts in (
        (-0.053, 0.061, {"-0.06", "-0.04", "-0.02", "0", "0.02", "0.04", "0.06", "0.08"}),
        (0.0, 1.0, {"0", "0.2", "0.4", "0.6", "0.8", "1"}),
        (-324.8, 1279.3, {"-400", "-200", "0", "200", "400", "600", "800", "1000", "1200", "1400"}),
    ):
        scale = value_scale(np.array([low]), np.array([high]), None)
        assert scale is not None
        assert {text for _, text in value_ticks(scale)} == texts


def test_nothing_finite_has_no_scale() -> None:
    nothing = np.full(3, np.nan)
    assert value_scale(nothing, nothing, None) is None
    some = np.array([np.nan, 2.0])
    scale = value_scale(some, some, None)
    assert scale is not None
    assert scale.low < 2 < scale.high
