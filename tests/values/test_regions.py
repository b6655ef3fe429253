"""Regions, planes and index text agree with what NumPy makes of the same index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.checkpoints.errors import TensorError
from inspector.values.arrays import InMemoryArray
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
