"""A curve as an image: where its pixels are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from inspector.gui.curve_image import Steps, curve_image

LINE, INSIDE = QColor(255, 0, 0), QColor(0, 0, 255, 128)
DRAWN, BETWEEN, NOTHING = 0xFFFF0000, 0x80000080, 0


def pixels(image: QImage) -> NDArray[np.uint32]:
    """An image's pixels, one row after the other from the top."""
    found = np.frombuffer(image.constBits(), np.uint32)
    return found.reshape(image.height(), image.width()).copy()


def drawn(
    steps: Steps, length: int, breadth: int, width: int = 1, *, upright: bool = False
) -> NDArray[np.uint32]:
    """The pixels of some steps."""
    return pixels(
        curve_image(steps, length, breadth, width, upright=upright, line=LINE, inside=INSIDE)
    )


def steps_of(*places: tuple[float, float], wide: float = 1.0) -> Steps:
    """Steps of this width, each from its low to its high end."""
    low, high = np.array(places, np.float64).T
    return Steps(np.arange(low.size + 1) * wide, low, high)


def test_a_curve_is_a_line_with_a_step_from_each_place_to_the_next() -> None:
    found = drawn(steps_of((1, 1), (3, 3), wide=2), 4, 5)
    assert (found == DRAWN).astype(int).tolist() == [
        [0, 0, 0, 0],
        [0, 0, 1, 1],
        [0, 0, 1, 0],
        [1, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    assert set(np.unique(found)) == {NOTHING, DRAWN}


def test_a_band_is_filled_between_its_ends() -> None:
    found = drawn(steps_of((0, 3)), 1, 5)
    assert found[:, 0].tolist() == [NOTHING, DRAWN, BETWEEN, BETWEEN, DRAWN]


def test_where_there_is_no_number_nothing_is_drawn() -> None:
    found = drawn(steps_of((1, 1), (np.nan, np.nan), (2, 2)), 5, 4)
    assert (found == DRAWN).astype(int).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


def test_lines_are_as_wide_as_asked() -> None:
    found = drawn(steps_of((2, 2)), 1, 5, width=2)
    assert found[:, 0].tolist() == [NOTHING, NOTHING, DRAWN, DRAWN, NOTHING]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.floats(0, 19), st.floats(0, 19)).map(lambda ends: tuple(sorted(ends))),
            st.just((np.nan, np.nan)),
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 32).map(lambda eighths: eighths / 8),
    st.booleans(),
)
def test_each_end_is_drawn_and_nothing_beyond(
    places: list[tuple[float, float]], wide: float, upright: bool
) -> None:
    length = max(1, int(len(places) * wide))
    found = drawn(steps_of(*places, wide=wide), length, 20, upright=upright)
    if upright:
        found = found.T[::-1]
    places = [ends for place, ends in enumerate(places) if place * wide < length]
    before: tuple[float, float] | None = None
    for column in range(length):
        # Places of which the middle of the column, or less than all of the next one, is in it.
        first = 0 if column == 0 else int((column + 0.5) / wide)
        stop = len(places) if column == length - 1 else int((column + 1.5) / wide)
        shared = places[first : max(stop, first + 1)] or places[-1:]
        ends = [ends for ends in shared if not np.isnan(ends[0])]
        rows = 19 - np.flatnonzero(found[:, column])
        if not ends:
            assert not rows.size
            before = None
            continue
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        assert found[19 - int(low), column] == found[19 - int(high), column] == DRAWN
        least, most = (low, high) if before is None else (min(low, before[0]), max(high, before[1]))
        assert rows.min() == int(least)
        assert rows.max() == int(most)
        before = low, high


def test_no_place_is_left_out_where_many_share_a_pixel() -> None:
    places = [(1.0, 1.0)] * 1000
    places[777] = (1.0, 9.0)
    found = drawn(steps_of(*places, wide=0.1), 100, 10)
    assert found[0, 77] == DRAWN


def test_narrow_places_at_both_ends_are_drawn() -> None:
    ends = np.array([4.0, 1.0, 5.0])
    found = drawn(Steps(np.array([1.1, 1.3, 3.6, 3.9]), ends, ends), 6, 7)
    rows = (found[::-1] == DRAWN).any(axis=1)
    assert rows[4]
    assert rows[5]
