"""Regions, planes and index text agree with what NumPy makes of the same index."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inspector.checkpoints.errors import TensorError
from inspector.values.arrays import InMemoryArray
from inspector.values.planes import plane_values
from inspector.values.regions import Plane, Region, parse_region

shapes = st.lists(st.integers(0, 6), max_size=4).map(tuple)


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


@st.composite
def items(draw: st.DrawFn, size: int) -> str:
    if draw(st.booleans()):
        return str(draw(st.integers(-size, size - 1)))
    bound = st.one_of(st.just(""), st.integers(-size - 2, size + 2).map(str))
    return (
        f"{draw(bound)}:{draw(bound)}{draw(st.sampled_from(['', ':', ':1', ':2', ':-1', ':-3']))}"
    )


@st.composite
def shapes_and_indices(draw: st.DrawFn) -> tuple[tuple[int, ...], str]:
    shape = draw(st.lists(st.integers(1, 6), max_size=4).map(tuple))
    first = draw(st.integers(0, len(shape)))
    parts = [draw(items(size)) for size in shape[:first]]
    if draw(st.booleans()):
        last = draw(st.integers(first, len(shape)))
        parts += ["...", *(draw(items(size)) for size in shape[last:])]
    text = ", ".join(parts)
    return shape, draw(st.sampled_from([text, f"[{text}]"]))


@given(shapes_and_indices())
def test_an_index_means_what_it_means_to_numpy(case: tuple[tuple[int, ...], str]) -> None:
    shape, text = case
    array = numbers(shape)
    body = text.strip("[]")
    expected = eval(f"array[{body}]") if body else array
    region = parse_region(text, shape)
    assert region.shape == np.shape(expected)
    np.testing.assert_array_equal(InMemoryArray(array).read(region), expected)


@given(shapes_and_indices())
def test_the_text_of_a_region_reads_back_as_the_same_elements(
    case: tuple[tuple[int, ...], str],
) -> None:
    shape, text = case
    array = numbers(shape)
    region = parse_region(text, shape)
    again = parse_region(region.text(shape), shape)
    source = InMemoryArray(array)
    np.testing.assert_array_equal(source.read(again), source.read(region))


@pytest.mark.parametrize(
    ("text", "shape", "part"),
    [
        ("[3]", (3,), "outside axis 0"),
        ("[-4]", (3,), "outside axis 0"),
        ("[0, 0]", (3,), "does not fit"),
        ("[..., ...]", (3, 3), "does not fit"),
        ("[a]", (3,), "cannot be read"),
        ("[::0]", (3,), "cannot be read"),
        ("[1:2:3:4]", (3,), "cannot be read"),
        ("[1.5]", (3,), "cannot be read"),
        ("[,]", (3,), "cannot be read"),
    ],
)
def test_a_wrong_index_is_refused_in_words(text: str, shape: tuple[int, ...], part: str) -> None:
    with pytest.raises(TensorError, match=part):
        parse_region(text, shape)


@given(shapes_and_indices(), st.integers(1, 40))
def test_blocks_in_order_are_the_region_in_c_order(
    case: tuple[tuple[int, ...], str], most: int
) -> None:
    shape, text = case
    source = InMemoryArray(numbers(shape))
    region = parse_region(text, shape)
    blocks = list(region.blocks(most))
    parts = [source.read(block).reshape(-1) for block in blocks]
    assert all(0 < block.numel <= most for block in blocks)
    joined = np.concatenate(parts) if parts else np.empty(0, np.int64)
    np.testing.assert_array_equal(joined, source.read(region).reshape(-1))


def test_blocks_of_a_huge_tensor_come_one_by_one() -> None:
    region = Region.whole((2**40, 2**20))
    blocks = region.blocks(2**18)
    first, second = next(blocks), next(blocks)
    assert first.axes == (range(1), range(2**18))
    assert second.axes == (range(1), range(2**18, 2**19))


@given(shapes_and_indices(), st.integers(1, 40), st.data())
def test_blocks_in_another_order_of_the_axes(
    case: tuple[tuple[int, ...], str], most: int, data: st.DataObject
) -> None:
    """They are those of the array whose axes are exchanged."""
    shape, text = case
    source = InMemoryArray(numbers(shape))
    region = parse_region(text, shape)
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    turn = region.kept_in(order)
    blocks = list(region.blocks(most, order))
    parts = [source.read(block).transpose(turn).reshape(-1) for block in blocks]
    assert all(0 < block.numel <= most for block in blocks)
    joined = np.concatenate(parts) if parts else np.empty(0, np.int64)
    expected = source.read(region).transpose(turn).reshape(-1)
    np.testing.assert_array_equal(joined, expected)
    same = np.array_equal(expected, source.read(region).reshape(-1))
    assert region.runs_along(order) == same


@given(shapes_and_indices())
def test_ascending_are_the_same_elements_in_the_tensors_order(
    case: tuple[tuple[int, ...], str],
) -> None:
    shape, text = case
    region = parse_region(text, shape)
    source = InMemoryArray(numbers(shape))
    found, given_ = source.read(region.ascending), source.read(region)
    assert found.shape == given_.shape
    assert found.reshape(-1).tolist() == sorted(given_.reshape(-1).tolist())


@given(shapes)
def test_the_first_plane_shows_the_last_two_axes(shape: tuple[int, ...]) -> None:
    plane = Plane.first(shape)
    source = InMemoryArray(numbers(shape))
    if plane.is_empty:
        assert 0 in shape
        return
    values = source.read(plane.region()).reshape(plane.rows, plane.columns)
    whole = numbers(shape)
    expected = whole[(0,) * (len(shape) - 2)] if len(shape) > 1 else whole.reshape(-1, 1)
    np.testing.assert_array_equal(values, expected)


def test_choosing_the_other_shown_axis_exchanges_the_two() -> None:
    plane = Plane.first((2, 3, 4))
    exchanged = plane.with_row_axis(2)
    assert (exchanged.row_axis, exchanged.column_axis) == (2, 1)
    assert exchanged.is_transposed
    moved = plane.with_column_axis(0)
    assert (moved.row_axis, moved.column_axis, moved.held_axes) == (1, 0, (2,))


def test_an_element_is_where_the_plane_says() -> None:
    plane = Plane.first((2, 3, 4, 5)).with_row_axis(0).with_index(2, 3)
    assert plane.element(1, 4) == (1, 0, 3, 4)
    assert plane.text() == "[:, 0, 3, :]"


@st.composite
def planes(draw: st.DrawFn) -> Plane:
    """Any plane of a tensor of any rank, of sizes 0 and 1 too, its axes any way round."""
    shape = draw(shapes)
    plane = Plane.first(shape)
    if len(shape) > 1:
        rows, columns = draw(st.permutations(range(len(shape))))[:2]
        index = tuple(draw(st.integers(0, max(0, size - 1))) for size in shape)
        plane = Plane(shape, rows, columns, index)
    assume(all(shape[axis] for axis in plane.held_axes))  # else there is nothing to hold it at
    turned = frozenset(axis for axis in range(len(shape)) if draw(st.booleans()))
    return replace(plane, reversed_axes=turned)


def flipped(array: np.ndarray, plane: Plane) -> np.ndarray:
    """What a plane shows, by NumPy's own means."""
    shown = [axis for axis in (plane.row_axis, plane.column_axis) if axis is not None]
    array = np.flip(array, [axis for axis in shown if axis in plane.reversed_axes])
    held = tuple(
        slice(None) if axis in shown else plane.index[axis] for axis in range(len(plane.shape))
    )
    array = array[held]
    return (array.T if plane.is_transposed else array).reshape(plane.rows, plane.columns)


@given(planes(), st.data())
def test_rows_and_columns_are_those_of_the_flipped_array(plane: Plane, data: st.DataObject) -> None:
    array = numbers(plane.shape)
    expected = flipped(array, plane)
    rows, columns = range(plane.rows), range(plane.columns)
    if plane.row_axis is not None:
        rows = rows[data.draw(st.slices(plane.rows))]
    if plane.column_axis is not None:
        columns = columns[data.draw(st.slices(plane.columns))]
    for down, across in ((range(plane.rows), range(plane.columns)), (rows, columns)):
        np.testing.assert_array_equal(
            plane_values(InMemoryArray(array), plane, down, across),
            expected[np.ix_(down, across)],
        )
    for row, column in np.ndindex(expected.shape):
        element = plane.element(row, column)
        assert array[element] == expected[row, column]
        assert plane.cell(element) == (row, column)


@given(planes())
def test_the_text_of_a_plane_is_the_index_by_which_numpy_makes_it(plane: Plane) -> None:
    array = numbers(plane.shape)
    by_text = eval(f"array{plane.text()}") if plane.shape else array
    by_text = by_text.T if plane.is_transposed else by_text
    expected = flipped(array, plane)
    np.testing.assert_array_equal(by_text.reshape(expected.shape), expected)
    assert plane.is_whole == (set(plane.text()) <= set("[:, ]"))


def test_a_huge_axis_is_reversed_by_arithmetic_alone() -> None:
    plane = Plane.first((2**40, 3)).with_reversed(0)
    assert plane.text() == "[::-1, :]"
    assert plane.element(0, 2) == (2**40 - 1, 2)
    assert plane.cell((5, 0)) == (2**40 - 6, 0)
    part = plane.region(range(2**39, 2**39 + 2), range(1)).axes[0]
    assert part == range(2**39 - 1, 2**39 - 3, -1)
    source = InMemoryArray(np.broadcast_to(np.float32(3), plane.shape))
    assert (
        plane_values(source, plane, range(2**40 - 2, 2**40), range(3)).tolist() == [[3.0] * 3] * 2
    )


def test_exchanged_axes_keep_their_way() -> None:
    plane = Plane.first((2, 3, 4)).with_reversed(1)
    assert (plane.rows_reversed, plane.columns_reversed) == (True, False)
    exchanged = plane.with_row_axis(2)
    assert (exchanged.rows_reversed, exchanged.columns_reversed) == (False, True)
    assert exchanged.text() == plane.text() == "[0, ::-1, :]"
    assert exchanged.with_column_axis(0).text() == "[:, 0, :]"
    assert exchanged.with_reversed(1) == Plane.first((2, 3, 4)).with_row_axis(2)


@pytest.mark.parametrize(
    ("rows", "columns", "text"),
    [
        (None, None, "[::-1, ::-1]"),
        (range(1), range(2), "[4:, 5:3:-1]"),
        (range(4, 5), range(1, 6), "[:1, 4::-1]"),
        (range(0, 5, 2), range(0), "[::-2, 0:0]"),
    ],
)
def test_parts_of_a_reversed_plane_as_text(
    rows: range | None, columns: range | None, text: str
) -> None:
    plane = Plane.first((5, 6)).with_reversed(0).with_reversed(1)
    assert plane.region(rows, columns).text(plane.shape) == text
