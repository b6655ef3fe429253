"""Colours tell the truth: levels, constants, and markers that nobody overlooks."""

from __future__ import annotations

import numpy as np
import pytest

from inspector.analysis.tiles import Tile, TilePlan
from inspector.gui.colours import (
    AUTOMATIC_MAP,
    COLOUR_MAPS,
    Colouring,
    Levels,
    caption,
    levels_of,
    lookup_table,
    picture,
)
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY


def tile(values: list[list[float]], marks: list[list[int]] | None = None, block: int = 1) -> Tile:
    array = np.array(values, np.float32)
    height, width = array.shape
    plan = TilePlan(range(height * block), range(width * block), block, block)
    flags = np.zeros(array.shape, np.uint8) if marks is None else np.array(marks, np.uint8)
    return Tile(plan, array, flags, exact=True, sample="")


def test_levels() -> None:
    both = tile([[-1.0, 3.0]])
    assert levels_of(both, "full") == Levels(-1, 3)
    assert levels_of(both, "symmetric") == Levels(-3, 3)
    assert levels_of(both, "automatic") == Levels(-3, 3)
    assert levels_of(tile([[1.0, 3.0]]), "automatic") == Levels(1, 3)
    assert levels_of(tile([[np.nan]]), "full") is None


@pytest.mark.parametrize("value", [0.0, 5.0, -2.5])
def test_a_constant_is_in_the_middle(value: float) -> None:
    levels = levels_of(tile([[value]]), "full")
    assert levels is not None
    assert levels.low < value < levels.high


@pytest.mark.parametrize("colour_map", [item.name for item in COLOUR_MAPS])
def test_the_ends_of_the_levels_are_the_ends_of_the_map(colour_map: str) -> None:
    made = picture(tile([[0.0, 1.0]]), Colouring("full", colour_map))
    table = lookup_table(colour_map)
    assert tuple(made.pixels[0, 0, :3]) == tuple(table[0])
    assert tuple(made.pixels[0, 1, :3]) == tuple(table[-1])


def test_the_automatic_map_fits_the_levels() -> None:
    both = picture(tile([[-1.0, 1.0]]), Colouring("automatic", AUTOMATIC_MAP))
    one = picture(tile([[1.0, 2.0]]), Colouring("automatic", AUTOMATIC_MAP))
    diverging = {item.name: item.diverging for item in COLOUR_MAPS}
    assert diverging[both.colour_map]
    assert not diverging[one.colour_map]


def test_the_largest_floats_overflow_nothing() -> None:
    most = float(np.finfo(np.float32).max)
    made = picture(tile([[-most, 0.0, most]]), Colouring("full", "CET-L1"))
    shades = made.pixels[0, :, 0].astype(int)
    assert shades[0] < shades[1] < shades[2]


def test_markers_have_their_colours_and_nan_goes_first() -> None:
    made = picture(tile([[1, 2, 3, 4]], [[1, 2, 4, 7]]), Colouring("full", "viridis"))
    shown = [tuple(pixel[:3]) for pixel in made.pixels[0]]
    assert shown == [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY, NAN]


def test_a_marker_among_blocks_is_large_enough_to_be_seen() -> None:
    marks = np.zeros((7, 7), int)
    marks[3, 3] = 1
    made = picture(tile(np.ones((7, 7)).tolist(), marks.tolist(), 9), Colouring("full", "viridis"))
    shown = (made.pixels[..., :3] == NAN).all(axis=2)
    assert shown.sum() == 9
    assert shown[2:5, 2:5].all()


def test_captions() -> None:
    assert caption(tile([[1.0]]), "mean") == ""
    assert caption(tile([[1.0]], block=4), "mean") == "1 pixel = mean of 4 × 4 cells"
