"""Curves of rows and columns against plain NumPy, block by block, at every zoom."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from analysis_sources import Listener, RawArray, random_raw
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.analysis.profiles import (
    Curve,
    LinePlan,
    PlaneLine,
    plan_line,
    render_curve,
    sample_curve,
    takes_long,
)
from inspector.analysis.tiles import NAN, NEG_INF, POS_INF
from inspector.checkpoints.errors import Cancelled
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.dtypes import DTYPES, DType, native
from inspector.values.regions import Plane, Region


def elements_of(array: Array, line: PlaneLine) -> Array:
    """The line's elements one by one, through the plane's own index."""
    places = range(line.length)
    cells = [(line.at, place) if line.is_row else (place, line.at) for place in places]
    return np.array([array[line.plane.element(*cell)] for cell in cells], array.dtype)


def ends(block: Array) -> tuple[float, float, int]:
    """One block in the plainest way: smallest, largest, marks."""
    low = high = float("nan")
    marks = 0
    for element in block:
        if np.isnan(element):
            marks |= NAN
        elif np.isinf(element):
            negative = element.dtype.kind != "c" and element < 0
            marks |= NEG_INF if negative else POS_INF
        else:
            value = abs(complex(element)) if element.dtype.kind == "c" else float(element)
            low, high = np.fmin(low, value), np.fmax(high, value)
    return low, high, marks


def assert_curve(curve: Curve, elements: Array) -> None:
    cells, block = curve.plan.cells, curve.plan.block
    assert curve.low.size == curve.high.size == curve.marks.size == curve.plan.places
    for place in range(curve.plan.places):
        part = elements[cells[place * block : (place + 1) * block]]
        low, high, marks = ends(part)
        exact = part.dtype.kind != "c"
        for found, expected in ((curve.low[place], low), (curve.high[place], high)):
            np.testing.assert_allclose(found, expected, rtol=0 if exact else 1e-15)
        assert curve.marks[place] == marks


DTYPE_NAMES = ("bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64", "complex64")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_curve_is_both_ends_of_every_block(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(DTYPE_NAMES))
    shape = tuple(data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=3)))
    raw = random_raw(name, shape, data.draw(st.integers(0, 99)))
    plane = Plane.first(shape)
    if len(shape) > 1 and data.draw(st.booleans()):
        plane = plane.turned
    for axis in range(len(shape)):
        if data.draw(st.booleans()):
            plane = plane.with_reversed(axis)
    is_row = data.draw(st.booleans())
    others = plane.rows if is_row else plane.columns
    line = PlaneLine(plane, is_row, data.draw(st.integers(0, others - 1)))
    first = data.draw(st.floats(-5, line.length))
    last = first + data.draw(st.floats(0.5, 60))
    plan = plan_line(line.length, (first, last), 1)
    source = RawArray(raw, name)
    listener = Listener()
    curve = render_curve(source, line, plan, **listener.both)
    assert curve.exact
    assert not curve.sample
    assert_curve(curve, elements_of(DTYPES[name].widen(raw), line))
    assert listener.heard[-1] == 1
    assert list(listener.heard) == sorted(listener.heard)


@given(st.integers(1, 1 << 50), st.floats(0, 1), st.floats(0, 1), st.integers(1, 5000))
def test_a_plan_covers_the_view_with_few_places(
    length: int, start: float, end: float, pixels: int
) -> None:
    first, last = sorted((start * length, end * length))
    plan = plan_line(length, (first, last), pixels)
    assert plan.cells.start <= first
    assert plan.cells.stop >= min(last, length)
    assert 1 <= plan.places <= 2 * max(pixels, 32)
    # Pixels are not wasted: as soon as a block is larger than one, there is no room for a smaller.
    assert plan.block == 1 or (plan.block - 1) * max(pixels, 32) < last - first


def test_more_than_fits_in_memory_is_put_together_piece_by_piece() -> None:
    """Also where one place of the curve stands for more elements than are read at a time."""
    row = np.arange(1_000_003, dtype=np.float64)
    row[[16, 500_002]] = np.nan, -np.inf  # inside a block of each size
    for shape, is_row in (((1, row.size), True), ((row.size, 1), False)):
        plane = Plane.first(shape)
        line = PlaneLine(plane, is_row, 0)
        source = RawArray(row.reshape(shape), "float64")
        for block in (400_000, 1000, 3):
            curve = render_curve(source, line, LinePlan(range(row.size), block), **Listener().both)
            starts = np.arange(0, row.size, block)
            stops = np.minimum(starts + block, row.size) - 1
            np.testing.assert_array_equal(curve.low, starts)
            np.testing.assert_array_equal(curve.high, stops)
            marked = {place: curve.marks[place] for place in np.flatnonzero(curve.marks).tolist()}
            expected = {16 // block: 0, 500_002 // block: 0}
            expected[16 // block] |= NAN
            expected[500_002 // block] |= NEG_INF
            assert marked == expected
        assert max(region.numel for region in source.reads) <= 1 << 17


class Planted:
    """Zeros of any shape but for some elements; made as they are asked for."""

    def __init__(self, shape: tuple[int, ...], bad: dict[tuple[int, ...], float]) -> None:
        self.shape = shape
        self._bad = bad
        self.largest = 0

    @property
    def dtype(self) -> DType:
        return native(np.dtype(np.float32))

    @property
    def axis_order(self) -> tuple[int, ...]:
        return tuple(range(len(self.shape)))

    def read(self, region: Region) -> Array:
        self.largest = max(self.largest, region.numel)
        axes = [axis if isinstance(axis, range) else range(axis, axis + 1) for axis in region.axes]
        block = np.zeros([len(axis) for axis in axes], np.float32)
        for at, value in self._bad.items():
            if all(place in axis for place, axis in zip(at, axes, strict=True)):
                block[tuple(axis.index(place) for place, axis in zip(at, axes, strict=True))] = (
                    value
                )
        return block.reshape(region.shape)

    read_raw = read


BAD = {3: np.nan, 5_000_001: np.inf, 7_654_321: -np.inf, 2_222_222: 1e6, 9_999_999: -1e6}


@pytest.mark.parametrize("is_row", [True, False])
def test_the_bad_element_is_on_the_curve_at_every_zoom(is_row: bool) -> None:
    length = 10_000_000
    shape = (2, length) if is_row else (length, 2)
    source = Planted(shape, {((1, at) if is_row else (at, 1)): bad for at, bad in BAD.items()})
    line = PlaneLine(Plane.first(shape), is_row, 1)
    views = [(0.0, float(length))]
    for at in BAD:
        views += [(at - extent / 3, at + extent) for extent in (2e6, 1e5, 2000, 50, 3)]
    for view in views:
        plan = plan_line(length, view, 600)
        curve = render_curve(source, line, plan, **Listener().both)
        inside = {at: bad for at, bad in BAD.items() if at in plan.cells}
        assert inside
        for at, bad in inside.items():
            place = (at - plan.cells.start) // plan.block
            flags = {np.inf: POS_INF, -np.inf: NEG_INF}
            if np.isfinite(bad):
                assert bad in (curve.low[place], curve.high[place])
            else:
                assert curve.marks[place] & flags.get(bad, NAN)
        places = {(at - plan.cells.start) // plan.block for at in inside}
        other = (curve.low != 0) | (curve.high != 0) | (curve.marks != 0)
        assert set(np.flatnonzero(other).tolist()) == places
    assert source.largest <= 1 << 17


@pytest.mark.parametrize(
    ("array", "plane", "is_row"),
    [
        (np.broadcast_to(np.float32(2), (1 << 40,)), Plane.first((1 << 40,)).turned, True),
        (np.broadcast_to(np.int8(2), (1 << 30, 1 << 20)), Plane.first((1 << 30, 1 << 20)), False),
    ],
)
def test_a_sample_of_any_size_is_bounded(array: Array, plane: Plane, is_row: bool) -> None:
    line = PlaneLine(plane, is_row, 0)
    plan = plan_line(line.length, (0, line.length), 1000)
    source = RawArray(array, {"f": "float32", "i": "int8"}[array.dtype.kind])
    assert takes_long(source, line, plan)
    tracemalloc.start()
    sample = sample_curve(source, line, plan, check=Listener().check)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert len(source.reads) == 1
    assert source.reads[0].numel == sample.plan.places <= 512
    assert not sample.exact
    assert sample.sample == f"1:{sample.plan.block:,}"
    assert (sample.low == 2).all()
    assert (sample.high == 2).all()
    # Close by, it is exact in a moment, and says so.
    near = plan_line(line.length, (line.length / 2, line.length / 2 + 300), 1000)
    assert not takes_long(source, line, near)
    close = sample_curve(source, line, near, check=Listener().check)
    assert close.exact
    assert not close.sample


def test_a_sample_has_elements_that_occur_at_their_places() -> None:
    row = np.arange(5000.0)
    row[2500] = np.nan
    line = PlaneLine(Plane.first((1, 5000)), True, 0)
    plan = LinePlan(range(100, 5000), 2)
    source = InMemoryArray(row.reshape(1, -1))
    sample = sample_curve(source, line, plan, check=Listener().check)
    assert sample.plan.block % plan.block == 0
    assert sample.plan.cells == plan.cells
    starts = [*range(100, 5000, sample.plan.block), 5000]
    for place, (start, stop) in enumerate(pairwise(starts)):
        if sample.marks[place]:
            assert start <= 2500 < stop
        else:
            assert start <= sample.low[place] == sample.high[place] < stop


def test_a_curve_that_nobody_wants_any_more_ends_within_a_piece() -> None:
    source = Planted((10_000_000, 2), {})
    line = PlaneLine(Plane.first(source.shape), False, 0)
    plan = plan_line(line.length, (0, line.length), 600)
    listener = Listener(cancel_after=3)
    with pytest.raises(Cancelled):
        render_curve(source, line, plan, **listener.both)
    assert listener.checks == 4
    assert source.largest <= 1 << 12  # of a file, each of these may be a read of its own


def test_a_line_is_written_as_an_index() -> None:
    plane = Plane.first((4, 5, 6)).with_index(0, 3)
    assert PlaneLine(plane, True, 2).text() == "[3, 2, :]"
    assert PlaneLine(plane, False, 1).text() == "[3, :, 1]"
    assert PlaneLine(plane.turned, True, 1).text() == "[3, :, 1]"
    assert PlaneLine(plane.with_reversed(1), True, 0).text() == "[3, 4, :]"
    assert PlaneLine(plane.with_reversed(1), False, 0).text() == "[3, ::-1, 0]"
    assert PlaneLine(Plane.first((7,)).turned, True, 0).text() == "[:]"


def test_what_lies_apart_in_memory_takes_longer() -> None:
    plane = Plane.first((100_000, 100_000))
    row, column = (PlaneLine(plane, is_row, 3) for is_row in (True, False))
    everything = LinePlan(range(100_000), 100)
    source = Planted(plane.shape, {})
    assert not takes_long(source, row, everything)
    assert takes_long(source, column, everything)
    assert takes_long(source, PlaneLine(plane.turned, True, 3), everything)


def test_memory_says_what_lies_apart() -> None:
    """In an array that is stored transposed, columns are quick and rows are not."""
    source = RawArray(np.zeros((5000, 5001), np.float32).T, "float32")
    plane = Plane.first(source.shape)
    row, column = (PlaneLine(plane, is_row, 3) for is_row in (True, False))
    assert takes_long(source, row, LinePlan(range(5000), 1))
    assert not takes_long(source, column, LinePlan(range(5001), 1))
    listener = Listener(cancel_after=1)
    render_curve(source, column, LinePlan(range(5001), 1), **listener.both)
    with pytest.raises(Cancelled):
        render_curve(source, row, LinePlan(range(5000), 1), **Listener(cancel_after=1).both)
