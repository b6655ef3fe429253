"""Pictures against a block by block reduction in plain NumPy, at every zoom and cut."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from analysis_sources import Listener, RawArray, kept_in, random_raw
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inspector.analysis.reduction import reduce_blocks, reduce_stored
from inspector.analysis.tiles import (
    NAN,
    NEG_INF,
    POS_INF,
    Reduction,
    Tile,
    TilePlan,
    finite_range,
    percentile_range,
    plan_tile,
    preview_tile,
    render_tile,
)
from inspector.checkpoints.errors import Cancelled
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.reading import StoredTensor
from inspector.values.regions import Plane, Region

pytestmark = pytest.mark.usefixtures("way")

REDUCTIONS: list[Reduction] = ["largest magnitude", "mean", "minimum", "maximum"]


def render(
    array: Array,
    plane: Plane,
    plan: TilePlan,
    reduction: Reduction,
    piece: int = 1 << 19,
) -> Tile:
    source = InMemoryArray(array)
    return render_tile(source, plane, plan, reduction, piece=piece, **Listener().both)


def whole(plane: Plane, block_rows: int, block_columns: int) -> TilePlan:
    return TilePlan(range(plane.rows), range(plane.columns), block_rows, block_columns)


def seen(array: Array, plane: Plane) -> Array:
    """The plane as a 2-D array, rows down, by NumPy's own means."""
    shown = [axis for axis in (plane.row_axis, plane.column_axis) if axis is not None]
    array = np.flip(array, [axis for axis in shown if axis in plane.reversed_axes])
    array = array[tuple(slice(None) if n in shown else at for n, at in enumerate(plane.index))]
    return (array.T if plane.is_transposed else array).reshape(plane.rows, plane.columns)


def reduced(block: Array, reduction: Reduction) -> tuple[float, int]:
    """One block in the plainest way."""
    nan = np.isnan(block)
    marks = NAN * bool(nan.any())
    if block.dtype.kind == "c":
        marks |= POS_INF * bool(np.isinf(block).any())
        finite = np.abs(block[np.isfinite(block)].astype(np.complex128))
    else:
        marks |= POS_INF * bool((block == np.inf).any()) | NEG_INF * bool((block == -np.inf).any())
        finite = block[np.isfinite(block)].astype(np.float64)
    if not finite.size:
        return math.nan, marks
    if reduction == "mean":
        return math.fsum(finite / finite.size), marks
    low, high = float(finite.min()), float(finite.max())
    if reduction == "largest magnitude":
        return (low if -low > high else high), marks
    return (low if reduction == "minimum" else high), marks


def assert_right(tile: Tile, values: Array, reduction: Reduction) -> None:
    plan = tile.plan
    assert tile.values.shape == tile.marks.shape == plan.shape
    assert tile.marks.dtype == np.uint8
    assert not np.isinf(tile.values).any()
    for row in range(plan.shape[0]):
        for column in range(plan.shape[1]):
            down = plan.rows[row * plan.block_rows :][: plan.block_rows]
            across = plan.columns[column * plan.block_columns :][: plan.block_columns]
            block = values[down.start : down.stop, across.start : across.stop]
            number, marks = reduced(block, reduction)
            assert tile.marks[row, column] == marks
            found = float(tile.values[row, column])
            if reduction == "mean" and not math.isnan(number):
                eps = float(np.finfo(tile.values.dtype).eps)
                most = float(np.abs(block[np.isfinite(block)].astype(np.complex128)).max())
                assert found == pytest.approx(number, rel=2 * eps, abs=1e-14 * most)
            else:
                assert found == number or (math.isnan(found) and math.isnan(number))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype(name: str, reduction: Reduction) -> None:
    source = RawArray(random_raw(name, (11, 13)), name)
    with np.errstate(all="ignore"):
        values = source.read(Region.whole(source.shape))
    plane = Plane.first(source.shape)
    for plan in (whole(plane, 3, 4), whole(plane, 1, 1), whole(plane, 20, 5)):
        with np.errstate(all="ignore"):
            tile = render_tile(source, plane, plan, reduction, **Listener().both)
            assert_right(tile, values, reduction)
        assert tile.exact
        assert tile.sample == ""
        wide = values.dtype.itemsize > 4 or values.dtype in (np.int32, np.uint32)
        assert tile.values.dtype == (np.float64 if wide else np.float32)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Array, Plane, TilePlan, int]:
    """A small tensor of any rank, any plane of it, any part and block, any piece."""
    shape = tuple(draw(st.lists(st.integers(1, 9), max_size=4)))
    seed = draw(st.integers(0, 10))
    array = random_raw(draw(st.sampled_from(["float32", "float64", "int32"])), shape, seed)
    array = kept_in(array, draw(st.permutations(range(len(shape)))))
    plane = Plane.first(shape)
    if len(shape) > 1:
        rows, columns = draw(st.permutations(range(len(shape))))[:2]
        index = tuple(draw(st.integers(0, size - 1)) for size in shape)
        plane = Plane(shape, rows, columns, index)
    turned = draw(st.frozensets(st.integers(0, max(0, len(shape) - 1))))
    plane = replace(plane, reversed_axes=turned)
    block_rows, block_columns = draw(st.integers(1, 10)), draw(st.integers(1, 40))
    parts = []
    for total, block in ((plane.rows, block_rows), (plane.columns, block_columns)):
        start = draw(st.integers(0, (total - 1) // block)) * block
        parts.append(range(start, draw(st.integers(start + 1, total))))
    plan = TilePlan(parts[0], parts[1], block_rows, block_columns)
    return array, plane, plan, draw(st.integers(1, 90))


@settings(deadline=None, max_examples=300)
@given(picture=pictures(), reduction=st.sampled_from(REDUCTIONS))
def test_any_part_of_any_plane_in_any_pieces(
    picture: tuple[Array, Plane, TilePlan, int], reduction: Reduction
) -> None:
    array, plane, plan, piece = picture
    with np.errstate(all="ignore"):
        tile = render(array, plane, plan, reduction, piece)
        assert_right(tile, seen(array, plane), reduction)


def every_way(shape: tuple[int, int]) -> list[Plane]:
    """A matrix as it is, transposed, and each of them reversed in any direction."""
    ways = [frozenset[int](), frozenset({0}), frozenset({1}), frozenset({0, 1})]
    return [Plane(shape, row, 1 - row, (0, 0), turned) for row in (0, 1) for turned in ways]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("plane", every_way((300, 200)))
def test_a_plane_is_read_once_and_in_the_order_of_memory(
    plane: Plane, order: tuple[int, int]
) -> None:
    source = RawArray(kept_in(random_raw("float32", plane.shape), order), "float32")
    for block, piece in ((7, 1000), (70, 150), (3, 90)):
        source.reads.clear()
        render_tile(source, plane, whole(plane, block, 11), "mean", piece=piece, **Listener().both)
        seen_from, places = -1, set[tuple[int, int]]()
        for region in source.reads:
            axes = [axis for axis in region.ascending.axes if isinstance(axis, range)]
            first = axes[order[0]][0] * plane.shape[order[1]] + axes[order[1]][0]
            assert first > seen_from
            seen_from = first
            places.update(itertools.product(*axes))
        assert sum(region.numel for region in source.reads) == len(places) == 300 * 200


@pytest.mark.parametrize("block_columns", [1, 2, 16, 17, 50])
@pytest.mark.parametrize("block_rows", [1, 2, 16, 17, 50])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_wide_arrays_and_remainders(
    reduction: Reduction, block_rows: int, block_columns: int
) -> None:
    """Each of the ways in which blocks are combined: slices, whole reductions, turned arrays."""
    for shape in ((53, 70), (70, 5), (3, 103)):
        array = random_raw("float32", shape, seed=block_rows)
        with np.errstate(all="ignore"):
            turned = Plane(shape, 1, 0, (0, 0), frozenset({0, 1}))
            for plane in (Plane.first(shape), replace(turned, reversed_axes=frozenset()), turned):
                tile = render(array, plane, whole(plane, block_rows, block_columns), reduction)
                assert_right(tile, seen(array, plane), reduction)


def test_shapes_without_a_plane() -> None:
    single = np.array(-7.5, np.float32)
    tile = render(single, Plane.first(()), whole(Plane.first(()), 1, 1), "mean")
    assert tile.values.tolist() == [[-7.5]]
    line = np.arange(10, dtype=np.int16)
    plane = Plane.first((10,))
    assert render(line, plane, whole(plane, 4, 1), "maximum").values.tolist() == [[3], [7], [9]]
    empty = np.empty((4, 0), np.float32)
    plane = Plane.first((4, 0))
    listener = Listener()
    tile = render_tile(InMemoryArray(empty), plane, whole(plane, 2, 1), "mean", **listener.both)
    assert tile.values.shape == (2, 0)
    assert listener.heard == [1.0]
    assert preview_tile(InMemoryArray(empty), plane, whole(plane, 2, 1), check=int).exact
    assert finite_range(tile) is None


@pytest.mark.parametrize("piece", [1 << 19, 64])
def test_means_beyond_float64_are_finite(piece: int) -> None:
    largest = np.finfo(np.float64).max
    array = np.full((40, 40), largest)
    array[:, 20:] *= -1
    array[30:, :] = 1e-300
    plane = Plane.first(array.shape)
    tile = render(array, plane, whole(plane, 10, 20), "mean", piece)
    assert tile.values[:3] == pytest.approx(np.array([[largest, -largest]] * 3), rel=1e-14)
    assert tile.values[3] == pytest.approx(1e-300, rel=1e-14)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_means_of_blocks_read_in_pieces(piece: int) -> None:
    """Pieces of a block that hold nothing finite, and more pieces than float32 could add up."""
    array = (1 + np.random.default_rng(0).random((60, 70))).astype(np.float32)
    array[7:20, 3:50] = np.nan
    array[0, 0] = array[59, 69] = -np.inf
    plane = Plane.first(array.shape)
    tile = render(array, plane, whole(plane, 50, 60), "mean", piece)
    assert_right(tile, array, "mean")
    wanted = [
        [np.mean(part[np.isfinite(part)], dtype=np.float64) for part in row]
        for row in ((array[:50, :60], array[:50, 60:]), (array[50:, :60], array[50:, 60:]))
    ]
    assert np.array_equal(tile.values, np.array(wanted).astype(np.float32))


def test_a_complex_magnitude_beyond_float64_is_no_infinity() -> None:
    array = np.array([[1.7e308 + 1.7e308j, 1], [complex(np.nan, np.inf), complex(0, -np.inf)]])
    plane = Plane.first(array.shape)
    tile = render(array, plane, whole(plane, 1, 1), "largest magnitude")
    assert tile.values[0].tolist() == [np.finfo(np.float64).max, 1.0]
    assert np.isnan(tile.values[1]).all()
    assert tile.marks.tolist() == [[0, 0], [NAN | POS_INF, POS_INF]]


class Planted:
    """Zeros of any number, with one other element."""

    dtype = DTYPES["float32"]
    axis_order = (0, 1)

    def __init__(self, shape: tuple[int, ...], place: tuple[int, ...], value: float) -> None:
        self.shape = shape
        self._place = place
        self._value = value

    def read(self, region: Region) -> Array:
        found = np.zeros(region.shape, np.float32)
        ranges = [axis for axis in region.axes if isinstance(axis, range)]
        inside = [i in axis for i, axis in zip(self._place, ranges, strict=True)]
        if all(inside):
            index = (axis.index(i) for i, axis in zip(self._place, ranges, strict=True))
            found[tuple(index)] = self._value
        return found

    read_raw = read


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38, -1e-30])
@pytest.mark.parametrize(
    ("plane", "cell"),
    [
        (Plane((8191, 4099), 0, 1, (0, 0)), (8190, 4098)),
        (Plane((8191, 4099), 1, 0, (0, 0)), (4098, 8190)),
        (Plane((8191, 4099), 0, 1, (0, 0), frozenset({0})), (0, 4098)),
        (Plane((8191, 4099), 1, 0, (0, 0), frozenset({0, 1})), (0, 0)),
    ],
)
def test_one_bad_element_is_found_at_every_zoom(
    value: float, plane: Plane, cell: tuple[int, int]
) -> None:
    source = Planted(plane.shape, (8190, 4098), value)
    row, column = cell
    for zoom in (1, 2, 7, 100, 3000):
        rows, columns = plane.rows / zoom, plane.columns / zoom
        plan = plan_tile(
            plane.rows,
            plane.columns,
            (row - rows * 0.7, row + rows * 0.3),
            (column - columns * 0.4, column + columns * 0.6),
            (640, 480),
        )
        pixel = (
            (row - plan.rows.start) // plan.block_rows,
            (column - plan.columns.start) // plan.block_columns,
        )
        for reduction in REDUCTIONS:
            tile = render_tile(source, plane, plan, reduction, **Listener().both)
            if math.isfinite(value):
                assert not tile.marks.any()
                shown = reduction in ("largest magnitude", "maximum" if value > 0 else "minimum")
                if shown:
                    assert tile.values[pixel] == np.float32(value)
                    assert np.count_nonzero(tile.values) == 1
            else:
                mark = NAN if math.isnan(value) else POS_INF if value > 0 else NEG_INF
                assert np.argwhere(tile.marks).tolist() == [list(pixel)]
                assert tile.marks[pixel] == mark
                assert not np.nan_to_num(tile.values).any()


def test_one_bad_element_among_a_billion() -> None:
    shape, place = (1 << 15, 1 << 15), (20_011, 31_337)
    plane = Plane.first(shape)
    plan = plan_tile(*shape, (0, shape[0]), (0, shape[1]), (1200, 800))
    listener = Listener()
    tile = render_tile(Planted(shape, place, math.nan), plane, plan, "mean", **listener.both)
    pixel = [place[0] // plan.block_rows, place[1] // plan.block_columns]
    assert np.argwhere(tile.marks).tolist() == [pixel]
    assert listener.heard == sorted(listener.heard)
    assert listener.heard[-1] == 1.0


axes = st.tuples(
    st.integers(1, 2**40),
    st.floats(-0.5, 1.5),
    st.floats(1e-12, 1.5),
    st.integers(1, 5000),
)


@settings(max_examples=500)
@given(down=axes, across=axes)
def test_a_plan_covers_what_is_visible_and_no_more_than_it_should(
    down: tuple[int, float, float, int], across: tuple[int, float, float, int]
) -> None:
    totals = down[0], across[0]
    visible = [
        (total * start, total * (start + extent)) for total, start, extent, _ in (down, across)
    ]
    plan = plan_tile(*totals, visible[0], visible[1], (across[3], down[3]))
    for total, (first, last), covered, block, pixels, drawn in zip(
        totals,
        visible,
        (plan.rows, plan.columns),
        (plan.block_rows, plan.block_columns),
        (down[3], across[3]),
        plan.shape,
        strict=True,
    ):
        assert 0 <= covered.start < covered.stop <= total
        assert covered.step == 1
        assert covered.start % block == 0
        assert covered.stop % block == 0 or covered.stop == total
        assert covered.start <= max(first, 0) or first >= total
        assert covered.stop >= min(last, total) or last <= 0
        assert drawn <= 1.25 * max(pixels, 32) + 6
        # Smallest: with one less, the rectangle would be finer than the pixels.
        assert block == 1 or min(last - first, total) > (block - 1) * max(pixels, 32) * (1 - 1e-9)
    most = max(across[3], 32) * max(down[3], 32)
    assert math.prod(plan.shape) <= 2 * most


@settings(max_examples=200)
@given(
    start=st.floats(0, 1e6),
    moves=st.lists(st.floats(-500, 500), max_size=5),
    px=st.integers(1, 900),
)
def test_panning_keeps_the_blocks(start: float, moves: list[float], px: int) -> None:
    extent = 12_345.6
    blocks = set()
    for move in [0.0, *moves]:
        start += move
        plan = plan_tile(10**9, 10**9, (start, start + extent), (0, 1), (px, px))
        blocks.add(plan.block_rows)
        assert plan.rows.start % plan.block_rows == 0
    assert len(blocks) == 1


def test_a_plan_has_a_margin() -> None:
    plan = plan_tile(10_000, 10_000, (4000, 5000), (6000, 6004), (500, 500))
    assert (plan.block_rows, plan.block_columns) == (2, 1)
    assert (plan.rows, plan.columns) == (range(3876, 5124), range(5999, 6005))


def test_plans_of_odd_rectangles() -> None:
    assert plan_tile(0, 5, (0, 0), (0, 5), (100, 100)).shape == (0, 5)
    everything = plan_tile(50, 60, (math.nan, 3), (-math.inf, math.inf), (100, 100))
    assert (everything.rows, everything.columns) == (range(50), range(60))
    outside = plan_tile(50, 60, (900, 1000), (-9, -5), (100, 100))
    assert outside.rows.stop == 50
    assert outside.columns.start == 0
    assert all(outside.shape)
    assert (
        plan_tile(50, 60, (40, 10), (0, 60), (100, 100)).rows
        == plan_tile(50, 60, (10, 40), (0, 60), (100, 100)).rows
    )


def test_a_preview_is_a_sample_and_says_so() -> None:
    array = np.arange(1000 * 3000, dtype=np.float64).reshape(1000, 3000)
    source = RawArray(array, "float64")
    for plane, most in (
        (Plane.first(array.shape), (128, 512)),
        (Plane.first(array.shape).with_row_axis(1), (512, 128)),
        (Plane.first(array.shape).with_reversed(0).with_reversed(1), (128, 512)),
        (Plane.first(array.shape).with_row_axis(1).with_reversed(1), (512, 128)),
    ):
        plan = plan_tile(plane.rows, plane.columns, (0, plane.rows), (0, plane.columns), (900, 900))
        source.reads.clear()
        tile = preview_tile(source, plane, plan, check=int)
        assert len(source.reads) == 1
        assert not tile.exact
        assert tile.sample == f"1:{tile.plan.block_rows * tile.plan.block_columns:,}"
        assert tile.plan.block_rows % plan.block_rows == 0
        assert (tile.plan.rows, tile.plan.columns) == (plan.rows, plan.columns)
        assert tile.values.shape == tile.plan.shape
        assert all(size <= limit for size, limit in zip(tile.plan.shape, most, strict=True))
        values = seen(array, plane)
        for row, column in ((0, 0), (5, 7), (tile.plan.shape[0] - 1, tile.plan.shape[1] - 1)):
            block = values[row * tile.plan.block_rows :, column * tile.plan.block_columns :][
                : tile.plan.block_rows, : tile.plan.block_columns
            ]
            assert tile.values[row, column] in block


@pytest.mark.parametrize("rows", [1280, 1281, 1300, 1407])
@pytest.mark.parametrize("columns", [1, 5120, 5121, 5631])
def test_a_preview_has_a_pixel_for_a_last_smaller_block(rows: int, columns: int) -> None:
    array = np.broadcast_to(np.float32(2), (rows, columns))
    plane = Plane.first(array.shape)
    tile = preview_tile(InMemoryArray(array), plane, whole(plane, 10, 10), check=int)
    assert tile.values.shape == tile.plan.shape
    assert (tile.values == 2).all()


def test_a_preview_of_single_elements_is_exact() -> None:
    array = random_raw("float32", (40, 50))
    plane = Plane.first(array.shape)
    plan = whole(plane, 1, 1)
    tile = preview_tile(InMemoryArray(array), plane, plan, check=int)
    assert tile.exact
    assert tile.sample == ""
    exact = render(array, plane, plan, "largest magnitude")
    assert np.array_equal(tile.values, exact.values, equal_nan=True)
    assert np.array_equal(tile.marks, exact.marks)


@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**20), (2, 2**39), (2**39, 2)])
def test_a_preview_reads_no_more_of_a_larger_tensor(shape: tuple[int, ...]) -> None:
    source = RawArray(np.broadcast_to(np.float32(2), shape), "float32")
    plane = Plane.first(shape)
    plan = plan_tile(plane.rows, plane.columns, (0, plane.rows), (0, plane.columns), (1200, 800))
    tile = preview_tile(source, plane, plan, check=int)
    assert [region.numel <= 128 * 512 for region in source.reads] == [True]
    assert (tile.values == 2).all()


class Holes:
    """A file of 2^42 zeros, of which nobody keeps more than how often it was read."""

    size = 2**42

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def read_into(self, _: int, buffer: memoryview) -> None:
        self.lengths.append(len(buffer))
        buffer[:] = bytes(len(buffer))


@pytest.mark.parametrize(
    "shape",
    [
        (2**40,),
        (2**20, 2**20),
        (2, 2**39),
        (2**39, 2),
        (2**15, 2**15),
        (2**10, 2**21),
        (2**10,) * 4,
    ],
)
def test_a_preview_of_a_file_takes_few_reads(shape: tuple[int, ...]) -> None:
    # On a disk, each of them may wait for it.
    for axes in ((-2, -1), (-1, -2), (0, 1), (1, 0), (0, 0)):
        if (len(shape) == 1) != (axes == (0, 0)):
            continue
        file = Holes()
        stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        storage = Storage(file, 0, file.size, "0")  # type: ignore[arg-type]
        entry = TensorEntry("t", ("t",), "float32", shape, stride, storage)
        plane = Plane.first(shape)
        if len(shape) > 1:
            row, column = (axis % len(shape) for axis in axes)
            plane = plane.with_row_axis(row).with_column_axis(column)
        plan = plan_tile(
            plane.rows, plane.columns, (0, plane.rows), (0, plane.columns), (1200, 800)
        )
        assert (preview_tile(StoredTensor(entry), plane, plan, check=int).values == 0).all()
        assert len(file.lengths) <= 128 * 64
        assert sum(file.lengths) <= 2**28


def test_it_can_be_cancelled_between_pieces() -> None:
    source = RawArray(np.ones((100, 100), np.float32), "float32")
    plane = Plane.first(source.shape)
    listener = Listener(cancel_after=3)
    with pytest.raises(Cancelled):
        render_tile(source, plane, whole(plane, 10, 10), "mean", piece=1000, **listener.both)
    assert len(source.reads) == 3
    with pytest.raises(Cancelled):
        preview_tile(source, plane, whole(plane, 10, 10), check=Listener(0).check)


def test_only_what_is_covered_is_read() -> None:
    source = RawArray(np.ones((100, 200), np.float32), "float32")
    plane = Plane.first(source.shape)
    plan = TilePlan(range(10, 30), range(40, 100), 10, 20)
    render_tile(source, plane, plan, "mean", piece=250, **Listener().both)
    assert sum(region.numel for region in source.reads) == 20 * 60
    assert all(region.numel <= 250 for region in source.reads)


@pytest.mark.parametrize("name", ["float32", "float64", "complex128", "float16"])
@pytest.mark.parametrize("shape", [(1 << 12, 1 << 12), (1 << 24,), (4, 1 << 22), (1 << 22, 4)])
def test_memory_is_bounded(shape: tuple[int, ...], name: str) -> None:
    array = np.broadcast_to(np.array(np.nan, name), shape)  # the slowest and hungriest way
    plane = Plane.first(shape)
    plan = plan_tile(plane.rows, plane.columns, (0, plane.rows), (0, plane.columns), (200, 200))
    tracemalloc.start()
    try:
        tile = render(array, plane, plan, "largest magnitude")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * 2**20
    assert (tile.marks == NAN).all()


@pytest.mark.parametrize("reduction", ["largest magnitude", "minimum", "maximum"])
@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("block", [1, 2])
def test_a_pixel_has_no_sign_of_zero(name: str, reduction: Reduction, block: int) -> None:
    raw = np.full((4, 6), -0.0, DTYPES[name].values)
    if name == "bfloat16":
        raw = np.full((4, 6), 0x8000, DTYPES[name].raw)
    plane = Plane.first(raw.shape)
    plan = whole(plane, block, block)
    tile = render_tile(RawArray(raw, name), plane, plan, reduction, **Listener().both)
    assert not np.signbit(tile.values).any()


def test_levels_of_a_picture() -> None:
    values = np.array([[1.0, np.nan], [-4.0, 9.0]], np.float32)
    plan = TilePlan(range(2), range(2), 1, 1)
    tile = Tile(plan, values, np.zeros((2, 2), np.uint8), True, "")
    assert finite_range(tile) == (-4.0, 9.0)
    assert percentile_range(tile, 0, 100) == (-4.0, 9.0)
    assert percentile_range(tile, 40, 60) == (-4.0, 9.0)
    many = Tile(plan, np.arange(1001.0).reshape(7, 143), np.zeros((7, 143), np.uint8), True, "")
    assert percentile_range(many, 1, 99) == (10.0, 990.0)
    nothing = Tile(plan, values * np.nan, np.ones((2, 2), np.uint8), True, "")
    assert finite_range(nothing) is percentile_range(nothing, 1, 99) is None


@settings(deadline=None, max_examples=200)
@given(
    patterns=hnp.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    finite=st.booleans(),
    block=st.tuples(st.integers(1, 10), st.integers(1, 10)),
    reduction=st.sampled_from(["largest magnitude", "minimum", "maximum", "mean"]),
    name=st.sampled_from(["float16", "bfloat16"]),
)
def test_narrow_floats_are_ordered_without_widening_them(
    patterns: Array, finite: bool, block: tuple[int, int], reduction: Reduction, name: str
) -> None:
    dtype = DTYPES[name]
    if finite:
        patterns &= 0x9FFF  # without the upper bits of the exponent
    raw = patterns.view(dtype.raw)
    found = reduce_stored(raw, dtype, *block, reduction)
    wanted = reduce_blocks(dtype.widen(raw), *block, reduction)
    assert found.values.dtype == wanted.values.dtype
    assert np.array_equal(found.values, wanted.values, equal_nan=True)
    assert np.array_equal(found.marks, wanted.marks)
