"""Where a typed index leads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.values.places import place_of
from inspector.values.regions import Plane, Region, parse_region


@pytest.mark.parametrize(
    ("text", "plane", "rows", "columns"),
    [
        ("[3, :, ::2]", "[3, :, :]", range(5), range(5)),
        ("[-1, 1:3]", "[3, :, :]", range(1, 3), range(6)),
        ("2, 4, 5", "[2, :, :]", range(4, 5), range(5, 6)),
        ("[:, 2, 1:4]", "[:, 2, :]", range(4), range(1, 4)),
        ("[1:3, 4]", "[:, 4, :]", range(1, 3), range(6)),
        ("[1:3, :, 5]", "[:, :, 5]", range(1, 3), range(5)),
        ("[:, 2, 3]", "[:, :, 3]", range(4), range(2, 3)),
        ("[1:3, ::-2, 2:4]", "[1, ::-1, :]", range(5), range(2, 4)),
        ("[0, ::-1]", "[0, ::-1, :]", range(5), range(6)),
        ("[0, 3:0:-1, ::-2]", "[0, ::-1, ::-1]", range(1, 4), range(5)),
        ("[0, 4:2:-2, 1]", "[0, :, :]", range(4, 5), range(1, 2)),
    ],
)
def test_an_index_of_three_axes(text: str, plane: str, rows: range, columns: range) -> None:
    shape = (4, 5, 6)
    found = place_of(parse_region(text, shape), Plane.first(shape))
    assert found is not None
    assert (found.plane.text(), found.rows, found.columns) == (plane, rows, columns)


def test_the_axes_that_are_shown_stay_where_they_can() -> None:
    turned = Plane.first((4, 5, 6)).with_row_axis(2)  # transposed: rows are axis 2
    found = place_of(parse_region("[1, 2, 3]", (4, 5, 6)), turned)
    assert found is not None
    assert (found.plane.row_axis, found.plane.column_axis) == (2, 1)
    assert (found.rows, found.columns) == (range(3, 4), range(2, 3))


@pytest.mark.parametrize(
    ("text", "plane", "rows", "columns"),
    [
        ("[3, 4]", "[::-1, :]", range(1, 2), range(4, 5)),  # a single index says nothing of it
        ("[2]", "[::-1, :]", range(2, 3), range(6)),
        ("[:, 4]", "[:, :]", range(5), range(4, 5)),
        ("[1:3, 4:6]", "[:, :]", range(1, 3), range(4, 6)),
        ("[3:1:-1, 4:1:-1]", "[::-1, ::-1]", range(1, 3), range(1, 4)),
    ],
)
def test_a_reversed_axis_stays_so_unless_the_index_runs_forwards(
    text: str, plane: str, rows: range, columns: range
) -> None:
    shape = (5, 6)
    found = place_of(parse_region(text, shape), Plane.first(shape).with_reversed(0))
    assert found is not None
    assert (found.plane.text(), found.rows, found.columns) == (plane, rows, columns)


@pytest.mark.parametrize("shape", [(), (7,), (1 << 40,), (1 << 20, 1 << 20)])
def test_few_axes_and_many_elements(shape: tuple[int, ...]) -> None:
    last = tuple(size - 1 for size in shape)
    found = place_of(Region(last), Plane.first(shape))
    assert found is not None
    assert found.plane.element(found.rows[0], found.columns[0]) == last


def test_nothing_is_nowhere() -> None:
    assert place_of(parse_region("[2:2]", (4, 5)), Plane.first((4, 5))) is None


@given(st.data())
def test_the_corner_is_in_the_region(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    axes: list[range | int] = []
    for size in shape:
        if data.draw(st.booleans()):
            axes.append(data.draw(st.integers(0, size - 1)))
        else:
            part = data.draw(st.slices(size))
            axes.append(range(size)[part])
    region = Region(tuple(axes))
    plane = Plane.first(shape)
    for axis in range(len(shape)):
        if data.draw(st.booleans()):
            plane = plane.with_reversed(axis)
    if len(shape) > 1:
        plane = plane.with_row_axis(data.draw(st.integers(0, len(shape) - 1)))
    found = place_of(region, plane)
    if found is None:
        assert region.numel == 0
        return
    numbers = np.arange(np.prod(shape)).reshape(shape)
    picked = numbers[np.ix_(*(np.atleast_1d(axis) for axis in axes))]
    for row in (found.rows[0], found.rows[-1]):
        for column in (found.columns[0], found.columns[-1]):
            assert numbers[found.plane.element(row, column)] in picked
    # All rows and columns of the region that lie in this plane are shown, in its order.
    shown = found.plane.region(found.rows, found.columns).axes
    for axis in (found.plane.row_axis, found.plane.column_axis):
        if axis is not None:
            wanted, part = axes[axis], shown[axis]
            assert isinstance(part, range)
            wanted = wanted if isinstance(wanted, range) else range(wanted, wanted + 1)
            assert [index for index in part if index in wanted] == list(wanted)
            assert {part[0], part[-1]} <= set(wanted)
