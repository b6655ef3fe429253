"""Colours tell the truth: levels, constants, and markers that nobody overlooks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PySide6.QtGui import QPalette

from inspector.analysis.tiles import Tile, TilePlan
from inspector.gui.colours import (
    AUTOMATIC_MAP,
    COLOUR_MAPS,
    Colouring,
    caption,
    lookup_table,
    picture,
)
from inspector.gui.levels import Levels, LevelsChoice, Limits, levels_of
from inspector.gui.theme import (
    NAN,
    NEGATIVE_INFINITY,
    POSITIVE_INFINITY,
    class_palettes,
    palette,
)


def tile(values: list[list[float]], marks: list[list[int]] | None = None, block: int = 1) -> Tile:
    array = np.array(values, np.float32)
    height, width = array.shape
    plan = TilePlan(range(height * block), range(width * block), block, block)
    flags = np.zeros(array.shape, np.uint8) if marks is None else np.array(marks, np.uint8)
    return Tile(plan, array, flags, exact=True, sample="")


def test_levels() -> None:
    both = tile([[-1.0, 3.0]])
    assert levels_of(both, LevelsChoice("full")) == Levels(-1, 3)
    assert levels_of(both, LevelsChoice("symmetric")) == Levels(-3, 3)
    assert levels_of(both, LevelsChoice("automatic")) == Levels(-3, 3)
    assert levels_of(tile([[1.0, 3.0]]), LevelsChoice("automatic")) == Levels(1, 3)
    assert levels_of(tile([[np.nan]]), LevelsChoice("full")) is None


@pytest.mark.parametrize("value", [0.0, 5.0, -2.5])
def test_a_constant_is_in_the_middle(value: float) -> None:
    levels = levels_of(tile([[value]]), LevelsChoice("full"))
    assert levels is not None
    assert levels.low < value < levels.high


@pytest.mark.parametrize("colour_map", [item.name for item in COLOUR_MAPS])
def test_the_ends_of_the_levels_are_the_ends_of_the_map(colour_map: str) -> None:
    made = picture(tile([[0.0, 1.0]]), Colouring(LevelsChoice("full"), colour_map))
    table = lookup_table(colour_map)
    assert tuple(made.pixels[0, 0, :3]) == tuple(table[0])
    assert tuple(made.pixels[0, 1, :3]) == tuple(table[-1])


def test_the_automatic_map_fits_the_levels() -> None:
    both = picture(tile([[-1.0, 1.0]]), Colouring(LevelsChoice("automatic"), AUTOMATIC_MAP))
    one = picture(tile([[1.0, 2.0]]), Colouring(LevelsChoice("automatic"), AUTOMATIC_MAP))
    diverging = {item.name: item.diverging for item in COLOUR_MAPS}
    assert diverging[both.colour_map]
    assert not diverging[one.colour_map]


def test_the_largest_floats_overflow_nothing() -> None:
    most = float(np.finfo(np.float32).max)
    made = picture(tile([[-most, 0.0, most]]), Colouring(LevelsChoice("full"), "CET-L1"))
    shades = made.pixels[0, :, 0].astype(int)
    assert shades[0] < shades[1] < shades[2]


def test_markers_have_their_colours_and_nan_goes_first() -> None:
    made = picture(tile([[1, 2, 3, 4]], [[1, 2, 4, 7]]), Colouring(LevelsChoice("full"), "viridis"))
    shown = [tuple(pixel[:3]) for pixel in made.pixels[0]]
    assert shown == [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY, NAN]


LIMITS = Limits((-8.0, 4.0), (-1.0, 0.5))


def test_levels_of_all_the_numbers() -> None:
    """What is known of the tensor goes before what happens to be in the picture."""
    means = tile([[-0.25, 0.5]])
    assert levels_of(means, LevelsChoice("full", limits=LIMITS)) == Levels(-8, 4)
    assert levels_of(means, LevelsChoice("symmetric", limits=LIMITS)) == Levels(-8, 8)
    assert levels_of(means, LevelsChoice("percentile", limits=LIMITS)) == Levels(-1, 0.5)
    assert levels_of(means, LevelsChoice("automatic", limits=LIMITS)) == Levels(-0.5, 0.5)
    assert levels_of(means, LevelsChoice("hand", hand=(0.0, 3.0), limits=LIMITS)) == Levels(0, 3)
    unknown = Limits((-8.0, 4.0), None)
    assert levels_of(means, LevelsChoice("percentile", limits=unknown)) == Levels(-0.25, 0.5)


def test_what_is_beyond_the_levels_has_the_colours_of_the_ends() -> None:
    values = tile([[-1e30, -2.0, 0.0, 2.0, 1e30, np.nan]], [[0, 0, 0, 0, 0, 1]])
    for logarithmic in (False, True):
        choice = LevelsChoice("hand", logarithmic, hand=(-2.0, 2.0))
        made = picture(values, Colouring(choice, "CET-D1A"))
        shown = [tuple(int(part) for part in pixel[:3]) for pixel in made.pixels[0]]
        table = lookup_table("CET-D1A").tolist()
        assert shown[0] == shown[1] == tuple(table[0])
        assert shown[3] == shown[4] == tuple(table[-1])
        assert shown[2] == tuple(table[127])
        assert shown[5] == NAN


@pytest.mark.parametrize("value", [1.7e308, -1.7e308, 5e-324, 0.0])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_constant_has_levels_around_it(value: float, logarithmic: bool) -> None:
    made = Tile(
        TilePlan(range(1), range(2), 1, 1),
        np.array([[value, value]]),
        np.zeros((1, 2), np.uint8),
        exact=True,
        sample="",
    )
    levels = levels_of(made, LevelsChoice("full", logarithmic))
    assert levels is not None
    assert np.isfinite([levels.low, levels.high]).all()
    assert levels.low <= value <= levels.high
    assert levels.low < levels.high
    assert np.isfinite(levels.shares(made.values)).all()


@example(4.764399600704942e16, -1.866753566176038e16, [-4.764399600704943e16], True)
@example(0.0, 1.0, [8.988465674311579e307, 8.98846567431158e307], True)
@given(
    st.floats(-1e308, 1e308),
    st.floats(-1e308, 1e308),
    st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=20),
    st.booleans(),
)
def test_larger_values_lie_higher(
    one: float, other: float, numbers: list[float], logarithmic: bool
) -> None:
    low, high = sorted((one, other))
    assume(high > low + 1e-300)
    made = Tile(
        TilePlan(range(1), range(len(numbers)), 1, 1),
        np.array([numbers]),
        np.isnan([numbers]).astype(np.uint8),
        exact=True,
        sample="",
    )
    levels = levels_of(made, LevelsChoice("hand", logarithmic, hand=(low, high)))
    if levels is None:
        assert np.isnan(numbers).all()
        return
    shares = levels.shares(made.values)[0]
    np.testing.assert_array_equal(np.isnan(shares), np.isnan(numbers))
    pairs = sorted(
        (value, share) for value, share in zip(numbers, shares, strict=True) if value == value
    )
    ordered = [share for _, share in pairs]
    assert ordered == sorted(ordered)
    assert all(share == 0 for value, share in pairs if value <= low)
    assert all(share == 1 for value, share in pairs if value >= high)


def test_a_logarithmic_scale_shows_small_values_and_tells_large_ones() -> None:
    row = [0.0, *(sign * 10.0**power for power in range(-6, 3) for sign in (1, -1))]
    levels = levels_of(tile([row]), LevelsChoice("full", logarithmic=True))
    assert levels is not None
    assert levels.linear == pytest.approx(0.001)
    shares = dict(zip(row, levels.shares(np.array([row]))[0], strict=True))
    assert shares[0.0] == pytest.approx(0.5)
    assert shares[0.1] - shares[0.01] > 0.09
    assert shares[100.0] - shares[10.0] > 0.09
    ticks = levels.ticks()
    assert ticks is not None
    texts = {text for _, text in ticks}
    assert {"0", "100", "-100"} <= texts
    for place, text in ticks:
        assert place == pytest.approx(levels.place(float(text)))
    linear = levels_of(tile([row]), LevelsChoice("full"))
    assert linear is not None
    assert linear.ticks() is None


def test_a_marker_among_blocks_is_large_enough_to_be_seen() -> None:
    marks = np.zeros((7, 7), int)
    marks[3, 3] = 1
    made = picture(
        tile(np.ones((7, 7)).tolist(), marks.tolist(), 9),
        Colouring(LevelsChoice("full"), "viridis"),
    )
    shown = (made.pixels[..., :3] == NAN).all(axis=2)
    assert shown.sum() == 9
    assert shown[2:5, 2:5].all()


def test_captions() -> None:
    assert caption(tile([[1.0]]), "mean") == ""
    assert caption(tile([[1.0]], block=4), "mean") == "1 pixel = mean of 4 × 4 cells"


@pytest.mark.parametrize("dark", [False, True])
def test_boxes_and_fields_are_lighter_than_what_they_are_on(dark: bool) -> None:
    """The style frames them in a darker colour, which on a dark window is not seen."""
    window = palette(dark).color(QPalette.ColorRole.Window)
    for name, its_own in class_palettes(dark).items():
        base = its_own.color(QPalette.ColorRole.Base)
        assert base.lightnessF() > window.lightnessF() + 0.04, name
        text = its_own.color(QPalette.ColorRole.Text)
        assert abs(text.lightnessF() - base.lightnessF()) > 0.5
