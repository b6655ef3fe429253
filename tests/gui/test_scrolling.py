"""Scroll arithmetic holds at any size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inspector.gui.scrolling import ScrollMap

maps = st.builds(ScrollMap, st.integers(0, 2**45), st.integers(1, 500))


@given(maps)
def test_both_ends_are_reached(scroll: ScrollMap) -> None:
    assert scroll.offset(0) == 0
    assert scroll.offset(scroll.steps) == scroll.last
    assert scroll.steps < 2**31 - 2**20


@given(maps, st.data())
def test_a_value_stands_for_an_offset_that_maps_back_to_it(
    scroll: ScrollMap, data: st.DataObject
) -> None:
    value = data.draw(st.integers(0, scroll.steps))
    assert scroll.value(scroll.offset(value)) == value


@given(maps, st.data())
def test_values_and_offsets_grow_together(scroll: ScrollMap, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, scroll.last))
    second = data.draw(st.integers(first, scroll.last))
    assert 0 <= scroll.value(first) <= scroll.value(second) <= scroll.steps


@given(maps, st.integers(0, 2**45), st.data())
def test_revealing_shows_the_row_and_moves_no_further_than_needed(
    scroll: ScrollMap, offset: int, data: st.DataObject
) -> None:
    offset = scroll.clamp(offset)
    index = data.draw(st.integers(0, max(0, scroll.total - 1)))
    moved = scroll.reveal(offset, index)
    assert moved <= index < moved + scroll.visible or scroll.total == 0
    if offset <= index < offset + scroll.visible:
        assert moved == offset
