"""Scroll arithmetic holds at any size."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt

from inspector.gui.grid_geometry import Geometry, drag_steps
from inspector.gui.grid_selection import Selection, Span, key_target
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


sizes = st.one_of(st.integers(1, 50), st.integers(1, 2**45))


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    made = Geometry(
        rows=draw(sizes),
        columns=draw(sizes),
        top=0,
        left=0,
        width=draw(st.integers(0, 4000)),
        height=draw(st.integers(0, 3000)),
        cell_width=draw(st.integers(1, 300)),
        cell_height=draw(st.integers(1, 60)),
        header_width=draw(st.integers(1, 300)),
        header_height=draw(st.integers(1, 60)),
    )
    return replace(
        made,
        top=draw(st.integers(0, made.row_map.last)),
        left=draw(st.integers(0, made.column_map.last)),
    )


points = st.builds(QPoint, st.integers(-5000, 9000), st.integers(-5000, 9000))


@given(geometries(), points)
def test_a_point_is_in_the_cell_that_is_drawn_there(geometry: Geometry, point: QPoint) -> None:
    row, column = geometry.cell_at(point)
    assert 0 <= row < geometry.rows
    assert 0 <= column < geometry.columns
    rows, columns = geometry.visible
    inside = geometry.area_at(point) == "cells" and geometry.pull(point) == (0, 0)
    rect = geometry.cell_rect(row, column)
    if inside and (row, column) != (rows.stop - 1, columns.stop - 1):
        # Beyond the last row and column there may be empty ground.
        assert rect.left() <= point.x()
        assert rect.top() <= point.y()
        assert row == rows.stop - 1 or point.y() <= rect.bottom()
        assert column == columns.stop - 1 or point.x() <= rect.right()


@given(geometries())
def test_every_visible_cell_is_found_where_it_is_drawn(geometry: Geometry) -> None:
    rows, columns = geometry.visible
    for row in (*rows[:2], *rows[-2:]):
        for column in (*columns[:2], *columns[-2:]):
            assert geometry.cell_at(geometry.cell_rect(row, column).center()) == (row, column)


@given(st.integers(-(10**6), 10**6), st.integers(0, 3000), st.integers(0, 3000), sizes)
def test_a_drag_pulls_the_more_the_farther_it_goes(
    at: int, start: int, length: int, size: int
) -> None:
    stop = start + length
    pull = drag_steps(at, start, stop, size)
    beyond = max(start - at, at - stop + 1, 0)
    assert (pull == 0) == (beyond == 0)
    assert beyond == 0 or (pull > 0) == (at >= stop)
    assert abs(pull) == -(-beyond // size)


@given(st.data(), sizes, sizes, st.sampled_from(["cells", "rows", "columns", "all"]))
def test_a_selection_holds_both_its_ends(
    data: st.DataObject, rows: int, columns: int, span: Span
) -> None:
    cells = st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1))
    anchor, cell = data.draw(cells), data.draw(cells)
    down, across = Selection(anchor, span).ranges(cell, rows, columns)
    assert range(rows)[down.start : down.stop] == down
    assert range(columns)[across.start : across.stop] == across
    assert (anchor[0] in down, anchor[1] in across) == (True, True)
    assert (cell[0] in down, cell[1] in across) == (True, True)
    assert (len(down), len(across)) == (
        rows if span in ("columns", "all") else abs(anchor[0] - cell[0]) + 1,
        columns if span in ("rows", "all") else abs(anchor[1] - cell[1]) + 1,
    )
    assert Selection(cell, span).ranges(anchor, rows, columns) == (down, across)


@given(st.data(), sizes, sizes, st.integers(1, 200))
def test_keys_reach_every_edge(data: st.DataObject, rows: int, columns: int, page: int) -> None:
    cell = data.draw(st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1)))

    def go(key: Qt.Key, *, control: bool = False) -> object:
        return key_target(key, control=control, cell=cell, rows=rows, columns=columns, page=page)

    assert go(Qt.Key.Key_End, control=True) == (rows - 1, columns - 1)
    assert go(Qt.Key.Key_Home, control=True) == (0, 0)
    assert go(Qt.Key.Key_Down, control=True) == (rows - 1, cell[1])
    assert go(Qt.Key.Key_PageDown) == (cell[0] + page, cell[1])
    assert go(Qt.Key.Key_End) == (cell[0], columns - 1)
    assert go(Qt.Key.Key_A) is None
